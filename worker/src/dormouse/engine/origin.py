"""What started an execution?"""

from __future__ import annotations

import msgspec


class Origin(msgspec.Struct, frozen=True):
    """What started an execution.

    Attributes:
        fingerprint: the same for the same workflow and input.
        idempotency_key: of the request.
        app_version: of the code that ran then.
        parent, parent_command: the key of the execution that called it, and the number of the call.
        traceparent: of whoever asked for it, as the W3C writes it.
    """

    fingerprint: bytes = b""
    idempotency_key: str | None = None
    app_version: str | None = None
    parent: int | None = None
    parent_command: int | None = None
    traceparent: str | None = None
