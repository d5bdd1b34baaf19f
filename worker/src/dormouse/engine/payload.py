"""How do values become JSON, and JSON values of the declared type? msgspec, and Pydantic's models by their methods."""

from __future__ import annotations

import asyncio
import concurrent.futures
from collections.abc import Callable, Coroutine
from pathlib import PurePath
from types import TracebackType
from typing import Any, get_origin

import msgspec

from dormouse.engine.unwritable import REFUSALS, refusal
from dormouse.errors import PayloadTooLarge


def _to_plain(value: Any) -> Any:
    dump = getattr(value, "model_dump", None)
    if dump is not None:
        return dump(mode="json")
    if isinstance(value, Coroutine):
        value.close()
        name = getattr(value, "__name__", "it")
        raise TypeError(f"it holds a coroutine, {name}(), that was not awaited; `await` it, in an `async def`")
    kind = type(value)
    raise TypeError(
        f"{kind.__module__}.{kind.__qualname__} has no JSON form; "
        "pass dataclasses, msgspec Structs, Pydantic models or plain values"
    )


def _from_plain(kind: Any, value: Any) -> Any:
    validate = getattr(kind, "model_validate", None)
    if validate is not None:
        return _validated(validate, value)
    if takes_plain(kind):
        if isinstance(value, get_origin(kind) or kind):
            return value
        raise TypeError(f"Expected `{kind}`, got `{type(value).__name__}`")
    raise TypeError(f"JSON does not say how to make a {kind!r}; annotate with a dataclass or a msgspec Struct")


def _validated(validate: Callable[[Any], Any], value: Any) -> Any:
    try:
        return validate(value)
    except ValueError as error:
        problems = getattr(error, "errors", None)
        if problems is None:
            raise
        # Pydantic's own text has many lines, and shows the value.
        fields = [(".".join(map(str, one["loc"])), one["msg"]) for one in problems()]
        raise ValueError("; ".join(f"`{at}`: {what}" if at else what for at, what in fields)) from error


def takes_plain(kind: Any) -> bool:
    """Whether a class that msgspec does not know can be made of JSON's own values."""
    if hasattr(kind, "model_validate"):
        return True
    kind = get_origin(kind) or kind
    return isinstance(kind, type) and any(_is_kind_of(plain, kind) for plain in _PLAIN)


def _is_kind_of(plain: type, kind: type) -> bool:
    try:
        return issubclass(plain, kind)
    except TypeError:  # a Protocol that can only be checked by hand
        return False


_PLAIN = (dict, list, str, int, float, bool, type(None))
_MIB = 1024 * 1024
LARGEST_PAYLOAD = 16 * _MIB
# Deterministic: a set's order changes with each process, and a replay compares the bytes.
_encoder = msgspec.json.Encoder(enc_hook=_to_plain, order="deterministic")
_NULL = b"null"
"""Where a value is not None, this may stand for a number: msgspec writes NaN and infinity like that.

Looked for by `find`, since `in` tries a number first, which costs an exception.
"""


def _encode(value: Any) -> bytes:
    try:
        payload = _encoder.encode(value)
    except TypeError:
        # Either it has none, which is said again here, or some keys are no text: those can only be ordered as text.
        plain = msgspec.to_builtins(value, str_keys=True, enc_hook=_to_plain, order="deterministic")
        payload = _encoder.encode(plain)
    if payload.find(_NULL) >= 0 and value is not None:
        _refuse_numbers_that_json_lacks(value)
    return payload


def _refuse_numbers_that_json_lacks(value: Any) -> None:
    from json import dumps  # only for values with a `null`; all of this is C, a loop of ours would be slow

    plain = msgspec.to_builtins(value, str_keys=True, enc_hook=_to_plain)
    try:
        dumps(plain, allow_nan=False)
    except ValueError as error:
        raise ValueError("JSON has no NaN and no infinity; pass None, a text or a Decimal in its place") from error


def _encode_or_refuse(value: Any) -> bytes:
    try:
        return _encode(value)
    except REFUSALS as refused:
        raise refusal(value, refused, _encode) from refused


def encode(value: Any) -> bytes:
    """Write a value as JSON: the same bytes for the same value, in every process.

    Raises:
        TypeError: when it has no JSON form, with the path of what has none.
        PayloadTooLarge: when that is larger than a payload may be.
    """
    try:
        payload = _encoder.encode(value)
    except REFUSALS:
        payload = _encode_or_refuse(value)
    else:
        if payload.find(_NULL) >= 0 and value is not None:
            _encode_or_refuse(value)
    if len(payload) > LARGEST_PAYLOAD:
        raise PayloadTooLarge(
            f"a value has {len(payload) / _MIB:.1f} MiB as JSON, and at most {LARGEST_PAYLOAD / _MIB:g} MiB are kept; "
            "put it into an object store and pass its key"
        )
    return payload


def decoder(kind: Any) -> msgspec.json.Decoder[Any]:
    """A decoder for values of this type."""
    return msgspec.json.Decoder(kind, dec_hook=_from_plain)


class Failure(msgspec.Struct, frozen=True):
    """An exception as the log keeps it; `source` is the user's line that raised it."""

    type: str
    message: str
    traceback: str | None = None
    source: str | None = None

    def __str__(self) -> str:
        """All of it but the traceback."""
        return f"{self.type}: {self.message}" + (f" ({self.source})" if self.source else "")


_MACHINERY = (str(PurePath(__file__).parent), str(PurePath(concurrent.futures.__file__).parent))
STANDARD_LIBRARY = str(PurePath(asyncio.__file__).parents[1])
_INSTALLED = ("site-packages", "dist-packages")
_FRAMES = 12
_CHARACTERS = 4000


def failure_of(error: BaseException) -> Failure:
    """Keep the type's name, the message and the last frames of the user's code."""
    trace = error.__traceback__
    while trace is not None and trace.tb_frame.f_code.co_filename.startswith(_MACHINERY):
        trace = trace.tb_next
    message = text_of(error)[:_CHARACTERS]
    return Failure(_writable(type(error).__name__), message, _frames(error, trace), users_line(trace))


def text_of(error: BaseException) -> str:
    """What an exception says, also of one whose own code for that fails."""
    try:
        return _writable(str(error))
    except (Exception, SystemExit) as unsayable:  # noqa: BLE001 - any code of the user's runs here
        return f"(it cannot be shown as text: its __str__ raised {type(unsayable).__name__})"


def _frames(error: BaseException, trace: TracebackType | None) -> str | None:
    from traceback import format_exception

    try:
        lines = format_exception(type(error), error, trace or error.__traceback__, limit=-_FRAMES)
    except RecursionError:  # groups within groups
        return None
    return _writable("".join(lines)[-_CHARACTERS:])


def _writable(text: str) -> str:
    """Half a surrogate pair has no place in UTF-8."""
    return text.encode(errors="backslashreplace").decode()


def users_line(trace: TracebackType | None) -> str | None:
    """The last line of the author's own code; when all of it is installed, the last that is not Python's or ours."""
    own = installed = None
    while trace is not None:
        filename = trace.tb_frame.f_code.co_filename
        line = f"{PurePath(filename).name}:{trace.tb_lineno}"
        if any(folder in filename for folder in _INSTALLED):
            installed = line
        elif not filename.startswith((*_MACHINERY, STANDARD_LIBRARY, "<")):
            own = line
        trace = trace.tb_next
    found = own or installed
    return None if found is None else _writable(found)


def on_one_line(text: str) -> str:
    """For a log that is read line by line."""
    return " ".join(text.split())


decode_failure = msgspec.json.Decoder(Failure).decode
