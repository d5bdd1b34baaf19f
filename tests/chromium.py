"""How does a test start Debian's Chromium, so that it looks at nothing but the page?"""

from __future__ import annotations

import shutil

ALONE = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
)


def program() -> str:
    """Where it is."""
    found = shutil.which("chromium")
    assert found is not None, "there is no chromium; hack/chromium installs it"
    return found
