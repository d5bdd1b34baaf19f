"""Which messages, tool calls and token counts are in a value, whatever library wrote it? Pure, and total.

Known are requests and answers of OpenAI's chat completions and responses, of Anthropic's messages, MCP's tool calls,
and the GenAI attributes of OpenTelemetry. What looks like none of them is not guessed at.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import msgspec

from dormouse_observer.web.usage import Usage, usage_of

_DEEPEST = 4
_MOST_LOOKED_AT = 200
_MOST_MESSAGES = 500
_MOST_PIECES = 50
_LONGEST_TEXT = 6000
_ROLES = frozenset({"system", "developer", "user", "human", "assistant", "ai", "model", "tool", "function"})

Kind = Literal["text", "thinking", "call", "answer", "other"]


@dataclass(frozen=True)
class Piece:
    """A part of a message.

    Attributes:
        text: what is said; of a call its arguments, of an answer what the tool gave.
        more: how many characters of it are left out.
        name: of the tool.
        id: by which an answer belongs to its call.
    """

    kind: Kind
    text: str
    name: str = ""
    id: str = ""
    is_error: bool = False
    more: int = 0


@dataclass(frozen=True)
class Message:
    """Who says what."""

    role: str
    pieces: tuple[Piece, ...]


@dataclass(frozen=True)
class Found:
    """What was recognised.

    Attributes:
        is_model: whether a model was asked, or answered; else a tool.
    """

    style: str
    messages: tuple[Message, ...]
    model: str = ""
    usage: Usage | None = None
    is_model: bool = True


def recognised(value: Any) -> Found | None:
    """The first thing in a value that looks like one of the styles, the outermost first."""
    for one in _within(value):
        found = _in_list(one) if isinstance(one, list) else _in_object(one)
        if found is not None:
            return found
    return None


def text_piece(value: Any, kind: Kind = "text", **more: Any) -> Piece:
    """A value as text: a text as it is, all else as JSON."""
    text = _plain(value)
    return Piece(kind, text[:_LONGEST_TEXT], more=max(0, len(text) - _LONGEST_TEXT), **more)


def _within(value: Any) -> Iterator[Any]:
    """Lists and objects in a value, breadth first, as far as it is worth looking."""
    level, looked = [value], 0
    for _ in range(_DEEPEST):
        following: list[Any] = []
        for one in level:
            looked += 1
            if looked > _MOST_LOOKED_AT:
                return
            if isinstance(one, dict):
                yield one
                following += list(one.values())[:_MOST_PIECES]
            elif isinstance(one, list):
                yield one
                following += one[:_MOST_PIECES]
        level = [one for one in following if isinstance(one, dict | list)]


def _in_list(values: list[Any]) -> Found | None:
    """A list of messages, such as the only argument of a call."""
    if not values or not all(_is_message(one) for one in values[:_MOST_PIECES]):
        return None
    messages = _messages(values)
    return Found(_style(messages, values), messages) if messages else None


def _in_object(value: dict[str, Any]) -> Found | None:
    for look in (_telemetry, _mcp, _chat_answer, _anthropic_answer, _responses_answer, _request, _responses_request):
        found = look(value)
        if found is not None:
            model = value.get("model")
            return replace(
                found,
                model=found.model or (model if isinstance(model, str) else ""),
                usage=found.usage or usage_of(value.get("usage")),
            )
    if _is_message(value):
        messages = _messages([value])
        return Found(_style(messages, [value]), messages)
    return None


# The styles.


def _request(value: dict[str, Any]) -> Found | None:
    """`messages` of both; Anthropic has the system's beside them."""
    raw = value.get("messages")
    if not isinstance(raw, list) or not any(_is_message(one) for one in raw[:_MOST_PIECES]):
        return None
    system = value.get("system")
    messages = _messages(raw)
    if isinstance(system, str | list) and system:
        messages = (Message("system", _pieces(system)), *messages)
    return Found("Anthropic" if system else _style(messages, raw), messages)


def _responses_request(value: dict[str, Any]) -> Found | None:
    given, instructions = value.get("input"), value.get("instructions")
    if "model" not in value or not isinstance(given, str | list):
        return None
    messages = _items(given) if isinstance(given, list) else (Message("user", (text_piece(given),)),)
    if isinstance(instructions, str) and instructions:
        messages = (Message("system", (text_piece(instructions),)), *messages)
    return Found("OpenAI", messages) if messages else None


def _chat_answer(value: dict[str, Any]) -> Found | None:
    choices = value.get("choices")
    if not isinstance(choices, list):
        return None
    said = [one.get("message") for one in choices[:_MOST_PIECES] if isinstance(one, dict)]
    messages = _messages([one for one in said if isinstance(one, dict)])
    return Found("OpenAI", messages) if messages else None


