"""When is a node lost? By the rules alone, with times made up."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, cast

import pytest

from dormouse_operator.controller.api_server import ApiServer, Unavailable
from dormouse_operator.controller.nodes import Nodes, NodeWatch
from dormouse_operator.controller.resources import PODS, WORKFLOWS, Resource
from dormouse_operator.controller.world import Task, World
from unit.operator_plan.pods import life_of


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


def test_nobody_is_lost_before_it_is_known_that_the_others_still_renew() -> None:
    nodes = seen((0, {"a": "1", "b": "1"}), (9, {"a": "1", "b": "2"}), (25, {"a": "1", "b": "2"}))
    assert nodes.silent(25, seconds=20) == frozenset()


def test_nobody_is_lost_while_we_cannot_look() -> None:
    nodes = seen((0, {"a": "1", "b": "1"}), (10, {"a": "1", "b": "2"}), (20, {"a": "1", "b": "3"}))
    assert nodes.silent(20, seconds=20) == {"a"}
    assert nodes.silent(36, seconds=20) == frozenset()


def test_a_single_node_is_never_lost() -> None:
    assert seen((0, {"a": "1"}), (100, {"a": "1"})).silent(100, seconds=20) == frozenset()


def test_an_operator_that_just_began_waits_its_time_whatever_the_renewals_say() -> None:
    nodes = seen((100, {"a": "long ago", "b": "now"}))
    assert nodes.silent(119, seconds=20) == frozenset()


def test_a_node_that_renews_again_is_not_lost_any_more() -> None:
    nodes = seen((0, {"a": "1", "b": "1"}), (10, {"a": "1", "b": "2"}), (20, {"a": "1", "b": "3"}))
    assert nodes.silent(20, seconds=20) == {"a"}
    nodes = nodes.look(leases(a="2", b="3"), 23)
    assert nodes.silent(23, seconds=20) == frozenset()


def test_a_node_whose_lease_was_removed_is_left_to_the_cluster() -> None:
    nodes = seen((0, {"a": "1", "b": "1"}), (10, {"b": "2"}), (20, {"b": "3"}))
    assert nodes.silent(20, seconds=20) == frozenset()


@pytest.mark.parametrize("away", [4, 30, 300])
def test_after_an_outage_of_the_api_server_each_node_has_its_whole_time_again(away: float) -> None:
    nodes = seen((0, {"a": "1", "b": "1"}), (9, {"a": "1", "b": "2"}))
    back = 9 + away
    nodes = nodes.look(leases(a="1", b="3"), back, has_missed=True)
    assert nodes.silent(back, seconds=20) == frozenset()
    nodes = nodes.look(leases(a="1", b="4"), back + 10)
    assert nodes.silent(back + 10, seconds=20) == frozenset()
    nodes = nodes.look(leases(a="1", b="5"), back + 20)
    assert nodes.silent(back + 20, seconds=20) == {"a"}


def test_so_has_it_when_the_api_server_answered_and_took_no_renewal() -> None:
    nodes = seen((0, {"a": "1", "b": "1"}), (10, {"a": "1", "b": "2"}))
    for now in range(13, 100, 3):
        nodes = nodes.look(leases(a="1", b="2"), now)
    nodes = nodes.look(leases(a="1", b="3"), 100)
    assert nodes.silent(100, seconds=20) == frozenset()
    nodes = nodes.look(leases(a="2", b="3"), 107)
    assert nodes.silent(107, seconds=20) == frozenset()


class Cluster:
    """Two nodes, workflows with pods on the first, and what is woken when the Leases are looked at."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 0.0
        self.renewed = {"a": "1", "b": "1"}
        self.woken: list[str] = []
        self.refused = 0
        self.world = World(lambda task: self.woken.append(self._name(task)))
        self.watch = NodeWatch(cast("ApiServer", self), self.world)
        monkeypatch.setattr("dormouse_operator.controller.nodes._clock", lambda: self.now)
        for name, spec in (("usual", {}), ("patient", {"failover": {"nodeLostSeconds": 60}})):
            metadata = {"name": name, "namespace": "team", "uid": name, "resourceVersion": "1"}
            self.world.put(WORKFLOWS, {"metadata": metadata, "spec": spec})
            pod = {**metadata, "name": f"{name}-e1", "uid": f"{name}-e1"}
            self.world.put(PODS, {"metadata": pod, "spec": {"nodeName": "a", **life_of(name, name)}})

    async def list(self, resource: Resource, namespace: str) -> tuple[Sequence[dict[str, Any]], int]:  # noqa: ARG002 - as there
        if self.refused:
            self.refused -= 1
            raise Unavailable("etcd has no leader")
        return leases(**self.renewed), 1

    async def look(self, now: float, **renewed: str) -> Sequence[str]:
        """Who is woken by it."""
        self.woken.clear()
        self.now = now
        self.renewed |= renewed
        await self.watch.look()
        return sorted(set(self.woken))

    def _name(self, task: Task) -> str:
        return task.key[1]


