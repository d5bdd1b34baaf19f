"""What is known of the cluster, and which keys does a change concern?"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

from dormouse_operator.controller.api_server import Version
from dormouse_operator.controller.cache import Cache
from dormouse_operator.controller.resources import (
    PODS,
    STORES,
    WORKFLOWS,
    Document,
    Key,
    Resource,
    key_of,
    version_number,
    version_of,
)
from dormouse_operator.controller.trimming import trimmed
from dormouse_operator.plan import check_of, identity_of, workflow_uid


@dataclass(frozen=True)
class Task:
    """One key of the queue: plan for this workflow, or look after this store."""

    kind: Literal["workflow", "store"]
    key: Key


class World:
    """The caches that the watches feed, and the operator's own writes, which no watch tells as news afterwards."""

    def __init__(
        self, look_at: Callable[[Task], None], rolls: Callable[[Key, bool], None] = lambda _key, _is_rolling: None
    ) -> None:
        """`look_at` is told what has to be looked at again, for each change; `rolls` whether a workflow rolls."""
        self._look_at = look_at
        self._rolls = rolls
        self.workflows = Cache(lambda workflow: "/".join(store_of(workflow)), partial(trimmed, WORKFLOWS))
        self.stores = Cache(lambda store: str(store["metadata"]["namespace"]), partial(trimmed, STORES))
        self.pods = Cache(workflow_uid, partial(trimmed, PODS))
        self._caches = {WORKFLOWS.plural: self.workflows, STORES.plural: self.stores, PODS.plural: self.pods}
        self.wait_for_idle: set[Key] = set()
        """The workflows with `spec.disruption`: of ten thousand others none has to be read to know these."""

    def put(self, resource: Resource, document: Document) -> None:
        """The object was seen like this."""
        if resource is WORKFLOWS:
            self._put_workflow(document)
        elif self._cache(resource).put(document):
            self.wake(resource, document)

    def _put_workflow(self, document: Document) -> None:
        key, metadata = key_of(document), document["metadata"]
        # Every write of ours comes back by a watch: that this is no news is all that is looked up for it.
        if not self.workflows.lacks(key, str(metadata.get("uid", "")), version_of(document)):
            return
        known = self.workflows.get(key)
        self.workflows.put(document)
        self.wake(WORKFLOWS, document)
        self._notice(key, document)
        if _hold_of(known) != _hold_of(document):
            self._look_at(Task("store", store_of(document)))

    def found(self, resource: Resource, document: Document) -> None:
        """It was read just now: it is there, whatever the watches told."""
        if self._cache(resource).found(document):
            self.wake(resource, document)

    def drop(self, resource: Resource, document: Document, version: int = 0) -> None:
        """This very object is gone since that version, by itself its own."""
        if self._cache(resource).drop(document, version):
            self.wake(resource, document)
            if resource is WORKFLOWS:
                self._notice(key_of(document), {})
                self._look_at(Task("store", store_of(document)))

    def compare(self, resource: Resource, present: Iterable[str], version: int, among: Iterable[Key]) -> None:
        """Of these keys those are gone that a list of that version would have, and has not by these UIDs."""
        for document in self._cache(resource).absent(frozenset(present), version, among):
            self.drop(resource, document, version)

    def lacks(self, resource: Resource, listed: Version) -> bool:
        """Whether this version, of which a list told, is newer than what is known."""
        key = listed.namespace, listed.name
        return self._cache(resource).lacks(key, listed.uid, version_number(listed.resource_version))

    def keys(self, resource: Resource, namespace: str | None) -> Iterator[Key]:
        """Of what is known in one namespace, without one in all of them."""
        return (key for key in self._cache(resource).keys_of() if namespace in (None, key[0]))

    def concerned(self, resource: Resource, document: Document) -> tuple[Task, ...]:
        """What has to be looked at again because this object changed."""
        namespace, name = key_of(document)
        if resource is WORKFLOWS:
            return (Task("workflow", (namespace, name)),)
        if resource is STORES:
            users = (Task("workflow", user) for user in self.workflows.keys_of(f"{namespace}/{name}"))
            return (Task("store", (namespace, name)), *users)
        identity = identity_of(document) or check_of(document)
        return () if identity is None else (Task("workflow", (namespace, identity.workflow)),)

    def all_tasks(self) -> tuple[Task, ...]:
        """Stores first: workflows wait for what is found out about them."""
        stores = tuple(Task("store", key) for key in self.stores.keys_of())
        return stores + tuple(Task("workflow", key) for key in self.workflows.keys_of())

    def workflows_of(self, store: Key) -> Iterator[Document]:
        """The workflows that name this store, one at a time: there may be thousands."""
        return self.workflows.members("/".join(store))

    def _cache(self, resource: Resource) -> Cache:
        return self._caches[resource.plural]

    def wake_those_that_wait_for_idle(self) -> None:
        """Another node is cordoned, or one is not any more."""
        for key in self.wait_for_idle:
            self._look_at(Task("workflow", key))

    def _notice(self, key: Key, known: Document) -> None:
        if (known.get("spec") or {}).get("disruption") is None:
            self.wait_for_idle.discard(key)
        else:
            self.wait_for_idle.add(key)
        self._rolls(key, bool((known.get("status") or {}).get("rollingSince")))

    def wake(self, resource: Resource, document: Document) -> None:
        """Look again at what this object concerns."""
        for task in self.concerned(resource, document):
            self._look_at(task)


def store_of(workflow: Document) -> Key:
    """The key of the ObjectStore that it names."""
    storage = (workflow.get("spec") or {}).get("storage") or {}
    return workflow["metadata"]["namespace"], (storage.get("storeRef") or {}).get("name", "")


def _hold_of(workflow: Document | None) -> tuple[Any, ...]:
    """What decides whether the store is kept for it."""
    metadata = {} if workflow is None else workflow["metadata"]
    return metadata.get("uid"), metadata.get("finalizers"), metadata.get("deletionTimestamp")