def _responses_answer(value: dict[str, Any]) -> Found | None:
    output = value.get("output")
    if not isinstance(output, list) or not all(isinstance(one, dict) and "type" in one for one in output[:5]):
        return None
    messages = _items(output)
    return Found("OpenAI", messages) if messages else None


def _anthropic_answer(value: dict[str, Any]) -> Found | None:
    if value.get("type") != "message" or not isinstance(value.get("content"), list):
        return None
    return Found("Anthropic", (Message("assistant", _pieces(value["content"])),))


def _mcp(value: dict[str, Any]) -> Found | None:
    params, result = value.get("params"), value.get("result")
    if value.get("method") == "tools/call" and isinstance(params, dict):
        call = text_piece(params.get("arguments"), "call", name=_name(params.get("name")))
        return Found("MCP", (Message("assistant", (call,)),), is_model=False)
    if "jsonrpc" in value and isinstance(result, dict):
        return _mcp_result(result)
    return _mcp_result(value) if "isError" in value or "structuredContent" in value else None


def _mcp_result(value: dict[str, Any]) -> Found | None:
    content = value.get("content")
    if not isinstance(content, list):
        return None
    said = "\n".join(piece.text for piece in _pieces(content)) or value.get("structuredContent")
    answer = text_piece(said, "answer", is_error=value.get("isError") is True)
    return Found("MCP", (Message("tool", (answer,)),), is_model=False)


def _telemetry(value: dict[str, Any]) -> Found | None:
    attributes = _attributes(value)
    if attributes is None:
        return None
    tool = attributes.get("gen_ai.tool.name")
    if attributes.get("gen_ai.operation.name") == "execute_tool" or (tool and "gen_ai.tool.call.result" in attributes):
        name, call_id = _name(tool), _name(attributes.get("gen_ai.tool.call.id"))
        pieces = [text_piece(attributes.get("gen_ai.tool.call.arguments"), "call", name=name, id=call_id)]
        if "gen_ai.tool.call.result" in attributes:
            answer = attributes["gen_ai.tool.call.result"]
            pieces.append(text_piece(answer, "answer", name=name, id=call_id))
        return Found("OpenTelemetry", (Message("tool", tuple(pieces)),), is_model=False)
    said: list[Message] = []
    if "gen_ai.system_instructions" in attributes:
        said.append(Message("system", _pieces(_decoded(attributes["gen_ai.system_instructions"]))))
    for name in ("gen_ai.input.messages", "gen_ai.output.messages"):
        told = _decoded(attributes.get(name))
        said += _messages(told) if isinstance(told, list) else ()
    said += _numbered(attributes, "gen_ai.prompt") + _numbered(attributes, "gen_ai.completion")
    model = attributes.get("gen_ai.response.model") or attributes.get("gen_ai.request.model")
    usage = usage_of({name.removeprefix("gen_ai.usage."): one for name, one in attributes.items()})
    if not said and usage is None:
        return None
    return Found("OpenTelemetry", tuple(said), _name(model), usage)


def _attributes(value: dict[str, Any]) -> dict[str, Any] | None:
    """Attributes of a span: a plain object, one under `attributes`, or OTLP's list of keys and values."""
    if any(name.startswith("gen_ai.") for name in value):
        return value
    inner = value.get("attributes")
    if isinstance(inner, list):
        pairs = [one for one in inner[:_MOST_MESSAGES] if isinstance(one, dict) and isinstance(one.get("key"), str)]
        inner = {one["key"]: _otlp(one.get("value")) for one in pairs}
    if isinstance(inner, dict) and any(name.startswith("gen_ai.") for name in inner):
        return inner
    return None


def _otlp(value: Any) -> Any:
    if not isinstance(value, dict) or len(value) != 1:
        return value
    ((kind, one),) = value.items()
    return int(one) if kind == "intValue" and isinstance(one, str) and one.isdecimal() and len(one) < 17 else one


def _numbered(attributes: Mapping[str, Any], prefix: str) -> list[Message]:
    """`gen_ai.prompt.0.role` and `gen_ai.prompt.0.content`, as earlier conventions had them."""
    said = []
    for number in range(_MOST_MESSAGES):
        role = attributes.get(f"{prefix}.{number}.role")
        if role is None:
            break
        said.append(Message(_name(role), _pieces(attributes.get(f"{prefix}.{number}.content"))))
    return said


# Their parts.


def _is_message(value: Any) -> bool:
    if not isinstance(value, dict) or _name(value.get("role")) not in _ROLES:
        return False
    return bool({"content", "parts", "tool_calls", "function_call"} & set(value))


