"""What do the demos tell, and how do they know? Everything is read from the store, without asking the engine."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from attempts import STEPS, Attempt, complaints, step_of
from expected import expected_report
from obstore.exceptions import BaseError
from obstore.store import S3Store

EXAMPLE = Path(__file__).parent.parent / "examples" / "data_pipeline"
REPORT = "reports/data_pipeline/main.json"
ALL_STEPS = sum(STEPS.values())
HALF = ALL_STEPS // 2
Answer = TypeVar("Answer")


class StoryError(Exception):
    """The story cannot go on; the message says where and why."""


class Clock:
    """Prints what happens with the seconds since the start, and bounds every wait."""

    def __init__(self, within_seconds: float) -> None:
        self._started = time.monotonic()
        self._within_seconds = within_seconds

    @property
    def seconds(self) -> float:
        return time.monotonic() - self._started

    def say(self, text: str) -> None:
        print(f"{self.seconds:6.1f} s  {text}", flush=True)

    def wait_for(self, what: str, ask: Callable[[], Answer], over: Callable[[], str] = lambda: "") -> Answer:
        """Ask until the answer is true. A store that does not answer, or lacks the object, says no.

        `over` says why no other answer can come any more, if that is so.
        """
        while True:
            try:
                if answer := ask():
                    return answer
            except (BaseError, OSError):
                pass
            if reason := over():
                raise StoryError(f"{reason} before {what} was there")
            if self.seconds > self._within_seconds:
                raise StoryError(f"waited in vain for {what}")
            time.sleep(0.03)


class PipelineStore:
    """What anyone can read in the bucket. `client` raises OSError as long as there is no store."""

    def __init__(self, client: Callable[[], S3Store], current: str) -> None:
        self._client = client
        self._current = current
        self._attempts: dict[str, Attempt] = {}

    def document(self, key: str) -> dict[str, Any]:
        document: dict[str, Any] = json.loads(bytes(self._client().get(key).bytes()))
        return document

    def answers(self) -> bool:
        """Whether it lists what it held before."""
        return any(len(page) > 0 for page in self._client().list("attempts/"))

    def attempts(self) -> list[Attempt]:
        for page in self._client().list("attempts/"):
            for key in (entry["path"] for entry in page):
                if key not in self._attempts:
                    self._attempts[key] = Attempt(step_of(key), int(self.document(key)["epoch"]))
        return list(self._attempts.values())

    def is_half_way(self) -> bool:
        return len(self.attempts()) >= HALF

    def second_life(self) -> list[Attempt]:
        return [attempt for attempt in self.attempts() if attempt.epoch > 1]

    def completed(self) -> bool:
        current = self.document(self._current)
        return (current["state"], current["sealReason"]) == ("Sealed", "Completed")

    def restored(self) -> str:
        current = self.document(self._current)
        base = current["lineage"][-1]["base"]
        return (
            f"the pod data-pipeline-e{current['epoch']} restored epoch {base['epoch']} "
            f"up to transaction {base['txid']} from the store"
        )


def check_outcome(store: PipelineStore, planned_failures: int, clock: Clock) -> list[str]:
    """What is wrong with the result, and with how often which step ran."""
    return [*_check_report(store, clock), *_check_attempts(store, planned_failures, clock)]


def _check_report(store: PipelineStore, clock: Clock) -> list[str]:
    report, expected = store.document(REPORT)["report"], expected_report()
    if report != expected:
        return [f"the report is {report} instead of {expected}"]
    clock.say("the report equals the numbers that SQL finds in the same files")
    return []


def _check_attempts(store: PipelineStore, planned_failures: int, clock: Clock) -> list[str]:
    attempts = store.attempts()
    counted = Counter(attempt.step for attempt in attempts)
    repeated = [str(step) for step in sorted(counted) if counted[step] > 1 and step.activity != "register"]
    flaky = sum(counted[step] for step in counted if step.activity == "register")
    clock.say(f"counted in the store: {len(attempts)} attempts of {len(counted)} steps")
    clock.say(f"steps that ran again, since nothing had waited for them yet: {', '.join(repeated) or 'none'}")
    clock.say(f"the flaky step ran {flaky} times; its plan is {1 + planned_failures}")
    return complaints(attempts, planned_failures)


def told(wrong: list[str]) -> int:
    """The last lines, and the exit code."""
    for line in wrong:
        print(f"WRONG: {line}")
    print("demo failed" if wrong else "demo passed: nothing that was acknowledged was lost or run again")
    return 1 if wrong else 0
