"""How does a large file get to an address that was signed for it, without all of it being in memory?"""

from __future__ import annotations

import ssl
from http import HTTPStatus
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import HTTPSHandler, Request, build_opener

_LONGEST_ANSWER = 64 * 1024


class Answered(Exception):
    """The store did not take it."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(f"status code: {status}: {text}")
        self.status = status

    @property
    def is_conflict(self) -> bool:
        """Whether the condition did not hold."""
        return self.status in {HTTPStatus.CONFLICT, HTTPStatus.PRECONDITION_FAILED}


def create_from_file(url: str, file: Path, ca_bundle: str, stalled_seconds: float) -> None:
    """Put the file there if nothing is there. The store takes all of it or nothing.

    Args:
        url: signed for PUT.
        file: of at most what a store takes in one request.
        ca_bundle: a file of certificates to trust; empty for those of the machine.
        stalled_seconds: how long a single write, and the answer, may take.

    Raises:
        Answered: with what the store said.
        OSError: when it does not answer.
    """
    opener = build_opener(HTTPSHandler(context=ssl.create_default_context(cafile=ca_bundle or None)))
    headers = {
        "If-None-Match": "*",
        "Content-Length": str(file.stat().st_size),
        "Content-Type": "application/vnd.sqlite3",
    }
    with file.open("rb") as body:
        asked = Request(url, data=body, headers=headers, method="PUT")  # noqa: S310 - http or https, as the S3 client made it
        try:
            with opener.open(asked, timeout=stalled_seconds):
                return
        except HTTPError as error:
            with error:
                raise Answered(error.code, error.read(_LONGEST_ANSWER).decode(errors="replace")) from error
