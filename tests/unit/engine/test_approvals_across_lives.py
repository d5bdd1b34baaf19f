"""Does a request for approval outlive restarts, memory, keys, retries and changes of the code?"""

from __future__ import annotations

from pathlib import Path

import pytest
from approvals_lab import (
    ASKED,
    DAY,
    TEA,
    Payment,
    as_it_was,
    asked,
    asks_anew,
    live,
    pay,
    pending,
    stop,
    stops_working,
    wanted,
    within,
    works_beside,
)
from engine_lab import advance, until

from dormouse import (
    DigestMismatch,
    Engine,
    ExecutionBlocked,
    ExecutionFailed,
)
from dormouse.encryption import AesGcm
from dormouse.engine.clock import ManualClock
from dormouse.engine.decision import digest_of
from dormouse.engine.reading import PendingApproval


@pytest.fixture(autouse=True)
def undisturbed() -> None:
    as_it_was()


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
