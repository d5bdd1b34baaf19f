"""How does an execution get back to where it was? Its code runs again over its log."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from dormouse.engine.calls import ActivityCall
from dormouse.engine.delivery import deliver
from dormouse.engine.execution import Execution
from dormouse.engine.journal import COMMANDS, Batch, Event, Journal
from dormouse.engine.log import what_counts
from dormouse.engine.loop import among_workflows


def replay(
    execution: Execution,
    journal: Journal,
    recorded: Sequence[Event],
    tell: Callable[[Execution, Event], None] = deliver,
) -> None:
    """Run the code again over its log. Afterwards `pending` holds what is still to happen, or it is blocked.

    `tell` has the code hear of one event and go on; a debugger does more there.
    """
    log = execution.log
    events = what_counts(recorded)
    log.expect(events)
    log.last_position = recorded[-1].position
    with among_workflows():
        for event in events:
            if event.kind in COMMANDS:
                continue
            if execution.blocked is not None:
                break
            if execution.over:
                execution.unheard.append(event)  # the code had ended before it could hear of it
            else:
                tell(execution, event)
    if execution.blocked is None and (missing := log.upcoming()) is not None:
        execution.goes_another_way(missing, None)
    log.replaying = False
    execution.close_if_done()
    if execution.blocked is None:
        asked_now = {*journal.batch.begun, *journal.batch.sleeping}  # these go on by themselves once they count
        journal.batch.resumed += [one for one in execution.pending.values() if one not in asked_now]


def recover(
    execution: Execution,
    journal: Journal,
    recorded: Sequence[Event],
    heartbeats: Mapping[tuple[int, int], bytes],
) -> Batch:
    """Replay it and give what is left to do: nothing when it is blocked, since what the wrong code asks for must not
    get into the log.
    """
    outer, journal.batch = journal.batch, Batch()
    earlier = len(journal.consequences)
    try:
        replay(execution, journal, recorded)
    finally:
        left, journal.batch = journal.batch, outer
    if execution.blocked is not None:
        while len(journal.consequences) > earlier:
            journal.consequences.pop()
        execution.log.last_position = recorded[-1].position
        execution.dispose()
        return Batch()
    for call in execution.pending.values() if heartbeats else ():
        if isinstance(call, ActivityCall):
            call.heartbeat = heartbeats.get((execution.key, call.command))
    return left
