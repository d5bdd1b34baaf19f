"""Is each request for approval decided on once, by whoever has seen it, or by its time?"""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from approvals_lab import (
    ALL,
    ASKED,
    DAY,
    TEA,
    as_it_was,
    asked,
    forgets_to_await,
    live,
    pay,
    pays,
    pays_twice,
    pays_unless_stopped,
    pending,
    sign,
    signs,
    stop,
)
from engine_lab import HeldStore, advance, committing_at_once, kinds, settle

from dormouse import (
    AlreadyDecided,
    Approval,
    Decision,
    DigestMismatch,
    Engine,
    ExecutionBlocked,
    ExecutionClosed,
    ExecutionFailed,
    InvalidDefinition,
    InvalidInput,
    NotInWorkflow,
    UnknownMessage,
    workflow,
)
from dormouse.engine.clock import ManualClock
from dormouse.engine.durability import SyncDurability


@pytest.fixture(autouse=True)
def undisturbed() -> None:
    as_it_was()


def test_the_workflow_hears_who_has_decided_what_and_why(tmp_path: Path) -> None:
    async def scenario(engine: Engine, _: ManualClock) -> None:
        handle, digest = await asked(engine)
        await handle.approve(pay, digest, by="ada", reason="as agreed")
        assert await handle.result() == "approved by ada: as agreed"
        requested, decided = engine.read.history("one")[1:3]
        assert (requested.kind, requested.payload, requested.key) == (
            "ApprovalRequested",
            ASKED,
            digest,
        )
        assert (requested.source or "").startswith("approvals_lab.py:")
        assert (decided.kind, decided.payload, decided.key) == (
            "ApprovalDecided",
            b'{"outcome":"approved","by":"ada","reason":"as agreed"}',
            digest,
        )

    live(tmp_path, scenario)


def test_a_rejection_is_heard_too(tmp_path: Path) -> None:
    async def scenario(engine: Engine, _: ManualClock) -> None:
        handle, digest = await asked(engine)
        await handle.reject(pay, digest, by="bob")
        assert await handle.result() == "rejected by bob: "

    live(tmp_path, scenario)


def test_it_expires_at_its_time_and_not_before(tmp_path: Path) -> None:
    async def scenario(engine: Engine, clock: ManualClock) -> None:
        handle, digest = await asked(engine)
        await advance(clock, engine, DAY - 1)
        assert engine.standing().sleeping == 1
        await advance(clock, engine, 1)
        assert await handle.result() == "expired by nobody: "
        assert engine.read.approvals() == []
        with pytest.raises(AlreadyDecided, match="it has expired"):
            await handle.approve(pay, digest, by="ada")

    live(tmp_path, scenario)


def test_who_decides_after_its_time_is_too_late_even_before_the_timer_rings(tmp_path: Path) -> None:
    class Late(ManualClock):
        def advance(self, seconds: float) -> None:
            """The moment has come, and nobody has rung yet."""
            self._now += round(seconds * 1_000_000)

    async def scenario(engine: Engine, clock: ManualClock) -> None:
        handle, digest = await asked(engine)
        clock.advance(DAY)
        with pytest.raises(AlreadyDecided, match="it has expired"):
            await handle.approve(pay, digest, by="ada")
        assert await handle.result() == "expired by nobody: "

    live(tmp_path, scenario, Late())


def test_a_digest_that_is_not_pending_decides_nothing(tmp_path: Path) -> None:
    async def scenario(engine: Engine, _: ManualClock) -> None:
        handle, digest = await asked(engine)
        with pytest.raises(DigestMismatch, match="look at what is pending"):
            await handle.approve(pay, "0" * 32, by="ada")
        other = await engine.start(signs, id="two")
        with pytest.raises(DigestMismatch):
            await other.approve(sign, digest, by="ada")
        with pytest.raises(UnknownMessage, match="there are: pay, sign"):
            await handle.approve(Approval("fly", str), digest, by="ada")
        assert (await pending(engine, 2))[0].digest == digest

    live(tmp_path, scenario)


