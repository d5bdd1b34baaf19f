"""How do the e2e tests talk to the cluster? By `hack/cluster` and its kubectl, as a person does."""

from __future__ import annotations

import fcntl
import json
import os
import re
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any, TypeVar

from obstore.store import S3Store

HACK_CLUSTER = Path(__file__).parents[2] / "hack" / "cluster"
Answer = TypeVar("Answer")


@dataclass(frozen=True)
class Cluster:
    """The running cluster. Programs are named HOST/PROGRAM, as `hack/cluster status` shows them."""

    kubectl_program: str
    kubeconfig: str
    nodes: tuple[str, ...]
    store: Mapping[str, str]
    base_image: str

    @classmethod
    def up(cls) -> Cluster:
        """Bring it up if it is not, with the base image on both nodes."""
        with one_at_a_time():
            hack_cluster("up", seconds=3000)
            status = json.loads(hack_cluster("status", "--json"))
            image, archive = hack_cluster("base-image", seconds=1500).split()
            hack_cluster("load", archive, seconds=300)
        return cls(status["kubectl"], status["kubeconfig"], tuple(status["nodes"]), status["store"], image)

    def kubectl(self, *arguments: str, document: Any = None, seconds: float = 60.0) -> str:
        """Run kubectl to its end, with the document as its input."""
        done = self.try_kubectl(*arguments, document=document, seconds=seconds)
        if done.returncode != 0:
            raise AssertionError(f"kubectl {' '.join(arguments)} ended with code {done.returncode}: {done.stderr}")
        return done.stdout

    def try_kubectl(
        self, *arguments: str, document: Any = None, seconds: float = 60.0
    ) -> subprocess.CompletedProcess[str]:
        """Run kubectl to its end, whatever that is."""
        return subprocess.run(
            [self.kubectl_program, *arguments],
            input=None if document is None else json.dumps(document),
            env={**os.environ, "KUBECONFIG": self.kubeconfig, "KUBECACHEDIR": f"{self.kubeconfig}.cache"},
            capture_output=True,
            text=True,
            timeout=seconds,
            check=False,
        )

    def get(self, *arguments: str) -> dict[str, Any]:
        """One object, or a list of them, as the API server has it now."""
        found: dict[str, Any] = json.loads(self.kubectl("get", *arguments, "--output=json"))
        return found

    def apply(self, *documents: Mapping[str, Any]) -> None:
        """Create or change objects."""
        self.kubectl("apply", "--filename=-", document={"apiVersion": "v1", "kind": "List", "items": list(documents)})

    def is_ready(self, node: str) -> bool:
        """Whether Kubernetes knows the node, and calls it Ready."""
        found = self.try_kubectl("get", "node", node, "--output=json")
        conditions = json.loads(found.stdout)["status"]["conditions"] if found.returncode == 0 else ()
        return any(each["type"] == "Ready" and each["status"] == "True" for each in conditions)

    @contextmanager
    def cut(self, node: str, *targets: str) -> Iterator[None]:
        """The node cannot reach api, store or all, until the end of the block."""
        hack_cluster("partition", node, *targets)
        try:
            yield
        finally:
            hack_cluster("heal", node)

    @contextmanager
    def stopped(self, place: str) -> Iterator[None]:
        """One program is down until the end of the block."""
        hack_cluster("stop", place)
        try:
            yield
        finally:
            hack_cluster("start", place)

    @property
    def store_program(self) -> str:
        """The S3 server, for `stopped`."""
        return "dormouse-store/weed" if self.is_kind else "store/weed"

    @contextmanager
    def without_api_server(self) -> Iterator[None]:
        """It is down until the end of the block, and serves again after it."""
        with self.stopped("dormouse-control-plane/kube-apiserver" if self.is_kind else "cp/kube-apiserver"):
            yield
        ready = ("get", "--raw=/readyz", "--request-timeout=3s")
        eventually("the API server serves again", lambda: self.try_kubectl(*ready).returncode == 0, seconds=120)

    @property
    def is_kind(self) -> bool:
        """Whether its nodes are kind's, which run containers by runc alone."""
        return "worker" in self.nodes[0]

    @property
    def own_address(self) -> str:
        """This machine's address for pods of the cluster."""
        host, port = self.store["endpoint"].removeprefix("http://").split(":")
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as towards_store:
            towards_store.connect((host, int(port)))  # sends nothing
            address: str = towards_store.getsockname()[0]
        return address

    @contextmanager
    def forwarded(self, namespace: str, pod: str, port: int) -> Iterator[str]:
        """The address of a pod's port, for as long as the block lasts."""
        forward = ("port-forward", "--address=127.0.0.1", f"pod/{pod}", f":{port}")
        command = [self.kubectl_program, "--namespace", namespace, *forward]
        environment = {**os.environ, "KUBECONFIG": self.kubeconfig}
        with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as forwarding:
            assert forwarding.stdout is not None
            found = re.search(r"127\.0\.0\.1:(\d+)", forwarding.stdout.readline())
            try:
                assert found is not None, f"no way to port {port} of {pod}"
                yield f"http://127.0.0.1:{found[1]}"
            finally:
                forwarding.terminate()

    def kill_container(self, node: str, container: str) -> None:
        """SIGKILL what runs in a container."""
        hack_cluster("kill", node, container)

    def run(self, node: str, *command: str) -> str:
        """What a command prints that is run on a node."""
        return hack_cluster("run", node, *command)

    def bucket(self, *, retries: int = 10) -> S3Store:
        """The store, as anyone with the keys sees it from this machine."""
        return S3Store(
            self.store["bucket"],
            endpoint=self.store["endpoint"],
            region=self.store["region"],
            access_key_id=self.store["access_key_id"],
            secret_access_key=self.store["secret_access_key"],
            virtual_hosted_style_request=False,
            client_options={"allow_http": True, "timeout": "10s"},
            retry_config={"max_retries": retries, "retry_timeout": timedelta(seconds=30)},
        )


