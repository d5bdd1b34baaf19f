"""How do executions and activities become spans of OpenTelemetry, also across restarts?

```python
from dormouse import Engine
from dormouse.telemetry import OpenTelemetry

with OpenTelemetry(service_name="orders") as telemetry:
    async with Engine("orders.sqlite", orders, telemetry=telemetry) as engine: ...
```

The ids of spans follow from the execution, the call and the attempt: after a restart the same trace goes on, and a
replay, which runs nothing, sends nothing. Needs the extra `telemetry`.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from dormouse.engine.ending import Status
from dormouse.engine.tracing import TraceParent, parse, span_id_of, trace_id_of
from dormouse.extras import NotInstalled
from dormouse.life_trace import Life, LifeSpan

try:
    from opentelemetry import context, trace
    from opentelemetry.sdk.resources import SERVICE_NAME, SERVICE_VERSION, OTELResourceDetector, Resource
    from opentelemetry.sdk.trace import Event, ReadableSpan, SpanProcessor, TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor
    from opentelemetry.sdk.trace.sampling import Decision
    from opentelemetry.sdk.util.instrumentation import InstrumentationScope
except ModuleNotFoundError as _missing:
    raise NotInstalled("dormouse.telemetry", _missing.name, "telemetry") from _missing

if TYPE_CHECKING:
    from dormouse.engine.calls import ActivityCall
    from dormouse.engine.execution import Execution
    from dormouse.engine.outcomes import Run
    from dormouse.engine.payload import Failure

_NANOSECONDS = 1000  # in a microsecond, which is what moments are counted in
_SCOPE = InstrumentationScope("dormouse")


class OpenTelemetry:
    """Sends spans of executions and of the attempts of activities.

    Args:
        processor: what spans are given to; by default they are sent over OTLP by HTTP, where and how the environment's
            `OTEL_` variables say.
        service_name: what this program is called, unless the environment says it.
        service_version: of the program.

    Attributes:
        provider: makes tracers for the program's own spans, which go the same way.
    """

    def __init__(
        self,
        processor: SpanProcessor | None = None,
        *,
        service_name: str = "dormouse",
        service_version: str | None = None,
    ) -> None:
        said = OTELResourceDetector().detect().attributes
        ours = {SERVICE_NAME: service_name, SERVICE_VERSION: service_version}
        resource = Resource.create({key: one for key, one in ours.items() if one is not None and key not in said})
        self.provider = TracerProvider(resource=resource, shutdown_on_exit=False)
        self._processor = _over_otlp() if processor is None else processor
        self.provider.add_span_processor(self._processor)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Send what was not sent yet."""
        self.provider.shutdown()

    def of_engine(self, identity: str) -> _EngineTracing:
        """For the engine of the file that has this identity."""
        return _EngineTracing(identity, self.provider, self._processor)

    def of_life(self, life: Life) -> LifeTracing:
        """For what leads to the first step of one life."""
        return LifeTracing(life, self.provider, self._processor)


class LifeTracing:
    """Sends the spans of one life. Whether it is sampled follows from its trace, so all who send of it agree."""

    def __init__(self, life: Life, provider: TracerProvider, processor: SpanProcessor) -> None:
        self._life = life
        self._provider = provider
        self._processor = processor
        decision = provider.sampler.should_sample(None, life.trace_id, "life").decision
        self._sampled = decision == Decision.RECORD_AND_SAMPLE
        self._parents: dict[str, int] = {"": life.root_id}

    def send_root(self, began_ns: int, ended_ns: int, failed: str = "") -> None:
        """The span that the others are within. Exactly one of all that send has to."""
        self._send("life", self._life.root_id, None, LifeSpan("life", began_ns, ended_ns, failed=failed))

    def send(self, spans: Iterable[LifeSpan]) -> None:
        """Parts of it; a span before those that are within it."""
        for span in spans:
            span_id = self._life.span_id(span)
            self._send(span.name, span_id, self._parents.get(span.within, self._life.root_id), span)
            self._parents.setdefault(span.name, span_id)

    def _send(self, name: str, span_id: int, parent_id: int | None, span: LifeSpan) -> None:
        if not self._sampled:
            return
        own, parent = (
            None if each is None else _context_of(TraceParent(self._life.trace_id, each, sampled=True), remote=False)
            for each in (span_id, parent_id)
        )
        ok = trace.Status(trace.StatusCode.OK)
        self._processor.on_end(
            ReadableSpan(
                name,
                own,
                parent,
                self._provider.resource,
                {**self._life.attributes, **span.attributes},
                status=trace.Status(trace.StatusCode.ERROR, span.failed) if span.failed else ok,
                start_time=span.began_ns,
                end_time=max(span.began_ns, span.ended_ns),
                instrumentation_scope=_SCOPE,
            )
        )


