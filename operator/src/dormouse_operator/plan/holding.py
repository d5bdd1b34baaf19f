"""Who needs a store, and what may therefore not be deleted yet?

A DurableWorkflow that has data needs its store, the store's Secret and its certificates until the data is released:
when a namespace is deleted, everything in it is, in any order.
"""

from collections.abc import Iterable, Mapping
from itertools import islice
from typing import Any

from dormouse_operator.api import HeldObject, ObjectStore, Verdict
from dormouse_operator.plan.naming import FINALIZER, IN_USE_FINALIZER

_NAMED = 3
"""Naming all would make the message a new one for each that goes."""


def users(store: ObjectStore, workflows: Iterable[Mapping[str, Any]]) -> tuple[str, ...]:
    """Of the DurableWorkflows that name this store, the first that it is kept for, as many as matter to a reader.

    One without the finalizer has no data: it counts only as long as it may still get a pod. Of thousands no more
    are looked at than it takes; the names are in order.
    """
    is_open = store.metadata.deletion_timestamp is None
    found = (str(each["metadata"]["name"]) for each in workflows if _needs(each["metadata"], is_open))
    return tuple(sorted(islice(found, _NAMED + 1)))


def _needs(metadata: Mapping[str, Any], is_open: bool) -> bool:
    return FINALIZER in (metadata.get("finalizers") or ()) or (is_open and not metadata.get("deletionTimestamp"))


def named(store: ObjectStore) -> tuple[HeldObject, ...]:
    """What is needed to open the store."""
    spec = store.spec
    secret = HeldObject(kind="Secret", name=spec.credentials.secret_ref.name)
    if spec.ca_bundle is None:
        return (secret,)
    return secret, HeldObject(kind="ConfigMap", name=spec.ca_bundle.config_map_ref.name)


def recorded(store: ObjectStore) -> tuple[HeldObject, ...]:
    """What may be held for this store, once what it names now is added."""
    return (*store.status.holds, *(each for each in named(store) if each not in store.status.holds))


def superfluous(store: ObjectStore, others: Iterable[ObjectStore], *, is_used: bool) -> tuple[HeldObject, ...]:
    """What was held for this store and neither it nor another one needs any more."""
    needed = {held for other in others for held in other.status.holds}
    needed |= set(named(store)) if is_used else set()
    return tuple(each for each in store.status.holds if each not in needed)


def is_held(document: Mapping[str, Any]) -> bool:
    """Whether its deletion waits for us."""
    return IN_USE_FINALIZER in (document["metadata"].get("finalizers") or ())


def usage(store: ObjectStore, names: tuple[str, ...], absent: tuple[HeldObject, ...] = ()) -> Verdict:
    """What the condition InUse says. `absent`: what the store names and is not there to be held."""
    if not names:
        return Verdict("False", "NotUsed", "no DurableWorkflow has data here")
    if absent:
        first = absent[0]
        told = f"there is no {first.kind} `{first.name}` that could be kept from being deleted; create it"
        return Verdict("Unknown", f"{first.kind}NotFound", told)
    if store.metadata.deletion_timestamp is None:
        told = "DurableWorkflows keep their data here: this store and what it names stay until they are gone"
        return Verdict("True", "InUse", told)
    return Verdict("True", "DeletionWaits", waiting(names))


def waiting(names: tuple[str, ...]) -> str:
    """Why a deletion does not come to its end."""
    shown = ", ".join(names[:_NAMED]) + (" and others" if len(names) > _NAMED else "")
    return f"is deleted once these DurableWorkflows are, whose data cannot be reached without it: {shown}"
