"""Are the parts of one life's trace one trace, whoever sends them, and the same when they are sent twice?"""

from __future__ import annotations

from typing import Any

from dormouse.keeper.steps import Step
from dormouse.life_trace import Life, LifeSpan, keeper_spans

LIFE = Life("team", "report", "uid-1", 3)


def test_the_ids_follow_from_the_workflow_and_the_epoch() -> None:
    same = Life("team", "report", "uid-1", 3)
    assert (LIFE.trace_id, LIFE.root_id) == (same.trace_id, same.root_id)
    others = (Life("team", "report", "uid-1", 4), Life("team", "report", "uid-2", 3))
    assert len({life.trace_id for life in (LIFE, *others)}) == len({life.root_id for life in (LIFE, *others)}) == 3
    assert 0 < LIFE.trace_id < 2**128
    assert 0 < LIFE.root_id < 2**64


def test_a_step_that_was_done_twice_is_two_spans_and_one_that_is_sent_twice_is_one() -> None:
    first, again, later = LifeSpan("claim", 1, 2), LifeSpan("claim", 1, 2), LifeSpan("claim", 3, 4)
    assert LIFE.span_id(first) == LIFE.span_id(again)
    assert LIFE.span_id(first) != LIFE.span_id(later)


def test_what_the_keeper_did_is_one_span_with_its_steps_within() -> None:
    steps = (
        Step("claim", 10, 20, facts={"bytes": 0, "position": ""}),
        Step("restore", 20, 90, failed=True, facts={"bytes": 8192, "position": "2/7"}),
        Step("start litestream", 90),
    )
    keeper, claim, restore = keeper_spans(step.document() for step in steps)
    assert (keeper.name, keeper.began_ns, keeper.ended_ns, keeper.within) == ("keeper", 10, 90, "")
    assert (claim.within, claim.failed, dict(claim.attributes)) == ("keeper", "", {"dormouse.bytes": 0})
    assert restore.failed == "it failed"
    assert dict(restore.attributes) == {"dormouse.bytes": 8192, "dormouse.position": "2/7"}


def test_a_keeper_that_says_nothing_of_its_steps_has_none() -> None:
    nothing: tuple[dict[str, Any], ...] = ()
    assert keeper_spans(nothing) == []
