"""Is the htmx that the pages carry the one that was published, with its licence?"""

from __future__ import annotations

from hashlib import sha256

from dormouse_observer.web.render import STATIC

PUBLISHED = "d6fdc75f204e6bdefa99b69bf1e6d4ac69b8a364f77929f45c13476b4000f717"
"""Of dist/htmx.min.js in the npm package htmx.org 2.0.11."""


def test_htmx_is_as_it_was_published() -> None:
    assert sha256((STATIC / "htmx.min.js").read_bytes()).hexdigest() == PUBLISHED
    assert 'version:"2.0.11"' in (STATIC / "htmx.min.js").read_text()
    assert "Zero-Clause BSD" in (STATIC / "htmx.LICENSE").read_text()
