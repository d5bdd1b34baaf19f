"""Is a story the same each time it is told, and do stories tell of everything that may happen?"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from story import FAILOVER, SPLIT_BRAIN, Blow, Fault, Moment, Request, StoreFault, tell

SEEDS = range(1, 1001)


@pytest.mark.parametrize("split_brain", [False, True])
def test_a_seed_tells_the_same_story_in_every_process(split_brain: bool) -> None:
    told = f"tell(seed, split_brain={split_brain}) for seed in range(1, 20)"
    program = f"from story import tell; print(*({told}), sep='|')"
    folder = Path(sys.modules["story"].__file__ or "").parent
    heard = subprocess.run([sys.executable, "-c", program], cwd=folder, check=True, capture_output=True, text=True)
    assert heard.stdout.strip() == "|".join(str(tell(seed, split_brain=split_brain)) for seed in range(1, 20))


def test_seeds_differ() -> None:
    assert len({str(tell(seed)) for seed in SEEDS}) > 990


def test_every_blow_every_fault_and_every_moment_comes_up() -> None:
    acts = [act for seed in SEEDS for act in tell(seed).acts]
    assert {act.blow for act in acts} == set(Blow)
    assert {fault.fault for act in acts for fault in act.faults} == set(Fault)
    assert {act.moment.what for act in acts} == {"attempt", *Request}
    assert {(act.moment.what, act.moment.when) for act in acts} >= {(Request.CURRENT_WRITE, "after")}


def test_the_last_act_always_needs_another_life() -> None:
    assert {tell(seed).acts[-1].blow for seed in SEEDS} == set(FAILOVER)


def test_in_split_brain_there_are_only_zombies_and_each_wakes() -> None:
    acts = [act for seed in SEEDS for act in tell(seed, split_brain=True).acts]
    assert {act.blow for act in acts} == set(SPLIT_BRAIN)
    assert all(act.wakes is not None and not act.faults for act in acts)


def test_a_fault_is_only_told_of_requests_that_can_meet_it() -> None:
    faults = [fault for seed in SEEDS for act in tell(seed).acts for fault in act.faults]
    reads = {fault.fault for fault in faults if fault.request in (Request.CURRENT_READ, Request.LISTING)}
    writes = {fault.fault for fault in faults if fault.request is Request.CURRENT_WRITE}
    assert reads.isdisjoint({Fault.CONFLICT, Fault.LATE, Fault.RESET_AFTER})
    assert Fault.TRUNCATE not in writes


def test_a_fault_meets_its_requests_and_no_others() -> None:
    fault = StoreFault(Fault.ERROR_503, Request.LISTING, first=2, count=2)
    assert [fault.meets(Request.LISTING, number) for number in range(1, 6)] == [False, True, True, False, False]
    assert not fault.meets(Request.DATA_READ, 2)


def test_a_moment_is_told_in_words() -> None:
    assert str(Moment(Request.CURRENT_WRITE, 2, "after")) == "after write of CURRENT 2"


def test_the_page_tells_of_every_blow_and_every_fault() -> None:
    page = (Path(__file__).parents[3] / "docs" / "durability.md").read_text()
    assert [each for each in (*Blow, *Fault) if each.value not in page and each is not Fault.RESET_AFTER] == []
