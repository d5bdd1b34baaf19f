"""`dormouse doctor`: is a cluster fit for Dormouse, and Dormouse there well?"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Any

import click

from dormouse.cluster import findings
from dormouse.cluster.findings import Finding
from dormouse.cluster.kubectl import Kubectl, documents
from dormouse.cluster.refusals import WORKFLOWS, ClusterError
from dormouse.cluster.seen import Seen
from dormouse.commands import printing
from dormouse.commands.verb import REFUSED, Verb, on_cluster, with_output

_OPERATOR = "app.kubernetes.io/name=dormouse,app.kubernetes.io/component=operator"
_COLOURS = {"ok": "green", "note": "yellow", "wrong": "red"}


@click.command(cls=Verb, examples=["dormouse doctor", "dormouse doctor --all-namespaces -o json"])
@on_cluster
@click.option("-A", "--all-namespaces", is_flag=True, help="Look at the stores and workflows of all namespaces.")
@with_output("json", "yaml", default="a line for each finding, with what to do")
def doctor(kubectl: Kubectl, *, all_namespaces: bool, output: str | None) -> None:
    """Look whether a cluster is fit for Dormouse, and Dormouse there well.

    It looks at the cluster's version, the definitions, the operator and its Lease, at what you may do, and at the
    ObjectStores and DurableWorkflows of the namespace. The exit code is 1 when something is wrong; a note may be as
    you want it. Nothing is changed.
    """
    found = list(examined(kubectl, everywhere=all_namespaces))
    if output is not None:
        printing.say(printing.document({"findings": found}, output))
    else:
        rows = []
        for one in found:
            rows.append([click.style(one.level, fg=_COLOURS[one.level]), one.check, " ".join(one.message.split())])
            if one.remedy:
                rows.append(["", "", f"=> {one.remedy}"])
        printing.say(printing.table(rows, cut=False))
    sys.exit(REFUSED if any(one.level == "wrong" for one in found) else 0)


def examined(kubectl: Kubectl, *, everywhere: bool) -> Iterator[Finding]:
    """What is found on a cluster, one thing after the other."""
    try:
        yield findings.of_version(json.loads(kubectl.run("version", "--output=json")))
        group = json.loads(kubectl.run("get", "--raw", "/apis"))["groups"]
    except ClusterError as error:
        yield Finding("cluster", "wrong", str(error), "nothing else can be looked at before")
        return
    served = _served(kubectl) if any(one["name"] == "dormouse.dev" for one in group) else []
    told = findings.of_definitions(served)
    yield from told
    if told[0].level == "ok":
        yield from _looked("definitions", lambda: [_fields(kubectl)])
    yield from _looked("operator", lambda: _operators(kubectl))
    where = "in all namespaces" if everywhere else f"in namespace {kubectl.namespace}" if kubectl.namespace else "here"
    yield from _looked("permissions", lambda: findings.of_access(_access(kubectl, everywhere=everywhere), where))
    if told[0].level == "ok":
        options = ["--all-namespaces"] if everywhere else []
        yield from _looked("stores", lambda: _stores(kubectl, options))
        yield from _looked("workflows", lambda: _workflows(kubectl, options))


def _looked(check: str, look: Callable[[], list[Finding]]) -> list[Finding]:
    """Who may not look at one thing is told the others all the same."""
    try:
        return look()
    except ClusterError as error:
        return [findings.unknown(check, str(error))]


def _served(kubectl: Kubectl) -> list[str]:
    try:
        resources = json.loads(kubectl.run("get", "--raw", "/apis/dormouse.dev/v1alpha1"))["resources"]
    except ClusterError:
        return []
    return [one["name"] for one in resources]


def _fields(kubectl: Kubectl) -> Finding:
    from msgspec.structs import fields

    from dormouse_operator.api import DurableWorkflowSpec, DurableWorkflowStatus

    known = [f"spec.{field.encode_name}" for field in fields(DurableWorkflowSpec)]
    known += [f"status.{field.encode_name}" for field in fields(DurableWorkflowStatus)]
    return findings.of_fields(kubectl.get("customresourcedefinitions", WORKFLOWS), known)


def _operators(kubectl: Kubectl) -> list[Finding]:
    deployments = kubectl.items("deployments", "--all-namespaces", f"--selector={_OPERATOR}")
    found = findings.of_operators(deployments, version("dormouse"))
    for one in deployments:
        metadata = one["metadata"]
        there = kubectl.within(metadata["namespace"])
        found += _looked("lease", lambda: [findings.of_lease(there.get("lease", metadata["name"]), datetime.now(UTC))])  # noqa: B023 - called at once
    return found


def _access(kubectl: Kubectl, *, everywhere: bool) -> list[tuple[findings.Access, bool]]:
    namespace = None if everywhere else kubectl.namespace or _namespace_of_context(kubectl)
    asked = "\n".join(json.dumps(one.review(namespace)) for one in findings.NEEDED)
    answers = documents(
        kubectl.run("create", "--filename=-", "--validate=false", "--output=json", document=asked).splitlines(
            keepends=True
        )
    )
    allowed: list[Any] = [(one.get("status") or {}).get("allowed") is True for one in answers]
    if len(allowed) != len(findings.NEEDED):
        raise ClusterError("the API server did not answer each question")
    return list(zip(findings.NEEDED, allowed, strict=True))


def _namespace_of_context(kubectl: Kubectl) -> str:
    config = json.loads(kubectl.run("config", "view", "--minify", "--output=json"))
    return str((config["contexts"][0]["context"] or {}).get("namespace") or "default")


def _stores(kubectl: Kubectl, options: list[str]) -> list[Finding]:
    found = kubectl.items("objectstores.dormouse.dev", *options)
    if not found:
        return [Finding("stores", "note", "there is no ObjectStore here", "workflows need one in their own namespace")]
    return [finding for one in found for finding in findings.of_store(one)]


def _workflows(kubectl: Kubectl, options: list[str]) -> list[Finding]:
    found = [Seen(one) for one in kubectl.items(WORKFLOWS, *options)]
    wrong = [finding for one in found for finding in findings.of_workflow(one)]
    return wrong or [Finding("workflows", "ok", f"{len(found)} looked at, none needs anybody")]
