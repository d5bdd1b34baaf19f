"""How is a host of the lab a host? Namespaces of its own, all held by one process: when that ends, so does the host.

The first process of a host's PID namespace holds its network, mounts and name. Killing it makes the kernel end
every process of the host, pods included, and take down its mounts, links and packet filters with it.
"""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from testcluster.commands import ClusterError, plain_environment, run
from testcluster.folders import HIDDEN_IN_HOSTS, log_file, state_folder
from testcluster.lab import Host
from testcluster.progress import wait_until

_NAMESPACES = ("--net", "--mount", "--pid", "--uts", "--ipc")
# The second word of a host's first process, by which it is found even when its state folder is gone.
_MARK = "host-of-dormouse-test-cluster"
_PROC = Path("/proc")


@dataclass(frozen=True)
class RunningHost:
    """A host whose first process, as this machine numbers it, is alive."""

    name: str
    pid: int

    def command(self, arguments: Sequence[str]) -> list[str]:
        """The same command, run on the host."""
        return ["nsenter", f"--target={self.pid}", *_NAMESPACES, "--", *arguments]

    def network_command(self, arguments: Sequence[str]) -> list[str]:
        """The same command, run on this machine but with the host's network."""
        return ["nsenter", f"--target={self.pid}", "--net", "--", *arguments]

    def run(self, arguments: Sequence[str], *, source: Path | None = None, seconds: float = 60.0) -> str:
        """Run a command on the host to its end; it may read a file of this machine."""
        return run(self.command(arguments), source=source, environment=plain_environment(), seconds=seconds)

    def start(self, component: str, arguments: Sequence[str], environment: Mapping[str, str] | None = None) -> None:
        """Start a program that goes on after this one; what it prints goes to its log."""
        log = log_file(self.name, component)
        log.parent.mkdir(parents=True, exist_ok=True)
        # The shell's child is handed to the host's first process, so that nothing of it stays on this machine.
        detached = ["sh", "-c", 'log=$1; shift; cd /; setsid "$@" >>"$log" 2>&1 </dev/null &', "sh", str(log)]
        run(
            self.command([*detached, *arguments]),
            environment=plain_environment(HOME="/run", **(environment or {})),
        )

    def processes(self) -> Iterator[tuple[int, list[str]]]:
        """The host's own processes, those of its pods not among them, each with its command line."""
        namespace = _namespace(self.pid)
        for pid, words in _all_processes():
            if _namespace(pid) == namespace:
                yield pid, words

    def pids_of(self, program: str) -> list[int]:
        """The processes on the host that run this program, wherever the checkout that started it keeps its own."""
        return [pid for pid, words in self.processes() if Path(words[0]).name == Path(program).name]


def running() -> dict[str, RunningHost]:
    """The hosts that are there, by name, whoever started them."""
    found = {}
    for pid, words in _all_processes():
        if len(words) == 3 and words[1] == _MARK and words[0].endswith("/pause"):
            found[words[2]] = RunningHost(words[2], pid)
    return found


def boot(host: Host, pause: Path) -> RunningHost:
    """Make the host: namespaces, empty folders in place of this machine's, a name."""
    root = state_folder() / "hosts" / host.name
    root.mkdir(parents=True, exist_ok=True)
    holder = ["unshare", *_NAMESPACES, "--fork", "--kill-child", "--mount-proc", "--propagation=private"]
    with (root / "holder.log").open("w") as log:
        held = subprocess.Popen(
            [*holder, "--", str(pause), _MARK, host.name],
            cwd="/",
            env=plain_environment(),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    remedy = f"Are you root, and may this machine make namespaces? See {root / 'holder.log'}"
    wait_until(
        f"host {host.name}", lambda: held.poll() is not None or host.name in running(), seconds=20, remedy=remedy
    )
    if host.name not in running():
        raise ClusterError(f"host {host.name} did not start. {remedy}")
    started = running()[host.name]
    started.run(["sh", "-ec", _SETUP, "sh", host.name, str(root)])
    return started


def end(hosts: Sequence[RunningHost]) -> None:
    """End hosts with everything that runs on them, and wait until the kernel has done so."""
    for host in hosts:
        try:
            os.kill(host.pid, signal.SIGKILL)
        except ProcessLookupError:
            continue
    names = {host.name for host in hosts}
    remedy = "A process hangs in the kernel; only a restart of the machine ends it."
    wait_until("the hosts' processes end", lambda: not names & running().keys(), seconds=60, remedy=remedy)


# Each folder that this machine's programs use too is replaced by one of the host's own; /run is in memory, as ever.
_FOLDERS = "\n".join(
    f'mkdir -p "$2{folder}" && mount --bind "$2{folder}" {folder}'
    for folder in HIDDEN_IN_HOSTS
    if folder != Path("/run")
)
_SETUP = f"""
mount --make-rshared /
hostname "$1"
mount -t tmpfs -o mode=755 tmpfs /run
mkdir -p /run/lock
{_FOLDERS}
ip link set lo up
sysctl -qw net.ipv4.ip_forward=1
"""


def _all_processes() -> Iterator[tuple[int, list[str]]]:
    for entry in _PROC.iterdir():
        if entry.name.isdigit():
            try:
                line = (entry / "cmdline").read_bytes()
            except (FileNotFoundError, ProcessLookupError):
                continue  # it has ended
            if line:
                yield int(entry.name), line.rstrip(b"\0").decode(errors="replace").split("\0")


def _namespace(pid: int) -> str | None:
    try:
        return str((_PROC / str(pid) / "ns" / "pid").readlink())
    except (FileNotFoundError, ProcessLookupError, PermissionError):
        return None
