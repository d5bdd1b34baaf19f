"""What has this replica done since it began, in numbers? It adds to them on its way; only a scrape reads them."""

from __future__ import annotations

from collections import Counter
from typing import Literal, get_args

from dormouse.engine.tally import Durations
from dormouse.replica.requests import Requests

Kind = Literal["workflow", "store"]
Outcome = Literal["done", "conflict", "api_error", "mistake"]
Question = Literal["read", "release", "probe", "settings", "mint"]
"""What a store is asked for: what CURRENT says, to let data go, whether it can be trusted, how its bucket is set up,
credentials of a pod's own."""
Answer = Literal["answered", "failed", "timeout"]
Telling = Literal["told", "counted_up", "suppressed", "failed"]
"""Of an Event: for the first time, once more, not at all because its object had too much to tell, in vain."""


TAKEN = "Taken"
_KINDS: tuple[Kind, ...] = get_args(Kind)


class Tally:
    """The counts of one replica.

    Attributes:
        reconciles: steps that ended, by what they were for and how they ended.
        reconciling: how long they took.
        requests: to the API server, by verb, resource and code; those of the watches are not among them.
        turns: questions to stores, by what was asked and what came of it.
        turns_waiting: those that wait now, because the store is being asked as much as it may be.
        turns_delayed: those that had to.
        store_requests: what was asked of the stores to answer them, but for settings and credentials.
        events: Events, by what became of them.
        reports: of running pods, by what was answered: TAKEN, or why it was not.
        watches_ended: times that all watches had to begin anew.
        restores: how long it took from the creation of a pod until it was ready.
        failovers: how long it took from a failure until the workflow was ready again.
    """

    def __init__(self) -> None:
        self.reconciles: Counter[tuple[Kind, Outcome]] = Counter(
            {(kind, outcome): 0 for kind in _KINDS for outcome in get_args(Outcome)}
        )
        self.reconciling: dict[Kind, Durations] = {kind: Durations() for kind in _KINDS}
        self.requests: Counter[tuple[str, str, str]] = Counter()
        self.turns: Counter[tuple[Question, Answer]] = Counter(
            {(question, answer): 0 for question in get_args(Question) for answer in get_args(Answer)}
        )
        self.turns_waiting = self.turns_delayed = 0
        self.store_requests = Requests()
        self.events: Counter[Telling] = Counter(dict.fromkeys(get_args(Telling), 0))
        self.reports: Counter[str] = Counter({TAKEN: 0})
        self.watches_ended = 0
        self.restores, self.failovers = Durations(), Durations()
