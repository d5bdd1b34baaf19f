"""How long does a page take, beside one of fewer events and beside a file that is only sent?"""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
from frame import Baseline, Measured, median
from observed_files import long_history

_LONG, _SHORT = 100_000, 100
_DORMOUSE = Path(sys.executable).with_name("dormouse")
_SERVE_A_PAGE = """
import sys
from starlette.applications import Starlette
from starlette.responses import HTMLResponse
from starlette.routing import Route
import uvicorn
from dormouse_observer.web.security import Secured
from dormouse_observer.web.serving import listening
page = open(sys.argv[1]).read()
async def answer(request): return HTMLResponse(page)
app = Secured(Starlette(routes=[Route("/page", answer)]))
listener = listening(0)
print(" on http://127.0.0.1:%d/ " % listener.getsockname()[1], flush=True)
options = dict(http="h11", loop="asyncio", ws="none", lifespan="off", log_level="warning", access_log=False)
config = uvicorn.Config(app, **options)
uvicorn.Server(config).run(sockets=[listener])
"""


@dataclass(frozen=True)
class _Server:
    process: subprocess.Popen[str]
    http: httpx.Client

    def page(self, path: str) -> str:
        answer = self.http.get(path)
        answer.raise_for_status()
        return answer.text

    def seconds(self, path: str, requests: int) -> list[float]:
        found = []
        for _ in range(requests):
            began = time.perf_counter()
            self.page(path)
            found.append(time.perf_counter() - began)
        return found

    def rss_mib(self) -> float:
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        found = re.search(r"^VmRSS:\s+(\d+) kB", status, re.MULTILINE)
        assert found is not None
        return int(found[1]) / 1024


@contextmanager
def _serving(command: list[str]) -> Iterator[_Server]:
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            url = process.stdout.readline().split(" on ")[1].split()[0]
            with httpx.Client(base_url=url, timeout=60) as http:
                yield _Server(process, http)
        finally:
            process.terminate()


@contextmanager
def _opened(*events: int) -> Iterator[tuple[_Server, list[str]]]:
    """A server of files with so many events, and the path of each one's execution."""
    with tempfile.TemporaryDirectory(prefix="dormouse-bench-") as folder:
        files = [long_history(Path(folder) / f"{count}.sqlite", count) for count in events]
        with _serving([str(_DORMOUSE), "open", "--no-browser", *map(str, files)]) as server:
            prefixes = [""] if len(files) == 1 else [f"/files/{number}" for number in range(len(files))]
            paths = [f"{prefix}/executions/long-1" for prefix in prefixes]
            for path in paths:
                server.page(path)
            yield server, paths


def page_scale_ratio(quick: bool) -> Measured:
    """In turns, so that whatever else the machine does meets both."""
    rounds, requests = (3, 10) if quick else (7, 30)
    ratios, short = [], list[float]()
    with _opened(_LONG, _SHORT) as (server, (long_path, short_path)):
        drawn = "".join(re.findall(r"<svg.*?</svg>", server.page(f"{long_path}?count=80"), re.DOTALL))
        elements = len(re.findall(r"<[a-z]", drawn))
        assert elements < 500, f"{elements} elements in the timeline"
        for _ in range(rounds):
            pairs = [(server.seconds(long_path, 1)[0], server.seconds(short_path, 1)[0]) for _ in range(requests)]
            short.append(median([one for _, one in pairs]))
            ratios.append(median([one for one, _ in pairs]) / short[-1])
    return Measured(tuple(ratios), Baseline("100 events, ms", 1000 * median(short)))


def page_floor_ratio(quick: bool) -> Measured:
    """The same bytes, from the same server with the same headers, without anything to find out."""
    rounds, requests = (3, 10) if quick else (7, 30)
    ratios, floor = [], list[float]()
    with _opened(_LONG) as (server, (path,)), tempfile.NamedTemporaryFile("w", suffix=".html") as page:
        page.write(server.page(path))
        page.flush()
        with _serving([sys.executable, "-c", _SERVE_A_PAGE, page.name]) as static:
            static.page("/page")
            for _ in range(rounds):
                pairs = [(server.seconds(path, 1)[0], static.seconds("/page", 1)[0]) for _ in range(requests)]
                floor.append(median([one for _, one in pairs]))
                ratios.append(median([one for one, _ in pairs]) / floor[-1])
    return Measured(tuple(ratios), Baseline("static page, ms", 1000 * median(floor)))


def server_rss_mib(_quick: bool) -> Measured:
    """After each kind of page, some of them far back in the log."""
    with _opened(_LONG) as (server, (path,)):
        for more in ("", "?events=50000", "?calls=25000&count=80", "/agent", "/agent?calls=40000"):
            server.page(path + more)
        server.page("/")
        return Measured((server.rss_mib(),))
