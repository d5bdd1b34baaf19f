"""When is a node lost? By the rules alone, with times made up."""

from __future__ import annotations

from typing import Any

from dormouse_operator.controller.nodes import Nodes


def leases(**renewed: str) -> list[dict[str, Any]]:
    return [{"metadata": {"name": name, "uid": name}, "spec": {"renewTime": told}} for name, told in renewed.items()]


def seen(*looks: tuple[float, dict[str, str]]) -> Nodes:
    nodes = Nodes()
    for now, renewed in looks:
        nodes = nodes.look(leases(**renewed), now)
    return nodes


def test_a_node_that_stopped_renewing_while_another_goes_on_is_lost() -> None:
    nodes = seen((0, {"a": "1", "b": "1"}), (10, {"a": "1", "b": "2"}), (20, {"a": "1", "b": "3"}))
    assert nodes.silent(20, seconds=20) == {"a"}
    assert nodes.silent(20, seconds=21) == frozenset()


def test_when_nobody_renews_nobody_is_lost() -> None:
    nodes = seen((0, {"a": "1", "b": "1"}), (30, {"a": "1", "b": "1"}))
    assert nodes.silent(30, seconds=20) == frozenset()


def test_nobody_is_lost_while_we_cannot_look() -> None:
    nodes = seen((0, {"a": "1", "b": "1"}), (20, {"a": "1", "b": "2"}))
    assert nodes.silent(20, seconds=20) == {"a"}
    assert nodes.silent(36, seconds=20) == frozenset()


def test_a_single_node_is_never_lost() -> None:
    assert seen((0, {"a": "1"}), (100, {"a": "1"})).silent(100, seconds=20) == frozenset()


def test_an_operator_that_just_began_waits_its_time_whatever_the_renewals_say() -> None:
    nodes = seen((100, {"a": "long ago", "b": "now"}))
    assert nodes.silent(119, seconds=20) == frozenset()


def test_a_node_that_renews_again_is_not_lost_any_more() -> None:
    nodes = seen((0, {"a": "1", "b": "1"}), (20, {"a": "1", "b": "2"}), (23, {"a": "2", "b": "2"}))
    assert nodes.silent(23, seconds=20) == frozenset()


def test_a_node_whose_lease_was_removed_is_left_to_the_cluster() -> None:
    nodes = seen((0, {"a": "1", "b": "1"}), (20, {"b": "2"}))
    assert nodes.silent(40, seconds=20) == frozenset()
