"""Is an agent's conversation read from what its calls were given and came to, whatever library wrote that?"""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dormouse_observer.web.lane import UNKNOWN, Recorded, lane
from dormouse_observer.web.messages import Found, Message, Piece, recognised
from dormouse_observer.web.usage import Usage

CALLS = [{"id": "c1", "type": "function", "function": {"name": "weather", "arguments": '{"city":"Oslo"}'}}]
OPENAI_REQUEST = {
    "model": "gpt-x",
    "messages": [
        {"role": "system", "content": "Be brief."},
        {
            "role": "user",
            "content": [{"type": "text", "text": "Rain?"}, {"type": "image_url", "image_url": {"url": "data:"}}],
        },
        {"role": "assistant", "content": None, "tool_calls": CALLS},
        {"role": "tool", "tool_call_id": "c1", "content": "sun"},
    ],
}
OPENAI_ANSWER = {
    "model": "gpt-x-1",
    "choices": [{"index": 0, "message": {"role": "assistant", "content": "No."}, "finish_reason": "stop"}],
    "usage": {"prompt_tokens": 12, "completion_tokens": 3, "cost": 0.0021},
}
RESPONSES_ANSWER = {
    "model": "gpt-x",
    "output": [
        {"type": "reasoning", "summary": [{"type": "summary_text", "text": "hm"}]},
        {"type": "function_call", "name": "weather", "arguments": "{}", "call_id": "c2"},
        {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "Wait."}]},
    ],
    "usage": {"input_tokens": 5, "output_tokens": 6},
}
ANTHROPIC_REQUEST = {
    "model": "claude-x",
    "system": "Be brief.",
    "messages": [
        {"role": "user", "content": "Rain?"},
        {
            "role": "assistant",
            "content": [{"type": "tool_use", "id": "t1", "name": "weather", "input": {"city": "Oslo"}}],
        },
        {
            "role": "user",
            "content": [{"type": "tool_result", "tool_use_id": "t1", "content": "down", "is_error": True}],
        },
    ],
}
ANTHROPIC_ANSWER = {
    "type": "message",
    "role": "assistant",
    "model": "claude-x",
    "content": [{"type": "thinking", "thinking": "hm"}, {"type": "text", "text": "No."}],
    "usage": {"input_tokens": 10, "cache_read_input_tokens": 5, "output_tokens": 2},
}
MCP_REQUEST = {
    "jsonrpc": "2.0",
    "id": 1,
    "method": "tools/call",
    "params": {"name": "weather", "arguments": {"city": "Oslo"}},
}
MCP_ANSWER = {"content": [{"type": "text", "text": "no such city"}], "isError": True}
TELEMETRY = {
    "gen_ai.operation.name": "chat",
    "gen_ai.request.model": "any-model",
    "gen_ai.usage.input_tokens": 7,
    "gen_ai.usage.output_tokens": 8,
    "gen_ai.input.messages": json.dumps([{"role": "user", "parts": [{"type": "text", "content": "Rain?"}]}]),
    "gen_ai.output.messages": [
        {
            "role": "assistant",
            "parts": [{"type": "tool_call", "id": "c1", "name": "weather", "arguments": {"city": "Oslo"}}],
        }
    ],
}
TELEMETRY_TOOL = {
    "attributes": [
        {"key": "gen_ai.operation.name", "value": {"stringValue": "execute_tool"}},
        {"key": "gen_ai.tool.name", "value": {"stringValue": "weather"}},
        {"key": "gen_ai.tool.call.result", "value": {"stringValue": "sun"}},
    ]
}
WEATHER = Piece("call", '{"city":"Oslo"}', "weather")


def found(value: Any) -> Found:
    one = recognised(value)
    assert one is not None
    return one


def pieces(value: Any) -> list[tuple[str, str, str]]:
    return [(message.role, piece.kind, piece.text) for message in found(value).messages for piece in message.pieces]


def test_openai_chat_completions_are_read() -> None:
    assert pieces([OPENAI_REQUEST]) == [
        ("system", "text", "Be brief."),
        ("user", "text", "Rain?"),
        ("user", "other", "(image_url, not shown here)"),
        ("assistant", "call", '{"city":"Oslo"}'),
        ("tool", "answer", "sun"),
    ]
    answer = found(OPENAI_ANSWER)
    assert (answer.style, answer.model, answer.usage) == ("OpenAI", "gpt-x-1", Usage(12, 3, 0.0021))
    assert pieces(OPENAI_ANSWER) == [("assistant", "text", "No.")]


