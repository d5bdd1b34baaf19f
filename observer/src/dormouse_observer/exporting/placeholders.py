"""What stands in the place of a value that is not to be shown? Its type and its shape, and nothing of what it says.

A text becomes a text that tells its length up to a power of two, a number 0, a truth value false. Lists keep how many
values they have, objects too; what an object calls its values is data as well (`{"ada@example.com": ...}`), so names
are numbered in the order in which they are met, unless somebody says that they may be kept.
"""

from __future__ import annotations

import re
from typing import Any

import msgspec

from dormouse.engine.decision import Verdict
from dormouse.engine.journal import Kind
from dormouse.engine.mismatch import Blocked
from dormouse.engine.payload import Failure
from dormouse.engine.standing import Waiting

UNREADABLE = b'"<unreadable>"'
"""In the place of a payload whose key is missing, or that is no JSON."""
_SHORTEST = 16
_SOURCE = re.compile(r"[\w.\-]{1,100}:\d{1,9}")
_TYPE = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,99}")
_TRACEPARENT = re.compile(r"[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}")
_OUTCOMES = frozenset({"approved", "rejected", "expired"})
_FAILURES = frozenset(
    {
        *(Kind.ATTEMPT_FAILED, Kind.ACTIVITY_FAILED, Kind.CHILD_FAILED, Kind.UPDATE_FAILED),
        *(Kind.EXECUTION_FAILED, Kind.EXECUTION_CANCELLED, Kind.EXECUTION_TERMINATED),
    }
)


class Placeholders:
    """Those of one file: what was the same in it is the same again.

    Args:
        keeps_names: of the values in objects.
    """

    def __init__(self, *, keeps_names: bool) -> None:
        self._keeps_names = keeps_names
        self._names: dict[str, str] = {}
        self._keys: dict[str, str] = {}

    def payload(self, kind: str, payload: bytes) -> bytes:
        """What an event of this kind holds instead; those who read it find in it what they look for."""
        if kind in _FAILURES:
            return msgspec.json.encode(self.failure(payload))
        if kind == Kind.APPROVAL_DECIDED:
            return msgspec.json.encode(self._verdict(payload))
        return self.json(payload)

    def json(self, payload: bytes) -> bytes:
        """A JSON value's shape."""
        if payload == UNREADABLE:
            return UNREADABLE
        try:
            return msgspec.json.encode(self._shape(msgspec.json.decode(payload)))
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return UNREADABLE

    def failure(self, payload: bytes | None) -> Failure:
        """A failure with its type and its line; tracebacks show code, and repeat the message."""
        try:
            failure = msgspec.json.decode(payload or b"null", type=Failure)
        except (msgspec.DecodeError, UnicodeDecodeError):
            return Failure("Unknown", text(""))
        kind = failure.type if _TYPE.fullmatch(failure.type) else "Unknown"
        return Failure(kind, text(failure.message), source=source(failure.source))

    def blocked(self, blocked: Blocked) -> Blocked:
        """Why an execution is blocked, with both lines; what was asked for there shows arguments."""
        reason = blocked.reason if _TYPE.fullmatch(blocked.reason) else "Unknown"
        return Blocked(
            reason,
            text(blocked.message),
            expected_source=source(blocked.expected_source),
            actual_source=source(blocked.actual_source),
        )

    def waiting(self, waiting: Waiting) -> Waiting:
        """What an execution waits for; the digest of what is to be approved is of what is asked."""
        failure = waiting.last_failure
        return msgspec.structs.replace(
            waiting,
            last_failure=None if failure is None else self.failure(msgspec.json.encode(failure)),
            id=self.key(waiting.id) if waiting.kind == "approval" else waiting.id,
            source=source(waiting.source),
        )

    def key(self, key: object) -> str | None:
        """An idempotency key, or a digest of arguments, which somebody could try out."""
        return None if key is None else self._keys.setdefault(str(key), f"key-{len(self._keys) + 1}")

    def _verdict(self, payload: bytes) -> Verdict:
        try:
            verdict = msgspec.json.decode(payload, type=Verdict)
        except (msgspec.DecodeError, UnicodeDecodeError):
            return Verdict("rejected", text(""), text(""))
        outcome = verdict.outcome if verdict.outcome in _OUTCOMES else "rejected"
        return Verdict(outcome, text(verdict.by), text(verdict.reason))

    def _shape(self, value: Any) -> Any:
        match value:
            case None:
                return None
            case bool():
                return False
            case int():
                return 0
            case float():
                return 0.0
            case str():
                return text(value)
            case list():
                return [self._shape(one) for one in value]
            case _:
                return {self._name(name): self._shape(one) for name, one in value.items()}

    def _name(self, name: str) -> str:
        if self._keeps_names:
            return name
        return self._names.setdefault(name, f"name-{len(self._names) + 1}")

    def cell(self, value: object) -> object:
        """A value of a table that is the user's own."""
        match value:
            case None:
                return None
            case int():
                return 0
            case float():
                return 0.0
            case bytes():
                return f"<bytes: up to {_up_to(len(value))}>".encode()
            case _:
                return text(str(value))


def text(value: str) -> str:
    """A text's."""
    return f"<text: up to {_up_to(len(value))}>"


def source(value: object) -> str | None:
    """A line of the user's code, as `orders.py:7`."""
    return value if isinstance(value, str) and _SOURCE.fullmatch(value) else None


def traceparent(value: object) -> str | None:
    """Random numbers, as the W3C writes them."""
    return value if isinstance(value, str) and _TRACEPARENT.fullmatch(value) else None


def name(value: object) -> str | None:
    """What is kept: the names of workflows, activities and messages, the ids of executions, versions of code."""
    return value if isinstance(value, str) else None


def number(value: object) -> int | None:
    """What is kept: positions, moments, counts."""
    return value if isinstance(value, int) else None


def _up_to(length: int) -> int:
    return max(_SHORTEST, 1 << max(0, length - 1).bit_length())
