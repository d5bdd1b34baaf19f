"""When does the keeper post? Each change reaches the operator, and none of them makes a heartbeat."""

from __future__ import annotations

from msgspec.structs import replace

from dormouse.keeper.report import (
    BlockedExecution,
    ExecutionCounts,
    RecoveryWindow,
    Replication,
    Report,
    RuntimeStatus,
)
from dormouse.keeper.report_timing import LONGEST_PAUSE_SECONDS, Mail

BLOCKED = BlockedExecution("main", "NonDeterministic", "the log says fetch, the code asks for store")
DOWN = Replication("StoreUnreachable", "no answer")


def report(
    waiting_for: str = "main sleeps", *blocked: BlockedExecution, state: Replication | None = None, position: str = ""
) -> Report:
    return Report(
        name="report",
        namespace="team",
        workflow_uid="uid",
        pod_uid="pod",
        epoch=1,
        position=position,
        replication=state or Replication(),
        runtime=RuntimeStatus(
            executions=ExecutionCounts(open=1, blocked=len(blocked)), blocked=blocked, waiting_for=waiting_for
        ),
    )


def posted(at: float, *seen: tuple[float, Report]) -> Mail:
    """A mail whose first report was taken then, and what was seen since."""
    mail = Mail().see(report(), at).took(report(), at)
    for moment, each in seen:
        mail = mail.see(each, moment)
    return mail


def test_nothing_is_due_before_anything_was_seen() -> None:
    assert Mail().due is None


def test_a_first_report_waits_until_it_has_settled() -> None:
    assert Mail().see(report(), 100).due == 105


def test_a_first_report_that_somebody_must_act_on_does_not_wait() -> None:
    due = Mail().see(report("main is blocked", BLOCKED), 100).due
    assert due is not None
    assert due <= 100


def test_what_was_taken_is_not_posted_again() -> None:
    assert posted(100, (400, report()), (800, report())).due is None


def test_a_position_that_moves_is_no_reason_to_post() -> None:
    assert posted(100, (400, report(position="1/77"))).due is None


def test_a_trouble_that_the_store_words_anew_is_no_reason_to_post() -> None:
    first = report(state=DOWN)
    mail = Mail().see(first, 100).took(first, 100)
    assert mail.see(report(state=Replication("StoreUnreachable", "request 17 failed")), 200).due is None


def test_a_block_is_posted_five_seconds_after_the_last_post_at_the_earliest() -> None:
    assert posted(100, (101, report("main is blocked", BLOCKED))).due == 105


def test_a_store_that_answers_again_is_as_urgent_as_one_that_went_away() -> None:
    first = report(state=DOWN)
    mail = Mail().see(first, 100).took(first, 100)
    assert mail.see(report(), 102).due == 105


def test_another_wait_is_posted_once_it_has_settled() -> None:
    assert posted(100, (200, report("main runs fetch")), (201, report("main sleeps until noon"))).due == 206


def test_quiet_posts_keep_fifteen_seconds_apart() -> None:
    assert posted(100, (101, report("main runs fetch"))).due == 115


def test_what_never_settles_is_posted_all_the_same() -> None:
    mail = posted(100)
    for second in range(200, 215):
        mail = mail.see(report(f"main runs step {second}"), second)
    assert mail.due == 215


def test_a_change_that_was_taken_back_in_time_is_not_posted() -> None:
    assert posted(100, (200, report("main runs fetch")), (201, report())).due is None


def test_a_post_that_failed_is_repeated_with_growing_pauses_however_urgent() -> None:
    mail = Mail().see(report("main is blocked", BLOCKED), 100)
    pauses = []
    for _ in range(12):
        mail = mail.failed(100)
        assert mail.due is not None
        pauses.append(mail.due - 100)
    assert pauses[:4] == [0.5, 1, 2, 4]
    assert pauses[-1] == LONGEST_PAUSE_SECONDS


def test_a_post_that_failed_carries_what_is_newest_when_it_is_repeated() -> None:
    mail = Mail().see(report(), 100).failed(106).see(report("main is blocked", BLOCKED), 106.1)
    assert mail.waiting == report("main is blocked", BLOCKED)
    assert mail.due == 106.5


def test_a_post_that_was_taken_forgets_the_failures() -> None:
    mail = Mail().see(report(), 100).failed(106).took(report(), 107)
    assert mail.failures == 0
    assert mail.see(report("main is blocked", BLOCKED), 120).due == 112


def test_that_the_window_of_recovery_begins_elsewhere_is_worth_a_post_and_that_it_goes_on_is_not() -> None:
    since_noon = replace(report(), recovery_window=RecoveryWindow("12:00", "12:30"))
    mail = posted(0, (1, since_noon))
    assert mail.due == 15
    assert (
        mail.took(since_noon, 15).see(replace(report(), recovery_window=RecoveryWindow("12:00", "12:31")), 31).due
        is None
    )
