"""Is each request for approval decided on once, by whoever has seen it, or by its time?"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from engine_lab import HeldStore, advance, committing_at_once, kinds, settle, until

from dormouse import (
    AlreadyDecided,
    Approval,
    Decision,
    DigestMismatch,
    Engine,
    ExecutionBlocked,
    ExecutionClosed,
    ExecutionFailed,
    Handle,
    InvalidDefinition,
    InvalidInput,
    NotInWorkflow,
    RetryPolicy,
    Signal,
    UnknownMessage,
    Workflow,
    activity,
    continue_as_new,
    workflow,
)
from dormouse.encryption import AesGcm
from dormouse.engine.clock import ManualClock
from dormouse.engine.decision import digest_of
from dormouse.engine.durability import SyncDurability
from dormouse.engine.reading import PendingApproval

DAY = 86400.0


@dataclass(frozen=True)
class Payment:
    to: str
    cents: int


pay = Approval("pay", Payment)
sign = Approval("sign", str)
stop = Signal("stop")
TEA = Payment("tea house", 300)
ASKED = b'{"to":"tea house","cents":300}'
wanted, within = [TEA], [DAY]
stops_working = [False]


@pytest.fixture(autouse=True)
def as_it_was() -> None:
    wanted[:], within[:], stops_working[:] = [TEA], [DAY], [False]


@workflow
async def pays() -> str:
    decision = await pay.request(wanted[0], within_seconds=within[0])
    return f"{decision.outcome} by {decision.by or 'nobody'}: {decision.reason}"


@workflow
async def pays_twice() -> list[str]:
    return [(await pay.request(TEA)).outcome, (await pay.request(TEA)).outcome]


@workflow
async def pays_unless_stopped() -> str:
    asking = asyncio.ensure_future(pay.request(TEA))
    stopping = asyncio.ensure_future(stop.receive())
    await asyncio.wait([asking, stopping], return_when=asyncio.FIRST_COMPLETED)
    if asking.done():
        return asking.result().outcome
    asking.cancel()
    await stop.receive()
    return "stopped"


@activity(retry=RetryPolicy(attempts=1))
async def works() -> None:
    if not stops_working[0]:
        raise ConnectionError("not today")


@workflow
async def works_beside() -> str:
    asking = asyncio.ensure_future(pay.request(TEA))
    try:
        await works()
    except Exception:
        await stop.receive()  # the decision comes meanwhile
        raise
    return (await asking).outcome


@workflow
async def signs() -> str:
    return (await sign.request("a letter")).outcome


@workflow
async def asks_anew(number: int = 0) -> str:
    asking = asyncio.ensure_future(pay.request(TEA))
    await stop.receive()
    if number == 0:
        continue_as_new(1)
    return (await asking).outcome


@workflow
async def forgets_to_await() -> None:
    pay.request(TEA)  # type: ignore[unused-coroutine]


ALL: list[Workflow[..., Any]] = [
    pays, pays_twice, pays_unless_stopped, works_beside, signs, asks_anew, forgets_to_await,
]  # fmt: skip
Scenario = Callable[[Engine, ManualClock], Awaitable[Any]]


def live(path: Path, scenario: Scenario, clock: ManualClock | None = None, **options: Any) -> Any:
    async def run() -> Any:
        manual = clock or ManualClock()
        async with Engine(path / "db.sqlite", ALL, clock=manual, **options) as engine:
            await engine.recovered()
            return await scenario(engine, manual)

    return asyncio.run(run())


async def pending(engine: Engine, count: int = 1) -> list[PendingApproval]:
    """Those that are listed, once there are so many."""
    await until(lambda: len(engine.read.approvals()) == count)
    return engine.read.approvals()


async def asked(engine: Engine, definition: Any = pays) -> tuple[Handle[Any], str]:
    """An execution that waits for a decision, and the digest of its request."""
    handle = await engine.start(definition, id="one")
    (one,) = await pending(engine)
    return handle, one.digest


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
        assert (requested.source or "").startswith("test_approvals.py:")
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
        assert pay.value.decode(first.payload) == TEA
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


def test_a_restart_keeps_the_request_its_digest_and_its_time(tmp_path: Path) -> None:
    clock = ManualClock()

    async def before(engine: Engine, _: ManualClock) -> PendingApproval:
        await asked(engine)
        return engine.read.approvals()[0]

    async def after(engine: Engine, clock: ManualClock) -> str:
        assert engine.read.approvals() == [known]
        await advance(clock, engine, DAY / 2)
        assert engine.read.approvals() == [known]
        await advance(clock, engine, DAY / 2)
        result: str = await engine.handle("one").result()
        return result

    known = live(tmp_path, before, clock)
    within[:] = [7 * DAY]  # what the log says counts
    assert live(tmp_path, after, clock) == "expired by nobody: "


@pytest.mark.parametrize("decides", [True, False])
def test_one_that_is_only_in_the_file_is_decided_on_and_expires(tmp_path: Path, decides: bool) -> None:
    async def scenario(engine: Engine, clock: ManualClock) -> str:
        handle, digest = await asked(engine)
        await until(lambda: not list(engine._registry))
        assert engine.standing().sleeping == 1
        await until(lambda: [one.kind for one in engine.read.waits_for("one")] == ["approval"])
        assert [one.digest for one in engine.read.approvals()] == [digest]
        if decides:
            await handle.approve(pay, digest, by="ada")
        else:
            await advance(clock, engine, DAY)
        result: str = await handle.result()
        return result

    expected = "approved by ada: " if decides else "expired by nobody: "
    assert live(tmp_path, scenario, resting_in_memory=0) == expected


def test_nobody_can_try_out_what_an_encrypted_digest_stands_for(tmp_path: Path) -> None:
    async def before(engine: Engine, _: ManualClock) -> str:
        return (await asked(engine))[1]

    async def after(engine: Engine, _: ManualClock) -> str:
        await engine.handle("one").approve(pay, digest, by="ada")
        result: str = await engine.handle("one").result()
        return result

    codec = AesGcm({"2026": b"n" * 32})
    digest = live(tmp_path, before, codec=codec)
    assert digest != digest_of("one", 1, "pay", ASKED)
    assert live(tmp_path, after, codec=codec) == "approved by ada: "
    assert b"tea house" not in (tmp_path / "db.sqlite").read_bytes()


def test_a_file_that_is_encrypted_later_keeps_the_digests_that_were_shown(tmp_path: Path) -> None:
    async def before(engine: Engine, _: ManualClock) -> str:
        return (await asked(engine))[1]

    async def after(engine: Engine, _: ManualClock) -> str:
        await engine.handle("one").approve(pay, digest, by="ada")
        result: str = await engine.handle("one").result()
        return result

    digest = live(tmp_path, before)
    assert live(tmp_path, after, codec=AesGcm({"2026": b"n" * 32})) == "approved by ada: "


def test_code_that_asks_for_something_else_than_the_log_is_blocked(tmp_path: Path) -> None:
    async def before(engine: Engine, _: ManualClock) -> str:
        return (await asked(engine))[1]

    async def after(engine: Engine, _: ManualClock) -> None:
        blocked = engine.read.describe("one").blocked
        assert blocked is not None
        assert "ApprovalRequested pay" in blocked.message
        assert '"cents":300' in blocked.message
        with pytest.raises(ExecutionBlocked):
            await engine.handle("one").approve(pay, digest, by="ada")
        await engine.handle("one").terminate()
        assert engine.read.approvals() == []
        await engine.handle("one").retry()
        await until(lambda: engine.read.describe("one").blocked is not None)

    async def mended(engine: Engine, _: ManualClock) -> str:
        await engine.handle("one").approve(pay, digest, by="ada")
        result: str = await engine.handle("one").result()
        return result

    digest = live(tmp_path, before)
    wanted[:] = [Payment("tea house", 300_000)]
    live(tmp_path, after)
    wanted[:] = [TEA]
    assert live(tmp_path, mended) == "approved by ada: "


def test_a_retry_keeps_what_was_decided_on_before_it(tmp_path: Path) -> None:
    async def scenario(engine: Engine, _: ManualClock) -> str:
        handle, digest = await asked(engine, works_beside)
        await until(lambda: "stop" in [one.name for one in engine.read.waits_for("one")])
        await handle.approve(pay, digest, by="ada")
        await handle.signal(stop)
        with pytest.raises(ExecutionFailed):
            await handle.result()
        stops_working[:] = [True]
        await handle.retry()
        result: str = await handle.result()
        return result

    assert live(tmp_path, scenario) == "approved"


def test_a_retry_lists_again_what_is_still_asked(tmp_path: Path) -> None:
    async def scenario(engine: Engine, _: ManualClock) -> str:
        handle, digest = await asked(engine)
        await handle.terminate()
        await handle.retry()
        assert [one.digest for one in await pending(engine)] == [digest]
        await handle.approve(pay, digest, by="ada")
        result: str = await handle.result()
        return result

    assert live(tmp_path, scenario) == "approved by ada: "


def test_a_run_that_begins_anew_asks_anew(tmp_path: Path) -> None:
    async def scenario(engine: Engine, _: ManualClock) -> str:
        handle, first = await asked(engine, asks_anew)
        await handle.signal(stop)
        await until(lambda: [one.digest for one in engine.read.approvals()] not in ([], [first]))
        (again,) = engine.read.approvals()
        with pytest.raises(DigestMismatch):
            await handle.approve(pay, first, by="ada")
        await handle.approve(pay, again.digest, by="ada")
        await handle.signal(stop)
        result: str = await handle.result()
        return result

    assert live(tmp_path, scenario) == "approved"


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
