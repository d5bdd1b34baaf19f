"""Does a real keeper, with real Litestream and a real S3 server, keep the protocol?"""

from __future__ import annotations

import asyncio
import json
import os
import signal
from pathlib import Path

import pytest
from keeper_pod import ON_EACH_STORE, Workflow, run

from dormouse.keeper.client import AlreadySealed, Fenced, KeeperGone
from dormouse.pod import Marker, read_marker, write_marker
from dormouse.replica.current import Current, LineageEntry, SealReason, State, encode
from dormouse.replica.layout import first_transaction


@pytest.fixture
def workflow(request: pytest.FixtureRequest, tmp_path: Path) -> Workflow:
    return Workflow(request.getfixturevalue(getattr(request, "param", "seaweedfs")), tmp_path)


@ON_EACH_STORE
def test_a_lost_volume_is_restored_in_the_next_epoch_with_everything_acknowledged(workflow: Workflow) -> None:
    async def story(workflow: Workflow) -> None:
        first = await workflow.pod(1).open()
        for number in range(20):
            first.write(f"note {number}")
        await first.keeper.barrier()
        await first.kill()
        first.lose_volume()

        second = await workflow.pod(2).open()
        assert second.notes() == [f"note {number}" for number in range(20)]
        life = await second.keeper.gate()
        assert (life.epoch, life.identity) == (2, workflow.uid)
        assert life.restored_from is not None
        assert life.restored_from.startswith("1/")
        await second.keeper.barrier()

        current = await workflow.current()
        assert [entry.epoch for entry in current.lineage] == [1, 2]
        assert all(entry.replicated and entry.claimed_at for entry in current.lineage)
        base = current.entry.base
        assert base is not None
        assert str(base.position) == life.restored_from

    run(story, workflow)


def test_the_same_pod_goes_on_with_its_own_database_after_a_crash_of_its_keeper(workflow: Workflow) -> None:
    async def story(workflow: Workflow) -> None:
        pod = await workflow.pod(1).open()
        pod.write("before the crash")
        await pod.kill()
        pod.write("while the keeper was away")
        await pod.open()
        await pod.keeper.barrier()
        assert pod.notes() == ["before the crash", "while the keeper was away"]
        assert (await workflow.current()).epoch == 1

    run(story, workflow)


def test_a_volume_wiped_under_the_same_pod_is_refused(workflow: Workflow) -> None:
    async def story(workflow: Workflow) -> None:
        pod = await workflow.pod(1).open()
        pod.write("note")
        await pod.keeper.barrier()
        await pod.kill()
        pod.lose_volume()
        assert (await pod.refusal())["reason"] == "VolumeLost"

    run(story, workflow)


def test_what_is_restored_again_writes_where_no_upload_of_an_earlier_run_can_arrive(workflow: Workflow) -> None:
    async def story(workflow: Workflow) -> None:
        pod = workflow.pod(1)
        plain = workflow.layout.epoch(1, pod.uid)
        # It was killed between its claim and its first upload, which is still under way.
        claimed = LineageEntry(1, plain, claimed_at="2026-01-01T00:00:00+00:00")
        record = Current(2, "n", workflow.uid, workflow.uid, 1, pod.uid, State.ACTIVE, lineage=(claimed,))
        await workflow.store.put(workflow.layout.current, encode(record), None)
        await pod.open()
        pod.write("note")
        await pod.keeper.barrier()
        mine = (await workflow.current()).entry
        assert mine.prefix.startswith(f"{plain}-")
        assert mine.replicated
        await workflow.store.put(first_transaction(plain), b"of the run before", None)
        await pod.kill()

        second = await workflow.pod(2).open()
        assert second.notes() == ["note"]
        base = (await workflow.current()).entry.base
        assert base is not None
        assert base.prefix == mine.prefix

    run(story, workflow)


def test_a_volume_from_before_a_restart_of_the_machine_is_refused(workflow: Workflow) -> None:
    async def story(workflow: Workflow) -> None:
        pod = await workflow.pod(1).open()
        await pod.kill()
        marker = read_marker(pod.volume / "marker.json")
        assert marker is not None
        write_marker(pod.volume / "marker.json", Marker(marker.pod_uid, marker.epoch, "another-boot"))
        assert (await pod.refusal())["reason"] == "VolumeUntrusted"

    run(story, workflow)


