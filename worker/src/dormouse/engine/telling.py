"""What does the process's log say of an execution that could not do what it should?"""

from __future__ import annotations

import logging

from dormouse.engine.ending import Status
from dormouse.engine.execution import Execution
from dormouse.engine.payload import on_one_line

_log = logging.getLogger("dormouse.execution")


def tell(execution: Execution) -> None:
    """Say in one line what went wrong, if anything did."""
    whose = {"execution": execution.id, "workflow": execution.workflow.name}
    if execution.failure is not None:
        level = logging.ERROR if execution.status == Status.FAILED else logging.INFO
        what = on_one_line(str(execution.failure))
        _log.log(level, "execution %s %s: %s", execution.id, execution.status.lower(), what, extra=whose)
    elif execution.blocked is not None:
        why = on_one_line(execution.blocked.message)
        _log.warning("execution %s is blocked: %s", execution.id, why, extra=whose)
