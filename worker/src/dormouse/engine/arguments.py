"""How do the arguments of an activity's call become JSON and again arguments of the declared types?

A call is written as the array of its positional arguments, without the defaults that it left out: a parameter
that is added later with a default does not change what a replay compares. Functions with `*args`, `**kwargs`
or keyword-only parameters write `[[positional ...], {keyword: value}]`.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from typing import Any

import msgspec

from dormouse.engine.annotations import hints_of
from dormouse.engine.payload import decoder, encode
from dormouse.errors import PayloadTooLarge

_PLAIN = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)


class Arguments:
    """Writes and reads the arguments of one function; `given` is how many of its parameters others fill."""

    def __init__(self, function: Callable[..., Any], given: int = 0) -> None:
        self._function = function
        whole = inspect.signature(function)
        self._signature = whole.replace(parameters=list(whole.parameters.values())[given:])
        parameters = list(self._signature.parameters.values())
        positional = [one for one in parameters if one.kind in _PLAIN]
        self._most = len(positional)
        self._least = sum(one.default is one.empty for one in positional)
        self._plain = len(positional) == len(parameters)
        self._has_defaults = self._least < self._most
        self._decoders: dict[int, msgspec.json.Decoder[Any]] = {}

    def encode(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> bytes:
        """Write one call.

        Raises:
            TypeError: when the function cannot be called like this, or a value has no JSON form.
        """
        if kwargs or not self._plain or not self._least <= len(args) <= self._most:
            bound = bound_to(self._function.__name__, self._signature, args, kwargs)
            if not self._plain:
                return encode([bound.args, bound.kwargs])
            names = list(self._signature.parameters)
            given = max((names.index(name) for name in bound.arguments), default=-1)
            bound.apply_defaults()
            args = bound.args[: given + 1]
        try:
            return encode(args)
        except PayloadTooLarge:
            raise
        except TypeError as error:
            raise TypeError(f"{self._function.__name__}(): {_PLACE.sub(self._name_at, str(error))}") from error

    def decode(self, payload: bytes) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """Read one call.

        Raises:
            msgspec.ValidationError: when the values do not fit the annotations.
        """
        if not self._plain:
            return self._decode_keywords(payload)
        # Only a call that left out defaults has to be counted first.
        count = len(_raw_list.decode(payload)) if self._has_defaults else self._most
        found = self._decoders.get(count)
        if found is None:
            kinds = tuple(self._kind(name) for name in list(self._signature.parameters)[:count])
            found = self._decoders[count] = decoder(tuple[kinds])  # type: ignore[valid-type]
        try:
            return found.decode(payload), {}
        except msgspec.ValidationError as error:
            raise msgspec.ValidationError(_PLACE.sub(self._name_at, str(error))) from error

    def _decode_keywords(self, payload: bytes) -> tuple[tuple[Any, ...], dict[str, Any]]:
        positional, keywords = _raw_call.decode(payload)
        parameters = list(self._signature.parameters.values())
        rest = next((one.name for one in parameters if one.kind is one.VAR_POSITIONAL), "")
        more = next((one.name for one in parameters if one.kind is one.VAR_KEYWORD), "")
        names = [one.name for one in parameters if one.kind in _PLAIN]
        names += [rest] * (len(positional) - len(names))
        args = tuple(_decode(name, self._kind(name), raw) for name, raw in zip(names, positional, strict=False))
        known = self._signature.parameters
        return args, {
            name: _decode(name, self._kind(name if name in known else more), raw) for name, raw in keywords.items()
        }

    def _name_at(self, place: re.Match[str]) -> str:
        return list(self._signature.parameters)[int(place[1])]

    def _kind(self, name: str) -> Any:
        return self._hints.get(name, Any)

    @property
    def _hints(self) -> dict[str, Any]:
        return hints_of(self._function)


def bound_to(
    name: str, signature: inspect.Signature, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> inspect.BoundArguments:
    """Raises TypeError, naming what is called, when it cannot be called like this."""
    try:
        return signature.bind(*args, **kwargs)
    except TypeError as error:
        raise TypeError(f"{name}(): {error}") from None


def _decode(name: str, kind: Any, raw: msgspec.Raw) -> Any:
    try:
        return decoder(kind).decode(raw)
    except msgspec.ValidationError as error:
        raise msgspec.ValidationError(f"`{name}`: {error}") from error


_PLACE = re.compile(r"\$\[(\d+)\]")
_raw_list = msgspec.json.Decoder(list[msgspec.Raw])
_raw_call = msgspec.json.Decoder(tuple[list[msgspec.Raw], dict[str, msgspec.Raw]])
