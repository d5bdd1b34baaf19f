"""What is wrong with Dormouse on a cluster, or with your rights there, and what is the remedy? Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from dormouse.cluster.remedies import REMEDIES
from dormouse.cluster.seen import Condition, Seen, conditions

Document = dict[str, Any]
Level = Literal["ok", "note", "wrong"]
OLDEST = (1, 33)
_INSTALL = "helm upgrade --install dormouse charts/dormouse"
_INSTALL_DEFINITIONS = "helm upgrade --install dormouse-crds charts/dormouse-crds"
_LEASE_SECONDS = 60


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at. `wrong` needs somebody; a `note` may be as you want it."""

    check: str
    level: Level
    message: str
    remedy: str = ""


@dataclass(frozen=True)
class Access:
    """What somebody may do, and which verbs of `dormouse` need it."""

    verb: str
    resource: str
    group: str = ""
    subresource: str = ""
    for_verbs: str = ""

    @property
    def text(self) -> str:
        return f"{self.verb} {self.resource}{f'/{self.subresource}' if self.subresource else ''}"

    def review(self, namespace: str | None) -> Document:
        """What the API server is asked."""
        attributes = {
            "verb": self.verb, "resource": self.resource, "group": self.group, "subresource": self.subresource,
            "namespace": namespace or "",
        }  # fmt: skip
        return {
            "apiVersion": "authorization.k8s.io/v1",
            "kind": "SelfSubjectAccessReview",
            "spec": {"resourceAttributes": {name: value for name, value in attributes.items() if value}},
        }


_OURS = "dormouse.dev"
NEEDED = (
    Access("get", "durableworkflows", _OURS, for_verbs="everything that takes a NAME"),
    Access("list", "durableworkflows", _OURS, for_verbs="status, -l and completion"),
    Access("watch", "durableworkflows", _OURS, for_verbs="status --watch and logs"),
    Access("get", "pods", for_verbs="status"),
    Access("list", "events", for_verbs="status"),
    Access("create", "pods", subresource="portforward", for_verbs="list, show, signal and all that ask the pod"),
    Access("get", "pods", subresource="log", for_verbs="logs"),
    Access("watch", "pods", for_verbs="logs"),
    Access("patch", "durableworkflows", _OURS, for_verbs="suspend and resume"),
    Access("get", "objectstores", _OURS, for_verbs="pull"),
    Access("get", "secrets", for_verbs="pull"),
)


def of_version(document: Document) -> Finding:
    """Whether the cluster is new enough."""
    server = document.get("serverVersion") or {}
    try:
        found = int(server["major"]), int(str(server["minor"]).rstrip("+"))
    except (KeyError, ValueError):
        return Finding("cluster", "wrong", "it does not say which version it is", "is this an API server?")
    told = f"it answers, and is Kubernetes {server.get('gitVersion', '.'.join(map(str, found)))}"
    if found < OLDEST:
        return Finding("cluster", "wrong", told, f"upgrade it to {'.'.join(map(str, OLDEST))} or later")
    return Finding("cluster", "ok", told)


def of_definitions(served: Sequence[str]) -> list[Finding]:
    """Whether both kinds are known to the API server."""
    missing = [name for name in ("durableworkflows", "objectstores") if name not in served]
    if missing:
        remedy = f"install the definitions: {_INSTALL_DEFINITIONS}"
        return [Finding("definitions", "wrong", f"the cluster does not know {' and '.join(missing)}", remedy)]
    return [Finding("definitions", "ok", "durableworkflows and objectstores are served as v1alpha1")]


def of_fields(definition: Document, known: Sequence[str]) -> Finding:
    """Whether the definition has the fields that this program knows."""
    versions = {version["name"]: version for version in definition["spec"]["versions"]}
    schema = versions.get("v1alpha1", {}).get("schema", {}).get("openAPIV3Schema", {}).get("properties", {})
    there = {f"{part}.{name}" for part in ("spec", "status") for name in schema.get(part, {}).get("properties", {})}
    if missing := sorted(set(known) - there):
        told = f"they are older than this program and drop {', '.join(missing)}"
        return Finding("definitions", "wrong", told, f"upgrade them: {_INSTALL_DEFINITIONS}")
    if more := sorted(there - set(known)):
        told = f"they are newer than this program, which does not know {', '.join(more)}"
        return Finding("definitions", "note", told, "upgrade this program")
    return Finding("definitions", "ok", "they are those of this program")


