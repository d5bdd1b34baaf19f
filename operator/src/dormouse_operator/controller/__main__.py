"""`python -m dormouse_operator.controller`: the same as `dormouse operator`."""

from dormouse_operator.controller.command import operator

operator(prog_name="dormouse operator")
