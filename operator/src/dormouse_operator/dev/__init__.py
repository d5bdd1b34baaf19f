"""`dormouse dev`: what the operator plans, run as local processes."""
