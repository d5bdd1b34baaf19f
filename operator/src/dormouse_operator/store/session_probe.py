"""Does the store mint credentials for a pod, and do they open the pod's own prefix and nothing else?"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path

from dormouse.replica.layout import Layout
from dormouse.replica.s3 import S3, Location
from dormouse.replica.store import StoreDenied, StoreError
from dormouse_operator.api import ObjectStore, Sts, Verdict
from dormouse_operator.plan import session_policy
from dormouse_operator.store.probe import FOLDER
from dormouse_operator.store.sts import Minted, assume_role


async def probe_sessions(store: ObjectStore, sts: Sts, secret: Mapping[str, bytes], ca_bundle: Path | None) -> Verdict:
    """What the condition Available says of a store that is asked for credentials of pods."""
    own, other = (Layout.of(store.spec.prefix, FOLDER, name) for name in ("own", "other"))
    policy = session_policy(store, own)
    try:
        minted = await asyncio.to_thread(assume_role, store, sts, secret, ca_bundle, policy, "dormouse-probe")
        opened = S3(_location(store, minted, ca_bundle))
        await opened.get(own.current)  # what is not there is no refusal
    except (StoreError, OSError) as failed:
        return Verdict("False", "SessionCredentialsRefused", str(failed))
    try:
        await opened.get(other.current)
    except StoreDenied:
        return Verdict("True", "Answers", "the store answers, and mints credentials that open one prefix only")
    except (StoreError, OSError) as failed:
        return Verdict("False", "SessionCredentialsRefused", str(failed))
    told = (
        "spec.credentials.sts: the store mints credentials, but they open more than their policy says; remove "
        "spec.credentials.sts, or use a store that keeps to the policy of a session"
    )
    return Verdict("False", "SessionPolicyIgnored", told)


def _location(store: ObjectStore, minted: Minted, ca_bundle: Path | None) -> Location:
    return Location(
        bucket=store.spec.bucket,
        endpoint=store.spec.endpoint,
        region=store.spec.region,
        path_style=store.spec.path_style,
        access_key_id=minted.access_key_id,
        secret_access_key=minted.secret_access_key,
        session_token=minted.session_token,
        ca_bundle="" if ca_bundle is None else str(ca_bundle),
        kms_key_id=store.spec.kms_key_id,
    )
