"""Which spans does a runtime send of the life that it is part of? Its keeper's, and its own until the first step."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from dormouse.keeper.steps import Step, Steps
from dormouse.life_trace import Life, LifeSpan, keeper_spans

if TYPE_CHECKING:
    from dormouse.engine.calls import ActivityCall
    from dormouse.engine.execution import Execution
    from dormouse.engine.outcomes import Run
    from dormouse.engine.tracing import Tracing
    from dormouse.keeper.client import Life as Opened
    from dormouse.telemetry import OpenTelemetry

_WITHIN = "runtime"


class LifeTrace:
    """The runtime's part. `steps` takes what it does; spans are sent once all has been replayed."""

    def __init__(self, telemetry: OpenTelemetry, life: Life, *, sends_root: bool) -> None:
        """`sends_root`: nobody else sends the span `life`."""
        self._telemetry = telemetry
        self._tracing = telemetry.of_life(life)
        self._sends_root = sends_root
        self._recovered_ns = 0
        self._has_stepped = False
        self.steps = Steps()

    def recovered(self, opened: Opened) -> None:
        """The log was replayed: work may go on."""
        own = [_span(step) for step in self.steps.taken if step.ended_ns]
        spans = [*keeper_spans(opened.steps), LifeSpan(_WITHIN, own[0].began_ns, own[-1].ended_ns), *own]
        self._recovered_ns = own[-1].ended_ns
        self._tracing.send(spans)
        if self._sends_root:
            self._tracing.send_root(min(span.began_ns for span in spans), self._recovered_ns)

    # What an engine asks of telemetry, with an ear on its first attempt.

    def of_engine(self, identity: str) -> Tracing:
        """For the engine of the file that has this identity."""
        return _Listening(self._telemetry.of_engine(identity), self._stepped)

    def _stepped(self, call: ActivityCall, began_ns: int) -> None:
        if self._has_stepped:
            return
        self._has_stepped = True
        attributes: dict[str, str | int] = {
            "dormouse.execution": call.execution.id,
            "dormouse.activity": call.activity.name,
            "dormouse.attempt": call.attempt,
        }
        self._tracing.send([LifeSpan("first step", began_ns, time.time_ns(), attributes, within=_WITHIN)])


def _span(step: Step) -> LifeSpan:
    return LifeSpan(step.name, step.began_ns, step.ended_ns, failed="it failed" if step.failed else "", within=_WITHIN)


class _Listening:
    def __init__(self, tracing: Tracing, stepped: Callable[[ActivityCall, int], None]) -> None:
        self._tracing = tracing
        self._stepped = stepped

    def around(self, run: Run) -> Run:
        traced = self._tracing.around(run)

        async def heard(call: ActivityCall, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
            began_ns = time.time_ns()
            try:
                return await traced(call, args, kwargs)
            finally:
                self._stepped(call, began_ns)

        return heard

    def closed(self, execution: Execution) -> None:
        self._tracing.closed(execution)

    def present(self) -> str | None:
        return self._tracing.present()

    def within(self, execution: Execution) -> str:
        return self._tracing.within(execution)
