"""Who sent this token, and is a report the sender's own?

The API server answers the first question (TokenReview): a kubelet asks for the token in the name of one pod, for the
one audience that reports have. The second is pure.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections import OrderedDict
from dataclasses import dataclass

from dormouse.keeper.report import Report
from dormouse_operator.controller.api_server import ApiServer
from dormouse_operator.controller.resources import TOKEN_REVIEWS, Document
from dormouse_operator.plan import REPORTS_AUDIENCE, identity_of

_REMEMBERED_SECONDS = 60.0
_REMEMBERED = 10_000
_REVIEWS_AT_ONCE = 8
_WAITING_FOR_REVIEW = 64
"""Any pod of the cluster may send any number of wrong tokens: what waits for the API server has a bound."""
_POD_NAME = "authentication.kubernetes.io/pod-name"
_POD_UID = "authentication.kubernetes.io/pod-uid"
_SERVICE_ACCOUNT = "system:serviceaccount:"


class TooManyTokens(Exception):
    """So many tokens wait to be reviewed that another one has to come again."""


@dataclass(frozen=True)
class Sender:
    """The pod in whose name a kubelet asked for the token."""

    namespace: str
    pod: str
    pod_uid: str


def sender_of(review: Document) -> Sender | None:
    """What the API server says of a token; None when it is not one of a pod's for reports."""
    status = review.get("status") or {}
    if not status.get("authenticated") or REPORTS_AUDIENCE not in (status.get("audiences") or ()):
        return None
    user = status.get("user") or {}
    extra = user.get("extra") or {}
    name, uid = (extra.get(field) or [""] for field in (_POD_NAME, _POD_UID))
    account = str(user.get("username") or "")
    if not account.startswith(_SERVICE_ACCOUNT) or not name[0] or not uid[0]:
        return None
    return Sender(account.removeprefix(_SERVICE_ACCOUNT).partition(":")[0], str(name[0]), str(uid[0]))


def objection(report: Report, sender: Sender, pod: Document) -> str:
    """Why this report is not the sender's own; empty when it is."""
    identity = identity_of(pod)
    is_of = {
        "namespace": (report.namespace, sender.namespace),
        "podUID": (report.pod_uid, sender.pod_uid),
        "name": (report.name, None if identity is None else identity.workflow),
        "workflowUID": (report.workflow_uid, None if identity is None else identity.workflow_uid),
        "epoch": (report.epoch, None if identity is None else identity.epoch),
    }
    wrong = [f"{field} is {said}, not {known}" for field, (said, known) in is_of.items() if said != known]
    return f"the token is that of pod {sender.pod}: {', '.join(wrong)}" if wrong else ""


class Senders:
    """Remembers what the API server said of a token for a minute, so a token may outlive itself by that."""

    def __init__(self, api: ApiServer) -> None:
        """Tokens are remembered by their hash."""
        self._api = api
        self._known: OrderedDict[bytes, tuple[float, Sender | None]] = OrderedDict()
        self._asking = asyncio.Semaphore(_REVIEWS_AT_ONCE)
        self._waiting = 0

    async def identify(self, token: str) -> Sender | None:
        """None for a token that no pod has for reports. Raises ApiError or TooManyTokens."""
        digest = hashlib.sha256(token.encode()).digest()
        if (known := self._fresh(digest)) is not None:
            return known[1]
        if self._waiting >= _REVIEWS_AT_ONCE + _WAITING_FOR_REVIEW:
            raise TooManyTokens(f"{_WAITING_FOR_REVIEW} other tokens wait to be reviewed; report again")
        self._waiting += 1
        try:
            sender = await self._review(token)
        finally:
            self._waiting -= 1
        self._known[digest] = (_clock(), sender)
        self._known.move_to_end(digest)
        if len(self._known) > _REMEMBERED:
            self._known.popitem(last=False)
        return sender

    async def _review(self, token: str) -> Sender | None:
        review = {
            "apiVersion": "authentication.k8s.io/v1",
            "kind": "TokenReview",
            "metadata": {},
            "spec": {"token": token, "audiences": [REPORTS_AUDIENCE]},
        }
        async with self._asking:
            return sender_of(await self._api.create(TOKEN_REVIEWS, review))

    def _fresh(self, digest: bytes) -> tuple[float, Sender | None] | None:
        known = self._known.get(digest)
        return known if known is not None and _clock() - known[0] < _REMEMBERED_SECONDS else None


def _clock() -> float:
    return asyncio.get_running_loop().time()
