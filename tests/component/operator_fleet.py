"""How does a test run the operator? With real kopf on a small API server, and the test as kubelet and keeper."""

from __future__ import annotations

import asyncio
import base64
import copy
import hashlib
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
from kubernetes.aio.client import Configuration
from minio_server import S3Server
from operator_api_documents import Document
from operator_api_server import ApiServer

from dormouse.replica.claim import Claimant, Prefix, Volume, Write, decide
from dormouse.replica.current import Base, Current, SealReason, State, decode, encode
from dormouse.replica.layout import Layout
from dormouse.replica.refusal import Refused
from dormouse.replica.s3 import S3, Location
from dormouse.replica.store import StoredObject
from dormouse_operator.api import ObjectStore, Verdict
from dormouse_operator.controller.credentials import Credentials
from dormouse_operator.controller.leading import Candidate
from dormouse_operator.controller.lease import Terms
from dormouse_operator.controller.options import Options
from dormouse_operator.controller.running import Operator, run
from dormouse_operator.controller.stores import BucketSettings, ProbeStore, probe_store

QUICK = Terms(duration_seconds=2, deadline_seconds=1.5, renew_seconds=0.3, retry_seconds=0.1)


async def nothing_special(store: ObjectStore, credentials: Credentials) -> Verdict:
    """Of a bucket: asking for its settings takes longer than all of a story."""
    del store, credentials
    return Verdict("True", "Harmless", "")