def test_the_same_request_once_more_needs_a_decision_of_its_own(tmp_path: Path) -> None:
    async def scenario(engine: Engine, _: ManualClock) -> None:
        handle, first = await asked(engine, pays_twice)
        await handle.approve(pay, first, by="ada")
        (again,) = await pending(engine)
        assert (again.payload, again.digest == first) == (ASKED, False)
        await handle.approve(pay, first, by="ada")  # sent again: it is about the first
        assert [one.digest for one in engine.read.approvals()] == [again.digest]
        await handle.reject(pay, again.digest, by="ada")
        assert await handle.result() == ["approved", "rejected"]

    live(tmp_path, scenario)


def test_the_same_decision_may_be_sent_again_and_another_one_not(tmp_path: Path) -> None:
    async def scenario(engine: Engine, _: ManualClock) -> None:
        handle, digest = await asked(engine)
        await asyncio.gather(*(handle.approve(pay, digest, by="ada") for _ in range(3)))
        assert await handle.result() == "approved by ada: "
        await handle.approve(pay, digest, by="ada")
        for decide, by in ((handle.reject, "ada"), (handle.approve, "bob")):
            with pytest.raises(AlreadyDecided, match="is already decided: ada has approved it"):
                await decide(pay, digest, by=by)
        assert [kind for kind, _ in kinds(tmp_path / "db.sqlite", "one")].count("ApprovalDecided") == 1

    live(tmp_path, scenario)


def test_a_shortened_digest_is_told_apart_from_one_that_is_over(tmp_path: Path) -> None:
    async def scenario(engine: Engine, _: ManualClock) -> None:
        handle, digest = await asked(engine)
        with pytest.raises(DigestMismatch, match="a digest must be given whole; look at what is pending"):
            await handle.approve(pay, digest[:8], by="ada")
        with pytest.raises(DigestMismatch, match="it asks for something else now"):
            await handle.approve(pay, digest[::-1], by="ada")

    live(tmp_path, scenario)


def test_of_two_who_decide_at_once_one_wins_and_the_other_hears_of_it(tmp_path: Path) -> None:
    async def scenario(engine: Engine, _: ManualClock) -> None:
        handle, digest = await asked(engine)
        first, second = await asyncio.gather(
            handle.approve(pay, digest, by="ada"), handle.reject(pay, digest, by="bob"), return_exceptions=True
        )
        assert [isinstance(one, AlreadyDecided) for one in (first, second)] == [False, True]
        assert await handle.result() == "approved by ada: "

    live(tmp_path, scenario)


@committing_at_once()
def test_a_decision_that_the_workflow_does_not_wait_for_any_more_is_told_so(tmp_path: Path) -> None:
    async def run() -> None:
        store = HeldStore()
        async with Engine(tmp_path / "db.sqlite", ALL, durability=SyncDurability(store)) as engine:
            store.answer()
            starting = asyncio.ensure_future(engine.start(pays_unless_stopped, id="one"))
            handle = await store.answer_until_done(starting)
            (one,) = await store.answer_until_done(asyncio.ensure_future(pending(engine)))
            stopping = asyncio.ensure_future(handle.signal(stop))
            await settle()  # it is in the file, and does not count yet
            deciding = asyncio.ensure_future(handle.approve(pay, one.digest, by="ada"))
            await settle()
            store.open()
            await stopping
            with pytest.raises(AlreadyDecided, match="stopped waiting"):
                await deciding
            with pytest.raises(AlreadyDecided, match="does not wait for it any more"):
                await handle.approve(pay, one.digest, by="ada")
            await handle.signal(stop)
            assert await handle.result() == "stopped"

    asyncio.run(run())
    order = [kind for kind, _ in kinds(tmp_path / "db.sqlite", "one") if kind.startswith("Approval")]
    assert order == ["ApprovalRequested", "ApprovalDecided", "ApprovalWithdrawn"]


