"""For whom is a store kept, and what is kept with it?"""

from __future__ import annotations

from typing import Any

import pytest

from dormouse_operator.api import HeldObject
from dormouse_operator.plan import FINALIZER, holding
from unit.operator_samples import document, store

DELETED = {"metadata.deletionTimestamp": "2026-03-01T12:00:00Z"}
SECRET = HeldObject(kind="Secret", name="local")
TRUST = HeldObject(kind="ConfigMap", name="trust")
OLD = HeldObject(kind="Secret", name="old")


def user(name: str, *, has_data: bool = False, is_deleted: bool = False) -> dict[str, Any]:
    changes = {"metadata.name": name, "metadata.finalizers": [FINALIZER] if has_data else []}
    return document("DurableWorkflow", {**changes, **(DELETED if is_deleted else {})})


def test_a_store_is_kept_for_who_has_data_there_or_may_get_a_pod() -> None:
    workflows = [user("new"), user("old", has_data=True), user("leaving", has_data=True, is_deleted=True)]
    assert holding.users(store(), [*workflows, user("never-lived", is_deleted=True)]) == ("leaving", "new", "old")


def test_a_deleted_store_is_kept_only_for_who_has_data_there() -> None:
    assert holding.users(store(DELETED), [user("new"), user("old", has_data=True)]) == ("old",)


def test_of_thousands_of_workflows_no_more_are_looked_at_than_are_named() -> None:
    left = iter([user(f"report-{number}", has_data=True) for number in range(1000)])
    names = holding.users(store(DELETED), left)
    assert holding.waiting(names).endswith("report-0, report-1, report-2 and others")
    assert next(left)["metadata"]["name"] == "report-4"


def test_nobody_needs_a_store_without_workflows() -> None:
    assert holding.users(store(), []) == ()


def test_the_secret_and_the_certificates_are_kept_with_the_store() -> None:
    assert holding.named(store()) == (SECRET,)
    assert holding.named(store({"spec.caBundle": {"configMapRef": {"name": "trust"}}})) == (SECRET, TRUST)


def test_what_the_store_no_longer_names_stays_recorded_until_it_is_let_go() -> None:
    rotated = store({"status.holds": [{"kind": "Secret", "name": "old"}]})
    assert holding.recorded(rotated) == (OLD, SECRET)
    assert holding.superfluous(rotated, [], is_used=True) == (OLD,)


def test_a_secret_of_two_stores_is_kept_until_neither_needs_it() -> None:
    holds = {"status.holds": [{"kind": "Secret", "name": "local"}]}
    other = {**holds, "metadata.name": "other"}
    assert holding.superfluous(store(holds), [store(other)], is_used=False) == ()
    unused = store({"metadata.name": "other"})
    assert holding.superfluous(store(holds), [unused], is_used=False) == (SECRET,)


@pytest.mark.parametrize(
    ("changes", "names", "absent", "expected"),
    [
        ({}, (), (), ("False", "NotUsed")),
        ({}, ("a",), (), ("True", "InUse")),
        ({}, ("a",), (TRUST,), ("Unknown", "ConfigMapNotFound")),
        (DELETED, ("a",), (), ("True", "DeletionWaits")),
    ],
)
def test_the_condition_says_whether_everything_is_kept(
    changes: dict[str, Any], names: tuple[str, ...], absent: tuple[HeldObject, ...], expected: tuple[str, str]
) -> None:
    found = holding.usage(store(changes), names, absent)
    assert (found.status, found.reason) == expected


def test_a_deletion_that_waits_names_some_of_those_that_it_waits_for() -> None:
    assert holding.usage(store(DELETED), ("a", "b")).message.endswith(": a, b")
    assert holding.usage(store(DELETED), tuple("abcd")).message.endswith(": a, b, c and others")


def test_the_message_of_a_store_in_use_does_not_change_with_each_workflow() -> None:
    assert holding.usage(store(), ("a",)) == holding.usage(store(), ("a", "b"))
