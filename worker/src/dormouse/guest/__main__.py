"""`python -m dormouse.guest COMMAND [ARG...]`: the pod's main container when it runs a command instead of workflows."""

from __future__ import annotations

import asyncio
import logging
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from dormouse.guest.settings import parse
from dormouse.logs import log_as_told
from dormouse.pod import TERMINATION_LOG, Ending, InvalidSettings, say_farewell


def main(command: Sequence[str]) -> int:
    """Run one life and say how it ended; the exit code is the command's, or 1 when it had to end."""
    log = logging.getLogger("dormouse.guest")
    try:
        log_as_told(os.environ)
        settings = parse(os.environ, command)
    except InvalidSettings as error:
        log.critical("InvalidSettings: %s", error)
        farewell = os.environ.get("DORMOUSE_TERMINATION_LOG", TERMINATION_LOG)
        say_farewell(Path(farewell), "InvalidSettings", str(error))
        return 1
    from dormouse.guest.life import GuestLife

    async def live() -> Ending:
        return await GuestLife(settings, os.environ).run()

    ending = asyncio.run(live())
    log.log(logging.ERROR if ending.exit_code else logging.INFO, "%s: %s", ending.reason, ending.message)
    say_farewell(settings.pod.termination_log, ending.reason, ending.message, **ending.facts)
    return ending.exit_code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
