"""What is decided on a request for approval, and which request does a decision speak of? Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

import msgspec

from dormouse.engine.clock import to_datetime
from dormouse.engine.journal import Event, Kind
from dormouse.engine.payload import encode
from dormouse.engine.sealing import keyed_digest
from dormouse.errors import InvalidInput

_DIGEST_CHARACTERS = 32
_LONGEST_BY = 200
_LONGEST_REASON = 4000


@dataclass(frozen=True, slots=True)
class Decision:
    """What a workflow's request for approval came to.

    Attributes:
        outcome: `expired` when nobody decided in time.
        by: who decided, as they said; empty when it expired.
        reason: why, if they said so.
        at: when.
    """

    outcome: Literal["approved", "rejected", "expired"]
    by: str
    reason: str
    at: datetime

    @property
    def approved(self) -> bool:
        """Whether somebody has approved in time."""
        return self.outcome == "approved"


class Verdict(msgspec.Struct, frozen=True):
    """A decision as the log keeps it."""

    outcome: Literal["approved", "rejected"]
    by: str
    reason: str = ""

    def check(self) -> None:
        """Raises InvalidInput when it does not say who has decided, or goes on and on."""
        if not self.by.strip() or len(self.by) > _LONGEST_BY:
            raise InvalidInput(f"`by` must say who decides, in 1 to {_LONGEST_BY} characters")
        if len(self.reason) > _LONGEST_REASON:
            raise InvalidInput(f"`reason` may have {_LONGEST_REASON} characters")

    def encode(self) -> bytes:
        return encode(self)


_decode_verdict = msgspec.json.Decoder(Verdict).decode


def digest_of(execution_id: str, command: int, name: str, payload: bytes, key: bytes = b"") -> str:
    """Stands for one request and its arguments: no other has the same digest, not even one that asks the same again."""
    asked = b"\0".join((execution_id.encode(), str(command).encode(), name.encode(), payload))
    return keyed_digest(asked, key).hex()[:_DIGEST_CHARACTERS]


def is_whole(digest: str) -> bool:
    """Whether it is as long as a digest, so that it was one."""
    return len(digest) == _DIGEST_CHARACTERS


def verdict_of(event: Event) -> Verdict | None:
    """What the event of a decision says; None of a request that expired or was withdrawn."""
    return _decode_verdict(event.payload or b"") if event.kind == Kind.APPROVAL_DECIDED else None


def decision_of(event: Event) -> Decision:
    """What the workflow is given for the event with which its request ended."""
    verdict, at = verdict_of(event), to_datetime(event.at)
    if verdict is None:
        return Decision("expired", "", "", at)
    return Decision(verdict.outcome, verdict.by, verdict.reason, at)


def told(event: Event) -> str:
    """How a request ended, for who comes too late."""
    verdict = verdict_of(event)
    if verdict is not None:
        because = f": {verdict.reason}" if verdict.reason else ""
        return f"{verdict.by} has {verdict.outcome} it{because}"
    return "it has expired" if event.kind == Kind.APPROVAL_EXPIRED else "the workflow does not wait for it any more"
