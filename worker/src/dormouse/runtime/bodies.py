"""What may the body of a request hold, and what does it say?"""

from __future__ import annotations

from typing import Annotated, Literal, TypeVar

import msgspec

from dormouse.engine.payload import encode
from dormouse.engine.requests import ID_PATTERN
from dormouse.runtime.refusals import Refused
from dormouse.runtime.server import Request

B = TypeVar("B", bound=msgspec.Struct)


class StartBody(msgspec.Struct, forbid_unknown_fields=True):
    """Which workflow to start, with which input; leave `input` out where the workflow needs none."""

    workflow: str
    input: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    id: Annotated[str, msgspec.Meta(extra_json_schema={"pattern": f"^{ID_PATTERN}$"})] | None = None


class DecisionBody(msgspec.Struct, forbid_unknown_fields=True):
    """Whether the request with this digest is approved of, who says so, and why."""

    decision: Literal["approve", "reject"]
    digest: str
    by: str
    reason: str = ""


class ReasonBody(msgspec.Struct, forbid_unknown_fields=True):
    """Why; it is kept in the log."""

    reason: str = ""


def read_body(kind: type[B], body: bytes) -> B:
    """The body as a struct.

    Raises:
        Refused: when it is no JSON, or has another shape.
    """
    try:
        return msgspec.json.decode(body, type=kind)
    except msgspec.ValidationError as error:
        fields = ", ".join(_shown(one) for one in msgspec.structs.fields(kind))
        raise Refused("InvalidRequest", f"{error}; the body is {{{fields}}}") from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise _not_json(error) from error


def _shown(field: msgspec.structs.FieldInfo) -> str:
    return field.encode_name if field.required else f"{field.encode_name}?"


def read_value(request: Request) -> bytes:
    """The JSON value that a message carries; without a body, null."""
    return canonical(request.body or b"null")


def canonical(text: bytes) -> bytes:
    """The same bytes for the same JSON value."""
    try:
        return encode(msgspec.json.decode(text))
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise _not_json(error) from error


def _not_json(error: Exception) -> Refused:
    return Refused("NotJSON", f"the body is not JSON: {error}")