def _over_otlp() -> SpanProcessor:
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

    return BatchSpanProcessor(OTLPSpanExporter())


class _EngineTracing:
    def __init__(self, identity: str, provider: TracerProvider, processor: SpanProcessor) -> None:
        self._identity = identity
        self._provider = provider
        self._processor = processor

    # What an engine asks and tells.

    def around(self, run: Run) -> Run:
        async def traced(call: ActivityCall, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
            execution, attempt = call.execution, call.attempt
            span_id = span_id_of(self._identity, execution.id, call.command, attempt)
            execution_span = self._span_context(execution)
            span = _with(execution_span, span_id)
            attached = context.attach(trace.set_span_in_context(trace.NonRecordingSpan(span)))
            began, failed = time.time_ns(), None
            try:
                return await run(call, args, kwargs)
            except BaseException as error:
                failed = error
                raise
            finally:
                context.detach(attached)
                self._send(
                    call.activity.name,
                    span,
                    execution_span,
                    (began, time.time_ns()),
                    {**_of_execution(execution), "dormouse.activity": call.activity.name, "dormouse.attempt": attempt},
                    failed,
                )

        return traced

    def closed(self, execution: Execution) -> None:
        parent = parse(execution.origin.traceparent)
        moments = execution.started_at * _NANOSECONDS, execution.moment * _NANOSECONDS
        attributes = {**_of_execution(execution), "dormouse.status": str(execution.status)}
        failure = execution.failure if execution.status != Status.CANCELLED else None
        came_from = None if parent is None else _context_of(parent, remote=True)
        self._send(execution.workflow.name, self._span_context(execution), came_from, moments, attributes, failure)

    def present(self) -> str | None:
        span = trace.get_current_span().get_span_context()
        return str(TraceParent(span.trace_id, span.span_id, span.trace_flags.sampled)) if span.is_valid else None

    def within(self, execution: Execution) -> str:
        span = self._span_context(execution)
        return str(TraceParent(span.trace_id, span.span_id, span.trace_flags.sampled))

    # How.

    def _span_context(self, execution: Execution) -> trace.SpanContext:
        parent, identity = parse(execution.origin.traceparent), self._identity
        span_id = span_id_of(identity, execution.id)
        if parent is not None:
            return _context_of(parent._replace(span_id=span_id), remote=False)
        trace_id = trace_id_of(identity, execution.id)
        decision = self._provider.sampler.should_sample(None, trace_id, execution.workflow.name).decision
        sampled = decision == Decision.RECORD_AND_SAMPLE
        return _context_of(TraceParent(trace_id, span_id, sampled), remote=False)

    def _send(
        self,
        name: str,
        span: trace.SpanContext,
        parent: trace.SpanContext | None,
        moments: tuple[int, int],
        attributes: dict[str, str | int],
        failed: BaseException | Failure | None,
    ) -> None:
        if not span.trace_flags.sampled:
            return
        began, ended = moments
        status, events = trace.Status(trace.StatusCode.OK), []
        if failed is not None:
            kind, message = _said(failed)
            status = trace.Status(trace.StatusCode.ERROR, f"{kind}: {message}")
            what = {"exception.type": kind, "exception.message": message}
            events.append(Event("exception", what, timestamp=ended))
        self._processor.on_end(
            ReadableSpan(
                name,
                span,
                parent,
                self._provider.resource,
                attributes,
                events,
                status=status,
                start_time=began,
                end_time=ended,
                instrumentation_scope=_SCOPE,
            )
        )


def _of_execution(execution: Execution) -> dict[str, str | int]:
    return {"dormouse.execution": execution.id, "dormouse.workflow": execution.workflow.name}


def _said(failed: BaseException | Failure) -> tuple[str, str]:
    if isinstance(failed, asyncio.CancelledError):
        return "CancelledError", "it was cancelled, or took too long"
    if isinstance(failed, BaseException):
        return type(failed).__name__, str(failed)
    return failed.type, failed.message


def _context_of(parent: TraceParent, *, remote: bool) -> trace.SpanContext:
    flags = trace.TraceFlags(trace.TraceFlags.SAMPLED if parent.sampled else trace.TraceFlags.DEFAULT)
    return trace.SpanContext(parent.trace_id, parent.span_id, is_remote=remote, trace_flags=flags)


def _with(span: trace.SpanContext, span_id: int) -> trace.SpanContext:
    return trace.SpanContext(span.trace_id, span_id, is_remote=False, trace_flags=span.trace_flags)