def of_operators(deployments: Sequence[Document], version: str) -> list[Finding]:
    """Whether there is one that is ready, of this program's version."""
    if not deployments:
        return [Finding("operator", "wrong", "there is none: nothing starts, and no lost pod is replaced", _INSTALL)]
    found = []
    for one in deployments:
        metadata, status = one["metadata"], one.get("status") or {}
        name = f"{metadata['namespace']}/{metadata['name']}"
        ready, wanted = status.get("readyReplicas") or 0, (one.get("spec") or {}).get("replicas", 1)
        logs = f"kubectl --namespace {metadata['namespace']} logs deployment/{metadata['name']} says why"
        level: Level = "ok" if ready >= wanted else "note" if ready else "wrong"
        told = f"{name}: {ready} of {wanted} replicas are ready"
        found.append(Finding("operator", level, told, "" if level == "ok" else logs))
        theirs = (metadata.get("labels") or {}).get("app.kubernetes.io/version", "unknown")
        if theirs != version:
            told = f"{name} is of version {theirs}, this program of {version}"
            found.append(Finding("operator", "note", told, "upgrade the older one"))
    return found


def of_lease(lease: Document, now: datetime) -> Finding:
    """Whether somebody leads."""
    name, spec = f"{lease['metadata']['namespace']}/{lease['metadata']['name']}", lease.get("spec") or {}
    holder, renewed = spec.get("holderIdentity"), spec.get("renewTime")
    remedy = "nobody acts on workflows meanwhile; look at the operator's logs"
    if not holder or not renewed:
        return Finding("lease", "wrong", f"nobody holds {name}", remedy)
    seconds = (now - datetime.fromisoformat(renewed)).total_seconds()
    if seconds > max(_LEASE_SECONDS, 2 * (spec.get("leaseDurationSeconds") or 0)):
        return Finding("lease", "wrong", f"{holder} has not renewed {name} for {seconds:.0f} s", remedy)
    return Finding("lease", "ok", f"{holder} leads")


def of_access(answers: Sequence[tuple[Access, bool]], where: str) -> list[Finding]:
    """What you may not do, and which verbs will not work for it."""
    found = [
        Finding(
            "permissions",
            "note",
            f"you may not {needed.text} {where}, which is for {needed.for_verbs}",
            f"have the ClusterRole {'view' if needed.verb in ('get', 'list', 'watch') else 'edit'} bound to you there"
            if needed.resource != "secrets"
            else "have a Role bound to you that lets you get the Secret of the ObjectStore",
        )
        for needed, is_allowed in answers
        if not is_allowed
    ]
    return found or [Finding("permissions", "ok", f"you may do {where} all that the verbs need")]


def of_store(store: Document) -> list[Finding]:
    """Whether it can be used, and what was noticed about it."""
    name = f"{store['metadata']['namespace']}/{store['metadata']['name']}"
    found = {one.type: one for one in conditions(store)}
    findings = []
    for kind in ("Available", "ConditionalWrites", "BucketSettings"):
        one = found.get(kind)
        if one is not None and one.status == "False":
            level: Level = "note" if kind == "BucketSettings" else "wrong"
            told = f"{name}: {one.reason}: {one.message}"
            findings.append(Finding("stores", level, told, _remedy(one, "docs/stores.md")))
    if "Available" not in found:
        findings.append(Finding("stores", "note", f"{name} was not tried out yet", "is it served by an operator?"))
    return findings or [Finding("stores", "ok", f"{name} can be used")]


def of_workflow(seen: Seen) -> list[Finding]:
    """Whether it does what it should, or rests as somebody wanted."""
    name = f"{seen.namespace}/{seen.name}"
    if not seen.status:
        return [Finding("workflows", "wrong", f"{name}: no operator has seen it", "does one serve this namespace?")]
    wrong: dict[str, Condition] = {}
    for kind, bad in (("Stalled", "True"), ("Blocked", "True"), ("Replicating", "False"), ("Drilled", "False")):
        one = seen.condition(kind)
        if one is not None and one.status == bad and (kind in ("Stalled", "Blocked") or one.reason in REMEDIES):
            wrong.setdefault(one.reason, one)
    return [
        Finding("workflows", "wrong", f"{name}: {reason}: {one.message}", _remedy(one, f"dormouse status {seen.name}"))
        for reason, one in wrong.items()
    ]


def _remedy(one: Condition, otherwise: str) -> str:
    return REMEDIES.get(one.reason, f"see {otherwise}")


def unknown(check: str, why: str) -> Finding:
    """Who may not look cannot tell."""
    return Finding(check, "note", f"not looked at: {why}")
