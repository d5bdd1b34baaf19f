"""What did an agent do? Its calls of models and tools as a conversation, each message once. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from dormouse_observer.web.messages import Found, Message, Piece, recognised, text_piece
from dormouse_observer.web.prices import PriceList
from dormouse_observer.web.usage import Usage

_MOST_MESSAGES = 40
_MISSING = object()
_CALLED = "called with"

Kind = Literal["model", "tool", "step", "approval"]


@dataclass(frozen=True)
class Recorded:
    """A call as the log has it.

    Attributes:
        position: of the event that asked for it.
        ended: the position of the event with which it ended.
        took: how long, in words; empty while it has not ended.
        given, came: the values; `UNKNOWN` when there are none, or they cannot be read.
        problem: why a value cannot be read.
        failure: what it failed with.
    """

    position: int
    ended: int | None
    kind: str
    name: str
    at: int
    took: str
    given: Any = _MISSING
    came: Any = _MISSING
    problem: str = ""
    failure: str = ""


UNKNOWN = _MISSING


@dataclass(frozen=True)
class Entry:
    """One call in the conversation.

    Attributes:
        messages: what was new in what was asked.
        repeated: how many messages before these had been sent already, or are left out.
        answer: what came back.
    """

    call: Recorded
    kind: Kind
    title: str
    messages: tuple[Message, ...] = ()
    repeated: int = 0
    answer: tuple[Message, ...] = ()
    style: str = ""
    model: str = ""
    usage: Usage | None = None


@dataclass(frozen=True)
class Lane:
    """A conversation, and what it used as far as that was told.

    Attributes:
        unpriced: how many calls used tokens of which nobody knows the cost.
        unanswered: tools that the last model asked for, and of which no call is known.
    """

    entries: tuple[Entry, ...]
    usage: Usage
    models: tuple[str, ...]
    unpriced: int = 0
    unanswered: tuple[str, ...] = ()

    @property
    def is_agent(self) -> bool:
        """Whether a model or a tool was recognised."""
        return any(entry.kind in ("model", "tool") for entry in self.entries)


@dataclass
class _Conversation:
    said: list[Message] = field(default_factory=list)
    asked: dict[str, Piece] = field(default_factory=dict)


def lane(calls: Iterable[Recorded], before: Iterable[Recorded] = (), prices: PriceList | None = None) -> Lane:
    """Put it together; `before` are calls that the conversation goes on from, and that are not shown."""
    conversation = _Conversation()
    for call in before:
        _entry(call, conversation)
    entries = tuple(_priced(_entry(call, conversation), prices) for call in calls)
    used = [entry.usage for entry in entries if entry.usage is not None]
    usage = Usage(
        _sum([one.input for one in used]),
        _sum([one.output for one in used]),
        _sum([one.cost for one in used]),
        is_listed=any(one.is_listed for one in used),
    )
    unpriced = sum(one.cost is None for one in used)
    last = next((entry for entry in reversed(entries) if entry.kind == "model"), None)
    wanted = (piece for message in (last.answer if last else ()) for piece in message.pieces if piece.kind == "call")
    unanswered = tuple(piece.name for piece in wanted if piece.name in conversation.asked)
    models = tuple(dict.fromkeys(entry.model for entry in entries if entry.model))
    return Lane(entries, usage, models, unpriced, unanswered)


def _priced(entry: Entry, prices: PriceList | None) -> Entry:
    if prices is None or entry.usage is None:
        return entry
    return replace(entry, usage=prices.priced(entry.model, entry.usage))


def _entry(call: Recorded, conversation: _Conversation) -> Entry:
    if call.kind == "approval":
        return Entry(call, "approval", call.name, _as_message("asks", call.given), 0, _as_message("", call.came))
    given = None if call.given is UNKNOWN else recognised(call.given)
    came = None if call.came is UNKNOWN else recognised(call.came)
    if _is_model(given, came):
        return _model(call, given, came, conversation)
    tool = _tool(call, given, came, conversation)
    if tool is not None:
        return tool
    return Entry(call, "step", call.name, _as_message(_CALLED, call.given), 0, _as_message("", call.came))


def _is_model(given: Found | None, came: Found | None) -> bool:
    return (given is not None and given.is_model) or (came is not None and came.is_model)


def _model(call: Recorded, given: Found | None, came: Found | None, conversation: _Conversation) -> Entry:
    asked = given.messages if given is not None else _as_message("input", call.given)
    answer = came.messages if came is not None else _as_message("assistant", call.came)
    if came is not None and given is None and came.style == "OpenTelemetry":
        asked, answer = _split(came.messages)
    same = _common(conversation.said, asked)
    left_out = max(same, len(asked) - _MOST_MESSAGES)
    conversation.said = [*asked, *answer]
    for message in answer:
        for piece in message.pieces:
            if piece.kind == "call" and piece.name:
                conversation.asked[piece.name] = piece
    model = (came.model if came else "") or (given.model if given else "")
    usage = (came.usage if came else None) or (given.usage if given else None)
    style = (came.style if came else "") or (given.style if given else "")
    return Entry(call, "model", call.name, asked[left_out:], left_out, answer, style, model, usage)


def _split(messages: Sequence[Message]) -> tuple[tuple[Message, ...], tuple[Message, ...]]:
    """What a span tells in one: the last thing that is said is the answer."""
    is_answer = bool(messages) and messages[-1].role in ("assistant", "ai", "model")
    return (tuple(messages[:-1]), tuple(messages[-1:])) if is_answer else (tuple(messages), ())


def _tool(call: Recorded, given: Found | None, came: Found | None, conversation: _Conversation) -> Entry | None:
    """A call that is of a tool by itself, or that a model has asked for by name."""
    if given is not None or came is not None:
        style = (given or came or Found("", ())).style
        said = given.messages if given is not None else _as_message(_CALLED, call.given)
        answer = came.messages if came is not None else _as_message("tool", call.came, "answer")
        if came is not None and given is None and came.style == "OpenTelemetry":
            said = ()
        names = [piece.name for message in (*said, *answer) for piece in message.pieces if piece.name]
        conversation.asked.pop(next(iter(names), ""), None)
        return Entry(call, "tool", next(iter(names), call.name), said, 0, answer, style)
    name = _asked_for(call, conversation)
    if name is None:
        return None
    conversation.asked.pop(name)
    said = () if call.given is UNKNOWN else (Message(_CALLED, (text_piece(call.given, "call"),)),)
    return Entry(call, "tool", name, said, 0, _as_message("tool", call.came, "answer"))


def _asked_for(call: Recorded, conversation: _Conversation) -> str | None:
    if call.name in conversation.asked:
        return call.name
    given = call.given if isinstance(call.given, list) else [call.given]
    for one in given[:4]:
        named = one.get("name") if isinstance(one, dict) else one
        function = one.get("function") if isinstance(one, dict) else None
        if isinstance(function, dict):
            named = function.get("name")
        if isinstance(named, str) and named in conversation.asked:
            return named
    return None


def _as_message(role: str, value: Any, kind: Literal["text", "answer"] = "text") -> tuple[Message, ...]:
    return () if value is UNKNOWN else (Message(role, (text_piece("null" if value is None else value, kind),)),)


def _common(before: Sequence[Message], now: Sequence[Message]) -> int:
    """With how many messages they begin alike."""
    count = 0
    for one, other in zip(before, now, strict=False):
        if one != other:
            break
        count += 1
    return count


def _sum(numbers: Sequence[Any]) -> Any:
    known = [one for one in numbers if one is not None]
    return sum(known) if known else None