def test_what_is_pending_is_listed_with_what_is_asked_and_until_when(tmp_path: Path) -> None:
    async def scenario(engine: Engine, clock: ManualClock) -> None:
        await engine.start(pays, id="one")
        await engine.start(signs, id="two")
        first, second = await pending(engine, 2)
        assert (first.execution, first.workflow, first.name) == ("one", "pays", "pay")
        assert pay.decode(first.payload) == TEA
        assert first.due == first.requested_at + DAY * 1_000_000
        assert (second.execution, second.due) == ("two", None)
        assert engine.read.approvals(1) == [first]
        assert engine.read.approvals(1, after=first.position) == [second]
        assert engine.read.approvals(execution_id="two") == [second]
        (waiting,) = engine.read.waits_for("one")
        assert (waiting.kind, waiting.name, waiting.due, waiting.id) == ("approval", "pay", first.due, first.digest)
        assert (engine.standing().sleeping, engine.standing().waiting) == (1, 1)

    live(tmp_path, scenario)


@committing_at_once()
def test_what_does_not_count_yet_is_not_listed(tmp_path: Path) -> None:
    async def run() -> None:
        store = HeldStore()
        async with Engine(tmp_path / "db.sqlite", ALL, durability=SyncDurability(store)) as engine:
            await store.answer_until_done(asyncio.ensure_future(engine.start(pays, id="one")))
            await settle()
            assert engine.read.approvals() == []
            assert len(await store.answer_until_done(asyncio.ensure_future(pending(engine)))) == 1
            store.open()

    asyncio.run(run())


@pytest.mark.parametrize("end", ["cancel", "terminate"])
def test_nobody_decides_for_an_execution_that_has_ended(tmp_path: Path, end: str) -> None:
    async def scenario(engine: Engine, _: ManualClock) -> None:
        handle, digest = await asked(engine)
        await getattr(handle, end)()
        with pytest.raises(ExecutionFailed):
            await handle.result()
        assert engine.read.approvals() == []
        with pytest.raises((ExecutionClosed, AlreadyDecided)):
            await handle.approve(pay, digest, by="ada")

    live(tmp_path, scenario)


@pytest.mark.parametrize(("by", "reason"), [("", ""), (" ", ""), ("b" * 201, ""), ("ada", "r" * 4001)])
def test_who_decides_has_to_say_so(tmp_path: Path, by: str, reason: str) -> None:
    async def scenario(engine: Engine, _: ManualClock) -> None:
        handle, digest = await asked(engine)
        with pytest.raises(InvalidInput):
            await handle.approve(pay, digest, by=by, reason=reason)

    live(tmp_path, scenario)


def test_a_request_that_nobody_awaits_is_noticed(tmp_path: Path) -> None:
    async def scenario(engine: Engine, _: ManualClock) -> None:
        handle = await engine.start(forgets_to_await, id="one")
        with pytest.raises(ExecutionBlocked, match=r"never awaited pay\.request"):
            await handle.result()

    live(tmp_path, scenario)


@pytest.mark.parametrize("seconds", [0, -1, float("nan"), float("inf")])
def test_a_time_that_is_none_is_refused(seconds: float) -> None:
    with pytest.raises(InvalidDefinition, match="within_seconds"):
        _ = pay.request(TEA, within_seconds=seconds)


def test_only_a_workflow_asks() -> None:
    with pytest.raises(NotInWorkflow, match="only a workflow can use the approval 'pay'"):
        _ = pay.request(TEA)


@pytest.mark.parametrize(("outcome", "approved"), [("approved", True), ("rejected", False), ("expired", False)])
def test_a_decision_says_whether_it_is_an_approval(outcome: Any, approved: bool) -> None:
    assert Decision(outcome, "ada", "", datetime.now(UTC)).approved == approved


def test_a_request_that_does_not_fit_its_type_is_refused_where_it_is_made(tmp_path: Path) -> None:
    number = Approval("number", int)

    @workflow
    async def asks() -> str:
        return (await number.request("x")).outcome  # type: ignore[arg-type]

    async def run() -> None:
        async with Engine(tmp_path / "db.sqlite", [asks]) as engine:
            await (await engine.start(asks)).result()

    with pytest.raises(ExecutionFailed, match="the approval 'number' does not fit its type: Expected `int`, got `str`"):
        asyncio.run(run())
