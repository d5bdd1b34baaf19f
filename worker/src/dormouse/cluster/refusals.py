"""kubectl has refused: what do its words mean, and what can a person do? Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable
from difflib import get_close_matches

from dormouse.errors import DormouseError

WORKFLOWS = "durableworkflows.dormouse.dev"
_FORBIDDEN = re.compile(
    r"User \"(?P<user>[^\"]*)\" cannot (?P<verb>\w+) resource \"(?P<resource>[^\"]*)\""
    r"(?: in API group \"(?P<group>[^\"]*)\")?(?: in the namespace \"(?P<namespace>[^\"]*)\")?"
)
_READING = ("get", "list", "watch")
_NO_KIND = re.compile(r"doesn't have a resource type \"(durableworkflows|objectstores)")
_NO_CONTEXT = re.compile(
    r"context \"?(?P<context>[^\"\s]+)\"? does not exist|no context exists with the name: \"(.*)\""
)
_UNREACHABLE = (
    "connection refused",
    "was refused",
    "no such host",
    "no route to host",
    "i/o timeout",
    "deadline exceeded",
    "TLS handshake",
    "unable to connect",
    "connection reset",
    "connection lost",
    "unexpected eof",
    "unable to handle the request",
    "did not answer",
)
_UNKNOWN_PERSON = ("unauthorized", "you must be logged in", "certificate has expired", "getting credentials")


class ClusterError(DormouseError):
    """The cluster, or something on it, cannot be had; the message says what to do."""


class NotThere(ClusterError):
    """The cluster answers, and has no such object."""


class NoAnswer(ClusterError):
    """The cluster does not answer; it may in a moment."""


def refused(standard_error: str) -> ClusterError:
    """What kubectl has said, with a remedy where one is known."""
    # Before it says what is wrong it logs each of its tries.
    said = (standard_error.strip() or "it failed, and did not say why").splitlines()[-1].removeprefix("error: ")
    low = said.lower()
    if (found := _FORBIDDEN.search(said)) is not None:
        return ClusterError(_forbidden(**found.groupdict()))
    if "(NotFound)" in said:
        return NotThere(said.partition("(NotFound): ")[2] or said)
    if _NO_KIND.search(said) is not None:
        return ClusterError(
            "this cluster has no DurableWorkflows: install the chart dormouse-crds there, or choose another --context"
        )
    if _NO_CONTEXT.search(said) is not None:
        return ClusterError(f"kubectl: {said}; `kubectl config get-contexts` shows which there are")
    if any(word in low for word in _UNKNOWN_PERSON):
        return ClusterError(f"kubectl: {said}; log in to the cluster again, or choose another --context")
    if any(word.lower() in low for word in _UNREACHABLE):
        return NoAnswer(
            f"kubectl: {said}; is the cluster there? `kubectl config current-context` says which one is asked"
        )
    return ClusterError(f"kubectl: {said}")


def _forbidden(user: str, verb: str, resource: str, group: str | None, namespace: str | None) -> str:
    where = f"in namespace {namespace}" if namespace else "in the whole cluster"
    if group == "dormouse.dev" or resource.startswith("pods"):
        allows = f"the ClusterRole {'view' if verb in _READING else 'edit'}, bound there, allows it"
    else:
        allows = f"a Role with the verb {verb} on {resource} allows it"
    return f"{user} may not {verb} {resource}{f'.{group}' if group else ''} {where}; {allows}"


def no_such(name: str, known: Iterable[str] | None, namespace: str) -> NotThere:
    """There is no DurableWorkflow of that name, and these are the ones that there are; None where that is not known."""
    names = sorted(known or ())
    where = f"in namespace {namespace}" if namespace else "in the namespace of the context"
    if close := get_close_matches(name, names, n=1, cutoff=0.5):
        return NotThere(f"there is no DurableWorkflow {name!r} {where}; did you mean {close[0]}?")
    if known is None:
        there = ""
    elif names:
        there = f" there are: {', '.join(names[:10])}{', ...' if len(names) > 10 else ''};"
    else:
        there = " there is none;"
    return NotThere(f"there is no DurableWorkflow {name!r} {where};{there} -n names another namespace")
