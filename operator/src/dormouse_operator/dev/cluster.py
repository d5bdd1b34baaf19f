"""Which objects are there now? The last good manifests, with the identity and status that the state keeps."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec

from dormouse_operator.api import (
    DurableWorkflow,
    DurableWorkflowStatus,
    InvalidManifest,
    ObjectStore,
    validate_update,
)
from dormouse_operator.dev.container import Surroundings
from dormouse_operator.dev.leftovers import tag
from dormouse_operator.dev.local_store import MADE_HERE
from dormouse_operator.dev.manifests import Key, ManifestError, Manifests
from dormouse_operator.dev.pod_status import timestamp
from dormouse_operator.dev.state import StateFile, applied

_ANOTHER_NAME = "choose another metadata.name"


class Cluster:
    """What an API server would answer. `apply` takes all or nothing."""

    def __init__(self, file: StateFile) -> None:
        """Empty until the first `apply`."""
        self._file = file
        self._manifests = Manifests()
        self._in_files: list[Key] = []
        self._tag = tag(file.path.parent)

    @property
    def keys(self) -> list[Key]:
        """All workflows that were applied since the start."""
        return list(self._manifests.workflows)

    def apply(self, manifests: Manifests) -> list[str]:
        """Take the documents over; says what changed. Raises ManifestError, and then nothing changed."""
        state = self._file.state
        now = timestamp()
        told = []
        workflows = dict(state.workflows)
        for key, wanted in manifests.workflows.items():
            earlier = workflows.get("/".join(key))
            _check_update(earlier, wanted, manifests, self._remedy(manifests, wanted))
            workflows["/".join(key)] = after = applied(earlier, wanted, now)
            if earlier is not None and after.metadata.generation != earlier.metadata.generation:
                told.append(f"{key[1]}: the spec changed (generation {after.metadata.generation})")
        stores = dict(state.stores)
        for key, store in manifests.stores.items():
            if MADE_HERE not in store.metadata.annotations:  # its endpoint may change from start to start
                _check_update(stores.get("/".join(key)), store, manifests, _ANOTHER_NAME)
                stores["/".join(key)] = applied(stores.get("/".join(key)), store, now)
        before = self._manifests
        told += [
            f"{key[1]}: is not in the files any more; it keeps running until `dormouse dev` ends"
            for key in self._in_files
            if key not in manifests.workflows
        ]
        self._in_files = list(manifests.workflows)
        state.workflows, state.stores = workflows, stores
        self._manifests = Manifests(
            workflows={**before.workflows, **manifests.workflows},
            stores={**before.stores, **manifests.stores},
            secrets={**before.secrets, **manifests.secrets},
            config_maps={**before.config_maps, **manifests.config_maps},
            folders={**before.folders, **manifests.folders},
            places={**before.places, **manifests.places},
        )
        return told

    def workflow(self, key: Key) -> DurableWorkflow:
        """With UID, generation and status."""
        return self._file.state.workflows["/".join(key)]

    def set_status(self, key: Key, status: DurableWorkflowStatus) -> None:
        """Replace the status."""
        workflow = self.workflow(key)
        self._file.state.workflows["/".join(key)] = msgspec.structs.replace(workflow, status=status)

    def forget_verdicts(self, key: Key) -> None:
        """What stood in an earlier run's way has to be found out again; what is completed stays so."""
        status = self.workflow(key).status
        if not status.is_true("Completed"):
            self.set_status(key, msgspec.structs.replace(status, phase="", conditions=(), failures=0))

    def remedy(self, key: Key) -> str:
        """What to do to start a workflow anew."""
        return self._remedy(self._manifests, self.workflow(key))

    def _remedy(self, manifests: Manifests, workflow: DurableWorkflow) -> str:
        metadata = workflow.metadata
        store = manifests.stores.get((metadata.namespace, workflow.spec.storage.store_ref.name))
        if store is None or MADE_HERE not in store.metadata.annotations:
            return _ANOTHER_NAME  # its data lies elsewhere, and would belong to another UID
        return f"{_ANOTHER_NAME}, or, to start all of its workflows from nothing, remove {self._file.path.parent.name}"

    def store(self, key: Key) -> ObjectStore | None:
        """The ObjectStore of that namespace and name."""
        return self._manifests.stores.get(key)

    def secret(self, key: Key) -> Mapping[str, bytes] | None:
        """The values of the Secret of that namespace and name."""
        return self._manifests.secrets.get(key)

    def config_map(self, key: Key) -> Mapping[str, bytes] | None:
        """The values of the ConfigMap of that namespace and name."""
        return self._manifests.config_maps.get(key)

    def set_config_map(self, manifest: Mapping[str, Any]) -> None:
        """Create or replace a ConfigMap that a plan asks for."""
        key = (manifest["metadata"]["namespace"], manifest["metadata"]["name"])
        values = {name: text.encode() for name, text in manifest["data"].items()}
        held = {**self._manifests.config_maps, key: values}
        self._manifests = replace(self._manifests, config_maps=held)

    def around(self, key: Key) -> Surroundings:
        """What the pods of a workflow find beside their own manifests."""
        return Surroundings(
            secrets=self._manifests.secrets,
            config_maps=self._manifests.config_maps,
            modules=self._manifests.folders.get(key, Path.cwd()),
            tag=self._tag,
        )


def _check_update(
    earlier: DurableWorkflow | ObjectStore | None,
    wanted: DurableWorkflow | ObjectStore,
    manifests: Manifests,
    remedy: str,
) -> None:
    if earlier is None:
        return
    try:
        validate_update(earlier, wanted)
    except InvalidManifest as refused:
        metadata = wanted.metadata
        place = manifests.places.get((wanted.kind, (metadata.namespace, metadata.name)))
        told = f"{wanted.kind} {metadata.name}: {refused.path} cannot be changed: {remedy}"
        raise ManifestError(f"{place}: {told}" if place else told) from refused
