"""When may a pod be made without a list of those that are there? Only where there never was one."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from unit.operator_controller.interleaved_story import Story


@pytest.fixture
def story() -> Iterator[Story]:
    story = Story()
    yield story
    story.close()


def names(story: Story) -> list[str]:
    return [each["metadata"]["name"] for each in story.around.pods()]


def test_the_first_pod_is_made_without_a_list(story: Story) -> None:
    story.operators["a"].whole_step()
    assert names(story) == ["report-e1"]
    assert "list pods" not in story.operators["a"].line.asked


def test_whoever_has_not_heard_that_it_began_makes_no_pod(story: Story) -> None:
    story.operators["a"].whole_step()
    story.happens_to("report-e1", "vanishes")
    story.operators["b"].whole_step()
    assert names(story) == []
    assert story.operators["b"].failed  # its status was refused as one of an older version


@pytest.mark.parametrize("wiped", [False, True])
def test_a_list_comes_before_every_other_pod(story: Story, *, wiped: bool) -> None:
    operator = story.operators["a"]
    operator.whole_step()
    story.happens_to("report-e1", "claims")
    story.happens_to("report-e1", "vanishes")
    if wiped:
        story.something_happens_around("the status is wiped")
    operator.listens()
    operator.whole_step()
    story.around.wait(operator.pause or 0.0)
    operator.whole_step()
    assert len(names(story)) == 1
    assert "list pods" in operator.line.asked
