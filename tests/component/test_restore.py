"""Does a workflow begin with another's data, at the position that was meant, and never touch it?"""

from __future__ import annotations

import asyncio
import hashlib
import sqlite3
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import obstore
import pytest
from keeper_pod import KeeperPod, Workflow, run

from dormouse.keeper.window import oldest_moment
from dormouse.replica.current import Base, ForkOf, ImportOf, SealReason, State, encode
from dormouse.replica.layout import HEADER_BYTES, first_transaction, transactions, written_at
from dormouse_operator.dev.seaweedfs import SeaweedFS


@pytest.fixture
def workflow(seaweedfs: SeaweedFS, tmp_path: Path) -> Workflow:
    return Workflow(seaweedfs, tmp_path)


def fork(source: Workflow, name: str = "fork", **restore: str) -> KeeperPod:
    """The first pod of a new workflow that begins with the source's data."""
    wanted = {"from_name": source.name, **restore}
    return source.beside(name).pod(1, **{f"DORMOUSE_RESTORE_{key.upper()}": value for key, value in wanted.items()})


async def objects(workflow: Workflow) -> dict[str, str]:
    """What lies under a workflow's prefix, by key and ETag."""
    found: dict[str, str] = {}
    async for page in obstore.list(workflow.raw_store, workflow.layout.root):
        found |= {item["path"]: str(item["e_tag"]) for item in page}
    return found


def meta(pod: KeeperPod) -> dict[str, str]:
    with closing(sqlite3.connect(pod.database, timeout=5)) as connection:
        return dict(connection.execute("SELECT key, value FROM dormouse_meta"))


async def written(pod: KeeperPod, *notes: str) -> list[str]:
    """Write notes, each behind a barrier of its own; the positions."""
    positions = []
    for note in notes:
        pod.write(note)
        await pod.keeper.barrier()
        prefix = (await pod.workflow.current()).entry.prefix
        found = [transactions(listed.key) async for listed in pod.workflow.store.objects(prefix)]
        positions.append(f"{pod.epoch}/{max(txids[1] for txids in found if txids)}")
    return positions


async def next_second() -> datetime:
    """A moment that no earlier object's whole-second time can be mistaken for."""
    now = datetime.now(UTC)
    await asyncio.sleep(1.05 - now.microsecond / 1e6)
    return datetime.now(UTC)


def test_a_fork_at_a_position_has_what_its_source_had_then_under_an_identity_of_its_own(workflow: Workflow) -> None:
    async def story(workflow: Workflow) -> None:
        source = await workflow.pod(1).open()
        positions = await written(source, "one", "two", "three")

        copy = await fork(workflow, at=positions[1]).open()
        assert copy.notes() == ["one", "two"]
        life = await copy.keeper.gate()
        assert (life.identity, life.restored_from, life.all_in_store) == (copy.workflow.uid, positions[1], False)
        assert meta(copy) == {"identity": copy.workflow.uid, "pause_open_executions": "true"}

        # Both go on, each for itself.
        await written(source, "the source goes on")
        await written(copy, "so does the fork")
        assert source.notes() == ["one", "two", "three", "the source goes on"]
        current = await copy.workflow.current()
        assert current.origin == ForkOf(workflow.uid)
        source_prefix = (await workflow.current()).entry.prefix
        assert current.entry.base == Base(source_prefix, 1, int(positions[1].partition("/")[2]))

    run(story, workflow)


def test_a_fork_leaves_its_source_as_it_is_and_outlives_it(workflow: Workflow) -> None:
    async def story(workflow: Workflow) -> None:
        source = await workflow.pod(1).open()
        await written(source, "one", "two")
        assert await source.terminate() == 0
        before = await objects(workflow)

        copy = await fork(workflow, executions="Running").open()
        assert copy.notes() == ["one", "two"]
        assert "pause_open_executions" not in meta(copy)
        await written(copy, "three")
        assert await objects(workflow) == before

        # Once it has its own data, nothing of its source is needed any more.
        for key in before:
            await workflow.store.delete(key)
        await copy.kill()
        second = await copy.workflow.pod(2, **copy.variables).open()
        assert second.notes() == ["one", "two", "three"]
        assert (await second.keeper.gate()).identity == copy.workflow.uid

    run(story, workflow)


