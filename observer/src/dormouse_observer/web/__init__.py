"""The pages of `dormouse open`: what is in files of executions, for people with a browser. Only read, only local."""
