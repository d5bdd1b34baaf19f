"""`python -m dormouse.keeper`: the native sidecar of a pod."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import sys

from dormouse.keeper.life import Life
from dormouse.keeper.service import Service
from dormouse.keeper.settings import Settings, parse
from dormouse.pod import InvalidSettings, say_farewell
from dormouse.replica.refusal import Reason, Refused
from dormouse.replica.s3 import S3
from dormouse.replica.store import BucketMissing, Store, StoreDenied

_log = logging.getLogger("dormouse.keeper")
_GRACE_MARGIN_SECONDS = 2.0


async def keep(settings: Settings, store: Store) -> int:
    """Live until told to end or refused; the exit code."""
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    life = Life(settings, store)
    service = Service(life)
    try:
        await service.listen(settings.pod.keeper_socket)
        await service.listen_http(settings.host, settings.port)
        living = asyncio.create_task(life.live())
        stopping = asyncio.create_task(stop.wait())
        await asyncio.wait({living, stopping}, return_when=asyncio.FIRST_COMPLETED)
        stopping.cancel()
        if living.done():
            await living
            return 0
        code = await _finish(settings, life, living)
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


async def _finish(settings: Settings, life: Life, living: asyncio.Task[None]) -> int:
    """The kubelet ends a native sidecar only after the main container: what is left is to seal."""
    if not life.begun and not life.over:
        _farewell(settings, "Stopped", "ended before the database was restored; nothing was written")
        return 0
    finishing = asyncio.create_task(life.finish())
    seconds = max(1.0, settings.grace_seconds - _GRACE_MARGIN_SECONDS)
    await asyncio.wait({finishing, living}, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
    if finishing.done() and finishing.exception() is None:
        _farewell(settings, "Sealed", finishing.result())
        return 0
    if living.done():
        await living
    finishing.cancel()
    why = (
        f"{finishing.exception()}" if finishing.done() and not finishing.cancelled() else f"no seal in {seconds:.0f} s"
    )
    _farewell(settings, "Unsealed", f"{why}; {life.not_safe()}")
    return 1


def _farewell(settings: Settings, reason: str, message: str, **facts: int | str) -> None:
    _log.info("%s: %s", reason, message)
    say_farewell(settings.pod.termination_log, reason, message, epoch=settings.pod.epoch, **facts)


def main() -> int:
    """Run the keeper; the exit code."""
    logging.basicConfig(
        level=os.environ.get("DORMOUSE_LOG_LEVEL", "INFO"),
        format="%(asctime)s %(levelname)s %(name)s %(message)s",
        stream=sys.stderr,
    )
    try:
        settings = parse(os.environ)
    except InvalidSettings as error:
        print(f"dormouse keeper: {error}", file=sys.stderr)  # noqa: T201 - there is no log yet
        return 2
    try:
        return asyncio.run(keep(settings, S3(settings.location)))
    except StoreDenied as error:
        _farewell(settings, Reason.STORE_DENIED, str(error))
    except BucketMissing as error:
        _farewell(settings, Reason.BUCKET_MISSING, str(error))
    except OSError as error:
        _farewell(settings, Reason.INVALID_SETTINGS, f"{type(error).__name__}: {error}")
    return 1


if __name__ == "__main__":
    exit_code = main()
    logging.shutdown()
    # A thread of obstore's that wakes while Python takes itself apart aborts the process (seen in 1 of 40 exits).
    os._exit(exit_code)
