"""What may a bucket do with objects by itself? Its versions, lifecycle rules and locks, and what they mean for us."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from xml.etree import ElementTree as ET

from dormouse.replica.s3 import Location
from dormouse.replica.store import StoreDenied, StoreError
from dormouse_operator.store.asking import Absent, ask, bucket_url
from dormouse_operator.store.check import Check
from dormouse_operator.store.signing import Request

_Element = ET.Element


async def settings_checks(location: Location, prefix: str) -> list[Check]:
    """Ask for each setting; one that may not be read is told as unknown. Raises StoreError when nobody answers."""
    lifecycle = await _read(location, "lifecycle", "s3:GetLifecycleConfiguration")
    versioning = await _read(location, "versioning", "s3:GetBucketVersioning")
    lock = await _read(location, "object-lock", "s3:GetBucketObjectLockConfiguration")
    rules = [] if isinstance(lifecycle, str | None) else list(_rules(lifecycle))
    return [
        _judged("Lifecycle", lifecycle, lambda _: expiry(rules, prefix)),
        _judged("Versioning", versioning, lambda found: versions(found, rules, prefix)),
        _judged("ObjectLock", lock, lock_default),
    ]


def expiry(rules: list[_Element], prefix: str) -> Check:
    """Does a rule take away, or put out of reach, what a workflow still needs?"""
    for rule in rules:
        if not _touches(rule, prefix):
            continue
        name = _text(rule, "ID") or "without an ID"
        where = f"below the prefix {prefix!r}" if prefix else "in the bucket"
        expires = rule.find("Expiration")
        if expires is not None and (_text(expires, "Days") or _text(expires, "Date")):
            told = f"the lifecycle rule {name} expires live objects {where}: workflows that sleep longer lose data"
            return Check("Lifecycle", "warned", f"{told}; let it apply to other prefixes only")
        if rule.find("Transition") is not None:
            told = f"the lifecycle rule {name} moves objects {where} to another storage class"
            return Check("Lifecycle", "warned", f"{told}; a class that has to be thawed first makes restores fail")
    return Check("Lifecycle", "passed", "no lifecycle rule expires live objects")


def versions(found: _Element, rules: list[_Element], prefix: str) -> Check:
    """Does what is removed here go away at last?"""
    if _text(found, "Status") != "Enabled":
        return Check("Versioning", "passed", "the bucket keeps no old versions")
    if any(rule.find("NoncurrentVersionExpiration") is not None and _touches(rule, prefix) for rule in rules):
        return Check("Versioning", "passed", "the bucket keeps old versions, and a lifecycle rule ends them")
    told = "the bucket keeps every version: nothing is lost, but what is removed costs on, and `Delete` leaves it"
    return Check("Versioning", "warned", f"{told}; add a lifecycle rule with NoncurrentVersionExpiration")


def lock_default(found: _Element) -> Check:
    """May what was written be removed again?"""
    mode = _text(found, "Rule/DefaultRetention/Mode")
    if not mode:
        return Check("ObjectLock", "passed", "no object is locked unless somebody asks for it")
    for_days, for_years = (_text(found, f"Rule/DefaultRetention/{unit}") for unit in ("Days", "Years"))
    how_long = f"{for_days} days" if for_days else f"{for_years} years"
    told = f"every object is locked ({mode}) for {how_long}: `deletionPolicy: Delete` cannot remove data before that"
    return Check("ObjectLock", "warned", f"{told}; use `Retain`, or a bucket without a default retention")


def _judged(name: str, found: _Element | str | None, judge: Callable[[_Element], Check]) -> Check:
    if isinstance(found, str):
        return Check(name, "unknown", found)
    return judge(ET.Element("none") if found is None else found)


async def _read(location: Location, setting: str, permission: str) -> _Element | str | None:
    """What is set; None when nothing is; a sentence when that is not told."""
    try:
        text = await ask(Request("GET", bucket_url(location), {setting: ""}), location)
        return _without_namespaces(ET.fromstring(text))  # noqa: S314 - of a store that is trusted with all data
    except Absent:
        return None
    except StoreDenied:
        return f"these credentials may not read it; with {permission} it would be checked"
    except (StoreError, ET.ParseError) as failed:
        return f"the store does not tell: {failed}"


def _without_namespaces(root: _Element) -> _Element:
    for element in root.iter():
        element.tag = element.tag.rpartition("}")[2]
    return root


def _rules(lifecycle: _Element) -> Iterator[_Element]:
    return (rule for rule in lifecycle.iter("Rule") if _text(rule, "Status") == "Enabled")


def _touches(rule: _Element, prefix: str) -> bool:
    """Whether it applies to any object of ours, which have no tags."""
    if rule.find("Filter/Tag") is not None or rule.find("Filter/And/Tag") is not None:
        return False
    places = ("Prefix", "Filter/Prefix", "Filter/And/Prefix")
    theirs = next((found for place in places if (found := _text(rule, place))), "")
    ours = f"{prefix}/" if prefix else ""
    return ours.startswith(theirs) or theirs.startswith(ours)


def _text(element: _Element, path: str) -> str:
    return (element.findtext(path) or "").strip()
