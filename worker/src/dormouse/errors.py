"""What can go wrong for a workflow author? The public errors, each with its remedy in the message."""

from __future__ import annotations


class DormouseError(Exception):
    """Base of all errors that Dormouse raises on purpose."""


class ActivityError(DormouseError):
    """An activity failed for good; raised in the workflow at the place that waited for it."""

    def __init__(
        self, activity: str, cause_type: str, cause_message: str, attempts: int, command: int | None = None
    ) -> None:
        self.activity = activity
        self.cause_type = cause_type
        self.cause_message = cause_message
        self.attempts = attempts
        self.command = command
        times = "1 attempt" if attempts == 1 else f"{attempts} attempts"
        super().__init__(f"{activity} failed after {times}: {cause_type}: {cause_message}")


class ExecutionFailed(DormouseError):
    """The workflow raised; its execution is closed. A workflow that called it sees this too."""

    verb = "failed"

    def __init__(
        self,
        execution: str,
        cause_type: str,
        cause_message: str,
        source: str | None = None,
        command: int | None = None,
    ) -> None:
        self.execution = execution
        self.cause_type = cause_type
        self.cause_message = cause_message
        self.source = source
        self.command = command
        where = f" ({source})" if source else ""
        super().__init__(f"execution {execution!r} {self.verb}: {cause_type}: {cause_message}{where}")


class ExecutionCancelled(ExecutionFailed):
    """The execution was asked to cancel itself, and did."""

    verb = "was cancelled"


class ExecutionTerminated(ExecutionFailed):
    """The execution was ended from outside; its code was not asked."""

    verb = "was terminated"


class ExecutionBlocked(DormouseError):
    """The execution cannot go on with the present code; it is tried again at each start."""


class ExecutionPaused(DormouseError):
    """The execution came with a fork and takes no messages until it is resumed."""


class ExecutionClosed(DormouseError):
    """The execution has ended, so it takes no more messages."""


class NotRetryable(DormouseError):
    """The execution is in no state to be retried from; the message says in which it is."""


class RetryAfter(DormouseError):
    """Raise it in an activity to be tried again after so many seconds, whatever the policy's wait would be."""

    def __init__(self, seconds: float, message: str = "") -> None:
        self.retry_after = seconds
        super().__init__(message or f"again in {seconds:g} s")


class InvalidInput(DormouseError):
    """A value does not fit its declared type, or is refused by its check; the message names the field."""


class TransactionRefused(DormouseError):
    """A transaction asked for what only the engine may do with the file; the message says what."""


class PayloadTooLarge(DormouseError, TypeError):
    """A value is larger than a payload may be; the message says what to do instead."""


class AnswerFailed(DormouseError):
    """The workflow's answer to a query or an update raised. The workflow itself goes on."""

    def __init__(self, message: str, cause_type: str, cause_message: str) -> None:
        self.cause_type = cause_type
        self.cause_message = cause_message
        super().__init__(f"the answer to {message!r} failed: {cause_type}: {cause_message}")


class DigestMismatch(DormouseError):
    """A decision names a request for approval that is not pending: the workflow asks for something else now."""


class AlreadyDecided(DormouseError):
    """The request for approval has been decided otherwise, has expired, or nobody waits for it any more."""


class UnknownWorkflow(DormouseError):
    """No workflow has this name."""


class UnknownExecution(DormouseError):
    """No execution has this id."""


class UnknownMessage(DormouseError):
    """The workflow takes no message of this name, or does not answer it now."""


class RequestConflict(DormouseError):
    """The same id or idempotency key was used before, for another request."""


class NewerFile(DormouseError):
    """The file was written by a newer version than this one; nothing was changed."""


class CannotDecode(DormouseError):
    """The file's payloads are encoded, by encryption or another codec, and cannot be read; nothing was changed."""


class FileInUse(DormouseError):
    """Another engine works on the file; the message names its process."""


class EngineStopped(DormouseError):
    """The engine is stopping or has stopped, so it takes no more work."""


class InvalidDefinition(DormouseError, TypeError):
    """A workflow, an activity or a message is declared in a way that cannot work."""


class NotInWorkflow(DormouseError):
    """A workflow did something that only an activity may do, or the other way round."""
