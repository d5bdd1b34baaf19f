"""What does the keeper's process do from its start to its exit code?"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import logging
import os
import signal
from pathlib import Path

from dormouse.keeper.beginning import disk_full
from dormouse.keeper.life import Life
from dormouse.keeper.service import Service
from dormouse.keeper.settings import Settings, parse
from dormouse.logs import log_as_told
from dormouse.pod import TERMINATION_LOG, InvalidSettings, say_farewell
from dormouse.replica.refusal import Reason, Refused
from dormouse.replica.s3 import S3
from dormouse.replica.store import BucketMissing, HistoryStore, StoreDenied, StoreUnsupported

_log = logging.getLogger("dormouse.keeper")
_GRACE_MARGIN_SECONDS = 2.0
REASONS = {
    StoreDenied: Reason.STORE_DENIED,
    BucketMissing: Reason.BUCKET_MISSING,
    StoreUnsupported: Reason.CONDITIONAL_WRITES_UNSUPPORTED,
}
"""Of what a store refuses for good."""


async def keep(settings: Settings, store: S3) -> int:
    """Live until told to end or refused; the exit code."""
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    life = Life(settings, store, store.requests)
    service = Service(life)
    try:
        await service.listen(settings.pod.keeper_socket)
        await service.listen_http(settings.host, settings.port)
        living = asyncio.create_task(life.live())
        reporting = asyncio.create_task(_report(settings, life, store))
        stopping = asyncio.create_task(stop.wait())
        await asyncio.wait({living, stopping}, return_when=asyncio.FIRST_COMPLETED)
        stopping.cancel()
        reporting.cancel()
        code = await _finish(settings, life, living) if not living.done() else 0
        living.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await living
        return code
    except Refused as refused:
        refusal = refused.refusal
        if refusal.reason is Reason.FENCED:
            await service.say_fenced(refusal.message)
        _farewell(settings, refusal.reason, refusal.message, **refusal.facts)
        return 1
    finally:
        await service.close()


async def _report(settings: Settings, life: Life, store: HistoryStore) -> None:
    if settings.operator is None:
        return
    await life.opened()  # what a report needs is loaded only when nothing waits for this process any more
    from dormouse.keeper.reporting import Reporter
    from dormouse.keeper.window import Window

    try:
        window = Window(store, life.current)
        async with asyncio.TaskGroup() as group:
            group.create_task(window.run(life.news, life.pruned))
            group.create_task(Reporter(settings.operator, settings.pod, life, window).run())
    except Exception:  # noqa: BLE001 - a mistake in the reports must not end the life
        _log.exception("no more reports to the operator")


async def _finish(settings: Settings, life: Life, living: asyncio.Task[None]) -> int:
    """The kubelet ends a native sidecar only after the main container: what is left is to seal."""
    finishing = asyncio.create_task(life.finish())
    # What is left of the grace is not known here: this stands when the kubelet's patience ends first.
    pessimistic = f"killed before the seal was answered; {life.not_safe()}"
    say_farewell(settings.pod.termination_log, "Unsealed", pessimistic, epoch=settings.pod.epoch)
    seconds = max(1.0, settings.grace_seconds - _GRACE_MARGIN_SECONDS)
    await asyncio.wait({finishing, living}, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
    if finishing.done() and _failed(finishing) and not living.done():
        # What made the seal fail may be about to end the life too, and then says why.
        await asyncio.wait({living}, timeout=_GRACE_MARGIN_SECONDS)
    if living.done():
        finishing.cancel()
        await asyncio.gather(finishing, return_exceptions=True)
        await living  # raises why it ended
    if finishing.done() and not _failed(finishing):
        said = finishing.result()
        _farewell(settings, "Sealed" if said.startswith("sealed") else "Stopped", said)
        return 0
    if not finishing.done():
        why = f"no seal in {seconds:.0f} s"
    else:
        why = "the seal was cancelled" if finishing.cancelled() else str(finishing.exception())
    finishing.cancel()
    _farewell(settings, "Unsealed", f"{why}; {life.not_safe()}")
    return 1


def _failed(task: asyncio.Task[str]) -> bool:
    return task.cancelled() or task.exception() is not None


def _farewell(settings: Settings, reason: str, message: str, **facts: int | str) -> None:
    _log.info("%s: %s", reason, message)
    say_farewell(settings.pod.termination_log, reason, message, epoch=settings.pod.epoch, **facts)


def main() -> int:
    """Run the keeper; the exit code."""
    try:
        log_as_told(os.environ)
        settings = parse(os.environ)
    except InvalidSettings as error:
        _log.error("%s", error)
        termination_log = Path(os.environ.get("DORMOUSE_TERMINATION_LOG") or TERMINATION_LOG)
        say_farewell(termination_log, Reason.INVALID_SETTINGS, str(error))
        return 1
    try:
        return asyncio.run(keep(settings, S3(settings.location)))
    except (StoreDenied, BucketMissing, StoreUnsupported) as error:
        _farewell(settings, REASONS[type(error)], str(error))
    except OSError as error:
        if error.errno == errno.ENOSPC:
            refusal = disk_full(settings.pod.directory).refusal
            _farewell(settings, refusal.reason, refusal.message)
        else:
            _farewell(settings, Reason.INVALID_SETTINGS, f"{type(error).__name__}: {error}")
    return 1
