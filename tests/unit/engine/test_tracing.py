"""Do the ids of traces follow from what an execution is, and is a caller's trace understood?"""

from __future__ import annotations

import pytest

from dormouse.engine.tracing import TraceParent, parse, span_id_of, trace_id_of

TRACE, SPAN = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"


@pytest.mark.parametrize(("flags", "sampled"), [("01", True), ("00", False), ("03", True)])
def test_a_traceparent_is_read_and_written(flags: str, sampled: bool) -> None:
    found = parse(f"00-{TRACE}-{SPAN}-{flags}")
    assert found == TraceParent(int(TRACE, 16), int(SPAN, 16), sampled)
    assert str(found) == f"00-{TRACE}-{SPAN}-{int(sampled):02d}"


def test_one_of_a_later_version_is_understood_as_far_as_it_goes() -> None:
    assert parse(f"cc-{TRACE}-{SPAN}-01-what-comes-later") == parse(f"00-{TRACE}-{SPAN}-01")


@pytest.mark.parametrize(
    "text",
    [
        None,
        "",
        "nonsense",
        f"00-{TRACE}-{SPAN}",
        f"ff-{TRACE}-{SPAN}-01",
        f"00-{'0' * 32}-{SPAN}-01",
        f"00-{TRACE}-{'0' * 16}-01",
        f"00-{TRACE.upper()}-{SPAN}-01",
        f"00-{TRACE}-{SPAN}-0x",
    ],
)
def test_what_is_none_is_no_reason_to_fail(text: str | None) -> None:
    assert parse(text) is None


def test_ids_are_the_same_in_every_life_and_different_for_everything_else() -> None:
    ids = [
        trace_id_of("file", "one"),
        trace_id_of("file", "two"),
        trace_id_of("other", "one"),
        span_id_of("file", "one"),
        span_id_of("file", "one", 1, 1),
        span_id_of("file", "one", 1, 2),
        span_id_of("file", "one", 2, 1),
        span_id_of("file", "one", 11),
        span_id_of("file", "one", 1, 11),
        span_id_of("file", "two", 1, 1),
    ]
    assert len(set(ids)) == len(ids)
    assert trace_id_of("file", "one") == ids[0]
    assert span_id_of("file", "one", 1, 2) == ids[5]
    assert max(ids[3:]) < 2**64 <= max(ids[:3]) < 2**128
