"""Does the code ask for what the log says it asked for? And how is it said when it does not? Pure."""

from __future__ import annotations

import msgspec

from dormouse.engine.journal import Event, Kind

_SHOWN_CHARACTERS = 200
_REMEDY = (
    "The log is right: bring the code back to what it asked for, in the same order, keep the old way for old "
    "executions by `patched`, or start a new execution for the new code. It is tried again at each start."
)


_CALLS = frozenset({Kind.ACTIVITY_SCHEDULED, Kind.CHILD_STARTED, Kind.APPROVAL_REQUESTED})
_UPDATE_ENDS = frozenset({Kind.UPDATE_COMPLETED, Kind.UPDATE_FAILED})


class Blocked(msgspec.Struct, frozen=True, rename="camel"):
    """Why an execution cannot go on with the present code.

    Attributes:
        suggestion: Python that would let this execution and new ones go on, to be put where the code differs.
    """

    reason: str
    message: str
    expected: str | None = None
    expected_source: str | None = None
    actual: str | None = None
    actual_source: str | None = None
    suggestion: str | None = None


class Issued(msgspec.Struct, frozen=True, gc=False):
    """What the code asks for."""

    kind: Kind
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
        return self.kind not in _CALLS or (recorded.name == self.name and recorded.payload == self.payload)


def blocked_by_mismatch(recorded: Event, issued: Issued | None) -> Blocked:
    """The code went another way than the log."""
    expected = _describe(recorded.kind, recorded.command, recorded.name, recorded.payload)
    actual = "nothing more" if issued is None else _describe(issued.kind, issued.command, issued.name, issued.payload)
    actual_source = issued.source if issued else None
    return Blocked(
        "NonDeterministic",
        f"the log says {expected}{_at(recorded.source)}, the code asks for {actual}{_at(actual_source)}. {_REMEDY}",
        expected,
        recorded.source,
        actual,
        actual_source,
        suggest(recorded, issued),
    )


def suggest(recorded: Event, issued: Issued | None) -> str | None:
    """Code that goes both ways; None where no call stands against another."""
    old = _call(recorded.kind, recorded.name, recorded.payload)
    if old is None:
        return None
    if issued is None:
        return f'if not patched("without-{recorded.name or "sleep"}-{recorded.command}"):\n    {old}'
    new = _call(issued.kind, issued.name, issued.payload)
    if new is None:
        return None
    where = f"  # {issued.source}" if issued.source else ""
    return f'if patched("{issued.name or "sleep"}-{issued.command}"):\n    {new}{where}\nelse:\n    {old}'


def _call(kind: str, name: str | None, payload: bytes | None) -> str | None:
    if kind == Kind.TIMER_SET:
        return "await asyncio.sleep(...)"
    if kind not in _CALLS:
        return None
    text = (payload or b"").decode(errors="replace")
    if kind == Kind.ACTIVITY_SCHEDULED:
        text = text[1:-1]
    return f"await {name}({text if len(text) <= _SHOWN_CHARACTERS else '...'})"


def blocked_by_code(message: str) -> Blocked:
    """The code as it is cannot follow the log at all."""
    return Blocked("NonDeterministic", f"{message}. {_REMEDY}")


def blocked_by_unanswered_update(accepted: Event) -> Blocked:
    """The log holds an update that the code does not answer at this place any more."""
    expected = _describe(accepted.kind, accepted.command, accepted.name, accepted.payload)
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
        f"the code has no workflow {workflow!r} (it has: {names}). Bring it back; it is tried again at each start.",
    )


def blocked_by_forgotten_await(forgotten: list[tuple[str, str | None]]) -> Blocked:
    """The workflow returned, and calls that it had made were never awaited, so they never ran."""
    calls = ", ".join(f"{name}{_at(source)}" for name, source in forgotten)
    name = forgotten[0][0]
    return Blocked(
        "NotAwaited",
        f"the workflow returned but never awaited {calls}, so that never ran; write `await {name}(...)`. "
        "It is tried again at each start; when the log already holds calls that came after it, start a new execution.",
        actual_source=forgotten[0][1],
    )


def _describe(kind: str, command: int | None, name: str | None, payload: bytes | None) -> str:
    what = f"{kind} {name}" if name else kind
    if payload is not None:
        text = payload.decode(errors="replace")
        what += text if len(text) <= _SHOWN_CHARACTERS else text[:_SHOWN_CHARACTERS] + "..."
    return f"{what} as number {command}"


def _at(source: str | None) -> str:
    return f" at {source}" if source else ""
