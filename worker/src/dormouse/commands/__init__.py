"""The verbs of `dormouse` that work on executions, wherever these are."""
