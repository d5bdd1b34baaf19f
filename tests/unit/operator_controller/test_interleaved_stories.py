"""What did the random stories find, and what is each guard of the operator there for? One story each, told in order."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from dormouse_operator.controller.resources import PODS, WORKFLOWS
from unit.operator_controller.interleaved_server import Outcome, copied
from unit.operator_controller.interleaved_story import Story
from unit.operator_controller.interleaved_surroundings import KEY


@pytest.fixture
def story() -> Iterator[Story]:
    story = Story()
    yield story
    story.close()


def vanishes_from_sight(story: Story, name: str) -> None:
    """It lives on, and is in no watch and in no list."""
    story.happens_to(name, "loses its labels")
    for operator in story.operators.values():
        operator.see()
        assert operator.world.pods.get((KEY[0], name)) is None


def reason(story: Story) -> str:
    (ready,) = [each for each in story.around.status()["conditions"] if each["type"] == "Ready"]
    return str(ready["reason"])


# A pod that nobody sees.


def test_a_pod_that_a_wiped_status_and_no_list_tell_of_is_found_by_the_name_that_current_has(story: Story) -> None:
    story.begins("runs")
    story.something_happens_around("edit", 1)
    story.round()
    story.round()
    assert story.around.live() == ["report-e2"]
    vanishes_from_sight(story, "report-e2")
    story.something_happens_around("the status is wiped")
    story.operators["a"].see()
    story.operators["a"].whole_step()
    assert (story.around.live(), reason(story)) == (["report-e2"], "PodEdited")
    story.comes_to_rest()
    assert story.around.status()["epoch"] == 3


def test_a_status_that_says_an_old_epoch_hides_no_pod(story: Story) -> None:
    story.begins("runs")
    for amount in (1, 2):
        story.something_happens_around("edit", amount)
        story.round()
        story.round()
    assert story.around.live() == ["report-e3"]
    vanishes_from_sight(story, "report-e3")
    story.something_happens_around("the status says an old epoch")
    story.operators["a"].see()
    story.operators["a"].whole_step()
    assert (story.around.live(), reason(story)) == (["report-e3"], "PodEdited")
    story.comes_to_rest()
    assert story.around.status()["epoch"] == 4


def test_data_is_not_released_under_a_pod_that_nobody_sees(story: Story) -> None:
    story.begins("runs", is_deleted=True)
    vanishes_from_sight(story, "report-e1")
    story.something_happens_around("the status is wiped")
    story.something_happens_around("delete")
    story.operators["a"].see()
    story.operators["a"].whole_step()
    assert "deletionTimestamp" in story.around.objects.get(PODS, "team", "report-e1")["metadata"]
    assert not story.around.is_let_go()
    story.comes_to_rest()
    assert (story.around.is_gone(), story.around.is_let_go()) == (True, True)


def test_nothing_is_let_go_while_a_pod_that_nobody_sees_may_still_claim(story: Story) -> None:
    story.operators["a"].whole_step()
    vanishes_from_sight(story, "report-e1")
    story.something_happens_around("the status is wiped")
    story.something_happens_around("delete")
    story.operators["a"].see()
    story.operators["a"].whole_step()
    assert "deletionTimestamp" in story.around.objects.get(PODS, "team", "report-e1")["metadata"]
    assert not story.around.is_gone()
    story.is_deleted = True
    story.comes_to_rest()
    assert story.around.live() == []


def test_a_pod_without_its_label_is_looked_at_until_it_has_ended(story: Story) -> None:
    story.begins("runs")
    vanishes_from_sight(story, "report-e1")
    operator = story.operators["a"]
    operator.whole_step()
    story.around.obey_deletions(sealed=True)
    assert (story.around.live(), operator.pause) == ([], 5.0)
    story.around.wait(5.0)
    operator.see()
    operator.whole_step()
    assert story.around.live() == ["report-e2"]


def test_a_healthy_workflow_costs_one_look_by_name_for_each_life_that_is_gone(story: Story) -> None:
    operator = story.operators["a"]

    def looks() -> tuple[int, int]:
        return operator.line.asked.count("list pods"), operator.line.asked.count("get pods")

    for _ in range(3):
        story.goes_on_as_it_should("a")
    assert (story.around.status()["phase"], looks()) == ("Running", (0, 0))
    story.something_happens_around("edit", 1)
    for _ in range(3):
        story.goes_on_as_it_should("a")
    assert (story.around.live(), looks()) == (["report-e2"], (1, 1))


# What changes between two requests.


def test_pods_are_listed_again_after_a_store_was_asked(story: Story) -> None:
    story.begins("runs")
    story.happens_to("report-e1", "Stopped")
    one, other = story.operators["a"], story.operators["b"]
    one.see()
    one.go_on_until("create pods")
    one.go_on(Outcome.LATE)
    other.see()
    story.happens_to("report-e1", "vanishes")
    other.go_on_until("list pods")
    other.go_on_until("read")
    one.line.arrive()
    other.go_on_to_the_end()
    assert story.around.live() == ["report-e2"]


def test_a_pod_that_came_and_vanished_while_pods_were_listed_is_looked_for_by_its_name(story: Story) -> None:
    story.begins("runs")
    story.happens_to("report-e1", "Stopped")
    story.happens_to("report-e1", "vanishes")
    one, other = story.operators["a"], story.operators["b"]
    one.see()
    one.go_on_until("list pods")
    one.go_on_until("get pods")
    other.see()
    other.whole_step()
    vanishes_from_sight(story, "report-e2")
    one.go_on_to_the_end()
    assert story.around.live() == ["report-e2"]


def test_a_workflow_that_somebody_changed_is_read_anew_and_not_only_when_its_watch_tells(story: Story) -> None:
    story.begins("runs")
    story.happens_to("report-e1", "vanishes")
    operator = story.operators["a"]
    operator.see()
    story.something_happens_around("edit", 1)
    operator.whole_step()
    assert (operator.failed, story.around.live()) == (True, [])
    operator.whole_step()
    assert (operator.failed, story.around.live()) == (False, ["report-e2"])


def test_a_pod_that_came_before_ours_of_its_name_is_taken_for_what_it_is(story: Story) -> None:
    operator = story.operators["a"]
    operator.go_on_until("create pods")
    operator.go_on(Outcome.LATE)
    story.something_happens_around("the status is wiped")
    operator.see()
    operator.go_on_until("create pods")
    operator.line.arrive()
    operator.go_on_to_the_end()
    assert (operator.failed, story.around.live()) == (False, ["report-e1"])
    assert operator.world.pods.get((KEY[0], "report-e1")) is not None


def test_another_pod_of_the_name_is_not_deleted(story: Story) -> None:
    story.begins("runs")
    operator, objects = story.operators["a"], story.around.objects
    story.something_happens_around("suspend")
    operator.see()
    another = copied(objects.get(PODS, "team", "report-e1"))
    another["metadata"]["uid"] = "another"
    objects.remove(PODS, "report-e1")
    objects.put(PODS, another, None)
    operator.whole_step()
    assert reason(story) == "Suspending"
    assert "deletionTimestamp" not in objects.get(PODS, "team", "report-e1")["metadata"]


def test_a_finalizer_that_somebody_else_adds_meanwhile_stays(story: Story) -> None:
    story.begins("runs", is_deleted=True)
    story.happens_to("report-e1", "vanishes")
    story.something_happens_around("delete")
    operator, objects = story.operators["a"], story.around.objects
    operator.see()
    operator.begin()
    for _ in range(20):
        if reason(story) != "DataReleased":
            operator.go_on()
    operator.go_on_until("patch")
    objects.change(WORKFLOWS, "report", lambda workflow: workflow["metadata"]["finalizers"].append("example.com/x"))
    operator.go_on_to_the_end()
    assert "example.com/x" in objects.get(WORKFLOWS, *KEY)["metadata"]["finalizers"]


def test_what_current_said_in_an_earlier_step_is_not_believed_of_a_life_that_nobody_saw(story: Story) -> None:
    one, other = story.operators["a"], story.operators["b"]
    one.whole_step()
    story.happens_to("report-e1", "vanishes")
    one.see()
    one.go_on_until("list pods")
    one.go_on(Outcome.REFUSED)
    other.listens()
    other.whole_step()
    story.happens_to("report-e2", "claims")
    story.happens_to("report-e2", "vanishes")
    story.something_happens_around("the status says an old epoch")
    one.see()
    one.whole_step()
    assert story.around.live() == ["report-e3"]
    story.comes_to_rest()


# What the epochs are for.


def test_an_older_pod_that_came_late_goes_on_when_nobody_else_lives(story: Story) -> None:
    one, other = story.operators["a"], story.operators["b"]
    one.go_on_until("create pods")
    other.listens()
    other.whole_step()
    assert story.around.live() == ["report-e2"]
    one.go_on_to_the_end()
    story.happens_to("report-e2", "vanishes")
    for _ in range(3):
        story.round()
    assert (story.around.live(), story.around.status()["epoch"], reason(story)) == (["report-e1"], 2, "Running")
    story.comes_to_rest()
    assert story.around.live() == ["report-e3"]


def test_an_epoch_that_nobody_claimed_may_come_again_once_its_status_is_wiped_and_starts_nothing(story: Story) -> None:
    story.operators["a"].whole_step()
    story.happens_to("report-e1", "vanishes")
    story.something_happens_around("the status is wiped")
    story.comes_to_rest()
    assert (story.around.status()["phase"], reason(story)) == ("Stalled", "CurrentMissing")


# The end.


@pytest.mark.parametrize("event", ["", "loses its owner"])
def test_a_pod_that_comes_back_when_its_workflow_is_gone_writes_nothing_and_needs_nobody(
    story: Story, event: str
) -> None:
    story.begins("runs", is_deleted=True)
    if event:
        story.happens_to("report-e1", event)
    story.something_happens_around("a node is lost or found")
    story.something_happens_around("delete")
    story.round()
    assert (story.around.is_gone(), story.around.is_let_go(), len(story.around.pods())) == (True, True, 1)
    story.something_happens_around("a node is lost or found")
    story.comes_to_rest()
    assert story.around.is_let_go()
    assert len(story.around.pods()) == (1 if event else 0)
