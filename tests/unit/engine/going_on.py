"""What must hold after any crash? The program is lived again from what it left behind."""

from __future__ import annotations

from pathlib import Path

from feature_programs import WORKFLOWS
from lives import COMPLETED, begun_again, content, ended_calls, kinds, live, message_keys, world
from programs import Program
from recorded_disk import asked_before_each_change, never_refused
from recording import Moment

from dormouse.testing import replay


def goes_on_as_if_nothing_had_been(program: Program, moment: Moment, folder: Path) -> Path:
    """Live it again from this moment; what must hold after any crash."""
    path = moment.write(folder)
    found = content(path)
    ended = ended_calls(path) if "CREATE TABLE event" in found else {}
    with asked_before_each_change(folder, never_refused):
        result = live(path, WORKFLOWS, program.drive, moment.life.copy())
    assert result == program.result, moment.where
    if "ExecutionRetried" in kinds(path) and "ExecutionRetried" not in found:
        ended = {call: last for call, last in ended.items() if last == COMPLETED}
    assert begun_again(ended, world.attempts) == [], f"{moment.where}: a recorded activity ran again"
    calls = {one.key: one.what for one in moment.begun}
    renamed = [one for one in world.attempts if calls.get(one.key, one.what) != one.what]
    assert program.draws or renamed == [], f"{moment.where}: an idempotency key stands for another call"
    keys = message_keys(path)
    assert len(keys) == len(set(keys)), f"{moment.where}: a message was taken twice"
    replay(path, WORKFLOWS, codec=moment.life.way.codec)
    return path
