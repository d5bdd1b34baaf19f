"""Does the operator keep to its bound when many workflows change at once? Real kopf; the test is the kubelet."""

from __future__ import annotations

import pytest
from operator_api_documents import Document
from operator_fleet import Fleet, Tell, named, telling

from dormouse_operator.dev.seaweedfs import SeaweedFS

NAMES = ("a", "b", "c", "d")


@pytest.fixture
def tell(seaweedfs: SeaweedFS, request: pytest.FixtureRequest) -> Tell:
    return telling(seaweedfs, request.node.name)


async def all_run(made: Fleet) -> None:
    await made.apply_store()
    for name in NAMES:
        await made.server.put("durableworkflows", {**named("DurableWorkflow", name), "spec": spec("before")})
    for name in NAMES:
        await becomes_ready(made, f"{name}-e1")
    await made.server.until(lambda: all(made.status(name).get("phase") == "Running" for name in NAMES))


async def all_change(made: Fleet) -> None:
    for name in NAMES:
        await made.server.change("durableworkflows", name, lambda document: document.update(spec=spec("after")))


def spec(text: str) -> Document:
    return {
        "entrypoint": "pipeline",
        "source": {"inline": f"print('{text}')\n"},
        "storage": {"storeRef": {"name": "local"}},
    }


async def becomes_ready(made: Fleet, pod: str) -> None:
    await made.server.until(lambda: pod in made.server.names("pods"))
    await made.tell(pod, "Running", ready=True)


def ending(made: Fleet) -> set[str]:
    """The workflows whose first pod is told to end, or is gone."""
    alive = {pod["metadata"]["name"] for pod in made.server.all("pods") if "deletionTimestamp" not in pod["metadata"]}
    return {name for name in NAMES if f"{name}-e1" not in alive}


def waiting(made: Fleet) -> set[str]:
    return {name for name in NAMES if made.condition("UpToDate", name).get("reason") == "WaitsForOthers"}


async def rolls(made: Fleet, name: str) -> None:
    await made.obey_deletions()
    await becomes_ready(made, f"{name}-e2")


def test_no_more_than_two_are_replaced_at_once_and_all_in_the_end(tell: Tell) -> None:
    async def story(made: Fleet) -> None:
        async with made.operator(max_concurrent_rolls=2):
            await all_run(made)
            await all_change(made)
            done: set[str] = set()
            while len(done) < len(NAMES):
                expected = min(2, len(NAMES) - len(done))
                await made.server.until(lambda: len(ending(made) - done) == expected)  # noqa: B023
                await made.server.until(lambda: len(ending(made) | waiting(made)) == len(NAMES))
                await made.calm()
                assert len(ending(made) - done) == expected
                assert waiting(made) == set(NAMES) - ending(made)
                first = min(ending(made) - done)
                await rolls(made, first)
                await made.server.until(lambda: "rollingSince" not in made.status(first))  # noqa: B023
                done.add(first)
            await made.server.until(lambda: not waiting(made))

    tell(story)


def test_a_restarted_operator_counts_those_that_its_predecessor_let_go(tell: Tell) -> None:
    async def story(made: Fleet) -> None:
        async with made.operator("first", max_concurrent_rolls=1):
            await all_run(made)
            await all_change(made)
            await made.server.until(lambda: len(ending(made)) == 1 and len(waiting(made)) == 3)
        (first,) = ending(made)
        async with made.operator("second", max_concurrent_rolls=1, relist_seconds=0.2):
            await made.server.lists(3)
            await made.calm()
            assert ending(made) == {first}
            await rolls(made, first)
            await made.server.until(lambda: len(ending(made)) == 2)

    tell(story)


def test_a_pod_that_is_lost_waits_for_no_turn(tell: Tell) -> None:
    async def story(made: Fleet) -> None:
        async with made.operator(max_concurrent_rolls=1):
            await all_run(made)
            await all_change(made)
            await made.server.until(lambda: len(waiting(made)) == 3)
            one = min(waiting(made))
            await made.server.remove("pods", f"{one}-e1")
            await becomes_ready(made, f"{one}-e2")
            await made.server.until(lambda: made.condition("UpToDate", one).get("status") == "True")
            assert "rollingSince" not in made.status(one)
            assert len(waiting(made)) == 2

    tell(story)