def _messages(values: Sequence[Any]) -> tuple[Message, ...]:
    return tuple(_message(one) for one in values[:_MOST_MESSAGES] if isinstance(one, dict))


def _message(value: dict[str, Any]) -> Message:
    role = _name(value.get("role")) or "assistant"
    content = value.get("content") if "content" in value else value.get("parts")
    if (role in ("tool", "function") and "tool_call_id" in value) or role == "function":
        answer = "\n".join(piece.text for piece in _pieces(content))
        call_id, name = _name(value.get("tool_call_id")), _name(value.get("name"))
        return Message("tool", (text_piece(answer, "answer", name=name, id=call_id),))
    pieces = list(_pieces(content))
    pieces += [text_piece(value[name]) for name in ("refusal",) if isinstance(value.get(name), str)]
    calls = value.get("tool_calls")
    for call in calls[:_MOST_PIECES] if isinstance(calls, list) else []:
        if isinstance(call, dict):
            function = call.get("function")
            pieces.append(_call(function if isinstance(function, dict) else call, call.get("id")))
    if isinstance(value.get("function_call"), dict):
        pieces.append(_call(value["function_call"], ""))
    return Message(role, tuple(pieces))


def _items(values: Sequence[Any]) -> tuple[Message, ...]:
    """Of OpenAI's responses: messages, and between them calls and their answers."""
    said = []
    for one in values[:_MOST_MESSAGES]:
        if not isinstance(one, dict):
            continue
        match one.get("type"):
            case "function_call":
                said.append(Message("assistant", (_call(one, one.get("call_id")),)))
            case "function_call_output":
                answer = text_piece(one.get("output"), "answer", id=_name(one.get("call_id")))
                said.append(Message("tool", (answer,)))
            case "reasoning":
                said.append(Message("assistant", _pieces([{"type": "thinking", "thinking": one.get("summary")}])))
            case _ if "role" in one or "content" in one:
                said.append(_message(one))
    return tuple(said)


def _pieces(content: Any) -> tuple[Piece, ...]:
    if content is None or content == "":
        return ()
    if isinstance(content, list):
        return tuple(_piece(one) for one in content[:_MOST_PIECES])
    return (text_piece(content),)


def _piece(value: Any) -> Piece:
    if not isinstance(value, dict):
        return text_piece(value)
    match value.get("type"):
        case "text" | "input_text" | "output_text" | "refusal":
            said = (value.get(name) for name in ("text", "content", "refusal"))
            return text_piece(next((one for one in said if isinstance(one, str)), ""))
        case "thinking" | "reasoning":
            said = (value.get(name) for name in ("thinking", "content", "text"))
            return text_piece(next((one for one in said if one), ""), "thinking")
        case "tool_use" | "tool_call" | "server_tool_use":
            return _call(value, value.get("id"))
        case "tool_result" | "tool_call_response":
            given = next((value[name] for name in ("content", "response", "result") if name in value), None)
            answer = "\n".join(piece.text for piece in _pieces(given)) if isinstance(given, list) else given
            about = _name(value.get("tool_use_id") or value.get("id"))
            return text_piece(answer, "answer", id=about, is_error=value.get("is_error") is True)
        case "image" | "image_url" | "input_image" | "audio" | "input_audio" | "document" | "file" | "blob":
            return Piece("other", f"({value['type']}, not shown here)")
        case _:
            return text_piece(value, "other")


def _call(value: dict[str, Any], call_id: Any) -> Piece:
    given = next((value[name] for name in ("arguments", "input") if name in value), None)
    return text_piece(given, "call", name=_name(value.get("name")), id=_name(call_id))


def _style(messages: Sequence[Message], raw: Sequence[Any]) -> str:
    blocks = ("tool_use", "tool_result", "thinking")
    for one in raw[:_MOST_PIECES]:
        content = one.get("content") if isinstance(one, dict) else None
        if isinstance(content, list) and any(isinstance(part, dict) and part.get("type") in blocks for part in content):
            return "Anthropic"
    return "OpenAI" if messages else ""


def _name(value: Any) -> str:
    return value[:200] if isinstance(value, str) else ""


def _decoded(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    try:
        return msgspec.json.decode(value)
    except (msgspec.DecodeError, RecursionError, UnicodeEncodeError):
        return value


def _plain(value: Any) -> str:
    if isinstance(value, str):
        return value
    if value is None:
        return ""
    try:
        return msgspec.json.encode(value).decode()
    except (RecursionError, UnicodeEncodeError):
        return "(too deep to be shown here)"
