"""Which credentials does a pod get of its own, what do they open, and when are the next ones due?

The ObjectStore's Secret opens every workflow below its prefix. With `spec.credentials.sts` it stays with the operator:
each workflow has a Secret of its own, with credentials for its prefix that end by themselves.
"""

import hashlib
from datetime import datetime, timedelta

from msgspec import json
from msgspec.structs import replace

from dormouse.replica.layout import Layout
from dormouse_operator.api import DurableWorkflow, ObjectStore, Sts
from dormouse_operator.plan.actions import MintSession
from dormouse_operator.plan.case import READ_AGAIN_SECONDS, Case, Step, Trouble, stalled
from dormouse_operator.plan.manifests import labels, owner
from dormouse_operator.plan.naming import check_session_name, session_name
from dormouse_operator.plan.observed import Session

_WRITES = ("s3:GetObject", "s3:PutObject", "s3:DeleteObject", "s3:AbortMultipartUpload")
_USES_KEY = ("kms:GenerateDataKey", "kms:Decrypt")
RENEWED_AFTER = 0.5
"""Of what they last. The kubelet may take two minutes to bring the next ones to the pod."""
_CLOCKS_DIFFER_BY = timedelta(minutes=1)
"""Those of two operators: one that starts to lead mints nothing that is there."""
READ_AGAIN_AFTER = 0.75
"""Then clients look for the next ones, while theirs are still good."""


def session_policy(
    store: ObjectStore, workflow: Layout, source: Layout | None = None, imported: str = "", *, writes: bool = True
) -> str:
    """What a pod may do, at most: all below its own prefix; read what it begins with, and write none of that.

    Without `writes` it only reads.
    """
    sts = store.spec.credentials.sts
    on_aws = sts is not None and sts.role_arn.startswith("arn:aws")
    partition = sts.role_arn.split(":")[1] if sts is not None and on_aws else "aws"
    bucket = f"arn:{partition}:s3:::{store.spec.bucket}"
    read = [f"{bucket}/{source.root}/*"] if source is not None else []
    read += [f"{bucket}/{imported}"] if imported else []
    listed = [f"{each.root}/*" for each in (workflow, source) if each is not None]
    statements = [
        {"Effect": "Allow", "Action": _WRITES if writes else "s3:GetObject", "Resource": f"{bucket}/{workflow.root}/*"},
        {
            "Effect": "Allow",
            "Action": "s3:ListBucket",
            "Resource": bucket,
            "Condition": {"StringLike": {"s3:prefix": listed}},
        },
    ]
    if read:
        statements.append({"Effect": "Allow", "Action": "s3:GetObject", "Resource": read})
    if store.spec.kms_key_id and on_aws:  # elsewhere a store asks its key management service by itself
        through_s3 = {"StringLike": {"kms:ViaService": "s3.*.amazonaws.com*"}}
        # Not that key alone: what is there already may be encrypted with one that was named before.
        statements.append({"Effect": "Allow", "Action": _USES_KEY, "Resource": "*", "Condition": through_s3})
    return json.encode({"Version": "2012-10-17", "Statement": statements}).decode()


def first_minting(case: Case) -> Step | None:
    """Before a pod: the credentials that it is to have, unless they are there."""
    if (ignored := _ignored(case)) is not None:
        return stalled(ignored)
    due = _due(case)
    if due is None:
        return None
    if case.observed.session_error:
        step = stalled(Trouble("SessionCredentialsRefused", case.observed.session_error))
    else:
        told = "credentials of the pod's own are asked for"
        step = Step(phase="Pending", reason="MintingCredentials", message=told)
    return replace(step, actions=(due,), wait_seconds=READ_AGAIN_SECONDS)


def check_minting(case: Case) -> MintSession | None:
    """Before the pod of a check: credentials that only read, unless they are there."""
    store, sts = case.observed.store, _sts(case)
    if store is None or sts is None:
        return None
    wanted = _minting(case, store, sts, with_source=not _is_replicated(case), writes=False)
    session = case.observed.check_session
    is_good = session is not None and session.made_for == wanted.made_for and _lasts(session, sts, case.now)
    return None if is_good else wanted


