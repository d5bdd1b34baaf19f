"""How fast are the pages of `dormouse open`, and how large is its server?

docs/benchmarks.md says what each figure means.
"""

from __future__ import annotations

import sys

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
]

if __name__ == "__main__":
    sys.exit(run("observer", FIGURES, sys.argv[1:]))