@contextmanager
def one_at_a_time() -> Iterator[None]:
    """What all tests share is changed by one process at a time: Helm and `hack/cluster` refuse a second one."""
    with (Path(tempfile.gettempdir()) / f"dormouse-e2e-{os.getuid()}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def hack_cluster(*arguments: str, seconds: float = 60.0) -> str:
    """Run `hack/cluster` to its end and return what it printed; its progress is seen when the test fails."""
    done = subprocess.run(
        [str(HACK_CLUSTER), *arguments], stdout=subprocess.PIPE, text=True, timeout=seconds, check=False
    )
    if done.returncode != 0:
        raise AssertionError(f"hack/cluster {' '.join(arguments)} ended with code {done.returncode}: {done.stdout}")
    return done.stdout


def eventually(what: str, ask: Callable[[], Answer], *, seconds: float) -> Answer:
    """Ask until the answer is true, and return it."""
    deadline = time.monotonic() + seconds
    while not (answer := ask()):
        assert time.monotonic() < deadline, f"{what}: not within {seconds:.0f} s"
        time.sleep(0.3)
    return answer


def restricted_pod(namespace: str, name: str, node: str, image: str, command: Sequence[str]) -> dict[str, Any]:
    """A pod on a certain node that the `restricted` level of Pod Security lets in."""
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {
            "nodeName": node,
            "restartPolicy": "Never",
            "terminationGracePeriodSeconds": 1,
            "automountServiceAccountToken": False,
            "securityContext": {
                "runAsNonRoot": True,
                "runAsUser": 65532,
                "seccompProfile": {"type": "RuntimeDefault"},
            },
            "containers": [
                {
                    "name": "main",
                    "image": image,
                    "imagePullPolicy": "IfNotPresent",
                    "command": list(command),
                    "securityContext": {
                        "allowPrivilegeEscalation": False,
                        "capabilities": {"drop": ["ALL"]},
                        "readOnlyRootFilesystem": True,
                    },
                }
            ],
        },
    }
