"""Does the code ask for what the log says it asked for? And how is it said when it does not? Pure."""

from __future__ import annotations

from typing import Any

import msgspec

from dormouse.engine.journal import Event, Kind
from dormouse.engine.payload import Failure

_SHOWN_CHARACTERS = 200
_EACH_START = " Each start tries it again."
_REMEDY = (
    "The log is right: bring the code back to what it asked for, in the same order, keep the old way for old "
    f"executions by `patched`, or start a new execution for the new code.{_EACH_START}"
)
_MEND = f"Mend the code.{_EACH_START}"
CALLS = frozenset({Kind.ACTIVITY_SCHEDULED, Kind.CHILD_STARTED, Kind.APPROVAL_REQUESTED})
_UPDATE_ENDS = frozenset({Kind.UPDATE_COMPLETED, Kind.UPDATE_FAILED})

_RAISED = "raised "


class Blocked(msgspec.Struct, frozen=True, rename="camel"):
    """Why an execution cannot go on with the present code.

    Attributes:
        suggestion: Python that would let this execution and new ones go on, to be put where the code differs. Calls
            have the values of this execution.
    """

    reason: str
    message: str
    expected: str | None = None
    expected_source: str | None = None
    actual: str | None = None
    actual_source: str | None = None
    suggestion: str | None = None

    @property
    def raised(self) -> bool:
        """Whether the code raised where the log says that it asked for something."""
        return (self.actual or "").startswith(_RAISED)


def of_a_replay(blocked: Blocked) -> Blocked:
    """The same where a log is only looked at, and no start tries anything."""
    return msgspec.structs.replace(blocked, message=blocked.message.removesuffix(_EACH_START))


class Issued(msgspec.Struct, frozen=True, gc=False):
    """What the code asks for."""

    kind: str
    command: int
    name: str | None = None
    payload: bytes | None = None
    source: str | None = None

    def repeats(self, recorded: Event) -> bool:
        """Whether this is what the log says. A timer may have another length: the recorded one counts."""
        if recorded.command != self.command:
            return False
        if recorded.kind != self.kind:
            return recorded.kind in _UPDATE_ENDS and self.kind in _UPDATE_ENDS
        return self.kind not in CALLS or (recorded.name == self.name and recorded.payload == self.payload)


def blocked_by_mismatch(recorded: Event, issued: Issued | None, suggestion: str | None) -> Blocked:
    """The code went another way than the log."""
    if issued is None:
        return _differs(recorded, _described(recorded), "nothing more", None, suggestion)
    expected, actual = _described(recorded), _described(issued)
    if expected == actual:
        expected, actual = _parted(expected, recorded, issued)
    return _differs(recorded, expected, actual, issued.source, suggestion)


def blocked_by_exception(recorded: Event, issued: Issued | None, failure: Failure) -> Blocked:
    """It raised, or handles an exception, where it used to ask for something: that must not pass for another way."""
    expected = _described(recorded)
    if issued is None:
        actual = f"{_RAISED}{failure.type}: {failure.message}"
        said = f"{actual}{_in(failure.source)} before it asked for that"
    else:
        asked = _described(issued)
        actual = f"{asked} while it handles {failure.type}: {failure.message}"
        said = f"asks for {asked} while it handles {failure}"
    message = f"the log says {expected}{_at(recorded.source)}, the code {said}. {_MEND}"
    return Blocked("NonDeterministic", message, expected, recorded.source, actual, failure.source)


def _differs(recorded: Event, expected: str, actual: str, source: str | None, suggestion: str | None) -> Blocked:
    return Blocked(
        "NonDeterministic",
        f"the log says {expected}{_at(recorded.source)}, the code asks for {actual}{_at(source)}. {_REMEDY}",
        expected,
        recorded.source,
        actual,
        source,
        suggestion,
    )


def _parted(shown: str, recorded: Event, issued: Issued) -> tuple[str, str]:
    """Both, with what differs behind what is shown of them, such as the newest message of a long conversation."""
    # Here for want of a place on the way of an execution that goes on.
    from dormouse.difference import first_difference, sides

    values = (msgspec.json.decode(payload or b"null") for payload in (recorded.payload, issued.payload))
    found = first_difference(*values)
    if found is None:
        return shown, shown
    expected, actual = sides(found)
    return f"{shown} with {expected} at {found.path}", f"{shown} with {actual} at {found.path}"


def blocked_by_code(message: str) -> Blocked:
    """The code as it is cannot follow the log at all."""
    return Blocked("NonDeterministic", f"{message}. {_REMEDY}")


def blocked_by_value(what: str, kind: Any, error: Exception) -> Blocked:
    """The log holds a value that the code's type does not take any more."""
    expected = getattr(kind, "__qualname__", None) or str(kind)
    return Blocked(
        "NonDeterministic",
        f"{what} does not fit its type {expected} any more: {error}. What the log holds stays as it is, so a type may "
        f"only grow by fields with defaults: give a new field a default, or bring the type back.{_EACH_START}",
    )


def blocked_by_itself(message: str) -> Blocked:
    """The code does not come to an end of its turn."""
    return Blocked("NonDeterministic", f"{message}. {_MEND}")


def blocked_by_unanswered_update(accepted: Event) -> Blocked:
    """The log holds an update that the code does not answer at this place any more."""
    expected = _described(accepted)
    return Blocked(
        "NonDeterministic",
        f"the log says {expected}, but the code has no answer to the update {accepted.name!r} at this place. {_REMEDY}",
        expected,
    )


def blocked_by_absence(workflow: str, known: list[str]) -> Blocked:
    """The workflow is not among those that the entrypoint offers."""
    names = ", ".join(known) or "none"
    return Blocked(
        "UnknownWorkflow",
        f"the code has no workflow {workflow!r} (it has: {names}). Bring it back.{_EACH_START}",
    )


def blocked_by_forgotten_await(forgotten: list[tuple[str, str | None]]) -> Blocked:
    """The workflow returned, and calls that it had made were never awaited, so they never ran."""
    calls = ", ".join(f"{name}{_at(source)}" for name, source in forgotten)
    name = forgotten[0][0]
    return Blocked(
        "NotAwaited",
        f"the workflow returned but never awaited {calls}, so that never ran; write `await {name}(...)`. When the log "
        f"already holds calls that came after it, start a new execution.{_EACH_START}",
        actual_source=forgotten[0][1],
    )


def _described(one: Event | Issued) -> str:
    what = f"{one.kind} {one.name}" if one.name else one.kind
    if one.payload is not None:
        text = one.payload.decode(errors="replace")
        what += text if len(text) <= _SHOWN_CHARACTERS else text[:_SHOWN_CHARACTERS] + "..."
    return f"{what} as number {one.command}"


def _in(source: str | None) -> str:
    return f" ({source})" if source else ""


def _at(source: str | None) -> str:
    return f" at {source}" if source else ""
