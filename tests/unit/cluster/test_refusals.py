"""Is it said in words what kubectl did not do, and what a person can do about it?"""

from __future__ import annotations

import pytest

from dormouse.cluster.refusals import ClusterError, NoAnswer, NotThere, no_such, refused

FORBIDDEN = (
    'Error from server (Forbidden): durableworkflows.dormouse.dev "shop" is forbidden: User "ada" cannot {verb} '
    'resource "{resource}" in API group "{group}"{where}'
)


@pytest.mark.parametrize(
    ("said", "told"),
    [
        (
            (
                "E1122 memcache.go:265] tried it\nThe connection to the server localhost:6443 was refused - did you "
                "specify the right host or port?"
            ),
            "is the cluster there? `kubectl config current-context` says which one is asked",
        ),
        ("Unable to connect to the server: dial tcp: lookup x: no such host", "is the cluster there?"),
        ("error: You must be logged in to the server (Unauthorized)", "log in to the cluster again"),
        ('error: context "prod" does not exist', "`kubectl config get-contexts` shows which there are"),
        (
            'error: the server doesn\'t have a resource type "durableworkflows"',
            "this cluster has no DurableWorkflows: install the chart dormouse-crds there, or choose another --context",
        ),
        (
            FORBIDDEN.format(
                verb="patch", resource="durableworkflows", group="dormouse.dev", where=' in the namespace "shop"'
            ),
            "may not patch durableworkflows.dormouse.dev in namespace shop; the ClusterRole edit, bound there, allows",
        ),
        (
            FORBIDDEN.format(verb="list", resource="durableworkflows", group="dormouse.dev", where=""),
            "ada may not list durableworkflows.dormouse.dev in the whole cluster; the ClusterRole view, bound there,",
        ),
        (
            FORBIDDEN.format(verb="get", resource="secrets", group="", where=' in the namespace "shop"'),
            "ada may not get secrets in namespace shop; a Role with the verb get on secrets allows it",
        ),
        ('error: the server doesn\'t have a resource type "lease"', "kubectl: the server doesn't have a resource type"),
        ("error: something new", "kubectl: something new"),
        ("", "kubectl: it failed, and did not say why"),
    ],
)
def test_kubectls_last_line_counts_and_has_a_remedy_where_one_is_known(said: str, told: str) -> None:
    error = refused(said)
    assert told in str(error)
    assert type(error) is (NoAnswer if "is the cluster there?" in told else ClusterError)


def test_what_is_not_there_is_told_apart() -> None:
    error = refused('Error from server (NotFound): durableworkflows.dormouse.dev "shop" not found')
    assert type(error) is NotThere
    assert str(error) == 'durableworkflows.dormouse.dev "shop" not found'


@pytest.mark.parametrize(
    ("known", "told"),
    [
        (["orders", "shop"], "there is no DurableWorkflow 'shpo' in namespace team; did you mean shop?"),
        (["b", "a"], "there is no DurableWorkflow 'shpo' in namespace team; there are: a, b; -n names another"),
        ([], "there is no DurableWorkflow 'shpo' in namespace team; there is none; -n names another namespace"),
        ([f"z{number:02}" for number in range(12)], "z09, ...; -n names another namespace"),
    ],
)
def test_a_wrong_name_is_told_with_the_right_ones(known: list[str], told: str) -> None:
    assert told in str(no_such("shpo", known, "team"))