@ON_EACH_STORE
def test_a_seal_ends_a_life_and_the_next_starts_at_its_position(workflow: Workflow) -> None:
    async def story(workflow: Workflow) -> None:
        first = await workflow.pod(1).open()
        first.write("last words")
        position = await first.keeper.seal("Stopped")
        current = await workflow.current()
        assert (current.state, current.seal_reason) == (State.SEALED, SealReason.STOPPED)
        assert position == f"1/{current.entry.sealed_txid}"
        await first.keeper.close()
        assert await first.terminate() == 0
        assert first.farewell()["reason"] == "Sealed"

        second = await workflow.pod(2).open()
        assert second.notes() == ["last words"]
        assert (await second.keeper.gate()).restored_from == position

    run(story, workflow)


def test_a_keeper_told_to_end_seals_by_itself(workflow: Workflow) -> None:
    async def story(workflow: Workflow) -> None:
        pod = await workflow.pod(1).open()
        pod.write("note")
        assert await pod.terminate() == 0
        current = await workflow.current()
        assert (current.state, current.seal_reason) == (State.SEALED, SealReason.STOPPED)
        assert pod.farewell() == {"reason": "Sealed", "message": f"sealed at 1/{current.entry.sealed_txid}", "epoch": 1}

    run(story, workflow)


def test_a_life_that_sealed_itself_never_opens_its_gate_again(workflow: Workflow) -> None:
    async def story(workflow: Workflow) -> None:
        pod = await workflow.pod(1).open()
        position = await pod.keeper.seal("Completed")
        with pytest.raises(AlreadySealed):
            await pod.keeper.gate()
        await pod.kill()
        await pod.start()
        client = await pod.connect()
        with pytest.raises(AlreadySealed) as sealed:
            await client.gate()
        assert (sealed.value.reason, sealed.value.position) == ("Completed", position)
        assert await pod.terminate() == 0

    run(story, workflow)


@ON_EACH_STORE
def test_a_zombie_is_fenced_by_its_next_barrier_and_nothing_of_it_is_read(workflow: Workflow) -> None:
    async def story(workflow: Workflow) -> None:
        zombie = await workflow.pod(1).open()
        zombie.write("acknowledged")
        await zombie.keeper.barrier()
        assert zombie.process is not None
        os.kill(zombie.process.pid, signal.SIGSTOP)

        successor = await workflow.pod(2).open()
        os.kill(zombie.process.pid, signal.SIGCONT)
        zombie.write("from the dead")
        # Its own watch may be faster than the barrier, and then hangs up.
        with pytest.raises((Fenced, KeeperGone)):
            await zombie.keeper.barrier()
        assert await zombie.wait() == 1
        assert zombie.farewell()["reason"] == "Fenced"

        await successor.keeper.barrier()
        await successor.kill()
        third = await workflow.pod(3).open()
        assert third.notes() == ["acknowledged"]

    run(story, workflow)


def test_an_idle_zombie_notices_by_itself(workflow: Workflow) -> None:
    async def story(workflow: Workflow) -> None:
        zombie = await workflow.pod(1).open()
        await zombie.keeper.barrier()
        await workflow.pod(2).open()
        async with asyncio.timeout(60):
            assert isinstance(await zombie.keeper.ended, Fenced)

    run(story, workflow)


def test_a_request_that_makes_no_sense_gets_an_answer(workflow: Workflow) -> None:
    async def story(workflow: Workflow) -> None:
        pod = await workflow.pod(1).open()
        from dormouse.keeper.wire import short_path

        with short_path(pod.volume / "run" / "keeper.sock") as name:
            reader, writer = await asyncio.open_unix_connection(name)
        for request, expected in [
            (b"nonsense\n", "JSONDecodeError"),
            (b'{"v":2,"id":1,"op":"gate"}\n', "version 2 is not spoken here"),
            (b'{"v":1,"id":2,"op":"dance"}\n', "unknown operation 'dance'"),
            (b'{"v":1,"id":3,"op":"seal","reason":"Bored"}\n', "'Bored' is not a valid SealReason"),
        ]:
            writer.write(request)
            answer = json.loads(await asyncio.wait_for(reader.readline(), 60))
            assert answer["ok"] is False
            assert expected in answer["message"]
        writer.close()
        await pod.keeper.barrier()

    run(story, workflow)


@ON_EACH_STORE
def test_many_waiters_share_rounds(workflow: Workflow) -> None:
    async def story(workflow: Workflow) -> None:
        pod = await workflow.pod(1).open()
        await pod.keeper.barrier()
        pod.write("one for all")
        runtimes = [pod.keeper, *[await pod.connect() for _ in range(50)]]
        await asyncio.gather(*(runtime.barrier() for runtime in runtimes))
        await asyncio.gather(*(runtime.close() for runtime in runtimes))
        current = await workflow.current()
        assert current.state is State.ACTIVE
        rounds = (pod.folder / "log").read_text().count("barrier:")
        assert rounds < 50

    run(story, workflow)
