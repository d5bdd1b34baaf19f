"""What may a bucket do with objects by itself? Its versions, lifecycle rules and locks, and what they mean for us."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeVar, cast

from dormouse.replica.s3 import Location
from dormouse_operator.api import Verdict
from dormouse_operator.store.bucket_client import bucket_client
from dormouse_operator.store.check import Check
from dormouse_operator.store.encryption import bucket_default

if TYPE_CHECKING:
    from types_boto3_s3.type_defs import (
        GetBucketEncryptionOutputTypeDef,
        GetBucketLifecycleConfigurationOutputTypeDef,
        GetBucketVersioningOutputTypeDef,
        GetObjectLockConfigurationOutputTypeDef,
        LifecycleRuleOutputTypeDef,
    )

Found = TypeVar("Found", bound=Mapping[str, Any])
_NOT_SET = {
    "NoSuchLifecycleConfiguration",
    "ObjectLockConfigurationNotFoundError",
    "NoSuchObjectLockConfiguration",
    "ServerSideEncryptionConfigurationNotFoundError",
    "404",
}
_ANSWERED_WITHIN_SECONDS = 15.0
_DENIED = {"AccessDenied", "403"}


async def settings_checks(location: Location, prefix: str) -> list[Check]:
    """Ask for each setting; one that is not told is unknown."""
    return await asyncio.to_thread(_settings_checks, location, prefix)


async def settings_verdict(location: Location, prefix: str) -> Verdict:
    """What a condition says of them, with the name of the first check that warns as its reason."""
    try:
        async with asyncio.timeout(_ANSWERED_WITHIN_SECONDS):
            return judged(await settings_checks(location, prefix))
    except TimeoutError:
        return Verdict("Unknown", "NotTold", "the store does not tell its bucket's settings in time")


async def encryption_check(location: Location) -> Check:
    """How the bucket encrypts what comes without a key."""
    return await asyncio.to_thread(_encryption_check, location)


def _encryption_check(location: Location) -> Check:
    client, nothing = bucket_client(location), cast("GetBucketEncryptionOutputTypeDef", {})
    found = _read(
        lambda: client.get_bucket_encryption(Bucket=location.bucket), "s3:GetEncryptionConfiguration", nothing
    )
    return _judged("Encryption", found, bucket_default)


def judged(checks: Sequence[Check]) -> Verdict:
    """One warning is enough; what is not told alarms nobody."""
    warnings = [check for check in checks if check.outcome == "warned"]
    if warnings:
        return Verdict("False", warnings[0].name, "; ".join(check.message for check in warnings))
    unknown = [check for check in checks if check.outcome == "unknown"]
    if unknown:
        return Verdict("Unknown", "NotTold", "; ".join(f"{check.name}: {check.message}" for check in unknown))
    return Verdict("True", "Harmless", "the bucket takes nothing away by itself, and keeps nothing that was removed")


def _settings_checks(location: Location, prefix: str) -> list[Check]:
    client, bucket = bucket_client(location), location.bucket
    nothing: GetBucketLifecycleConfigurationOutputTypeDef | Any = {}
    lifecycle = _read(
        lambda: client.get_bucket_lifecycle_configuration(Bucket=bucket), "s3:GetLifecycleConfiguration", nothing
    )
    versioning = _read(lambda: client.get_bucket_versioning(Bucket=bucket), "s3:GetBucketVersioning", nothing)
    lock = _read(
        lambda: client.get_object_lock_configuration(Bucket=bucket), "s3:GetBucketObjectLockConfiguration", nothing
    )
    rules = [] if isinstance(lifecycle, str) else _enabled(lifecycle)
    return [
        _judged("Lifecycle", lifecycle, lambda _: expiry(rules, prefix)),
        _judged("Versioning", versioning, lambda found: versions(found, rules, prefix)),
        _judged("ObjectLock", lock, lock_default),
    ]


def expiry(rules: Sequence[LifecycleRuleOutputTypeDef], prefix: str) -> Check:
    """Does a rule take away, or put out of reach, what a workflow still needs?"""
    for rule in rules:
        if not _touches(rule, prefix):
            continue
        name = rule.get("ID") or "without an ID"
        where = f"below the prefix {prefix!r}" if prefix else "in the bucket"
        expires = rule.get("Expiration", {})
        if expires.get("Days") or expires.get("Date"):
            told = f"the lifecycle rule {name} expires live objects {where}: workflows that sleep longer lose data"
            return Check("Lifecycle", "warned", f"{told}; let it apply to other prefixes only")
        if rule.get("Transitions"):
            told = f"the lifecycle rule {name} moves objects {where} to another storage class"
            return Check("Lifecycle", "warned", f"{told}; a class that has to be thawed first makes restores fail")
    return Check("Lifecycle", "passed", "no lifecycle rule expires live objects")


def versions(
    found: GetBucketVersioningOutputTypeDef, rules: Sequence[LifecycleRuleOutputTypeDef], prefix: str
) -> Check:
    """Does what is removed here go away at last?"""
    if found.get("Status") != "Enabled":
        return Check("Versioning", "passed", "the bucket keeps no old versions")
    if any(rule.get("NoncurrentVersionExpiration") and _touches(rule, prefix) for rule in rules):
        return Check("Versioning", "passed", "the bucket keeps old versions, and a lifecycle rule ends them")
    told = "the bucket keeps every version: nothing is lost, but what is removed costs on, and `Delete` leaves it"
    return Check("Versioning", "warned", f"{told}; add a lifecycle rule with NoncurrentVersionExpiration")


def lock_default(found: GetObjectLockConfigurationOutputTypeDef) -> Check:
    """May what was written be removed again?"""
    default = found.get("ObjectLockConfiguration", {}).get("Rule", {}).get("DefaultRetention", {})
    if not (mode := default.get("Mode")):
        return Check("ObjectLock", "passed", "no object is locked unless somebody asks for it")
    how_long = f"{default['Days']} days" if default.get("Days") else f"{default.get('Years')} years"
    told = f"every object is locked ({mode}) for {how_long}: `deletionPolicy: Delete` cannot remove data before that"
    return Check("ObjectLock", "warned", f"{told}; use `Retain`, or a bucket without a default retention")


def _judged(name: str, found: Found | str, judge: Callable[[Found], Check]) -> Check:
    return Check(name, "unknown", found) if isinstance(found, str) else judge(found)


def _read(ask: Callable[[], Found], permission: str, nothing: Found) -> Found | str:
    """What is set; a sentence when that is not told."""
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        return ask()
    except ClientError as refused:
        error = refused.response.get("Error", {})
        code = error.get("Code", "")
        if code in _NOT_SET:
            return nothing
        if code in _DENIED:
            return f"these credentials may not read it; with {permission} it would be checked"
        return f"the store does not tell: {code}: {error.get('Message', '')}".rstrip(": ")
    except BotoCoreError as failed:
        return f"the store does not tell: {failed}"


def _enabled(lifecycle: GetBucketLifecycleConfigurationOutputTypeDef) -> list[LifecycleRuleOutputTypeDef]:
    return [rule for rule in lifecycle.get("Rules", ()) if rule.get("Status") == "Enabled"]


def _touches(rule: LifecycleRuleOutputTypeDef, prefix: str) -> bool:
    """Whether it applies to any object of ours, which have no tags."""
    chosen = rule.get("Filter", {})
    both = chosen.get("And", {})
    if chosen.get("Tag") or both.get("Tags"):
        return False
    theirs = rule.get("Prefix") or chosen.get("Prefix") or both.get("Prefix") or ""
    ours = f"{prefix}/" if prefix else ""
    return ours.startswith(theirs) or theirs.startswith(ours)
