"""Which refusals does the API know, with which status, and when does it give them?"""

from __future__ import annotations

from dataclasses import dataclass

import msgspec

from dormouse.errors import DormouseError
from dormouse.runtime.server import LARGEST_BODY, LARGEST_HEAD, LONGEST_TARGET, Response
from dormouse.runtime.views import RefusalView, RefusedView


@dataclass(frozen=True)
class Refusal:
    """A reason that programs can tell apart; `everywhere` says that any path may give it."""

    status: int
    when: str
    everywhere: bool = False


REFUSALS: dict[str, Refusal] = {
    "NotJSON": Refusal(400, "the body is not JSON"),
    "UnknownParameter": Refusal(400, "the query has a parameter that this path does not know", everywhere=True),
    "BadRequest": Refusal(400, "it is not HTTP/1.1", everywhere=True),
    "Unauthorized": Refusal(401, "no token is shown, or a wrong one", everywhere=True),
    "UnknownPath": Refusal(404, "there is no such path"),
    "UnknownWorkflow": Refusal(404, "there is no such workflow"),
    "UnknownExecution": Refusal(404, "there is no such execution"),
    "UnknownMessage": Refusal(404, "the workflow has no such message, or does not answer it now"),
    "MethodNotAllowed": Refusal(405, "the path takes other methods, see the header Allow"),
    "RequestConflict": Refusal(409, "the id or the idempotency key belongs to another request"),
    "ExecutionClosed": Refusal(409, "the execution has ended"),
    "ExecutionPaused": Refusal(409, "the execution came with a fork, and nobody has resumed it"),
    "ExecutionBlocked": Refusal(409, "the execution cannot go on with the present code"),
    "NotRetryable": Refusal(409, "the execution has not ended, or has completed"),
    "NotDrilled": Refusal(409, "the file is replicated nowhere, or the keeper cannot do a drill now"),
    "DigestMismatch": Refusal(409, "no pending request for approval has this digest"),
    "AlreadyDecided": Refusal(409, "the request has been decided on otherwise, or waits for no decision any more"),
    "TooLarge": Refusal(413, f"the body has more than {LARGEST_BODY} bytes", everywhere=True),
    "PathTooLong": Refusal(414, f"path and query have more than {LONGEST_TARGET} bytes", everywhere=True),
    "InvalidRequest": Refusal(422, "the body is not of the shape that this path takes"),
    "InvalidInput": Refusal(422, "a value does not fit its type, or is refused by its check"),
    "HeadersTooLarge": Refusal(431, f"the headers have more than {LARGEST_HEAD} bytes", everywhere=True),
    "Failed": Refusal(500, "a mistake in the code; the log has it", everywhere=True),
    "NotReady": Refusal(503, "the database is being restored or replayed, or this life is ending", everywhere=True),
    "EngineStopped": Refusal(503, "the life ended while the request was being answered", everywhere=True),
}
_OF_HTTP = {413: "TooLarge", 414: "PathTooLong", 431: "HeadersTooLarge", 500: "Failed"}


class Refused(Exception):
    """The API itself refuses; engines and workflows refuse by a DormouseError."""

    def __init__(self, reason: str, message: str, *headers: tuple[str, str]) -> None:
        super().__init__(message)
        self.reason = reason
        self.headers = headers


def answer_of(error: Refused | DormouseError) -> Response:
    """The answer that says it."""
    if isinstance(error, Refused):
        return _answer(error.reason, str(error), error.headers)
    reason = type(error).__name__
    return _answer(reason if reason in REFUSALS else "Failed", str(error))


def refuse(status: int, message: str) -> Response:
    """The answer to what never became a request."""
    return _answer(_OF_HTTP.get(status, "BadRequest"), message)


def _answer(reason: str, message: str, headers: tuple[tuple[str, str], ...] = ()) -> Response:
    view = RefusedView(RefusalView(reason, message))
    return Response(REFUSALS[reason].status, msgspec.json.encode(view) + b"\n", headers)