@dataclass
class Fleet:
    """One API server, one prefix in the store, any number of operators."""

    server: ApiServer
    s3_server: S3Server
    prefix: str
    operators: list[Operator] = field(default_factory=list)
    probe: ProbeStore = probe_store
    settings_of: BucketSettings = nothing_special

    # What a user does.

    async def apply_store(self, name: str = "local", **spec: Any) -> None:
        keys = {"accessKeyId": self.s3_server.access_key, "secretAccessKey": self.s3_server.secret_key}
        data = {name: base64.b64encode(value.encode()).decode() for name, value in keys.items()}
        await self.server.put("secrets", {**named("Secret", "local", "v1"), "data": data})
        await self.server.put("objectstores", {**named("ObjectStore", name), "spec": {**self._store_spec(), **spec}})

    async def gone(self, name: str = "report") -> None:
        await self.server.until(lambda: name not in self.server.names("durableworkflows"))

    async def apply(self, name: str = "report", **spec: Any) -> None:
        made: Document = {
            "entrypoint": "pipeline",
            "source": {"inline": "print('hello')\n"},
            "start": {"workflow": "main"},
            "storage": {"storeRef": {"name": "local"}},
            **spec,
        }
        known = self.server.objects.get(("durableworkflows", "team", name))
        document = copy.deepcopy(known) if known else named("DurableWorkflow", name)
        await self.server.put("durableworkflows", {**document, "spec": made})

    async def running(self) -> None:
        """A store and a workflow are applied, and its first pod runs."""
        await self.apply_store()
        await self.apply()
        await self.runs("report-e1")
        await self.phase("Running")

    # What a person sees.

    def source(self) -> Document:
        """The ConfigMap with the inline source of the workflow that there is now."""
        return self.server.get("configmaps", f"report-source-{self.uid()[:8]}")

    def uid(self, name: str = "report") -> str:
        uid: str = self.server.get("durableworkflows", name)["metadata"]["uid"]
        return uid

    async def phase(self, phase: str) -> None:
        await self.server.until(lambda: self.status().get("phase") == phase)

    def status(self, name: str = "report") -> Document:
        return self.server.get("durableworkflows", name).get("status") or {}

    def condition(self, kind: str, name: str = "report", plural: str = "durableworkflows") -> Document:
        status = self.server.get(plural, name).get("status") or {}
        return next((each for each in status.get("conditions", ()) if each["type"] == kind), {})

    def live_pods(self) -> list[str]:
        ended = ("Succeeded", "Failed")
        pods = self.server.all("pods")
        return [pod["metadata"]["name"] for pod in pods if pod.get("status", {}).get("phase") not in ended]

    async def calm(self) -> None:
        """Until the operators have looked at everything and found nothing to do."""
        for operator in self.operators:
            await operator.queue.idle()

    def reasons(self) -> list[str]:
        return [event["reason"] for event in self.server.all("events")]

    # What a kubelet and a keeper do.

    async def runs(self, pod: str) -> None:
        """The pod claimed, restored and is ready."""
        await self.server.until(lambda: pod in self.server.names("pods"))
        await self.claim(pod)
        await self.tell(pod, "Running", ready=True)

    async def tell(self, pod: str, phase: str, *, ready: bool = False, said: Document | None = None) -> None:
        state = {"terminated": {"exitCode": 0, "message": json.dumps(said)}} if said else {"running": {}}
        containers = [{"name": name, "ready": ready, "state": state} for name in ("litestream", "runtime")]

        def edit(document: Document) -> None:
            document["spec"]["nodeName"] = "node-a"
            document["status"] = {
                "phase": phase,
                "initContainerStatuses": containers[:1],
                "containerStatuses": containers[1:],
            }

        await self.server.change("pods", pod, edit)

    async def obey_deletions(self) -> None:
        for pod in self.server.all("pods"):
            if "deletionTimestamp" in pod["metadata"]:
                await self.server.remove("pods", pod["metadata"]["name"])

    async def claim(self, pod: str) -> None:
        """Write CURRENT as this pod's keeper would. Raises Refused."""
        document = self.server.get("pods", pod)
        told = {each["name"]: each.get("value", "") for each in document["spec"]["initContainers"][0]["env"]}
        epoch, owner = int(told["DORMOUSE_EPOCH"]), document["metadata"]["uid"]
        claimant = Claimant(
            workflow_uid=told["DORMOUSE_WORKFLOW_UID"],
            owner=owner,
            epoch=epoch,
            prefix=self.layout.epoch(epoch, owner),
            nonce=f"nonce-{epoch}",
            first_claim=told["DORMOUSE_FIRST_CLAIM"] == "true",
            adopts_released=told["DORMOUSE_ADOPT_RELEASED"] == "true",
        )
        found = await self.store.get(self.layout.current)
        seen = decode(found.data) if isinstance(found, StoredObject) else None
        decision = decide(seen, claimant, Volume.UNMARKED, Prefix(newest_epoch=0, own_has_data=False))
        assert isinstance(decision, Write)
        earlier = decision.record.lineage[:-1]
        base = Base(earlier[-1].prefix, earlier[-1].epoch, 17) if earlier else None
        await self.write_current(decision.record.with_entry(claimed_at="2026-03-01T12:00:00+00:00", base=base))

    async def is_refused(self, pod: str) -> None:
        """The keeper of this pod says why it may not live."""
        await self.server.until(lambda: pod in self.server.names("pods"))
        with pytest.raises(Refused) as caught:
            await self.claim(pod)
        refusal = caught.value.refusal
        await self.tell(pod, "Running", said={"reason": refusal.reason, "message": refusal.message, **refusal.facts})

    async def seal(self, reason: SealReason) -> None:
        current = await self.read_current()
        await self.write_current(current.next(f"sealed-{reason}", state=State.SEALED, seal_reason=reason))

    async def seal_and_end(self, pod: str) -> None:
        """It was told to end, seals, and is gone."""
        await self.seal(SealReason.STOPPED)
        await self.server.remove("pods", pod)

    async def write_current(self, current: Current) -> None:
        found = await self.store.get(self.layout.current)
        etag = found.etag if isinstance(found, StoredObject) else None
        await self.store.put(self.layout.current, encode(current), etag)

    async def read_current(self) -> Current:
        found = await self.store.get(self.layout.current)
        assert isinstance(found, StoredObject)
        return decode(found.data)

    @property
    def layout(self) -> Layout:
        return Layout.of(self.prefix, "team", "report")

    @property
    def store(self) -> S3:
        return S3(
            Location(
                bucket=self.s3_server.bucket,
                endpoint=self.s3_server.endpoint,
                access_key_id=self.s3_server.access_key,
                secret_access_key=self.s3_server.secret_key,
            )
        )

    # Operators.

    @asynccontextmanager
    async def operator(self, identity: str = "operator-a", **options: Any) -> AsyncIterator[asyncio.Event]:
        """Runs until the end of the block, or until the event is set."""
        stop = asyncio.Event()
        chosen = Options(
            Candidate("team", options.pop("lease", "dormouse-operator"), identity), **{"terms": QUICK, **options}
        )
        mine: list[Operator] = []

        def started(operator: Operator) -> None:
            mine.append(operator)
            self.operators.append(operator)

        running = asyncio.create_task(
            run(
                Configuration(host=self.server.url),
                chosen,
                stop=stop,
                started=started,
                probe=self.probe,
                settings_of=self.settings_of,
            )
        )
        try:
            yield stop
            assert not running.done() or stop.is_set(), "the operator ended by itself"
        finally:
            stop.set()
            async with asyncio.timeout(60):
                await running
            for ended in mine:  # nobody works on what is left in its queue
                self.operators.remove(ended)

    def _store_spec(self) -> Document:
        return {
            "endpoint": self.s3_server.endpoint,
            "bucket": self.s3_server.bucket,
            "prefix": self.prefix,
            "pathStyle": True,
            "credentials": {"secretRef": {"name": "local"}},
        }


Story = Callable[[Fleet], Awaitable[None]]
Tell = Callable[[Story], None]


def telling(s3_server: S3Server, name: str) -> Tell:
    """Runs a test's story with a fleet of its own, below a prefix of its own."""

    def tell(story: Story) -> None:
        async def main() -> None:
            digest = hashlib.sha256(name.encode()).hexdigest()[:8]  # long names with parameters begin alike
            async with fleet(s3_server, f"operator/{name[:40].partition('[')[0]}-{digest}") as made:
                await story(made)

        asyncio.run(main())

    return tell


@asynccontextmanager
async def fleet(s3_server: S3Server, prefix: str) -> AsyncIterator[Fleet]:
    async with ApiServer().serving() as server:
        yield Fleet(server, s3_server, prefix)


def named(kind: str, name: str, version: str = "dormouse.dev/v1alpha1") -> Document:
    return {"apiVersion": version, "kind": kind, "metadata": {"name": name, "namespace": "team"}}
