"""Does this process send traces? Then everything in it that speaks OpenTelemetry sends them the same way."""

from __future__ import annotations

import asyncio
import logging
from contextlib import suppress
from threading import Thread
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dormouse.telemetry import OpenTelemetry

_SENT_WITHIN_SECONDS = 2.0
_log = logging.getLogger("dormouse.runtime")


def telemetry_for(service_name: str, service_version: str | None) -> OpenTelemetry:
    """Sends spans as the environment's `OTEL_` variables say, those of the user's own tracers too.

    Raises:
        NotInstalled: when the extra is not.
    """
    from opentelemetry import trace

    from dormouse.telemetry import OpenTelemetry

    telemetry = OpenTelemetry(service_name=service_name, service_version=service_version)
    trace.set_tracer_provider(telemetry.provider)
    return telemetry


async def send_the_last(telemetry: OpenTelemetry | None) -> None:
    """What was not sent yet; whoever receives it must not keep the process from ending."""
    if telemetry is None:
        return
    loop, sent = asyncio.get_running_loop(), asyncio.Event()

    def close() -> None:
        telemetry.close()
        with suppress(RuntimeError):  # it took too long, and the loop is gone
            loop.call_soon_threadsafe(sent.set)

    Thread(target=close, name="dormouse-traces", daemon=True).start()
    try:
        async with asyncio.timeout(_SENT_WITHIN_SECONDS):
            await sent.wait()
    except TimeoutError:
        _log.warning("the last spans were not sent: nobody takes them")
