"""How is one planned action done?"""

from __future__ import annotations

from dormouse_operator.controller.api_server import ApiServer, Conflict, NotFound, Refused
from dormouse_operator.controller.finalizing import is_gone, set_finalizer
from dormouse_operator.controller.resources import (
    CONFIG_MAPS,
    PODS,
    WORKFLOWS,
    Document,
    controller_of,
    key_of,
)
from dormouse_operator.controller.world import World
from dormouse_operator.plan import FINALIZER, ApplyConfigMap, CreateCheck, CreatePod, DeletePod


class Actor:
    """What it gets back goes into the cache at once: the next plan need not wait for a watch."""

    def __init__(self, api: ApiServer, world: World) -> None:
        """`world` is told what came of it."""
        self._api = api
        self._world = world

    async def create_pod(self, action: CreatePod | CreateCheck) -> None:
        """Refused when the API server does not take it; a pod of that name that is there already is fine."""
        try:
            self._world.put(PODS, await self._api.create(PODS, action.manifest))
        except Conflict:
            self._world.put(PODS, await self._api.get(PODS, *key_of(action.manifest)))

    async def delete_pod(self, namespace: str, action: DeletePod) -> None:
        """Only the pod of that UID; one that is gone is fine."""
        try:
            left = await self._api.delete(PODS, namespace, action.name, action.uid, action.grace_seconds)
        except (NotFound, Conflict):
            gone: Document = {"metadata": {"namespace": namespace, "name": action.name, "uid": action.uid}}
            self._world.drop(PODS, gone)
            return
        if (left.get("metadata") or {}).get("uid") == action.uid:
            self._world.put(PODS, left)

    async def delete_workflow(self, planned_with: Document) -> None:
        """Only as it was planned with; Conflict when somebody has changed it since. One that is gone is fine."""
        namespace, name = key_of(planned_with)
        newest = self._world.workflows.get((namespace, name)) or planned_with
        if newest["metadata"].get("generation") != planned_with["metadata"].get("generation"):
            return
        uid, version = planned_with["metadata"]["uid"], newest["metadata"]["resourceVersion"]
        try:
            left = await self._api.delete(WORKFLOWS, namespace, name, uid, version=version)
        except NotFound:
            self._world.drop(WORKFLOWS, newest)
            return
        if (left.get("metadata") or {}).get("uid") == uid:
            self._world.put(WORKFLOWS, left)

    async def set_finalizer(self, document: Document, *, is_held: bool) -> None:
        """Hold the object, or let it go. Raises Conflict when it changed meanwhile."""
        try:
            made = await set_finalizer(self._api, WORKFLOWS, document, FINALIZER, is_held=is_held)
        except NotFound:
            self._world.drop(WORKFLOWS, document)
            raise
        if is_gone(made):
            self._world.drop(WORKFLOWS, made)
        else:
            self._world.put(WORKFLOWS, made)

    async def apply_config_map(self, action: ApplyConfigMap) -> None:
        """Create or replace; Refused when one of that name belongs to somebody else."""
        wanted = action.manifest
        try:
            found = await self._api.get(CONFIG_MAPS, *key_of(wanted))
        except NotFound:
            await self._api.create(CONFIG_MAPS, wanted)
            return
        if controller_of(found) != controller_of(wanted):
            raise Refused(
                f"the ConfigMap `{found['metadata']['name']}` would hold the source, but it is not this "
                "DurableWorkflow's; rename or delete it"
            )
        if found.get("data") != wanted["data"] or found.get("binaryData"):
            version = {"resourceVersion": found["metadata"]["resourceVersion"]}
            await self._api.replace(CONFIG_MAPS, {**wanted, "metadata": {**wanted["metadata"], **version}})
