"""Does a real keeper refuse to start where something is missing, damaged, another's or wrong, and say what?"""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest
from keeper_pod import ON_EACH_STORE, Workflow, run

from dormouse.replica.current import encode
from dormouse.replica.layout import first_transaction
from dormouse.replica.store import StoredObject


@pytest.fixture
def workflow(request: pytest.FixtureRequest, tmp_path: Path) -> Workflow:
    return Workflow(request.getfixturevalue(getattr(request, "param", "seaweedfs")), tmp_path)


def test_an_epoch_that_is_taken_is_refused_with_the_number_seen(workflow: Workflow) -> None:
    async def story(workflow: Workflow) -> None:
        await workflow.pod(3, DORMOUSE_FIRST_CLAIM="true").open()
        refusal = await workflow.pod(3).refusal()
        assert (refusal["reason"], refusal["seen"]) == ("StaleEpoch", 3)

    run(story, workflow)


@ON_EACH_STORE
def test_of_two_pods_that_claim_at_once_one_lives(workflow: Workflow) -> None:
    async def story(workflow: Workflow) -> None:
        pods = [workflow.pod(1) for _ in range(4)]
        await asyncio.gather(*(pod.start() for pod in pods))
        async with asyncio.timeout(60):
            while sum(pod.process is not None and pod.process.returncode is None for pod in pods) > 1:
                await asyncio.sleep(0.05)
        winners = [pod for pod in pods if pod.process is not None and pod.process.returncode is None]
        losers = [pod for pod in pods if pod not in winners]
        assert len(winners) == 1
        assert {pod.farewell()["reason"] for pod in losers} == {"StaleEpoch"}
        client = await winners[0].connect()
        await client.gate()
        await client.barrier()
        assert (await workflow.current()).owner == winners[0].uid

    run(story, workflow)


def test_another_workflow_of_the_same_name_is_refused(workflow: Workflow) -> None:
    async def story(workflow: Workflow) -> None:
        await workflow.pod(1).open()
        refusal = await workflow.pod(2, DORMOUSE_WORKFLOW_UID="other", DORMOUSE_FIRST_CLAIM="true").refusal()
        assert refusal["reason"] == "NameTaken"
        assert f"storage.takeOverFrom: {workflow.uid}" in refusal["message"]

    run(story, workflow)


def test_a_cluster_that_is_gone_can_be_taken_over_by_name(workflow: Workflow) -> None:
    async def story(workflow: Workflow) -> None:
        old = await workflow.pod(1).open()
        old.write("from the old cluster")
        await old.keeper.barrier()
        await old.kill()
        heir = await workflow.pod(2, DORMOUSE_WORKFLOW_UID="heir", DORMOUSE_TAKE_OVER_FROM=workflow.uid).open()
        assert heir.notes() == ["from the old cluster"]
        assert (await heir.keeper.gate()).identity == workflow.uid

    run(story, workflow)


def test_a_missing_record_is_never_taken_for_a_fresh_start(workflow: Workflow) -> None:
    async def story(workflow: Workflow) -> None:
        pod = await workflow.pod(1).open()
        pod.write("note")
        await pod.keeper.barrier()
        await pod.kill()
        await workflow.store.delete(workflow.layout.current)
        assert (await workflow.pod(2).refusal())["reason"] == "CurrentMissing"
        foreign = await workflow.pod(2, DORMOUSE_FIRST_CLAIM="true").refusal()
        assert foreign["reason"] == "UnclaimedData"
        empty = await workflow.pod(3, DORMOUSE_ALLOW_EMPTY_RESTORE="1").open()
        assert (await empty.keeper.gate()).restored_from is None

    run(story, workflow)


def test_a_malformed_record_is_refused(workflow: Workflow) -> None:
    async def story(workflow: Workflow) -> None:
        await workflow.store.put(workflow.layout.current, b'{"format": 1}', None)
        refusal = await workflow.pod(1).refusal()
        assert refusal["reason"] == "CurrentMalformed"
        assert "state is missing" in refusal["message"]

    run(story, workflow)


