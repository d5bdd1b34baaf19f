"""How is the store port kept over S3? With obstore, whose own retries are switched off."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import obstore
from obstore.exceptions import (
    AlreadyExistsError,
    BaseError,
    NotModifiedError,
    NotSupportedError,
    PermissionDeniedError,
    PreconditionError,
    UnauthenticatedError,
)
from obstore.store import S3Store

from dormouse.replica.requests import Requests
from dormouse.replica.session import SessionFile
from dormouse.replica.store import (
    UNCHANGED,
    BucketMissing,
    ListedObject,
    StoreConflict,
    StoreDenied,
    StoredObject,
    StoreError,
    StoreUnknown,
    StoreUnsupported,
    Unchanged,
)

_CODE = re.compile(r"(?:<Code>|\(code: )([\w.:]+)")
"""As S3 writes it, and as obstore does of one of the keys that it deletes together."""
_OF_KMS = re.compile(r"<(Code|Message)>[^<]*(\bkms[:.]|\bKMS\b)")
_PASSING = re.compile(r"Throttling|SlowDown|Internal|Unavailable|Timeout")
"""KMS throttles and fails for a while as well, behind the same words."""
_NEW_EACH_TIME = re.compile(r" in [0-9.]+(ns|µs|ms|s)\b|<(RequestId|HostId)>.*?</\2>", re.DOTALL)
"""The same failure is told in the same words, since a status is written, and an Event made, for new ones."""
_DENIED = {"AccessDenied", "InvalidAccessKeyId", "SignatureDoesNotMatch", "ExpiredToken", "InvalidToken"}

_SIGNED_FOR = timedelta(hours=6)
_STALLED_SECONDS = 60.0
_PART_BYTES = 8 * 1024 * 1024
_MOST_PARTS = 9_000
_PARTS_AT_ONCE = 4


def objection(key: str) -> str:
    """What is wrong with a key to a store; empty when nothing is. The S3 client panics at what no header can hold."""
    if key.isascii() and key.isprintable() and " " not in key:
        return ""
    return "the value has a line break, a blank or something else in it that no key has; write it anew"


@dataclass(frozen=True)
class Location:
    """Where a bucket is and how to get in. An empty endpoint means AWS."""

    bucket: str
    endpoint: str = ""
    region: str = "us-east-1"
    path_style: bool = True
    access_key_id: str = ""
    secret_access_key: str = field(default="", repr=False)
    session_token: str = field(default="", repr=False)
    session_file: str = ""
    """Where the keys are read from, again and again, instead: see `dormouse.replica.session`."""
    ca_bundle: str = ""
    kms_key_id: str = ""
    """With which the store is asked to encrypt what is written; empty: as the bucket does by itself."""


class S3:
    """A bucket behind the S3 API. Every request ends within `timeout_seconds`."""

    def __init__(self, location: Location, timeout_seconds: float = 5, requests: Requests | None = None) -> None:
        """`requests` counts what this client asks, perhaps together with what others do."""
        self.requests = Requests() if requests is None else requests
        client: dict[str, Any] = {
            "timeout": f"{timeout_seconds}s",
            "connect_timeout": f"{min(2.0, timeout_seconds)}s",
            "allow_http": location.endpoint.startswith("http://"),
        }
        if location.ca_bundle:
            client["root_certificate"] = Path(location.ca_bundle).read_bytes()
        options: dict[str, Any] = {}
        if location.endpoint:
            options["endpoint"] = location.endpoint
        if location.session_file:
            options["credential_provider"] = SessionFile(location.session_file)
        elif location.access_key_id:
            options["access_key_id"] = location.access_key_id
            options["secret_access_key"] = location.secret_access_key
        if location.session_token:
            options["session_token"] = location.session_token
        if location.kms_key_id:
            options["server_side_encryption"] = "aws:kms"
            options["sse_kms_key_id"] = location.kms_key_id
        self._bucket = location.bucket
        self._remedy = (
            "the operator renews them; the condition Available of the ObjectStore says what is in its way"
            if location.session_file
            else "correct the Secret that the ObjectStore names"
        )
        self._kms_key_id = location.kms_key_id
        self._ca_bundle = location.ca_bundle
        self._store = S3Store(
            location.bucket,
            region=location.region,
            virtual_hosted_style_request=not location.path_style,
            client_options=client,  # type: ignore[arg-type] # the TypedDict exists for type checkers only
            # A retry of ours decides after reading; a retry below us would hide what happened.
            retry_config={"max_retries": 0, "retry_timeout": timedelta(seconds=timeout_seconds)},
            **options,
        )

    async def get(self, key: str, unless_etag: str | None = None) -> StoredObject | Unchanged | None:
        with self.requests.counted("get"):
            try:
                found = await obstore.get_async(
                    self._store, key, options={"if_none_match": unless_etag} if unless_etag else {}
                )
                data = bytes(await found.bytes_async())
            except NotModifiedError:
                return UNCHANGED
            except (BaseError, FileNotFoundError, OSError) as error:
                translated = self._translate(error)
                if translated is None:
                    return None
                raise translated from error
        self.requests.bytes["get"] += len(data)
        etag = found.meta["e_tag"]
        if etag is None:
            raise StoreError(f"the store gave no ETag for {key}; a store without ETags cannot be used")
        return StoredObject(data, etag, found.meta["last_modified"])

    async def put(self, key: str, data: bytes, if_match: str | None) -> str:
        with self.requests.counted("put"):
            self.requests.bytes["put"] += len(data)
            try:
                result = await obstore.put_async(
                    self._store,
                    key,
                    data,
                    mode={"e_tag": if_match} if if_match else "create",
                    use_multipart=False,
                )
            except (AlreadyExistsError, PreconditionError) as error:
                raise StoreConflict(_short(error)) from error
            except (BaseError, FileNotFoundError, OSError) as error:
                raise self._translate(error) or StoreConflict(_short(error)) from error
        etag = result["e_tag"]
        if etag is None:
            raise StoreUnknown(f"the store gave no ETag for {key}")
        return etag

    async def create_from(self, key: str, file: Path) -> None:
        """Write an object from a file, which is never in memory as a whole, if there is none of this key.

        Raises:
            StoreConflict: as of `put`; a store that says so before it has read all may only be known to have hung up.
        """
        from dormouse.replica.uploading import Answered, create_from_file  # no pod needs it

        try:
            url = await obstore.sign_async(self._store, "PUT", key, _SIGNED_FOR)
            await asyncio.to_thread(create_from_file, url, file, self._ca_bundle, _STALLED_SECONDS)
        except Answered as answered:
            if answered.is_conflict:
                raise StoreConflict(_short(answered)) from answered
            raise self._translate(answered) or StoreConflict(_short(answered)) from answered
        except (BaseError, FileNotFoundError, OSError) as error:
            raise self._translate(error) or StoreConflict(_short(error)) from error

    async def replace_from(self, key: str, file: Path) -> None:
        """The same in parts, for what is too large for one request, and whatever is there: parts know no condition.

        The object is there when its last part is, and not before.
        """
        part = max(_PART_BYTES, -(-file.stat().st_size // _MOST_PARTS))
        try:
            await obstore.put_async(
                self._store, key, file, use_multipart=True, chunk_size=part, max_concurrency=_PARTS_AT_ONCE
            )
        except (BaseError, FileNotFoundError, OSError) as error:
            raise self._translate(error) or StoreUnknown(_short(error)) from error

    async def exists(self, key: str) -> bool:
        return await self.size(key) is not None

    async def size(self, key: str) -> int | None:
        with self.requests.counted("head"):
            try:
                return (await obstore.head_async(self._store, key))["size"]
            except (BaseError, FileNotFoundError, OSError) as error:
                translated = self._translate(error)
                if translated is None:
                    return None
                raise translated from error

    async def keys(self, prefix: str) -> AsyncIterator[str]:
        async for listed in self.objects(prefix):
            yield listed.key

    async def objects(self, prefix: str) -> AsyncIterator[ListedObject]:
        pages = 0
        try:
            async for page in obstore.list(self._store, prefix.rstrip("/"), chunk_size=1000):
                pages += 1
                self.requests.add("list", "answered")
                for item in page:
                    yield ListedObject(item["path"], item["size"], item["last_modified"])
        except (BaseError, FileNotFoundError, OSError) as error:
            translated = self._translate(error)
            self.requests.add("list", "answered" if translated is None else "failed")
            if translated is not None:
                raise translated from error
        else:
            if not pages:
                self.requests.add("list", "answered")

    async def part(self, key: str, start: int, count: int) -> bytes | None:
        with self.requests.counted("get"):
            try:
                data = bytes(await obstore.get_range_async(self._store, key, start=start, length=count))
            except (BaseError, FileNotFoundError, OSError) as error:
                translated = self._translate(error)
                if translated is None:
                    return None
                raise translated from error
        self.requests.bytes["get"] += len(data)
        return data

    async def delete(self, key: str) -> None:
        with self.requests.counted("delete"):
            try:
                await obstore.delete_async(self._store, key)
            except (BaseError, FileNotFoundError, OSError) as error:
                translated = self._translate(error)
                if translated is not None:
                    raise translated from error

    def _translate(self, error: Exception) -> StoreError | None:
        """None means a definite 404 of the key itself."""
        text = str(error)
        found = _CODE.search(text)
        code = found[1] if found else None
        if code == "NoSuchBucket":
            return BucketMissing(f"the bucket {self._bucket!r} does not exist; create it, or correct spec.bucket")
        if code is not None and _PASSING.search(code):
            return StoreUnknown(_short(error))
        if _OF_KMS.search(text):  # with any status, also 404 and 501
            return StoreDenied(
                f"the store does not encrypt with the KMS key {self._kms_key_id or 'of its bucket'} ({code}); correct "
                "spec.serverSideEncryption of the ObjectStore, or let its credentials use the key"
            )
        if code in _DENIED or isinstance(error, (PermissionDeniedError, UnauthenticatedError)):
            return StoreDenied(
                f"the store refused the credentials ({code or 'denied'}) for the bucket {self._bucket!r}; "
                f"{self._remedy}"
            )
        if code == "NotImplemented" or "status code: 501" in text or isinstance(error, NotSupportedError):
            return StoreUnsupported(f"the store does not know this request: {_short(error)}")
        if isinstance(error, FileNotFoundError):
            return None
        return StoreUnknown(_short(error))


def _short(error: Exception) -> str:
    return _NEW_EACH_TIME.sub("", str(error)).split("\n", 1)[0][:300]
