"""What takes spans over OTLP in a test? A receiver over HTTP, and who sent what to it."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

PARTS = {
    "operator": {"save status", "list pods", "create pod", "read store"},
    "pod": {"schedule pod", "start keeper", "start runtime", "become ready"},
    "keeper": {"check store", "claim", "pin", "restore", "put in place", "start litestream", "read CURRENT"},
    "runtime": {"import", "gate", "open file", "replay", "first step"},
}
"""Of the trace of a life: what is directly within `life`, and what is within each of those."""
_MAY_BE_KNOWN = {"list pods", "read store"}


def is_one_life(spans: Sequence[Any], **said: str | int) -> None:
    """Assert that these are all spans of one life, each within the part that it belongs to, and that all say this.

    What the operator knew before the step that began the life is not in its trace.
    """
    by_name = {span.name: span for span in reversed(spans)}  # the first of each
    everything = {"life", *PARTS, *(name for names in PARTS.values() for name in names)}
    assert everything - _MAY_BE_KNOWN <= set(by_name) <= everything
    assert len({span.span_id for span in spans}) == len(spans), "a span was sent twice"
    often = {span.name for span in spans if span != by_name[span.name]}
    assert often <= PARTS["operator"]  # a status is saved more than once
    assert len({span.trace_id for span in spans}) == 1
    assert not by_name["life"].parent_span_id
    for part, names in PARTS.items():
        assert by_name[part].parent_span_id == by_name["life"].span_id
        assert {span.parent_span_id for span in spans if span.name in names} == {by_name[part].span_id}
    told = {f"dormouse.{name}": value for name, value in said.items()}
    assert all(told.items() <= attributes(span).items() for span in spans)
    began = [by_name[name].start_time_unix_nano for name in ("create pod", "claim", "first step")]
    assert began == sorted(began)
    assert by_name["claim"].end_time_unix_nano <= by_name["first step"].start_time_unix_nano


class Receiver:
    """Takes what is sent to /v1/traces, at an address of this machine."""

    def __init__(self, address: str = "127.0.0.1") -> None:
        self.spans: list[Any] = []
        self.services: set[str] = set()
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                receiver.take(self.path, body)
                self.send_response(200)
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, *_: Any) -> None: ...

        self._server = ThreadingHTTPServer((address, 0), Handler)
        self.url = f"http://{address}:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever)
        self._thread.start()

    def take(self, path: str, body: bytes) -> None:
        assert path == "/v1/traces"
        for one in ExportTraceServiceRequest.FromString(body).resource_spans:
            named = {attribute.key: attribute.value.string_value for attribute in one.resource.attributes}
            self.services.add(named["service.name"])
            self.spans += [span for scope in one.scope_spans for span in scope.spans]

    def close(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


@contextmanager
def receiving(address: str = "127.0.0.1") -> Iterator[Receiver]:
    """One that is closed at the end."""
    made = Receiver(address)
    try:
        yield made
    finally:
        made.close()


def attributes(span: Any) -> dict[str, str | int]:
    """What is said of a span."""
    return {each.key: getattr(each.value, each.value.WhichOneof("value")) for each in span.attributes}
