"""In one sentence: what does an execution wait for, or how did it end, and what can somebody do? Pure."""

from __future__ import annotations

import shlex
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from dormouse.commands.printing import what_is_waited_for
from dormouse.engine.ending import Status
from dormouse.engine.standing import Waiting
from dormouse.runtime.views import waiting_view
from dormouse_observer.web.reader import Listed, Standing

Mood = Literal["well", "waits", "wrong", "ended"]


@dataclass(frozen=True)
class Sentence:
    """Where an execution stands.

    Attributes:
        advice: what to do, if there is anything.
        command: that does it, to be copied; TARGET in it is for the live workflow.
    """

    text: str
    mood: Mood
    advice: str = ""
    command: str = ""


@dataclass(frozen=True)
class Commands:
    """The names that stand in commands to be copied.

    Attributes:
        is_redacted: whether the file holds placeholders, so that commands which need values are refused.
    """

    file: str
    target: str
    is_redacted: bool = False

    def beside(self, name: str) -> str:
        """A new file of this name, or of another one when the file has it already."""
        return f"{name}-again.sqlite" if Path(self.file).name == f"{name}.sqlite" else f"{name}.sqlite"


def sentence(row: Listed, standing: Standing, names: Commands) -> Sentence:
    """Say it; of a file with placeholders without advice, since the workflow is somebody else's."""
    said = _sentence(row, standing, names)
    return replace(said, advice="", command="") if names.is_redacted else said


def _sentence(row: Listed, standing: Standing, names: Commands) -> Sentence:
    if standing.unreadable is not None:
        return Sentence(f"It is {row.status}; why is encrypted.", "wrong", f"{standing.unreadable}.")
    if standing.blocked is not None:
        return Sentence(
            f"It is blocked: {standing.blocked.message}",
            "wrong",
            "Its code asks for something else than its log holds. See where, and deploy code that goes both ways.",
            _replay(row, names),
        )
    if row.is_closed:
        return _ended(row, standing, names)
    if not standing.waiting:
        return Sentence(
            "It waits for nothing that the file knows: its code was running, or waits for a signal.",
            "waits",
            "See where its code stands: in the debugger, c goes there.",
            debug(row, names),
        )
    first = standing.waiting[0]
    others = len(standing.waiting) - 1 + standing.more
    text = f"It waits for {what_is_waited_for(waiting_view(first))}"
    if first.source:
        text += f" ({first.source})"
    if others:
        text += f", and for {others:,} more"
    return _with_advice(f"{text}.", row, first, names)


def _ended(row: Listed, standing: Standing, names: Commands) -> Sentence:
    failure = standing.failure
    if failure is None:
        return Sentence(f"It completed in {standing.took}.", "well")
    why = next(iter(failure.message.splitlines()), "")
    at = f" ({failure.source})" if failure.source else ""
    text = f"It {_ENDED.get(row.status, 'ended')} after {standing.took}: {failure.type}: {why}".rstrip(": ") + at
    if row.status == Status.FAILED:
        advice = (
            "If a recorded answer was wrong, fork from it; if the code or the world was, mend that, and let the live "
            "one go on: see below for both. How it came to that can be looked at in the debugger, where c goes there."
        )
        return Sentence(text, "wrong", advice, debug(row, names))
    return Sentence(text, "ended")


_ENDED: dict[str, str] = {
    Status.FAILED: "failed",
    Status.CANCELLED: "was cancelled",
    Status.TERMINATED: "was terminated",
}


def _with_advice(text: str, row: Listed, first: Waiting, names: Commands) -> Sentence:
    about = f"{names.target} {shlex.quote(row.id)}"
    name = shlex.quote(first.name or "NAME")
    match first.kind:
        case "approval":
            command = f"dormouse approve {about} {name} --digest {shlex.quote(first.id or 'DIGEST')}"
            return Sentence(text, "waits", "Somebody has to decide.", command)
        case "signal":
            return Sentence(text, "waits", "Somebody has to send it.", f"dormouse signal {about} {name} VALUE")
        case "resume":
            command = f"dormouse resume {names.target} --execution {shlex.quote(row.id)}"
            return Sentence(text, "waits", "Somebody has to let it go on.", command)
        case "activity" if first.last_failure is not None:
            return Sentence(text, "wrong", "It is tried again by itself; mend what fails.")
        case "child":
            return Sentence(text, "waits", "Look at that execution.")
        case _:
            return Sentence(text, "waits", "Nothing to do: it goes on by itself.")


def debug(row: Listed, names: Commands) -> str:
    """The command that shows its code running."""
    return f"dormouse debug {shlex.quote(names.file)} --execution {shlex.quote(row.id)} --code ."


def _replay(row: Listed, names: Commands) -> str:
    return f"dormouse replay {shlex.quote(names.file)} --code . --execution {shlex.quote(row.id)}"