def test_acknowledged_data_that_is_gone_is_refused_until_given_up_by_epoch(workflow: Workflow) -> None:
    async def story(workflow: Workflow) -> None:
        pod = await workflow.pod(1).open()
        pod.write("note")
        await pod.keeper.barrier()
        await pod.kill()
        async for key in workflow.store.keys(workflow.layout.epochs):
            await workflow.store.delete(key)
        refusal = await workflow.pod(2).refusal()
        assert refusal["reason"] == "ReplicaMissing"
        assert refusal["message"].endswith("storage.allowEmptyRestore: 1")
        fresh = await workflow.pod(3, DORMOUSE_ALLOW_EMPTY_RESTORE="1").open()
        assert (await fresh.keeper.gate()).restored_from is None

    run(story, workflow)


def test_a_corrupt_replica_is_refused(workflow: Workflow) -> None:
    async def story(workflow: Workflow) -> None:
        pod = await workflow.pod(1).open()
        pod.write("note")
        await pod.keeper.barrier()
        await pod.kill()
        key = first_transaction(workflow.layout.epoch(1, pod.uid))
        found = await workflow.store.get(key)
        assert isinstance(found, StoredObject)
        damaged = bytearray(found.data)
        damaged[len(damaged) // 2] ^= 0xFF
        await workflow.store.put(key, bytes(damaged), found.etag)
        assert (await workflow.pod(2).refusal())["reason"] == "ReplicaCorrupt"

    run(story, workflow)


def test_a_replica_that_ends_before_its_seal_is_refused(workflow: Workflow) -> None:
    async def story(workflow: Workflow) -> None:
        pod = await workflow.pod(1).open()
        pod.write("note")
        await pod.keeper.seal("Stopped")
        await pod.kill()
        current = await workflow.current()
        found = await workflow.store.get(workflow.layout.current)
        assert isinstance(found, StoredObject)
        raised = current.with_entry(sealed_txid=99).next("forged")
        await workflow.store.put(workflow.layout.current, encode(raised), found.etag)
        assert (await workflow.pod(2).refusal())["reason"] == "RestoreIncomplete"

    run(story, workflow)


def test_a_database_of_another_identity_is_refused(workflow: Workflow) -> None:
    async def story(workflow: Workflow) -> None:
        pod = await workflow.pod(1).open()
        await pod.keeper.barrier()
        await pod.kill()
        found = await workflow.store.get(workflow.layout.current)
        assert isinstance(found, StoredObject)
        forged = replace(await workflow.current(), identity="somebody else").next("forged")
        await workflow.store.put(workflow.layout.current, encode(forged), found.etag)
        assert (await workflow.pod(2).refusal())["reason"] == "IdentityMismatch"

    run(story, workflow)


@ON_EACH_STORE
def test_wrong_credentials_are_named(workflow: Workflow) -> None:
    async def story(workflow: Workflow) -> None:
        refusal = await workflow.pod(1, DORMOUSE_STORE_SECRET_ACCESS_KEY="wrong").refusal()
        assert refusal["reason"] == "StoreDenied"
        assert "Secret" in refusal["message"]

    run(story, workflow)


@pytest.mark.parametrize("value", ["hunter2\n", "hunt er2", "huntér2"])
@pytest.mark.parametrize("name", ["ACCESS_KEY_ID", "SECRET_ACCESS_KEY"])
def test_a_key_that_no_request_can_carry_is_named_and_not_shown(workflow: Workflow, name: str, value: str) -> None:
    async def story(workflow: Workflow) -> None:
        told = {f"DORMOUSE_STORE_{name}": value, f"DORMOUSE_STORE_{name}_FROM": "Secret `store`, key `secret`"}
        refusal = await workflow.pod(1, **told).refusal()
        assert refusal["reason"] == "InvalidSettings"
        assert refusal["message"].startswith("Secret `store`, key `secret`: the value has a line break")
        assert "hunt" not in refusal["message"]

    run(story, workflow)


@ON_EACH_STORE
def test_a_missing_bucket_is_named(workflow: Workflow) -> None:
    async def story(workflow: Workflow) -> None:
        refusal = await workflow.pod(1, DORMOUSE_STORE_BUCKET="no-such-bucket").refusal()
        assert refusal["reason"] == "BucketMissing"
        assert "no-such-bucket" in refusal["message"]

    run(story, workflow)


def test_invalid_settings_are_named(workflow: Workflow) -> None:
    async def story(workflow: Workflow) -> None:
        refusal = await workflow.pod(1, DORMOUSE_EPOCH="first").refusal()
        assert refusal["reason"] == "InvalidSettings"
        assert refusal["message"] == "DORMOUSE_EPOCH must be a whole number, not 'first'"

    run(story, workflow)
