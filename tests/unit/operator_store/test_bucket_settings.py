"""Are settings of a bucket that harm workflows found, and harmless ones left alone?"""

from __future__ import annotations

from xml.etree import ElementTree as ET

import pytest

from dormouse_operator.store.bucket_settings import expiry, lock_default, versions

EXPIRES = "<Expiration><Days>30</Days></Expiration>"
ENDS_OLD_VERSIONS = "<NoncurrentVersionExpiration><NoncurrentDays>7</NoncurrentDays></NoncurrentVersionExpiration>"


def rule(content: str, where: str = "") -> list[ET.Element]:
    return [ET.fromstring(f"<Rule><ID>tidy</ID>{where}{content}</Rule>")]


@pytest.mark.parametrize(
    "where",
    ["", "<Prefix/>", "<Filter><Prefix>team/</Prefix></Filter>", "<Filter><Prefix>team/prod/shop</Prefix></Filter>"],
)
def test_a_rule_that_expires_objects_of_ours_is_named(where: str) -> None:
    found = expiry(rule(EXPIRES, where), "team/prod")
    assert found.outcome == "warned"
    assert found.message.startswith("the lifecycle rule tidy expires live objects below the prefix 'team/prod'")


@pytest.mark.parametrize(
    "where",
    [
        "<Filter><Prefix>logs/</Prefix></Filter>",
        "<Filter><Prefix>team/production</Prefix></Filter>",
        "<Filter><Tag><Key>a</Key><Value>b</Value></Tag></Filter>",
        "<Filter><And><Prefix>team/</Prefix><Tag><Key>a</Key><Value>b</Value></Tag></And></Filter>",
    ],
)
def test_a_rule_for_other_objects_is_none_of_ours(where: str) -> None:
    assert expiry(rule(EXPIRES, where), "team/prod").outcome == "passed"


def test_a_rule_that_only_ends_old_versions_or_uploads_expires_nothing() -> None:
    harmless = "<Expiration><ExpiredObjectDeleteMarker>true</ExpiredObjectDeleteMarker></Expiration>"
    assert expiry(rule(ENDS_OLD_VERSIONS + harmless), "").outcome == "passed"


def test_a_rule_that_moves_objects_to_another_class_is_named() -> None:
    moves = "<Transition><Days>90</Days><StorageClass>GLACIER</StorageClass></Transition>"
    found = expiry(rule(moves), "")
    assert (found.outcome, "moves objects in the bucket to another storage class" in found.message) == ("warned", True)


@pytest.mark.parametrize(
    ("status", "rules", "outcome"),
    [
        ("", [], "passed"),
        ("Suspended", [], "passed"),
        ("Enabled", [], "warned"),
        ("Enabled", rule(ENDS_OLD_VERSIONS), "passed"),
        ("Enabled", rule(ENDS_OLD_VERSIONS, "<Filter><Prefix>elsewhere</Prefix></Filter>"), "warned"),
    ],
)
def test_versions_that_nothing_ends_are_told(status: str, rules: list[ET.Element], outcome: str) -> None:
    found = ET.fromstring(f"<VersioningConfiguration><Status>{status}</Status></VersioningConfiguration>")
    assert versions(found, rules, "team").outcome == outcome


def test_a_default_retention_is_told_with_its_length() -> None:
    lock = "<L><Rule><DefaultRetention><Mode>COMPLIANCE</Mode><Days>9</Days></DefaultRetention></Rule></L>"
    found = lock_default(ET.fromstring(lock))
    assert (found.outcome, "locked (COMPLIANCE) for 9 days" in found.message) == ("warned", True)
    assert lock_default(ET.fromstring("<L/>")).outcome == "passed"
