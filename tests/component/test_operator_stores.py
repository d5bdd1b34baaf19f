"""Is a store that cannot be trusted refused, and one that comes back found again?"""

from __future__ import annotations

from uuid import uuid4

import pytest
from minio_server import MinIO
from operator_fleet import Fleet, Tell, telling

from dormouse.replica.requests import Requests
from dormouse_operator.api import ObjectStore, Verdict
from dormouse_operator.controller.credentials import Credentials
from dormouse_operator.controller.stores import bucket_settings, probe_store
from dormouse_operator.dev.seaweedfs import SeaweedFS
from dormouse_operator.store.probe import Probe, unavailable

CARELESS = Probe(Verdict("True", "Answers", ""), Verdict("False", "ConditionalWritesUnsupported", "2 of 32 won"))


@pytest.fixture
def tell(seaweedfs: SeaweedFS, request: pytest.FixtureRequest) -> Tell:
    return telling(seaweedfs, request.node.name)


def test_a_real_store_is_proven_and_says_so(tell: Tell) -> None:
    async def story(made: Fleet) -> None:
        async with made.operator():
            await made.apply_store()
            for kind in ("Available", "ConditionalWrites"):
                await made.server.until(
                    lambda kind=kind: made.condition(kind, "local", "objectstores").get("status") == "True"  # type: ignore[misc]
                )
        assert [key async for key in made.store.keys(made.prefix)] == []

    tell(story)


def test_what_a_bucket_does_by_itself_is_a_condition_and_an_event(minio: MinIO, request: pytest.FixtureRequest) -> None:
    bucket = f"warned-{uuid4().hex[:8]}"
    minio.settings().create_bucket(Bucket=bucket, ObjectLockEnabledForBucket=True)  # keeps every version, for ever

    async def story(made: Fleet) -> None:
        def said() -> tuple[str | None, str | None]:
            found = made.condition("BucketSettings", "local", "objectstores")
            return found.get("status"), found.get("reason")

        made.settings_of = bucket_settings
        async with made.operator():
            await made.apply_store(bucket=bucket)
            await made.server.until(lambda: said() == ("False", "Versioning"))
            assert made.condition("Available", "local", "objectstores")["status"] == "True"
            await made.server.until(lambda: "BucketWarning" in made.reasons())
            await made.apply_store("harmless")
            await made.server.until(
                lambda: made.condition("BucketSettings", "harmless", "objectstores").get("reason") == "Harmless"
            )

    telling(minio, request.node.name)(story)


def test_no_pod_is_made_on_a_store_that_failed_the_probe(tell: Tell) -> None:
    async def careless(store: ObjectStore, credentials: Credentials, requests: Requests) -> Probe:
        assert credentials.secret is not None
        return CARELESS

    async def story(made: Fleet) -> None:
        made.probe = careless
        async with made.operator():
            await made.apply_store()
            await made.apply()
            await made.phase("Stalled")
            assert made.condition("Ready")["reason"] == "StoreRefused"
            assert "2 of 32 won" in made.condition("Ready")["message"]
            assert made.server.names("pods") == []
            await made.server.until(lambda: "Refused" in made.reasons())

    tell(story)


def test_a_workflow_starts_when_its_store_answers_at_last(tell: Tell, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dormouse_operator.controller.stores._ASK_AGAIN_SECONDS", 0.1)
    asked: list[str] = []

    async def late(store: ObjectStore, credentials: Credentials, requests: Requests) -> Probe:
        asked.append(store.metadata.name)
        if len(asked) < 3:
            return unavailable("StoreUnknown", "no route")
        return await probe_store(store, credentials, requests)

    async def story(made: Fleet) -> None:
        made.probe = late
        async with made.operator():
            await made.running()
            assert made.condition("Available", "local", "objectstores")["status"] == "True"

    tell(story)


def test_a_verdict_that_could_not_be_written_is_found_and_written_again(tell: Tell) -> None:
    async def story(made: Fleet) -> None:
        asked = 0

        async def disturbed(store: ObjectStore, credentials: Credentials, requests: Requests) -> Probe:
            nonlocal asked
            asked += 1
            if asked == 1:  # somebody changes the object meanwhile: what is written on its old version is a Conflict
                await made.server.change(
                    "objectstores", "local", lambda document: document["metadata"].update(labels={"changed": "yes"})
                )
            return await probe_store(store, credentials, requests)

        made.probe = disturbed
        async with made.operator():
            await made.apply_store()
            await made.server.until(
                lambda: made.condition("ConditionalWrites", "local", "objectstores").get("status") == "True"
            )
        assert asked == 2

    tell(story)
