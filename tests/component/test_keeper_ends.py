"""How does a keeper end? Sealed, fenced or unsealed, and nobody is told anything else."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h11
import pytest
from keeper_pod import KeeperPod, Workflow, run
from proxied_keeper import through_proxy
from store_proxy import StoreProxy, reads_of, writes_of

from dormouse.keeper.client import AlreadySealed, Fenced, KeeperClient, KeeperGone, SealFailed
from dormouse.replica.current import SealReason, State
from dormouse_operator.dev.seaweedfs import SeaweedFS

LOGGERS = ("dormouse.keeper", "litestream")


@pytest.fixture
def workflow(seaweedfs: SeaweedFS, tmp_path: Path) -> Workflow:
    return Workflow(seaweedfs, tmp_path)


async def until(holds: Callable[[], bool]) -> None:
    """Wait for something that is known to come."""
    async with asyncio.timeout(60):
        while not holds():
            await asyncio.sleep(0.01)


def lines_of(pod: KeeperPod) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (pod.folder / "log").read_text().splitlines()]


def test_each_line_of_a_keeper_and_of_its_litestream_says_whose_it_is(workflow: Workflow) -> None:
    async def story(workflow: Workflow) -> None:
        pod = await workflow.pod(1, DORMOUSE_LOG_FORMAT="json").open()
        await pod.keeper.barrier()
        await pod.terminate()
        lines = lines_of(pod)
        assert all((line["namespace"], line["dwf"], line["epoch"]) == ("default", "sleeper", 1) for line in lines)
        told = {name: {line["message"] for line in lines if line["logger"] == name} for name in LOGGERS}
        assert told["dormouse.keeper"] >= {"claimed epoch 1", "the gate is open"}
        assert told["litestream"] >= {"litestream", "replicating to"}
        assert {line["level"] for line in lines} == {"INFO"}

    run(story, workflow)


def test_litestream_s_errors_and_the_words_of_its_crash_are_told_as_errors(workflow: Workflow) -> None:
    async def story(workflow: Workflow, proxy: StoreProxy) -> None:
        pod = await workflow.pod(1, DORMOUSE_LOG_FORMAT="json").open()
        await pod.keeper.barrier()
        proxy.status = 403
        proxy.fail = lambda request: request.method == b"PUT" and request.target.split(b"?")[0].endswith(b".ltx")
        pod.write("only in the volume")

        def failed() -> list[dict[str, Any]]:
            return [line for line in lines_of(pod) if line["logger"] == "litestream" and line["level"] == "ERROR"]

        await until(lambda: bool(failed()))
        assert all("403" in line["error"] and line["dwf"] == "sleeper" for line in failed())
        os.kill(int((pod.volume / "run" / "litestream.lock").read_text()), signal.SIGSEGV)
        await until(lambda: any("litestream ended with exit code" in line["message"] for line in lines_of(pod)))
        ends = [line["message"] for line in lines_of(pod)]
        end = next(number for number, said in enumerate(ends) if "litestream ended" in said)
        assert any(said.startswith("SIGSEGV") for said in ends[:end]), "a crash tells where it was"

    through_proxy(story, workflow)


async def start_again_without_store(pod: KeeperPod, proxy: StoreProxy) -> None:
    """The container is started in place; its gate stays shut, and its volume holds a commit that only it has."""
    await pod.keeper.barrier()
    proxy.go_down()
    pod.write("only in the volume")
    await pod.kill()
    await pod.start()
    await pod.logged("reading current")


def send(pod: KeeperPod, number: signal.Signals) -> None:
    assert pod.process is not None
    pod.process.send_signal(number)


async def heard(client: KeeperClient) -> None:
    """Return once the keeper has taken up everything that was asked on this connection before."""
    with pytest.raises(KeeperGone, match="'Bored' is not a valid SealReason"):
        await client.seal("Bored")


# Told to end.


def test_a_keeper_started_in_place_and_told_to_end_before_its_gate_seals_what_the_volume_holds(
    workflow: Workflow,
) -> None:
    async def story(workflow: Workflow, proxy: StoreProxy) -> None:
        pod = await workflow.pod(1, DORMOUSE_GRACE_SECONDS="20").open()
        await start_again_without_store(pod, proxy)
        send(pod, signal.SIGTERM)
        await until((pod.folder / "termination").exists)
        proxy.down = False
        assert await pod.wait() == 0
        assert pod.farewell()["reason"] == "Sealed"
        assert (await workflow.current()).state is State.SEALED
        assert (await workflow.pod(2).open()).notes() == ["only in the volume"]

    through_proxy(story, workflow)


def test_a_keeper_told_to_end_before_its_gate_with_the_store_down_uses_its_grace_and_says_unsealed(
    workflow: Workflow,
) -> None:
    async def story(workflow: Workflow, proxy: StoreProxy) -> None:
        pod = await workflow.pod(1, DORMOUSE_GRACE_SECONDS="3").open()
        await start_again_without_store(pod, proxy)
        assert await pod.terminate() == 1
        farewell = pod.farewell()
        assert farewell["reason"] == "Unsealed"
        assert "no seal in 1 s" in farewell["message"]
        assert "only here" in farewell["message"]

    through_proxy(story, workflow)


def test_a_keeper_that_is_killed_before_its_seal_was_answered_has_said_unsealed(workflow: Workflow) -> None:
    async def story(workflow: Workflow, proxy: StoreProxy) -> None:
        pod = await workflow.pod(1).open()
        await pod.keeper.barrier()
        proxy.go_down()
        pod.write("not safe")
        send(pod, signal.SIGTERM)
        await until((pod.folder / "termination").exists)
        await pod.kill()
        farewell = pod.farewell()
        assert farewell["reason"] == "Unsealed"
        assert "killed before the seal was answered" in farewell["message"]

    through_proxy(story, workflow)


def test_a_keeper_told_to_end_whose_seal_loses_to_another_life_says_fenced(workflow: Workflow) -> None:
    async def story(workflow: Workflow, proxy: StoreProxy) -> None:
        loser = await workflow.pod(1).open()
        await loser.keeper.barrier()
        proxy.fail = writes_of("/CURRENT")
        send(loser, signal.SIGTERM)
        await until(lambda: proxy.failed > 0)
        await workflow.pod(2, DORMOUSE_STORE_ENDPOINT=workflow.server.endpoint).open()
        assert await loser.wait() == 1
        assert loser.farewell()["reason"] == "Fenced"

    through_proxy(story, workflow)


def test_a_keeper_that_merely_ends_tells_the_runtime_that_it_is_gone_and_not_that_it_is_fenced(
    workflow: Workflow,
) -> None:
    async def story(workflow: Workflow, proxy: StoreProxy) -> None:
        pod = await workflow.pod(1, DORMOUSE_GRACE_SECONDS="3").open()
        await pod.keeper.barrier()
        proxy.go_down()
        pod.write("waits for the store")
        barrier = asyncio.create_task(pod.keeper.barrier())
        await asyncio.sleep(0)
        await heard(pod.keeper)
        assert await pod.terminate() == 1
        with pytest.raises(KeeperGone):
            await barrier
        assert isinstance(await pod.keeper.ended, KeeperGone)
        assert pod.farewell()["reason"] == "Unsealed"

    through_proxy(story, workflow)


# Sealing.


def test_a_seal_that_is_denied_is_repeated_until_it_is_there(workflow: Workflow) -> None:
    async def story(workflow: Workflow, proxy: StoreProxy) -> None:
        pod = await workflow.pod(1).open()
        await pod.keeper.barrier()
        proxy.status = 403
        proxy.fail = lambda request: writes_of("/CURRENT")(request) and proxy.failed < 3
        position = await asyncio.wait_for(pod.keeper.seal("Completed"), 60)
        current = await workflow.current()
        assert proxy.failed == 3
        assert (current.state, current.seal_reason) == (State.SEALED, SealReason.COMPLETED)
        assert position == f"1/{current.entry.sealed_txid}"

    through_proxy(story, workflow)


def test_litestream_is_started_again_while_a_seal_waits_for_it(workflow: Workflow) -> None:
    async def story(workflow: Workflow, proxy: StoreProxy) -> None:
        pod = await workflow.pod(1).open()
        await pod.keeper.barrier()
        proxy.go_down()
        pod.write("last words")
        seal = asyncio.create_task(pod.keeper.seal("Completed"))
        await asyncio.sleep(0)
        await heard(pod.keeper)
        os.kill(int((pod.volume / "run" / "litestream.lock").read_text()), signal.SIGKILL)
        await pod.logged("starting it again")
        proxy.down = False
        await asyncio.wait_for(seal, 60)
        await pod.kill()
        assert (await workflow.current()).state is State.SEALED
        assert (await workflow.pod(2).open()).notes() == ["last words"]

    through_proxy(story, workflow)


def test_a_seal_that_loses_to_another_life_ends_the_keeper_as_fenced(workflow: Workflow) -> None:
    async def story(workflow: Workflow, proxy: StoreProxy) -> None:
        loser = await workflow.pod(1).open()
        await loser.keeper.barrier()
        proxy.fail = writes_of("/CURRENT")
        seal = asyncio.create_task(loser.keeper.seal("Stopped"))
        await until(lambda: proxy.failed > 0)
        await workflow.pod(2, DORMOUSE_STORE_ENDPOINT=workflow.server.endpoint).open()
        with pytest.raises((SealFailed, Fenced)):
            await asyncio.wait_for(seal, 60)
        assert isinstance(await asyncio.wait_for(loser.keeper.ended, 60), Fenced)
        assert await loser.wait() == 1
        assert loser.farewell()["reason"] == "Fenced"
        assert (await workflow.current()).epoch == 2

    through_proxy(story, workflow)


def test_the_gate_of_a_life_that_is_sealing_never_opens(workflow: Workflow) -> None:
    async def story(workflow: Workflow, proxy: StoreProxy) -> None:
        pod = await workflow.pod(1).open()
        await pod.keeper.barrier()
        first = pod.keeper
        proxy.fail = writes_of("/CURRENT")
        seal = asyncio.create_task(first.seal("Completed"))
        await until(lambda: proxy.failed > 0)
        second = await pod.connect()
        gate = asyncio.create_task(second.gate())
        await asyncio.sleep(0)
        await heard(second)
        assert not gate.done()
        proxy.fail = None
        position = await asyncio.wait_for(seal, 60)
        with pytest.raises(AlreadySealed) as sealed:
            await gate
        assert (sealed.value.reason, sealed.value.position) == ("Completed", position)
        await first.close()

    through_proxy(story, workflow)


# Refused, or not.


def test_a_life_is_not_fenced_by_its_own_write_whose_answer_was_lost_and_that_it_may_not_read(
    workflow: Workflow,
) -> None:
    async def story(workflow: Workflow, proxy: StoreProxy) -> None:
        seen = 0

        def the_third_write(request: h11.Request) -> bool:
            """After the claim and the pin, `replicated` is written."""
            nonlocal seen
            seen += writes_of("/CURRENT")(request)
            if proxy.lost or seen < 3:
                return False
            proxy.fail = lambda request: reads_of("/CURRENT")(request) and proxy.failed < 3
            return True

        proxy.status = 403
        proxy.lose_answers_of = the_third_write
        pod = await workflow.pod(1).open()
        await asyncio.wait_for(pod.keeper.barrier(), 60)
        assert (proxy.lost, proxy.failed) == (1, 3)
        current = await workflow.current()
        assert current.owner == pod.uid
        assert current.entry.replicated

    through_proxy(story, workflow)


def test_a_store_that_does_not_implement_conditional_writes_is_refused(workflow: Workflow) -> None:
    async def story(workflow: Workflow, proxy: StoreProxy) -> None:
        def conditional(request: h11.Request) -> bool:
            names = {bytes(name) for name, _ in request.headers}
            return request.method == b"PUT" and bool(names & {b"if-match", b"if-none-match"})

        proxy.status = 501
        proxy.body = b"<Error><Code>NotImplemented</Code></Error>"
        proxy.fail = conditional
        refusal = await workflow.pod(1).refusal()
        assert refusal["reason"] == "ConditionalWritesUnsupported"
        assert "Use a store with conditional writes" in refusal["message"]
        assert [key async for key in workflow.store.keys(workflow.layout.root + "/")] == []

    through_proxy(story, workflow)


@pytest.mark.parametrize("endpoint", ["localhost:8333", "s3.example.org", "not a url", "ftp://s3.example.org"])
def test_an_endpoint_that_is_no_url_is_named(workflow: Workflow, endpoint: str) -> None:
    async def story(workflow: Workflow) -> None:
        refusal = await workflow.pod(1, DORMOUSE_STORE_ENDPOINT=endpoint).refusal()
        assert refusal["reason"] == "InvalidSettings"
        assert (
            f"DORMOUSE_STORE_ENDPOINT must be a URL such as https://s3.example.org, not {endpoint!r}"
            in (refusal["message"])
        )

    run(story, workflow)


def test_no_file_of_the_volume_holds_the_secret_key(workflow: Workflow) -> None:
    async def story(workflow: Workflow) -> None:
        secret = workflow.location.secret_access_key.encode()
        assert secret
        first = await workflow.pod(1).open()
        first.write("note")
        await first.keeper.seal("Stopped")
        second = await workflow.pod(2).open()  # it restores, with a configuration of its own
        await second.keeper.barrier()
        for pod in (first, second):
            files = [path for path in pod.volume.rglob("*") if path.is_file()]
            assert pod.volume / "run" / "litestream.json" in files
            assert [path for path in files if secret in path.read_bytes()] == []

    run(story, workflow)


def test_a_zombie_told_to_end_says_fenced(workflow: Workflow) -> None:
    async def story(workflow: Workflow) -> None:
        zombie = await workflow.pod(1).open()
        await zombie.keeper.barrier()
        send(zombie, signal.SIGSTOP)
        await workflow.pod(2).open()
        send(zombie, signal.SIGTERM)
        send(zombie, signal.SIGCONT)
        assert await zombie.wait() == 1
        farewell = zombie.farewell()
        assert farewell["reason"] == "Fenced"
        assert "CURRENT is epoch 2" in farewell["message"]
        assert (await workflow.current()).epoch == 2

    run(story, workflow)


def test_a_seal_whose_answer_is_lost_and_that_may_not_be_read_does_not_fence_its_own_life(workflow: Workflow) -> None:
    """The watch, whose conditional read is answered, sees our own seal before the seal itself does."""

    async def story(workflow: Workflow, proxy: StoreProxy) -> None:
        def unconditional_read(request: h11.Request) -> bool:
            names = {bytes(name) for name, _ in request.headers}
            return reads_of("/CURRENT")(request) and b"if-none-match" not in names

        def once(request: h11.Request) -> bool:
            if not writes_of("/CURRENT")(request) or proxy.lost:
                return False
            proxy.fail = unconditional_read
            return True

        pod = await workflow.pod(1).open()
        await pod.keeper.barrier()
        proxy.status = 403
        proxy.lose_answers_of = once
        seal = asyncio.create_task(pod.keeper.seal("Completed"))
        await asyncio.wait({seal, asyncio.create_task(asyncio.sleep(7))}, return_when=asyncio.FIRST_COMPLETED)
        proxy.fail = None
        position = await asyncio.wait_for(seal, 60)
        current = await workflow.current()
        assert (current.state, position) == (State.SEALED, f"1/{current.entry.sealed_txid}")

    through_proxy(story, workflow)


def test_a_501_without_an_s3_error_code_is_refused_too(workflow: Workflow) -> None:
    async def story(workflow: Workflow, proxy: StoreProxy) -> None:
        proxy.status = 501
        proxy.fail = lambda request: request.method == b"PUT"
        assert (await workflow.pod(1).refusal())["reason"] == "ConditionalWritesUnsupported"

    through_proxy(story, workflow)