def with_renewal(case: Case, step: Step) -> Step:
    """The step, and the next credentials of a pod that lives, once they are due."""
    if _sts(case) is None or case.dwf.metadata.deletion_timestamp or not any(life.live for life in case.lives):
        return step
    due = _due(case)
    if due is not None:
        waits, actions = READ_AGAIN_SECONDS, (*step.actions, due)
    else:
        session = case.observed.session
        assert session is not None  # noqa: S101 - what is not there is due
        waits, actions = max(1.0, (session.renew_at - case.now).total_seconds()), step.actions
    return replace(step, actions=actions, wait_seconds=min(waits, step.wait_seconds or waits))


def _sts(case: Case) -> Sts | None:
    """How pods get credentials of their own; None where they have the Secret's."""
    store = case.observed.store
    return store.spec.credentials.sts if store is not None and case.settings.on_cluster else None


def _ignored(case: Case) -> Trouble | None:
    """A pod would get credentials that open the data of others."""
    store = case.observed.store
    if store is None or _sts(case) is None:
        return None
    said = store.status.condition("Available")
    if said is None or said.reason != "SessionPolicyIgnored":
        return None
    return Trouble("SessionPolicyIgnored", f"ObjectStore `{store.metadata.name}`: {said.message}")


def times(minted_at: datetime, ends_at: datetime, asked_seconds: int) -> tuple[datetime, datetime]:
    """When the next credentials are minted, and from when on clients look for them.

    `minted_at` is by the operator's clock, `ends_at` by that of who mints: if ours is behind, they seem to last longer
    than was asked for.
    """
    lasts = min(ends_at - minted_at, timedelta(seconds=asked_seconds))
    return minted_at + lasts * RENEWED_AFTER, minted_at + lasts * READ_AGAIN_AFTER


def _due(case: Case) -> MintSession | None:
    store = case.observed.store
    sts = _sts(case)
    if store is None or sts is None:
        return None
    session = case.observed.session
    wanted = _minting(case, store, sts, with_source=False)
    # What was once minted without the source never has it again: only what is replicated gets there.
    if (session is None or session.made_for != wanted.made_for) and not _is_replicated(case):
        wanted = _minting(case, store, sts, with_source=True)
    if session is None or session.made_for != wanted.made_for:
        return wanted
    return None if _lasts(session, sts, case.now) else wanted


def _lasts(session: Session, sts: Sts, now: datetime) -> bool:
    """Whether it is too early for the next ones."""
    # Later than that it never was when they were minted: the clock was set back since, and they may end unnoticed.
    latest = now + timedelta(seconds=sts.duration_seconds) * RENEWED_AFTER + _CLOCKS_DIFFER_BY
    return now < session.renew_at <= latest


def _is_replicated(case: Case) -> bool:
    """Whether it could be restored from its own prefix: a keeper is ready only then."""
    own = case.own_current
    return (
        case.dwf.spec.restore is None
        or bool(case.dwf.status.restored_at)
        or any(life.keeper_ready for life in case.lives)
        or (own is not None and own.replicated)
    )


def _minting(case: Case, store: ObjectStore, sts: Sts, *, with_source: bool, writes: bool = True) -> MintSession:
    dwf, prefix = case.dwf, store.spec.prefix
    metadata, restore = dwf.metadata, dwf.spec.restore if with_source else None
    own, source, imported = Layout.of(prefix, metadata.namespace, metadata.name), None, ""
    if restore is not None and restore.from_object is not None:
        imported = own.imported(restore.from_object.key)
    elif restore is not None:
        source = Layout.of(prefix, metadata.namespace, restore.from_name)
    policy = session_policy(store, own, source, imported, writes=writes)
    digest = hashlib.sha256(json.encode([policy, sts, case.observed.secret_version], order="sorted")).hexdigest()[:16]
    name = (session_name if writes else check_session_name)(metadata.name, metadata.uid)
    return MintSession(manifest=_secret(dwf, name), policy=policy, made_for=digest)


def _secret(dwf: DurableWorkflow, name: str) -> dict[str, object]:
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {
            "name": name,
            "namespace": dwf.metadata.namespace,
            "labels": labels(dwf),
            "ownerReferences": [owner(dwf)],
        },
    }
