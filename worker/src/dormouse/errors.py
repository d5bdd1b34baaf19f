"""What can go wrong for a workflow author? The public errors, each with its remedy in the message."""

from __future__ import annotations


class DormouseError(Exception):
    """Base of all errors that Dormouse raises on purpose."""


class ActivityError(DormouseError):
    """An activity failed for good; raised in the workflow at the place that waited for it."""

    def __init__(self, activity: str, cause_type: str, cause_message: str, attempts: int) -> None:
        self.activity = activity
        self.cause_type = cause_type
        self.cause_message = cause_message
        self.attempts = attempts
        times = "1 attempt" if attempts == 1 else f"{attempts} attempts"
        super().__init__(f"{activity} failed after {times}: {cause_type}: {cause_message}")


class ExecutionFailed(DormouseError):
    """The workflow raised; its execution is closed."""

    def __init__(self, execution: str, cause_type: str, cause_message: str, source: str | None = None) -> None:
        self.execution = execution
        self.cause_type = cause_type
        self.cause_message = cause_message
        self.source = source
        where = f" ({source})" if source else ""
        super().__init__(f"execution {execution!r} failed: {cause_type}: {cause_message}{where}")


class ExecutionBlocked(DormouseError):
    """The execution cannot go on with the present code; it is tried again at each start."""


class InvalidInput(DormouseError):
    """The input does not fit the workflow's parameter; the message names the field."""


class UnknownWorkflow(DormouseError):
    """No workflow has this name."""


class UnknownExecution(DormouseError):
    """No execution has this id."""


class RequestConflict(DormouseError):
    """The same id or idempotency key was used before, for another request."""


class EngineStopped(DormouseError):
    """The engine is stopping or has stopped, so it takes no more work."""


class InvalidDefinition(DormouseError, TypeError):
    """A workflow or an activity is declared in a way that cannot work."""


class NotInWorkflow(DormouseError):
    """A workflow did something that only an activity may do."""
