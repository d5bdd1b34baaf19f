"""`python -m dormouse.runtime`: the pod's main container."""

from __future__ import annotations

import asyncio
import logging
import os
from pathlib import Path

from dormouse.ending import end_process
from dormouse.logs import log_as_told
from dormouse.pod import Ending, InvalidSettings, say_farewell
from dormouse.runtime.settings import parse


def main() -> int:
    """Run one life and say how it ended; the exit code is the container's."""
    log = logging.getLogger("dormouse.runtime")
    try:
        log_as_told(os.environ)
        settings = parse(os.environ)
    except InvalidSettings as error:
        log.critical("InvalidSettings: %s", error)
        farewell = os.environ.get("DORMOUSE_TERMINATION_LOG", "/dev/termination-log")
        say_farewell(Path(farewell), "InvalidSettings", str(error))
        return 1
    from dormouse.runtime.life import RuntimeLife

    async def live() -> Ending:
        return await RuntimeLife(settings).run()

    loop = asyncio.new_event_loop()
    ending = loop.run_until_complete(live())
    log.log(logging.ERROR if ending.exit_code else logging.INFO, "%s: %s", ending.reason, ending.message)
    say_farewell(settings.pod.termination_log, ending.reason, ending.message, **ending.facts)
    return ending.exit_code


if __name__ == "__main__":
    # Not sys.exit: an activity's thread that does not return must not keep the pod from ending.
    end_process(main())
