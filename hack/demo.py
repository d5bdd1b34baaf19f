"""Does a workflow survive the loss of its process and its volume? Shown on examples/data_pipeline.

Run it with `hack/demo`.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import yaml
from attempts import STEPS, Attempt, complaints, step_of
from expected import expected_report
from obstore.exceptions import BaseError
from obstore.store import S3Store
from process_tree import adopt_orphans, descendants, kill_all

from dormouse_operator.dev.ports import LOOPBACK, free_ports
from dormouse_operator.dev.seaweedfs import SeaweedFS

EXAMPLE = Path(__file__).parent.parent / "examples" / "data_pipeline"
DORMOUSE = Path(sys.executable).with_name("dormouse")
CURRENT = "default/data-pipeline/CURRENT"
REPORT = "reports/data_pipeline/main.json"
ROLES = {
    "dormouse.keeper": "keeper",
    "dormouse.runtime": "runtime",
    "litestream": "Litestream",
    "weed": "SeaweedFS",
}
STORY_WITHIN_SECONDS = 150.0
ENDED_WITHIN_SECONDS = 70.0
Answer = TypeVar("Answer")


class StoryError(Exception):
    """The story cannot go on; the message says where and why."""


class Clock:
    """Prints what happens with the seconds since the start, and bounds every wait."""

    def __init__(self) -> None:
        self._started = time.monotonic()

    @property
    def seconds(self) -> float:
        return time.monotonic() - self._started

    def say(self, text: str) -> None:
        print(f"{self.seconds:6.1f} s  {text}", flush=True)

    def wait_for(self, what: str, ask: Callable[[], Answer], dev: subprocess.Popen[bytes] | None) -> Answer:
        """Ask until the answer is true. A store that does not answer, or lacks the object, says no."""
        while True:
            try:
                if answer := ask():
                    return answer
            except (BaseError, OSError):
                pass
            if dev is not None and dev.poll() is not None:
                raise StoryError(f"`dormouse dev` ended with exit code {dev.returncode} before {what} was there")
            if self.seconds > STORY_WITHIN_SECONDS:
                raise StoryError(f"waited in vain for {what}")
            time.sleep(0.03)


class Store:
    """What anyone can read in the bucket while the store runs, without asking the engine."""

    def __init__(self, folder: Path, port: int) -> None:
        self._folder = folder
        self._port = port
        self._attempts: dict[str, Attempt] = {}

    @property
    def _client(self) -> S3Store:
        if not (self._folder / "s3.json").exists():
            raise FileNotFoundError("`dormouse dev` has not made the store's keys yet")
        return SeaweedFS(self._folder, self._port).client(retries=0)

    def document(self, key: str) -> dict[str, Any]:
        document: dict[str, Any] = json.loads(bytes(self._client.get(key).bytes()))
        return document

    def answers(self) -> bool:
        """Whether it lists what it held before."""
        return any(len(page) > 0 for page in self._client.list("attempts/"))

    def is_silent(self) -> bool:
        """Whether nobody answers at its port."""
        try:
            socket.create_connection((LOOPBACK, self._port), timeout=1).close()
        except OSError:
            return True
        return False

    def attempts(self) -> list[Attempt]:
        for page in self._client.list("attempts/"):
            for key in (entry["path"] for entry in page):
                if key not in self._attempts:
                    self._attempts[key] = Attempt(step_of(key), int(self.document(key)["epoch"]))
        return list(self._attempts.values())

    def second_life(self) -> list[Attempt]:
        return [attempt for attempt in self.attempts() if attempt.epoch > 1]

    def completed(self) -> bool:
        current = self.document(CURRENT)
        return (current["state"], current["sealReason"]) == ("Sealed", "Completed")

    def restored(self) -> str:
        current = self.document(CURRENT)
        base = current["lineage"][-1]["base"]
        return (
            f"the pod data-pipeline-e{current['epoch']} restored epoch {base['epoch']} "
            f"up to transaction {base['txid']} from the store"
        )


class Demo:
    """The story's scenes, in the order in which `run` plays them."""

    def __init__(self, folder: Path, clock: Clock) -> None:
        self.folder = folder
        self.clock = clock
        self.port = free_ports(1)[0]
        self.store = Store(folder / ".dormouse" / "store", self.port)
        for name in ("dormouse.yaml", "pipeline.py", "measures.py"):
            shutil.copy(EXAMPLE / name, folder)
        manifest = yaml.safe_load((folder / "dormouse.yaml").read_text())
        self.planned_failures = int(manifest["spec"]["start"]["input"]["planned_failures"])

    def run(self) -> list[str]:
        """Return what is wrong with the story's end."""
        self.clock.say(f"copied the example to {self.folder}")
        first = self.start()
        self.watch_until_half_way(first)
        self.lose_everything(first)
        second = self.start()
        self.watch_until_completed(second)
        wrong = [*self.check_report(), *self.check_attempts()]
        self.end(second)
        return wrong

    def start(self) -> subprocess.Popen[bytes]:
        # The folder of the manifest is all that the pods may import from, besides what is installed.
        environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
        self.clock.say("start: dormouse dev -f dormouse.yaml")
        with (self.folder / "dev.log").open("ab") as log:
            return subprocess.Popen(
                [DORMOUSE, "dev", "-f", "dormouse.yaml", "--store-port", str(self.port)],
                cwd=self.folder,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def watch_until_half_way(self, dev: subprocess.Popen[bytes]) -> None:
        steps, half = sum(STEPS.values()), sum(STEPS.values()) // 2
        self.clock.wait_for("the first step", self.store.attempts, dev)
        self.clock.say("a local S3 server and the pod data-pipeline-e1 run; the first steps have begun")
        self.clock.wait_for("half of the steps", lambda: len(self.store.attempts()) >= half, dev)
        self.clock.say(f"half way: {half} of {steps} steps have begun")

    def lose_everything(self, dev: subprocess.Popen[bytes]) -> None:
        killed = kill_all(first=dev.pid)
        dev.wait()
        self.clock.wait_for("the end of the killed S3 server", self.store.is_silent, dev=None)
        roles = ", ".join(sorted({role(command) for command in killed.values()}))
        self.clock.say(f"killed all {len(killed)} processes with SIGKILL: {roles}")
        folders = list((self.folder / ".dormouse" / "pods").iterdir())
        if not folders:
            raise StoryError("there is no pod's folder to remove")
        for folder in folders:
            shutil.rmtree(folder)
        names = ", ".join(folder.name for folder in folders)
        self.clock.say(f"removed the folder of {names} with its database; only the store's data is left")

    def watch_until_completed(self, dev: subprocess.Popen[bytes]) -> None:
        started = self.clock.seconds
        self.clock.wait_for("the store", self.store.answers, dev)
        answered = self.clock.seconds
        self.clock.say(f"the S3 server answers again after {answered - started:.1f} s")
        begun = self.clock.wait_for("the second life's first step", self.store.second_life, dev)
        waited = self.clock.seconds - answered
        self.clock.say(self.store.restored())
        self.clock.say(f"it goes on with {begun[0].step}, {waited:.1f} s after the S3 server answered")
        self.clock.wait_for("the seal", self.store.completed, dev)
        self.clock.say("the workflow is done; the store's CURRENT says Sealed, Completed")

    def check_report(self) -> list[str]:
        report, expected = self.store.document(REPORT)["report"], expected_report()
        if report != expected:
            return [f"the report is {report} instead of {expected}"]
        self.clock.say("the report equals the numbers that SQL finds in the same files")
        return []

    def check_attempts(self) -> list[str]:
        attempts = self.store.attempts()
        counted = Counter(attempt.step for attempt in attempts)
        repeated = [str(step) for step in sorted(counted) if counted[step] > 1 and step.activity != "register"]
        flaky = sum(counted[step] for step in counted if step.activity == "register")
        self.clock.say(f"counted in the store: {len(attempts)} attempts of {len(counted)} steps")
        self.clock.say(f"steps that ran again after the kill: {', '.join(repeated) or 'none'}")
        self.clock.say(f"the flaky step ran {flaky} times; its plan is {1 + self.planned_failures}")
        return complaints(attempts, self.planned_failures)

    def end(self, dev: subprocess.Popen[bytes]) -> None:
        dev.send_signal(signal.SIGTERM)
        try:
            code = dev.wait(ENDED_WITHIN_SECONDS)
        except subprocess.TimeoutExpired:
            raise StoryError("`dormouse dev` did not end on SIGTERM") from None
        if code != 0:
            raise StoryError(f"`dormouse dev` ended with exit code {code} on SIGTERM")
        if left := descendants():
            raise StoryError(f"`dormouse dev` left processes running: {left}")
        self.clock.say("ended `dormouse dev` with SIGTERM; nothing is left running")


def role(command: str) -> str:
    return next((name for mark, name in ROLES.items() if mark in command), "dormouse dev")


def main() -> int:
    parser = argparse.ArgumentParser(prog="hack/demo", description=__doc__)
    parser.add_argument("--keep", action="store_true", help="leave the temporary folder and say where it is")
    keep = parser.parse_args().keep
    adopt_orphans()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, end_early)
    folder = Path(tempfile.mkdtemp(prefix="dormouse-demo-"))
    try:
        wrong = Demo(folder, Clock()).run()
    except StoryError as failed:
        wrong = [str(failed)]
        print_logs(folder)
    finally:
        kill_all()
        if keep:
            print(f"kept {folder}")
        else:
            shutil.rmtree(folder)
    for line in wrong:
        print(f"WRONG: {line}")
    print("demo failed" if wrong else "demo passed: nothing that was acknowledged was lost or run again")
    return 1 if wrong else 0


def end_early(number: int, _: object) -> None:
    """Leave through the `finally` that kills everything."""
    sys.exit(128 + number)


def print_logs(folder: Path) -> None:
    for log in [folder / "dev.log", *sorted(folder.glob(".dormouse/pods/*/logs/*.log"))]:
        if log.exists():
            print(f"--- the end of {log.relative_to(folder)}")
            print("\n".join(log.read_text(errors="replace").splitlines()[-15:]))


if __name__ == "__main__":
    sys.exit(main())
