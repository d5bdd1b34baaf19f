"""What do the executions do, said so that a person knows what is waited for? And when is that told to the keeper?"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Sequence

from msgspec import structs, to_builtins

from dormouse.engine.clock import SECOND, to_text
from dormouse.engine.engine import Engine
from dormouse.engine.payload import Failure, on_one_line
from dormouse.engine.standing import Doing, Waiting
from dormouse.keeper.client import KeeperClient, KeeperError
from dormouse.keeper.report import (
    LONGEST_TEXT,
    MOST_BLOCKED,
    BlockedExecution,
    DrillResult,
    ExecutionCounts,
    RuntimeStatus,
)

_MOST_NOTABLE: tuple[Doing, ...] = ("blocked", "retrying", "running", "sleeping", "waiting")
_LONGEST_ERROR = 160
_PAUSE_SECONDS = 1.0
_SHARE_OF_TIME = 0.02
_log = logging.getLogger("dormouse.runtime")


async def keep_telling(
    engine: Engine, keeper: KeeperClient, drilled: Callable[[], DrillResult | None] = lambda: None
) -> None:
    """Tell the keeper whenever something changed, until cancelled or the keeper listens no more."""
    told: RuntimeStatus | None = None
    while True:
        await engine.moved()
        began = time.perf_counter()
        status = structs.replace(status_of(engine), drill=drilled())
        if status != told:
            try:
                await keeper.tell_status(to_builtins(status))
            except KeeperError as error:
                _log.info("the keeper is told no more of the executions: %s", error)
                return
            told = status
        # The more executions there are, the longer a look takes, and the rarer it gets.
        await asyncio.sleep(max(_PAUSE_SECONDS, (time.perf_counter() - began) / _SHARE_OF_TIME))


def status_of(engine: Engine) -> RuntimeStatus:
    """Counts, the first that are blocked, and one sentence."""
    standing = engine.standing()
    blocked = engine.read.who("blocked", MOST_BLOCKED) if standing.blocked else []
    return RuntimeStatus(
        executions=ExecutionCounts(
            open=standing.open,
            running=standing.running,
            sleeping=standing.sleeping,
            waiting=standing.waiting,
            retrying=standing.retrying,
            blocked=standing.blocked,
        ),
        blocked=tuple(
            BlockedExecution(one.id, one.blocked.reason, on_one_line(one.blocked.message)[:LONGEST_TEXT])
            for one in blocked
            if one.blocked is not None
        ),
        waiting_for=_sentence_of(engine, standing.open),
        next_wake_at=to_text(standing.next_wake_at) if standing.next_wake_at is not None else "",
    )


def _sentence_of(engine: Engine, count: int) -> str:
    for does in _MOST_NOTABLE if count else ():
        for one in engine.read.who(does, 1):
            reason = one.blocked.reason if one.blocked is not None else ""
            return sentence(one.id, does, engine.read.waits_for(one.id), count - 1, reason)
    return "no execution is open"


def sentence(execution: str, does: Doing, waits: Sequence[Waiting], others: int, blocked_reason: str = "") -> str:
    """What the execution that a person would look at first waits for, and how many there are besides."""
    told = f"{execution} {_verb(does, waits, blocked_reason)}"
    return f"{told}; {others} more open" if others else told


def _verb(does: Doing, waits: Sequence[Waiting], blocked_reason: str) -> str:
    calls = [one for one in waits if one.kind == "activity"]
    if does == "blocked":
        return f"is blocked: {blocked_reason}"
    if does == "running":
        runs = next((one for one in calls if one.due is None), None)
        return "runs" if runs is None else f"runs {runs.name}{_again(runs)}"
    if does == "retrying":
        tried = min(calls, key=lambda one: one.due or 0, default=None)
        return "retries" if tried is None else f"retries {tried.name} at {_moment(tried.due)}{_again(tried)}"
    return _rest(waits)


def _rest(waits: Sequence[Waiting]) -> str:
    """Nothing runs: somebody else, or a timer, has to do something first."""
    due = [one.due for one in waits if one.kind in ("timer", "approval") and one.due is not None]
    until = f" until {_moment(min(due))}" if due else ""
    for one in waits:
        if one.kind == "resume":
            return "is paused until somebody resumes it"
        if one.kind in ("signal", "child", "approval"):
            return f"waits for {one.kind} {(one.kind == 'child' and one.id) or one.name}{until}"
    return f"sleeps{until}" if due else "runs its code"


def _again(call: Waiting) -> str:
    if call.last_failure is None:
        return ""
    return f" (attempt {call.attempt}) after {_error(call.last_failure)}"


def _error(failure: Failure) -> str:
    text = on_one_line(f"{failure.type}: {failure.message}")
    shown = "".join(each if each.isprintable() else " " for each in text)
    return shown if len(shown) <= _LONGEST_ERROR else f"{shown[:_LONGEST_ERROR]}..."


def _moment(at: int | None) -> str:
    """To the second: nobody waits by the millisecond."""
    return to_text((at or 0) // SECOND * SECOND).replace(".000Z", "Z")
