"""What does the keeper's socket answer, and how often does it ask for it? A life that answers as the test says."""

from __future__ import annotations

import asyncio
import json
from collections import deque
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from dormouse.keeper.client import Fenced
from dormouse.keeper.service import Service


class Life:
    """Counts barriers; the n-th answers with the n-th of `answers`, once it may."""

    def __init__(self) -> None:
        self.timeouts: list[float | None] = []
        self.may_answer = asyncio.Event()
        self.answers: deque[dict[str, Any] | Exception] = deque()

    async def barrier(self, timeout_seconds: float | None) -> dict[str, Any]:
        self.timeouts.append(timeout_seconds)
        answer = self.answers.popleft() if self.answers else {"position": f"1/{len(self.timeouts)}"}
        await self.may_answer.wait()
        if isinstance(answer, Exception):
            raise answer
        return answer

    async def gate(self) -> dict[str, Any]:
        return {"epoch": 1}

    async def prove(self, within_seconds: float) -> dict[str, Any]:
        return {"epoch": 1, "secondsAgo": within_seconds}

    async def take_status(self, status: dict[str, Any]) -> dict[str, Any]:
        return status

    async def drill(self) -> dict[str, Any]:
        return {}

    async def seal(self, reason: str, next_wake_at: str | None) -> dict[str, Any]:
        return {"position": "1/1", "reason": reason, "nextWakeAt": next_wake_at}

    def ready(self) -> tuple[bool, str]:
        return True, "replicating"

    def status(self) -> dict[str, Any]:
        return {}

    async def scraped(self) -> str:
        return ""


class Asking:
    """A connection that sends lines as they are."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self.writer = writer

    def send(self, *requests: object) -> None:
        """All of them in one go."""
        self.writer.write(b"".join(json.dumps(request).encode() + b"\n" for request in requests))

    async def hear(self, count: int) -> list[dict[str, Any]]:
        return [json.loads(await self._reader.readline()) for _ in range(count)]


def play(folder: Path, scenario: Callable[[Asking, Life], Awaitable[None]]) -> None:
    async def run() -> None:
        life = Life()
        service = Service(life)
        path = folder / "keeper.sock"
        await service.listen(path)
        try:
            async with asyncio.timeout(60):
                asking = Asking(*await asyncio.open_unix_connection(path))
                try:
                    await scenario(asking, life)
                finally:
                    asking.writer.close()
                    await asking.writer.wait_closed()
        finally:
            await service.close()

    asyncio.run(run())


def barrier(number: object, **fields: object) -> dict[str, object]:
    return {"v": 1, "id": number, "op": "barrier", **fields}


async def until(holds: Callable[[], bool]) -> None:
    while not holds():
        await asyncio.sleep(0)


def test_the_barriers_of_a_connection_that_come_in_one_go_are_one_question(tmp_path: Path) -> None:
    async def scenario(asking: Asking, life: Life) -> None:
        life.may_answer.set()
        asking.send(*(barrier(number) for number in range(100)))
        answers = await asking.hear(100)
        assert answers == [{"id": number, "ok": True, "position": "1/1"} for number in range(100)]
        assert life.timeouts == [None]

    play(tmp_path, scenario)


def test_who_asks_while_a_barrier_is_under_way_gets_one_of_its_own(tmp_path: Path) -> None:
    async def scenario(asking: Asking, life: Life) -> None:
        asking.send(barrier("first"))
        await until(lambda: len(life.timeouts) == 1)
        asking.send(barrier("second"))
        await until(lambda: len(life.timeouts) == 2)
        life.may_answer.set()
        answers = {answer["id"]: answer["position"] for answer in await asking.hear(2)}
        assert answers == {"first": "1/1", "second": "1/2"}

    play(tmp_path, scenario)


def test_barriers_that_may_take_differently_long_are_questions_of_their_own(tmp_path: Path) -> None:
    async def scenario(asking: Asking, life: Life) -> None:
        life.may_answer.set()
        asking.send(barrier(1), barrier(2, timeout=5), barrier(3), barrier(4, timeout=5))
        assert {answer["id"]: answer["position"] for answer in await asking.hear(4)} == {
            1: "1/1", 3: "1/1", 2: "1/2", 4: "1/2",
        }  # fmt: skip
        assert life.timeouts == [None, 5]

    play(tmp_path, scenario)


def test_why_a_barrier_failed_is_told_to_all_who_share_it(tmp_path: Path) -> None:
    async def scenario(asking: Asking, life: Life) -> None:
        life.answers.append(Fenced("epoch 2 is current"))
        life.may_answer.set()
        asking.send(barrier(1), barrier(2))
        told = {"ok": False, "error": "Fenced", "message": "epoch 2 is current"}
        assert await asking.hear(2) == [{"id": 1, **told}, {"id": 2, **told}]

    play(tmp_path, scenario)


def test_more_than_may_wait_at_once_are_answered_too(tmp_path: Path) -> None:
    async def scenario(asking: Asking, life: Life) -> None:
        asking.send(*(barrier(number) for number in range(10_000)))
        await until(lambda: bool(life.timeouts))
        life.may_answer.set()
        assert sorted(answer["id"] for answer in await asking.hear(10_000)) == list(range(10_000))

    play(tmp_path, scenario)


@pytest.mark.parametrize(
    ("request_", "number", "says"),
    [
        ("nonsense", None, "TypeError"),
        ([1], None, "TypeError"),
        ({"v": 1, "op": "gate"}, None, "KeyError: 'id'"),
        ({"v": 2, "id": 1, "op": "gate"}, 1, "version 2 is not spoken here, 1 is"),
        ({"v": 1, "id": 2}, 2, "KeyError: 'op'"),
        ({"v": 1, "id": 3, "op": "dance"}, 3, "unknown operation 'dance'"),
        ({"v": 1, "id": 4, "op": "seal"}, 4, "KeyError: 'reason'"),
        (barrier(5, timeout="soon"), 5, "timeout must be a number of seconds, 0 or more, not 'soon'"),
        (barrier(6, timeout=-1), 6, "timeout must be a number of seconds, 0 or more, not -1"),
    ],
)
def test_a_request_that_makes_no_sense_is_answered_and_the_next_one_too(
    tmp_path: Path, request_: object, number: int | None, says: str
) -> None:
    async def scenario(asking: Asking, life: Life) -> None:
        asking.send(request_, {"v": 1, "id": "next", "op": "gate"})
        answers = {answer["id"]: answer for answer in await asking.hear(2)}
        assert answers["next"]["ok"]
        assert (answers[number]["ok"], answers[number]["error"]) == (False, "BadRequest")
        assert says in answers[number]["message"]

    play(tmp_path, scenario)


def test_a_request_that_nests_without_end_is_answered(tmp_path: Path) -> None:
    async def scenario(asking: Asking, life: Life) -> None:
        asking.writer.write(b"[" * 50_000 + b"\n")
        [answer] = await asking.hear(1)
        assert answer["error"] == "BadRequest"

    play(tmp_path, scenario)
