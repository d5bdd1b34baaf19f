"""Are settings of a bucket that harm workflows found, and harmless ones left alone?"""

from __future__ import annotations

from typing import Any

import pytest

from dormouse_operator.store.bucket_settings import expiry, judged, lock_default, versions
from dormouse_operator.store.check import Check, Outcome

EXPIRES = {"Expiration": {"Days": 30}}
ENDS_OLD_VERSIONS = {"NoncurrentVersionExpiration": {"NoncurrentDays": 7}}


def rule(**content: Any) -> list[Any]:
    return [{"ID": "tidy", "Status": "Enabled", **content}]


@pytest.mark.parametrize(
    "where",
    [{}, {"Prefix": ""}, {"Filter": {"Prefix": "team/"}}, {"Filter": {"Prefix": "team/prod/shop"}}],
)
def test_a_rule_that_expires_objects_of_ours_is_named(where: dict[str, Any]) -> None:
    found = expiry(rule(**EXPIRES, **where), "team/prod")
    assert found.outcome == "warned"
    assert found.message.startswith("the lifecycle rule tidy expires live objects below the prefix 'team/prod'")


@pytest.mark.parametrize(
    "chosen",
    [
        {"Prefix": "logs/"},
        {"Prefix": "team/production"},
        {"Tag": {"Key": "a", "Value": "b"}},
        {"And": {"Prefix": "team/", "Tags": [{"Key": "a", "Value": "b"}]}},
    ],
)
def test_a_rule_for_other_objects_is_none_of_ours(chosen: dict[str, Any]) -> None:
    assert expiry(rule(**EXPIRES, Filter=chosen), "team/prod").outcome == "passed"


def test_a_rule_that_only_ends_old_versions_or_uploads_expires_nothing() -> None:
    harmless = {"Expiration": {"ExpiredObjectDeleteMarker": True}}
    assert expiry(rule(**ENDS_OLD_VERSIONS, **harmless), "").outcome == "passed"


def test_a_rule_that_moves_objects_to_another_class_is_named() -> None:
    found = expiry(rule(Transitions=[{"Days": 90, "StorageClass": "GLACIER"}]), "")
    assert (found.outcome, "moves objects in the bucket to another storage class" in found.message) == ("warned", True)


@pytest.mark.parametrize(
    ("status", "rules", "outcome"),
    [
        (None, [], "passed"),
        ("Suspended", [], "passed"),
        ("Enabled", [], "warned"),
        ("Enabled", rule(**ENDS_OLD_VERSIONS), "passed"),
        ("Enabled", rule(**ENDS_OLD_VERSIONS, Filter={"Prefix": "elsewhere"}), "warned"),
    ],
)
def test_versions_that_nothing_ends_are_told(status: str | None, rules: list[Any], outcome: str) -> None:
    found: Any = {"Status": status} if status else {}
    assert versions(found, rules, "team").outcome == outcome


def test_a_default_retention_is_told_with_its_length() -> None:
    lock: Any = {"ObjectLockConfiguration": {"Rule": {"DefaultRetention": {"Mode": "COMPLIANCE", "Days": 9}}}}
    found = lock_default(lock)
    assert (found.outcome, "locked (COMPLIANCE) for 9 days" in found.message) == ("warned", True)
    nothing: Any = {}
    assert lock_default(nothing).outcome == "passed"


@pytest.mark.parametrize(
    ("outcomes", "status", "reason"),
    [
        (("passed", "passed", "passed"), "True", "Harmless"),
        (("passed", "warned", "unknown"), "False", "Versioning"),
        (("warned", "warned", "passed"), "False", "Lifecycle"),
        (("passed", "unknown", "passed"), "Unknown", "NotTold"),
    ],
)
def test_one_warning_makes_the_condition_false_and_its_name_is_the_reason(
    outcomes: tuple[Outcome, Outcome, Outcome], status: str, reason: str
) -> None:
    names = ("Lifecycle", "Versioning", "ObjectLock")
    checks = [Check(name, outcome, f"about {name}") for name, outcome in zip(names, outcomes, strict=True)]
    found = judged(checks)
    assert (found.status, found.reason) == (status, reason)
    told = [name for name in names if f"about {name}" in found.message]
    wanted = "warned" if status == "False" else "unknown"
    assert told == [name for name, outcome in zip(names, outcomes, strict=True) if outcome == wanted]