def test_a_fork_at_a_time_and_at_a_position_of_an_older_epoch_end_where_that_epoch_was_cut(workflow: Workflow) -> None:
    async def story(workflow: Workflow) -> None:
        first = await workflow.pod(1).open()
        positions = await written(first, "one", "two")
        zombie = (await workflow.current()).entry.prefix
        await first.kill()
        between = await next_second()
        await next_second()
        second = await workflow.pod(2).open()
        await written(second, "three")

        # The first life was not dead: what it uploads now is no part of history.
        cut = int(positions[1].partition("/")[2])
        last = f"{zombie}/0000/{cut:016x}-{cut:016x}.ltx"
        copied = bytes(await (await obstore.get_async(workflow.raw_store, last)).bytes_async())
        late = f"{zombie}/0000/{cut + 1:016x}-{cut + 1:016x}.ltx"
        await obstore.put_async(workflow.raw_store, late, copied)

        by_time = await fork(workflow, "by-time", at=between.isoformat()).open()
        assert by_time.notes() == ["one", "two"]
        assert (await by_time.keeper.gate()).restored_from == positions[1]
        by_position = await fork(workflow, "by-position", at=positions[0]).open()
        assert by_position.notes() == ["one"]
        begins = await oldest_moment(workflow.store, await workflow.current())
        assert begins is not None
        assert begins < between
        oldest = await fork(workflow, "oldest", at=begins.isoformat()).open()
        assert str((await oldest.keeper.gate()).restored_from) == "1/1"
        newest = await fork(workflow, "newest").open()
        assert newest.notes() == ["one", "two", "three"]

        refused = await fork(workflow, "zombie", at=f"1/{cut + 1}").refusal()
        assert refused["reason"] == "RestoreOutsideWindow"
        assert f"that epoch ends at 1/{cut}" in refused["message"]

    run(story, workflow)


def test_a_fork_that_dies_before_its_first_upload_is_restored_from_its_source_again(workflow: Workflow) -> None:
    async def story(workflow: Workflow) -> None:
        source = await workflow.pod(1).open()
        await written(source, "one")
        source_prefix = (await workflow.current()).entry.prefix
        copy = fork(workflow)
        await copy.open()
        await copy.kill()
        # As if nothing of it had ever arrived.
        for key in await objects(copy.workflow):
            if "/epochs/" in key:
                await workflow.store.delete(key)
        current = await copy.workflow.current()
        unreplicated = current.with_entry(replicated=False)
        found = await workflow.store.get(copy.workflow.layout.current)
        await workflow.store.put(copy.workflow.layout.current, encode(unreplicated), found.etag)  # type: ignore[union-attr]

        second = await copy.workflow.pod(2, **copy.variables).open()
        assert second.notes() == ["one"]
        assert meta(second) == {"identity": copy.workflow.uid, "pause_open_executions": "true"}
        again = await copy.workflow.current()
        assert again.entry.base is not None
        assert again.entry.base.prefix == source_prefix

    run(story, workflow)


def test_a_fork_whose_source_was_taken_away_after_its_claim_fails_closed(workflow: Workflow) -> None:
    async def story(workflow: Workflow) -> None:
        source = await workflow.pod(1).open()
        await written(source, "one")
        await source.kill()
        prefix = (await workflow.current()).entry.prefix
        copy = await fork(workflow).open()
        await copy.kill()
        for key in [*await objects(workflow), *await objects(copy.workflow)]:
            if "/epochs/" in key:
                await workflow.store.delete(key)
        current = await copy.workflow.current()
        found = await workflow.store.get(copy.workflow.layout.current)
        unreplicated = encode(current.with_entry(replicated=False))
        await workflow.store.put(copy.workflow.layout.current, unreplicated, found.etag)  # type: ignore[union-attr]
        refused = await copy.workflow.pod(2, **copy.variables).refusal()
        assert refused["reason"] == "RestoreSourceMissing"
        assert prefix in refused["message"]

    run(story, workflow)


def test_wrong_sources_and_times_are_refused_and_leave_nothing_behind(workflow: Workflow) -> None:
    async def story(workflow: Workflow) -> None:
        source = await workflow.pod(1).open()
        await written(source, "one")

        async def refusal(name: str, **restore: str) -> tuple[str, str]:
            pod = fork(workflow, name, **restore)
            said: dict[str, Any] = await pod.refusal()
            assert await objects(pod.workflow) == {}
            return said["reason"], said["message"]

        reason, message = await refusal("early", at="2001-01-01T00:00:00Z")
        assert reason == "RestoreOutsideWindow"
        assert "choose a later time" in message
        assert (await refusal("late", at="2999-01-01T00:00:00Z"))[0] == "RestoreOutsideWindow"
        reason, message = await refusal("epoch", at="7/1")
        assert reason == "RestoreOutsideWindow"
        assert "its epochs are: 1" in message
        assert (await refusal("words", at="yesterday"))[0] == "InvalidSettings"
        reason, message = await refusal("nobody", from_name="nobody")
        assert reason == "RestoreSourceMissing"
        assert "'nobody'" in message

        await source.kill()
        current, found = await workflow.current(), await workflow.store.get(workflow.layout.current)
        deleting = encode(current.next("gone", state=State.DELETING))
        await workflow.store.put(workflow.layout.current, deleting, found.etag)  # type: ignore[union-attr]
        assert (await refusal("deleting"))[0] == "RestoreSourceDeleting"

    run(story, workflow)


