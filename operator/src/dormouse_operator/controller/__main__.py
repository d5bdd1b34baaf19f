"""`python -m dormouse_operator.controller`: the same as `dormouse operator`."""

from dormouse.ending import ending_at_once
from dormouse_operator.controller.command import operator

with ending_at_once():
    operator(prog_name="dormouse operator")
