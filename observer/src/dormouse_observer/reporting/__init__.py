"""A support bundle: what somebody needs to know to help, and no value of anybody's."""