def test_a_sqlite_file_is_brought_in_when_its_checksum_is_the_one_that_was_given(
    workflow: Workflow, tmp_path: Path
) -> None:
    async def story(workflow: Workflow) -> None:
        file = tmp_path / "orders.sqlite"
        with closing(sqlite3.connect(file, isolation_level=None)) as connection:
            connection.execute("CREATE TABLE note (text TEXT)")
            connection.execute("INSERT INTO note VALUES ('imported'), (?)", ("x" * 9_000_000,))
        content = file.read_bytes()
        digest = hashlib.sha256(content).hexdigest()
        imported = workflow.beside("imported")
        key = imported.layout.imported("orders.sqlite")
        await obstore.put_async(workflow.raw_store, key, content)
        asked = {"DORMOUSE_RESTORE_FROM_OBJECT": "orders.sqlite", "DORMOUSE_RESTORE_SHA256": digest}

        pod = await imported.pod(1, **asked).open()
        assert pod.notes()[0] == "imported"
        assert meta(pod)["identity"] == imported.uid
        assert (await imported.current()).origin == ImportOf(key, digest)
        await written(pod, "and more")
        await pod.kill()
        second = await imported.pod(2, **asked).open()
        assert [note[:10] for note in second.notes()] == ["imported", "x" * 10, "and more"]

        async def refusal(name: str, key: str, sha256: str) -> tuple[str, str]:
            pod = workflow.beside(name).pod(1, DORMOUSE_RESTORE_FROM_OBJECT=key, DORMOUSE_RESTORE_SHA256=sha256)
            said: dict[str, Any] = await pod.refusal()
            assert await objects(pod.workflow) == {}
            return said["reason"], said["message"]

        reason, message = await refusal("other", "orders.sqlite", "0" * 64)
        assert reason == "ImportCorrupt"
        assert digest in message
        assert (await refusal("missing", "none.sqlite", digest))[0] == "RestoreSourceMissing"
        await obstore.put_async(workflow.raw_store, imported.layout.imported("cut"), content[:5000])
        cut = hashlib.sha256(content[:5000]).hexdigest()
        reason, message = await refusal("cut", "cut", cut)
        assert reason == "ImportCorrupt"
        assert "no whole SQLite database" in message

    run(story, workflow)


def test_litestream_writes_into_a_compacted_file_when_its_last_transaction_was_written(workflow: Workflow) -> None:
    """Were it another of its transactions, a time would mean another position: see `replica.history`."""

    async def story(workflow: Workflow) -> None:
        pod = await workflow.pod(1).open()
        await written(pod, "one", "two", "three")
        prefix = (await workflow.current()).entry.prefix
        assert first_transaction(prefix) in await objects(workflow)
        times: dict[tuple[int, int], datetime] = {}
        compacted = []
        async for listed in workflow.store.objects(prefix):
            txids = transactions(listed.key)
            moment = written_at(await workflow.store.part(listed.key, 0, HEADER_BYTES) or b"")
            assert txids is not None
            assert moment is not None
            if "/0001/" in listed.key:
                compacted.append((txids, moment))
            elif "/0000/" in listed.key:
                times[txids] = moment
        for (_, last), moment in compacted:
            assert times[last, last] == moment
        assert times

    run(story, workflow)


def test_a_sealed_source_is_forked_where_it_was_sealed(workflow: Workflow) -> None:
    async def story(workflow: Workflow) -> None:
        source = await workflow.pod(1).open()
        source.write("last words")
        position = await source.keeper.seal("Completed")
        assert (await workflow.current()).seal_reason is SealReason.COMPLETED
        copy = await fork(workflow).open()
        assert (copy.notes(), (await copy.keeper.gate()).restored_from) == (["last words"], position)

    run(story, workflow)
