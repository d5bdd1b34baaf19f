"""Does the store encrypt what it is given? With the key that was named, or as its bucket does by itself."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING
from uuid import uuid4

from dormouse.replica.s3 import Location
from dormouse_operator.store.bucket_client import bucket_client
from dormouse_operator.store.check import Check
from dormouse_operator.store.probe import FOLDER

if TYPE_CHECKING:
    from types_boto3_s3.type_defs import GetBucketEncryptionOutputTypeDef

_NAME = "Encryption"
_NOT_OF_THE_KEY = {"NoSuchBucket", "InvalidAccessKeyId", "SignatureDoesNotMatch", "InvalidToken", "ExpiredToken"}


async def key_check(location: Location, prefix: str) -> Check | None:
    """Write an object with the key of `location`, and ask the store with what it was encrypted.

    None when the store refused or failed for a reason that has nothing to do with the key.
    """
    return await asyncio.to_thread(_key_check, location, prefix)


def _key_check(location: Location, prefix: str) -> Check | None:
    from botocore.exceptions import BotoCoreError, ClientError

    client, bucket, wanted = bucket_client(location), location.bucket, location.kms_key_id
    key = "/".join(part for part in (prefix, FOLDER, uuid4().hex) if part)
    try:
        client.put_object(Bucket=bucket, Key=key, ServerSideEncryption="aws:kms", SSEKMSKeyId=wanted)
        try:
            found = client.head_object(Bucket=bucket, Key=key)
        finally:
            client.delete_object(Bucket=bucket, Key=key)
    except ClientError as error:
        if error.response.get("Error", {}).get("Code") in _NOT_OF_THE_KEY:
            return None
        return Check(_NAME, "failed", f"the store does not encrypt with the KMS key {wanted}: {error}")
    except BotoCoreError:
        return None  # it was not reached
    used: str = found.get("ServerSideEncryption", "")
    if used != "aws:kms":
        told = f"the store took the KMS key {wanted} and encrypted with {used or 'nothing'}"
        return Check(_NAME, "failed", f"{told}; use a store with SSE-KMS, or name no key")
    return Check(_NAME, "passed", f"the store encrypts with the KMS key {found.get('SSEKMSKeyId', wanted)}")


def bucket_default(found: GetBucketEncryptionOutputTypeDef) -> Check:
    """What the bucket does with objects that come without a key."""
    for rule in found.get("ServerSideEncryptionConfiguration", {}).get("Rules", ()):
        default = rule.get("ApplyServerSideEncryptionByDefault")
        if default is not None:
            key = default.get("KMSMasterKeyID")
            told = f"the bucket encrypts with {default['SSEAlgorithm']}{f' and the key {key}' if key else ''}"
            return Check(_NAME, "passed", told)
    return Check(_NAME, "passed", "the bucket sets no encryption: objects are stored as the store does by itself")
