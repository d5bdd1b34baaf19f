"""How are credentials minted that may do less than the operator's own? By AssumeRole, with a policy for the session."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dormouse.replica.store import StoreDenied, StoreError, StoreUnknown
from dormouse_operator.api import ObjectStore, Sts
from dormouse_operator.store.location import key_of_secret

if TYPE_CHECKING:
    from types_boto3_sts import STSClient

_ANSWERED_WITHIN_SECONDS = 10.0
_KEYS_REFUSED = {"InvalidClientTokenId", "SignatureDoesNotMatch", "ExpiredToken", "InvalidAccessKeyId"}
_TOO_LONG = {"PackedPolicyTooLarge", "MalformedPolicyDocument"}


@dataclass(frozen=True)
class Minted:
    """Credentials of a session, and until when they are good."""

    access_key_id: str
    secret_access_key: str = field(repr=False)
    session_token: str = field(repr=False)
    minted_at: datetime
    ends_at: datetime

    def document(self, read_again_at: datetime) -> bytes:
        """In the words of AWS's `credential_process`, for clients that are to look for the next ones then."""
        said = {
            "Version": 1,
            "AccessKeyId": self.access_key_id,
            "SecretAccessKey": self.secret_access_key,
            "SessionToken": self.session_token,
            "Expiration": read_again_at.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        }
        return json.dumps(said).encode()


def assume_role(
    store: ObjectStore, sts: Sts, secret: Mapping[str, bytes], ca_bundle: Path | None, policy: str, session: str
) -> Minted:
    """Ask for credentials; `session` is the name that an audit log has. It blocks: call it in a thread.

    Raises:
        StoreError: with the field of the ObjectStore that has to be put right.
    """
    from botocore.exceptions import BotoCoreError, ClientError

    reference = store.spec.credentials.secret_ref
    endpoint = sts.endpoint or store.spec.endpoint
    minted_at = datetime.now(UTC)
    try:
        client = _client(
            endpoint,
            store.spec.region,
            key_of_secret(secret, reference.name, reference.access_key_id_key),
            key_of_secret(secret, reference.name, reference.secret_access_key_key),
            "" if ca_bundle is None else str(ca_bundle),
        )
        answer = client.assume_role(
            RoleArn=sts.role_arn, RoleSessionName=session, DurationSeconds=sts.duration_seconds, Policy=policy
        )
        given = answer["Credentials"]
        return Minted(
            given["AccessKeyId"], given["SecretAccessKey"], given["SessionToken"], minted_at, given["Expiration"]
        )
    except ClientError as refused:
        raise _refusal(store, endpoint, refused.response) from refused
    except (BotoCoreError, ValueError, KeyError, OSError) as failed:
        told = f"{_STS}.endpoint: {endpoint or 'AWS'} does not answer AssumeRole: {type(failed).__name__}: {failed}"
        raise StoreUnknown(told) from failed


@lru_cache(maxsize=16)
def _client(endpoint: str, region: str, access_key_id: str, secret_access_key: str, ca_bundle: str) -> STSClient:
    """To make one takes longer than to ask it, and threads may share it."""
    import boto3  # half a second, which only those pay who ask
    from botocore.config import Config

    return boto3.session.Session().client(
        "sts",
        endpoint_url=endpoint or None,
        region_name=region,
        aws_access_key_id=access_key_id,
        aws_secret_access_key=secret_access_key,
        verify=ca_bundle or None,
        config=Config(
            connect_timeout=_ANSWERED_WITHIN_SECONDS,
            read_timeout=_ANSWERED_WITHIN_SECONDS,
            retries={"mode": "standard", "total_max_attempts": 1},
        ),
    )


_STS = "spec.credentials.sts"


def _refusal(store: ObjectStore, endpoint: str, response: Mapping[str, Any]) -> StoreError:
    code = str(response.get("Error", {}).get("Code") or "")
    status = response.get("ResponseMetadata", {}).get("HTTPStatusCode")
    said = f"{code or 'HTTP'} {status}: {response.get('Error', {}).get('Message') or 'no reason given'}"
    secret = store.spec.credentials.secret_ref.name
    if code in _KEYS_REFUSED:
        return StoreDenied(
            f"spec.credentials.secretRef: the keys in Secret `{secret}` are refused ({said}); renew them"
        )
    if code == "AccessDenied":
        return StoreDenied(
            f"{_STS}.roleArn: the keys in Secret `{secret}` may not assume this role, or are not known ({said}); "
            "let the role trust them, or correct the Secret"
        )
    if code in _TOO_LONG or "2048" in said:
        return StoreError(f"spec.prefix: too long for the policy of a session ({said}); use another ObjectStore")
    if code in {"ValidationError", "InvalidParameterValue"}:
        return StoreError(f"{_STS}: {said}; correct roleArn, or durationSeconds, which the role may limit")
    return StoreError(
        f"{_STS}.endpoint: {endpoint or 'AWS'} mints no credentials ({said}); name an endpoint that answers "
        "AssumeRole, or remove spec.credentials.sts, so that pods have the Secret's keys"
    )
