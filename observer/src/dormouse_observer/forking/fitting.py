"""Could the code go on from a fork, and does the answer that was put there fit what it expects?"""

from __future__ import annotations

from typing import Any

import msgspec

from dormouse import Signal, Update
from dormouse.engine.calls import ActivityCall, ChildCall
from dormouse.engine.delivery import deliver
from dormouse.engine.execution import Execution
from dormouse.engine.journal import Event, Kind
from dormouse.engine.mismatch import of_a_replay
from dormouse.engine.unknown_fields import refuse_unknown_fields, with_fields
from dormouse_observer.debugging.recording import Recording, described
from dormouse_observer.forking.rest import NotForked

_Decoder = msgspec.json.Decoder[Any]


def check_goes_on(recording: Recording, edited: Event | None) -> None:
    """Run the code over what is left of the log, with the event whose answer is another one.

    Raises:
        NotForked: when the answer is not of the type that the code has there, or the code goes another way.
    """

    def tell(execution: Execution, event: Event) -> None:
        if edited is not None and event.position == edited.position:
            _check_fits(execution, event)
        deliver(execution, event)

    execution = recording.replayed(tell)
    blocked = execution.blocked
    execution.dispose()
    if blocked is not None:
        raise NotForked(f"the code could not go on from there: {of_a_replay(blocked).message}")


def _check_fits(execution: Execution, event: Event) -> None:
    expected = _expected(execution, event)
    if expected is None:
        return
    what, decoder = expected
    payload = event.payload or b"null"
    try:
        refuse_unknown_fields(decoder.type, payload)
        decoder.decode(payload)
    except (msgspec.ValidationError, TypeError, ValueError) as error:
        kind = getattr(decoder.type, "__qualname__", None) or str(decoder.type)
        why = with_fields(decoder.type, error) if isinstance(error, msgspec.DecodeError) else str(error)
        raise NotForked(f"--edit does not fit {described(event)}: {what} is of the type {kind}; {why}") from error


def _expected(execution: Execution, event: Event) -> tuple[str, _Decoder] | None:
    """What the value is, and how the code reads it; None where the code does not say."""
    workflow, name = execution.workflow, event.name or ""
    if event.kind in {Kind.EXECUTION_STARTED, Kind.EXECUTION_CONTINUED}:
        return f"the input of {workflow.name}", workflow.input
    if event.kind in {Kind.SIGNAL_RECEIVED, Kind.UPDATE_ACCEPTED}:
        message = workflow.message(Signal, name) or workflow.message(Update, name)
        return None if message is None else (f"the value of the {message.kind} {name}", message.value)
    waiting = execution.pending.get(event.command or 0)
    if isinstance(waiting, ActivityCall):
        return f"what {waiting.activity.name} returns", waiting.activity.result
    if isinstance(waiting, ChildCall):
        return f"what {waiting.workflow.name} returns", waiting.workflow.result
    return None