def test_openai_responses_are_read() -> None:
    assert pieces({"model": "gpt-x", "instructions": "Be brief.", "input": "Rain?"}) == [
        ("system", "text", "Be brief."), ("user", "text", "Rain?"),
    ]  # fmt: skip
    assert [kind for _, kind, _ in pieces(RESPONSES_ANSWER)] == ["thinking", "call", "text"]
    assert found(RESPONSES_ANSWER).usage == Usage(5, 6)


def test_anthropic_messages_are_read() -> None:
    assert pieces([ANTHROPIC_REQUEST]) == [
        ("system", "text", "Be brief."),
        ("user", "text", "Rain?"),
        ("assistant", "call", '{"city":"Oslo"}'),
        ("user", "answer", "down"),
    ]
    assert found([ANTHROPIC_REQUEST]).messages[-1].pieces[0].is_error
    answer = found(ANTHROPIC_ANSWER)
    assert (answer.style, answer.usage) == ("Anthropic", Usage(15, 2, cached=5))
    assert pieces(ANTHROPIC_ANSWER) == [("assistant", "thinking", "hm"), ("assistant", "text", "No.")]


def test_mcp_tool_calls_are_read() -> None:
    assert found(MCP_REQUEST) == Found("MCP", (Message("assistant", (WEATHER,)),), is_model=False)
    for answer in (MCP_ANSWER, {"jsonrpc": "2.0", "id": 1, "result": MCP_ANSWER}):
        (message,) = found(answer).messages
        assert message == Message("tool", (Piece("answer", "no such city", is_error=True),))


def test_attributes_of_opentelemetry_are_read() -> None:
    span = found({"name": "chat", "attributes": TELEMETRY})
    assert (span.style, span.model, span.usage) == ("OpenTelemetry", "any-model", Usage(7, 8))
    assert pieces(TELEMETRY) == [("user", "text", "Rain?"), ("assistant", "call", '{"city":"Oslo"}')]
    assert pieces(TELEMETRY_TOOL) == [("tool", "call", ""), ("tool", "answer", "sun")]
    old = {"gen_ai.prompt.0.role": "user", "gen_ai.prompt.0.content": "Rain?", "gen_ai.completion.0.role": "assistant"}
    assert pieces(old) == [("user", "text", "Rain?")]


@pytest.mark.parametrize(
    "value",
    [None, "messages", 7, [], {}, ["a book"], {"role": "admin", "content": "x"}, {"role": [], "content": "x"},
     {"messages": "x"}, {"choices": [None]},
     {"content": []}, {"user": {"name": "x"}}, {"output": ["x"]}, {"input": "x"}, {"messages": [{"text": "hello"}]}],
)  # fmt: skip
def test_what_looks_like_none_of_them_is_not_guessed_at(value: Any) -> None:
    assert recognised(value) is None


NAMES = sorted(
    {"role", "content", "messages", "choices", "message", "tool_calls", "function", "type", "text", "usage", "parts",
     "params", "method", "attributes", "key", "value", "gen_ai.input.messages", "gen_ai.tool.name", "output", "input",
     "arguments", "name", "isError", "result", "jsonrpc", "model", "system", "id", "tool_call_id", "prompt_tokens"}
)  # fmt: skip
WORDS = st.sampled_from(
    [
        "user",
        "assistant",
        "tool",
        "message",
        "tools/call",
        "tool_use",
        "tool_result",
        "text",
        "function_call",
        "thinking",
    ]
)
HOSTILE = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5) | WORDS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(NAMES), inner, max_size=5),
    max_leaves=25,
)


@given(HOSTILE, HOSTILE)
def test_any_json_is_looked_at_without_harm(asked: Any, came: Any) -> None:
    recognised(asked)
    lane(
        [Recorded(1, 2, "activity", "ask", 0, "", [asked], came)],
        [Recorded(1, 2, "activity", "ask", 0, "", came, asked)],
    )


