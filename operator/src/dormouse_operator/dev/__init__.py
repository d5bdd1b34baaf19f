"""`dormouse dev`: the planned pods as local processes."""
