"""Does a workflow survive the loss of its process and its volume? Shown on examples/data_pipeline.

Run it with `hack/demo`.
"""

from __future__ import annotations

import argparse
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from pathlib import Path

import yaml
from demo_story import ALL_STEPS, EXAMPLE, HALF, Clock, PipelineStore, StoryError, check_outcome, told
from obstore.store import S3Store
from process_tree import adopt_orphans, descendants, kill_all

from dormouse_operator.dev.ports import LOOPBACK, free_ports
from dormouse_operator.dev.seaweedfs import SeaweedFS

DORMOUSE = Path(sys.executable).with_name("dormouse")
CURRENT = "default/data-pipeline/CURRENT"
ROLES = {
    "dormouse.keeper": "keeper",
    "dormouse.runtime": "runtime",
    "litestream": "Litestream",
    "weed": "SeaweedFS",
}
STORY_WITHIN_SECONDS = 150.0
ENDED_WITHIN_SECONDS = 70.0


class Demo:
    """The story's scenes, in the order in which `run` plays them."""

    def __init__(self, folder: Path, clock: Clock) -> None:
        self.folder = folder
        self.clock = clock
        self.port = free_ports(1)[0]
        self.store = PipelineStore(self.open_store, CURRENT)
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
        wrong = check_outcome(self.store, self.planned_failures, self.clock)
        self.end(second)
        return wrong

    def open_store(self) -> S3Store:
        folder = self.folder / ".dormouse" / "store"
        if not (folder / "s3.json").exists():
            raise FileNotFoundError("`dormouse dev` has not made the store's keys yet")
        return SeaweedFS(folder, self.port).client(retries=0)

    def store_is_silent(self) -> bool:
        """Whether nobody answers at its port."""
        try:
            socket.create_connection((LOOPBACK, self.port), timeout=1).close()
        except OSError:
            return True
        return False

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
        self.clock.wait_for("the first step", self.store.attempts, over=lambda: ended(dev))
        self.clock.say("a local S3 server and the pod data-pipeline-e1 run; the first steps have begun")
        self.clock.wait_for("half of the steps", self.store.is_half_way, over=lambda: ended(dev))
        self.clock.say(f"half way: {HALF} of {ALL_STEPS} steps have begun")

    def lose_everything(self, dev: subprocess.Popen[bytes]) -> None:
        killed = kill_all(first=dev.pid)
        dev.wait()
        self.clock.wait_for("the end of the killed S3 server", self.store_is_silent)
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
        self.clock.wait_for("the store", self.store.answers, over=lambda: ended(dev))
        answered = self.clock.seconds
        self.clock.say(f"the S3 server answers again after {answered - started:.1f} s")
        begun = self.clock.wait_for("the second life's first step", self.store.second_life, over=lambda: ended(dev))
        waited = self.clock.seconds - answered
        self.clock.say(self.store.restored())
        self.clock.say(f"it goes on with {begun[0].step}, {waited:.1f} s after the S3 server answered")
        self.clock.wait_for("the seal", self.store.completed, over=lambda: ended(dev))
        self.clock.say("the workflow is done; the store's CURRENT says Sealed, Completed")

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


def ended(dev: subprocess.Popen[bytes]) -> str:
    return "" if dev.poll() is None else f"`dormouse dev` ended with exit code {dev.returncode}"


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
        wrong = Demo(folder, Clock(STORY_WITHIN_SECONDS)).run()
    except StoryError as failed:
        wrong = [str(failed)]
        print_logs(folder)
    finally:
        kill_all()
        if keep:
            print(f"kept {folder}")
        else:
            shutil.rmtree(folder)
    return told(wrong)


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
