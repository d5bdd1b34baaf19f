"""How fast are the pages of `dormouse open`, how large is its server, and what do pull, replay and sql add?

docs/benchmarks.md says what each figure means.
"""

from __future__ import annotations

import sys

import observer_files
import observer_pages
from frame import Figure, run

FIGURES = [
    Figure(
        "page_scale_ratio",
        "the page of an execution with 100,000 events / of one with 100",
        1.5,
        "lower",
        observer_pages.page_scale_ratio,
        quick_seconds=15,
    ),
    Figure(
        "page_floor_ratio",
        "the page of an execution / a static page of the same bytes from the same server",
        10,
        "lower",
        observer_pages.page_floor_ratio,
        quick_seconds=10,
    ),
    Figure(
        "server_rss_mib",
        "resident memory of the server once the pages of the 100,000 events were looked at",
        100,
        "lower",
        observer_pages.server_rss_mib,
        unit="MiB",
        quick_seconds=12,
    ),
    Figure(
        "pull_ratio",
        "a pull of 50 MB / Litestream's restore in it, with the same check of every page",
        1.2,
        "lower",
        observer_files.pull_ratio,
        quick_seconds=25,
    ),
    Figure(
        "replay_events_ratio",
        "events a second of `dormouse replay` / of an engine that opens the file",
        0.8,
        "higher",
        observer_files.replay_events_ratio,
        quick_seconds=15,
    ),
    Figure(
        "query_fanout_ratio",
        "a query over 200 files / the same queries by plain sqlite3, one after the other",
        1.5,
        "lower",
        observer_files.query_fanout_ratio,
        quick_seconds=8,
    ),
]

if __name__ == "__main__":
    sys.exit(run("observer", FIGURES, sys.argv[1:]))
