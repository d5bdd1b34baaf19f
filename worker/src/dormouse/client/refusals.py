"""Which exception is an answer of the API that is no success?"""

from __future__ import annotations

import msgspec

from dormouse import errors
from dormouse.errors import DormouseError


class Refused(DormouseError):
    """The runtime refused the request.

    Attributes:
        status: of HTTP.
        reason: one word, as the page on the HTTP API lists them.
    """

    def __init__(self, status: int, reason: str, message: str) -> None:
        self.status = status
        self.reason = reason
        super().__init__(message)


class Unreachable(DormouseError):
    """Nobody answers at the address, or not as a runtime does."""


class _Refusal(msgspec.Struct):
    reason: str
    message: str


class _Answer(msgspec.Struct):
    error: _Refusal


_decode = msgspec.json.Decoder(_Answer).decode
# What an in-process engine would raise too; their one argument is the message.
_SHARED = (
    errors.UnknownWorkflow,
    errors.UnknownExecution,
    errors.UnknownMessage,
    errors.InvalidInput,
    errors.RequestConflict,
    errors.DigestMismatch,
    errors.AlreadyDecided,
    errors.ExecutionClosed,
    errors.ExecutionPaused,
    errors.ExecutionBlocked,
    errors.NotRetryable,
    errors.EngineStopped,
)
_BY_REASON = {kind.__name__: kind for kind in _SHARED}


def refusal(status: int, body: bytes) -> DormouseError:
    """The exception that an answer stands for."""
    try:
        found = _decode(body).error
    except msgspec.DecodeError:
        text = body[:200].decode(errors="replace").strip()
        return Unreachable(f"the answer is HTTP {status} and no runtime's: {text or 'nothing'}")
    shared = _BY_REASON.get(found.reason)
    if shared is not None:
        return shared(found.message)
    return Refused(status, found.reason, f"{found.reason}: {found.message}")