Story = Callable[[Cluster], Awaitable[None]]


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> Callable[[Story], None]:
    def tell(story: Story) -> None:
        async def main() -> None:
            await story(Cluster(monkeypatch))

        asyncio.run(main())

    return tell


def test_a_workflow_is_woken_when_its_own_patience_is_over_and_once(told: Callable[[Story], None]) -> None:
    async def story(cluster: Cluster) -> None:
        await cluster.look(0)
        assert await cluster.look(10, b="2") == []
        assert await cluster.look(20, b="3") == ["usual"]
        assert await cluster.look(30, b="4") == []
        assert cluster.watch.lost(20) == frozenset({"a"})
        assert cluster.watch.lost(60) == frozenset()
        for now in (40, 50):
            assert await cluster.look(now, b=str(now)) == []
        assert await cluster.look(60, b="60") == ["patient"]
        assert await cluster.look(70, a="2", b="70") == ["patient", "usual"]

    told(story)


def test_who_asked_while_nobody_could_look_is_woken_again(told: Callable[[Story], None]) -> None:
    async def story(cluster: Cluster) -> None:
        await cluster.look(0)
        await cluster.look(10, b="2")
        assert await cluster.look(20, b="3") == ["usual"]
        cluster.now = 40
        assert cluster.watch.lost(20) == frozenset()
        assert await cluster.look(41, b="4") == ["usual"]
        assert cluster.watch.lost(20) == frozenset()
        assert await cluster.look(51, b="5") == []
        assert await cluster.look(61, b="6") == ["usual"]
        assert cluster.watch.lost(20) == frozenset({"a"})

    told(story)


def test_a_look_that_failed_lets_every_node_begin_anew(told: Callable[[Story], None]) -> None:
    async def story(cluster: Cluster) -> None:
        await cluster.look(0)
        await cluster.look(10, b="2")
        cluster.refused = 1
        running = asyncio.create_task(cluster.watch.run())
        while cluster.refused:
            await asyncio.sleep(0)
        running.cancel()
        assert await cluster.look(20, b="3") == []
        assert await cluster.look(30, b="4") == []
        assert await cluster.look(40, b="5") == ["usual"]

    told(story)


def test_who_keeps_off_a_lost_node_is_woken_when_it_is_back_unless_it_has_a_place(
    told: Callable[[Story], None],
) -> None:
    async def story(cluster: Cluster) -> None:
        for name, spec in (("waits", {}), ("placed", {"nodeName": "b"})):
            metadata = {"name": name, "namespace": "team", "uid": name, "resourceVersion": "1"}
            cluster.world.put(WORKFLOWS, {"metadata": metadata, "spec": {}})
            annotations = {"dormouse.dev/keeps-off": "a,c"}
            pod = {**metadata, "name": f"{name}-e2", "uid": f"{name}-e2", "annotations": annotations}
            cluster.world.put(PODS, {"metadata": pod, "spec": {**spec, **life_of(name, name)}})
        await cluster.look(0, c="1")
        await cluster.look(10, b="1.5")
        assert await cluster.look(20, b="2") == ["usual", "waits"]
        assert await cluster.look(23, b="3", c="2") == ["waits"]
        assert await cluster.look(26, b="4", a="2") == ["usual", "waits"]
        assert await cluster.look(29, b="5") == []

    told(story)
