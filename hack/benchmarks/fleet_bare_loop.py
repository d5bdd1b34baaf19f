"""What is the least that anybody would need? A loop that watches, and makes the writes of a script.

It decides nothing: for each workflow that it sees it writes what the operator wrote for one, in the same order, with
the operator's client. The last status writes follow the pod's events, as there.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

from kubernetes.aio.client import ApiClient, CoreV1Api, CustomObjectsApi

from dormouse_operator.controller.api_server import ApiServer
from dormouse_operator.controller.connection import load_configuration
from dormouse_operator.controller.resources import EVENTS, PODS, WORKFLOWS

Document = dict[str, Any]
_AT_ONCE = 8  # as the operator's steps
_BEFORE_THE_POD = 1


class BareLoop:
    """One for all workflows."""

    def __init__(self, api: ApiServer, script: Document) -> None:
        self._api = api
        self._script = script
        self._text = json.dumps({name: script[name] for name in ("pod", "events")})
        self._slots = asyncio.Semaphore(_AT_ONCE)
        self._left: dict[tuple[str, str], list[str]] = {}

    async def began(self, document: Document) -> None:
        """A workflow was applied."""
        namespace, name = key = document["metadata"]["namespace"], document["metadata"]["name"]
        script = self._script
        text = self._text.replace(script["uid"], document["metadata"]["uid"])
        mine = json.loads(text.replace(script["key"][1], name).replace(f'"{script["key"][0]}"', f'"{namespace}"'))
        async with self._slots:
            for _ in range(_BEFORE_THE_POD):
                await self._write_status(key)
            await self._api.merge(WORKFLOWS, *key, {"metadata": {"finalizers": script["finalizers"]}})
            await self._api.create(PODS, mine["pod"])
            for event in mine["events"]:
                await self._api.create(EVENTS, event)
        self._left[key] = ["status"] * (script["statusWrites"] - _BEFORE_THE_POD)

    async def pod_changed(self, document: Document) -> None:
        """One status write each, as long as the script has one."""
        key = document["metadata"]["namespace"], document["metadata"]["labels"]["dormouse.dev/name"]
        if self._left.get(key):
            self._left[key].pop()
            async with self._slots:
                await self._write_status(key)

    async def _write_status(self, key: tuple[str, str]) -> None:
        await self._api.merge(WORKFLOWS, *key, {"status": self._script["status"]}, "status")


async def _events(watch: Callable[..., Awaitable[Any]], *arguments: str, **options: Any) -> AsyncIterator[Document]:
    """Without what the client's own Watch does on top: it decodes each line twice."""
    version = None
    while True:
        answer = await watch(*arguments, watch=True, resource_version=version, _request_timeout=7200, **options)
        async for line in answer.content:
            event = json.loads(line)
            version = event["object"]["metadata"]["resourceVersion"]
            yield event
        print(f"a watch ended at {version}", file=sys.stderr, flush=True)


async def main(script: Document) -> None:
    """Until killed."""
    configuration = await load_configuration()
    async with ApiServer(configuration) as api, ApiClient(configuration) as client, asyncio.TaskGroup() as group:
        loop = BareLoop(api, script)

        async def workflows() -> None:
            of_ours = (WORKFLOWS.group, WORKFLOWS.version, WORKFLOWS.plural)
            watch = CustomObjectsApi(client).list_cluster_custom_object_without_preload_content
            async for event in _events(watch, *of_ours):
                if event["type"] == "ADDED":
                    group.create_task(loop.began(event["object"]))

        async def pods() -> None:
            selector = "app.kubernetes.io/managed-by=dormouse"
            watch = CoreV1Api(client).list_pod_for_all_namespaces_without_preload_content
            async for event in _events(watch, label_selector=selector):
                if event["type"] == "MODIFIED":
                    group.create_task(loop.pod_changed(event["object"]))

        group.create_task(workflows())
        group.create_task(pods())


if __name__ == "__main__":
    asyncio.run(main(json.loads(Path(sys.argv[1]).read_text())))