def test_very_deep_and_very_long_values_are_looked_at_within_bounds() -> None:
    deep = msgspec.json.decode(b"[" * 400 + b"]" * 400)
    assert recognised({"role": "user", "content": deep}) is not None
    long = {"messages": [{"role": "user", "content": "x" * 100_000}] * 10_000}
    read = found(long)
    assert len(read.messages) == 500
    assert (len(read.messages[0].pieces[0].text), read.messages[0].pieces[0].more) == (6000, 94_000)


@pytest.mark.parametrize("count", [-1, True, "7", 2**60, None, [1]])
def test_a_count_that_is_none_is_not_shown(count: Any) -> None:
    assert found(OPENAI_ANSWER | {"usage": {"prompt_tokens": count}}).usage is None


def called(name: str, given: Any, came: Any, kind: str = "activity") -> Recorded:
    return Recorded(1, 2, kind, name, 0, "", given, came)


def test_each_message_is_shown_once_however_often_it_was_sent() -> None:
    said = [{"role": "user", "content": "Rain?"}]
    first = {"role": "assistant", "content": None, "tool_calls": CALLS}
    then = [*said, first, {"role": "tool", "tool_call_id": "c1", "content": "sun"}]
    ask = called("ask", [said], {"choices": [{"message": first}]})
    look = called("weather", ["Oslo"], "sun")
    again = called("ask", [then], OPENAI_ANSWER)
    one, tool, two = lane([ask, look, again]).entries
    assert [entry.kind for entry in (one, tool, two)] == ["model", "tool", "model"]
    assert (one.repeated, two.repeated) == (0, 2)
    assert [message.role for message in two.messages] == ["tool"]
    assert tool.answer[0].pieces[0].text == "sun"
    (later,) = lane([again], [ask, look]).entries
    assert later == two, "a page that begins later goes on from there"


def test_tokens_and_cost_are_summed_up_as_far_as_they_were_told() -> None:
    told = lane([called("ask", [OPENAI_REQUEST], OPENAI_ANSWER), called("ask", [ANTHROPIC_REQUEST], ANTHROPIC_ANSWER)])
    assert (told.usage, told.models) == (Usage(27, 5, 0.0021), ("gpt-x-1", "claude-x"))
    assert lane([called("ask", ["Rain?"], "No.")]).usage == Usage()


def test_tools_are_known_by_mcp_or_by_the_name_that_a_model_asked_for() -> None:
    asks = called(
        "ask", [[{"role": "user", "content": "?"}]], {"role": "assistant", "content": "", "tool_calls": CALLS}
    )
    for call in (called("run_tool", ["weather", {}], "sun"), called("run_tool", [CALLS[0]], "sun")):
        entry = lane([asks, call]).entries[1]
        assert (entry.kind, entry.title) == ("tool", "weather")
    assert lane([called("call_mcp", [MCP_REQUEST], MCP_ANSWER)]).entries[0].title == "weather"
    (step,) = lane([called("reserve", ["tea"], "sun")]).entries
    assert (step.kind, [said.role for said in step.messages]) == ("step", ["called with"])
    (nothing,) = lane([called("book", [7], None)]).entries
    assert nothing.answer[0].pieces[0].text == "null"
    assert not lane([called("reserve", ["tea"], "sun")]).is_agent


def test_a_tool_that_a_model_asked_for_is_unanswered_until_a_call_of_it_is_there() -> None:
    said = [{"role": "user", "content": "Rain?"}]
    wants = {"role": "assistant", "content": None, "tool_calls": CALLS}
    asks = called("ask", [said], {"choices": [{"message": wants}]})
    assert lane([asks]).unanswered == ("weather",)
    assert lane([asks, called("weather", ["Oslo"], "sun")]).unanswered == ()
    assert lane([asks, called("call_mcp", [MCP_REQUEST], MCP_ANSWER)]).unanswered == ()
    assert lane([asks, called("ask", [[*said, *said]], OPENAI_ANSWER)]).unanswered == (), "the model went on without"


def test_what_has_not_ended_or_cannot_be_read_is_shown_as_far_as_it_is_known() -> None:
    (entry,) = lane([called("ask", [OPENAI_REQUEST], UNKNOWN)]).entries
    assert (entry.kind, entry.answer) == ("model", ())
    (entry,) = lane([called("ask", UNKNOWN, UNKNOWN)]).entries
    assert (entry.kind, entry.messages, entry.answer) == ("step", (), ())
