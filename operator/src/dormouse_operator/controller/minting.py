"""How do a pod's own credentials get into its Secret, and how are they known again after a restart?

What they were minted for and when the next ones are due stands in annotations of the Secret: so a new leader mints
none that are there already.
"""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Callable
from datetime import UTC, datetime

from dormouse.replica.store import StoreError
from dormouse_operator.api import ObjectStore
from dormouse_operator.controller.api_server import ApiServer, NotFound, Refused
from dormouse_operator.controller.asking import Seen
from dormouse_operator.controller.credentials import Credentials
from dormouse_operator.controller.events import EventTeller
from dormouse_operator.controller.resources import SECRETS, Document, controller_of, key_of
from dormouse_operator.controller.store_lanes import StoreLanes
from dormouse_operator.plan import (
    RENEW_AT_ANNOTATION,
    SESSION_ANNOTATION,
    SESSION_FILE,
    EmitEvent,
    MintSession,
    Session,
    times,
)
from dormouse_operator.store.sts import Minted, assume_role

_MINTING_SECONDS = 15.0
_AFTER_FAILURE_SECONDS = 15.0
_PAUSE_SECONDS = 0.5
"""A store whose credentials end at once is not asked in a hot loop."""

AssumeRole = Callable[..., Minted]


class SessionMinter:
    """In the store's lane, since its STS may hang as the store may."""

    def __init__(
        self, api: ApiServer, lanes: StoreLanes, events: EventTeller, assume_role: AssumeRole = assume_role
    ) -> None:
        """`assume_role` asks the real STS unless a test says otherwise."""
        self._api = api
        self._lanes = lanes
        self._events = events
        self._assume_role = assume_role

    async def mint(self, seen: Seen, action: MintSession) -> bool:
        """Whether there is something new to plan with; what came of it is in the memory. Raises ApiError."""
        store, credentials = seen.store, seen.credentials
        minting = seen.memory.minting(action.manifest["metadata"]["name"])
        clock = asyncio.get_running_loop().time
        if store is None or credentials is None or credentials.secret is None or clock() < minting.again_at:
            return False
        before = minting.error
        try:
            found = await self._find(action)
            known = None if found is None or minting.session is not None else _known(found)
            minting.session = known or await self._mint(action, found, store, credentials)
            minting.error = ""
        except (StoreError, Refused) as failed:
            minting.error = str(failed)
            minting.again_at = clock() + _AFTER_FAILURE_SECONDS
            if not before:
                await self._events.tell(seen.document, EmitEvent("Warning", "SessionCredentialsRefused", str(failed)))
            return minting.error != before
        minting.again_at = clock() + _PAUSE_SECONDS
        return True

    async def _find(self, action: MintSession) -> Document | None:
        """The Secret; Refused when it is somebody else's."""
        try:
            found = await self._api.get(SECRETS, *key_of(action.manifest))
        except NotFound:
            return None
        if controller_of(found) != controller_of(action.manifest):
            name = found["metadata"]["name"]
            raise Refused(f"the Secret `{name}` would hold the pod's credentials, but is not this DurableWorkflow's")
        return found

    async def _mint(
        self, action: MintSession, found: Document | None, store: ObjectStore, credentials: Credentials
    ) -> Session:
        sts, secret = store.spec.credentials.sts, credentials.secret
        assert sts is not None and secret is not None  # noqa: PT018, S101 - else nothing is minted
        namespace, name = key_of(action.manifest)
        async with self._lanes.turn(store, "mint", _MINTING_SECONDS):
            minted = await asyncio.to_thread(
                self._assume_role, store, sts, secret, credentials.ca_bundle, action.policy, f"{namespace}.{name}"[:64]
            )
        renew_at, read_again_at = times(minted.minted_at, minted.ends_at, sts.duration_seconds)
        annotations = {SESSION_ANNOTATION: action.made_for, RENEW_AT_ANNOTATION: renew_at.isoformat()}
        data = {SESSION_FILE: base64.b64encode(minted.document(read_again_at)).decode()}
        if found is not None:
            metadata = {"resourceVersion": found["metadata"]["resourceVersion"], "annotations": annotations}
            await self._api.merge(SECRETS, namespace, name, {"metadata": metadata, "data": data})
        else:
            metadata = {**action.manifest["metadata"], "annotations": annotations}
            try:
                await self._api.create(SECRETS, {**action.manifest, "metadata": metadata, "data": data})
            except Refused as refused:
                remedy = "the chart's value sessionCredentials.enabled lets the operator create it"
                raise Refused(f"the Secret `{name}` for the pod's credentials: {refused}; {remedy}") from refused
        return Session(action.made_for, renew_at)


def _known(found: Document) -> Session | None:
    """None when its annotations do not say."""
    annotations = found["metadata"].get("annotations") or {}
    try:
        renew_at = datetime.fromisoformat(annotations[RENEW_AT_ANNOTATION])
        return Session(annotations[SESSION_ANNOTATION], renew_at if renew_at.tzinfo else renew_at.replace(tzinfo=UTC))
    except (KeyError, ValueError):
        return None
