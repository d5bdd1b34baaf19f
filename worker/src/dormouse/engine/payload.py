"""How do values become JSON, and JSON values of the declared type? msgspec, and Pydantic's models by their methods."""

from __future__ import annotations

import concurrent.futures
from pathlib import PurePath
from typing import Any

import msgspec


def _to_plain(value: Any) -> Any:
    dump = getattr(value, "model_dump", None)
    if dump is not None:
        return dump(mode="json")
    kind = type(value)
    raise TypeError(
        f"{kind.__module__}.{kind.__qualname__} has no JSON form; "
        "pass dataclasses, msgspec Structs, Pydantic models or plain values"
    )


def _from_plain(kind: Any, value: Any) -> Any:
    validate = getattr(kind, "model_validate", None)
    if validate is not None:
        return validate(value)
    if isinstance(kind, type) and isinstance(value, kind):
        return value
    raise TypeError(f"JSON does not say how to make a {kind!r}; annotate with a dataclass or a msgspec Struct")


# Deterministic: a set's order changes with each process, and a replay compares the bytes.
_encoder = msgspec.json.Encoder(enc_hook=_to_plain, order="deterministic")
encode = _encoder.encode


def decoder(kind: Any) -> msgspec.json.Decoder[Any]:
    """A decoder for values of this type."""
    return msgspec.json.Decoder(kind, dec_hook=_from_plain)


class Failure(msgspec.Struct, frozen=True):
    """An exception as the log keeps it."""

    type: str
    message: str
    traceback: str | None = None


_MACHINERY = (str(PurePath(__file__).parent), str(PurePath(concurrent.futures.__file__).parent))
_FRAMES = 12
_CHARACTERS = 4000


def failure_of(error: BaseException) -> Failure:
    """Keep the type's name, the message and the last frames of the user's code."""
    from traceback import format_exception

    trace = error.__traceback__
    while trace is not None and trace.tb_frame.f_code.co_filename.startswith(_MACHINERY):
        trace = trace.tb_next
    text = "".join(format_exception(type(error), error, trace or error.__traceback__, limit=-_FRAMES))
    return Failure(type(error).__name__, str(error)[:_CHARACTERS], text[-_CHARACTERS:])


decode_failure = msgspec.json.Decoder(Failure).decode
