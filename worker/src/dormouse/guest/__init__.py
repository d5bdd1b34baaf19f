"""`dormouse exec`: a process of any language in the place of the runtime."""
