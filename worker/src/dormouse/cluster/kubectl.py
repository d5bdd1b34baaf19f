"""How is a cluster asked? By kubectl: as the user has set it up, and with the user's own rights."""

from __future__ import annotations

import json
import subprocess
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from dormouse.cluster.refusals import WORKFLOWS, ClusterError, NoAnswer, NotThere, no_such, refused

_WITHIN_SECONDS = 20.0
_NOT_INSTALLED = "this needs kubectl, which is not installed here"
Document = dict[str, Any]


@dataclass(frozen=True)
class Kubectl:
    """Where it looks: what is not said is as the kubeconfig has it."""

    namespace: str | None = None
    context: str | None = None
    kubeconfig: Path | None = None
    within_seconds: float = _WITHIN_SECONDS

    def within(self, namespace: str) -> Kubectl:
        """The same cluster, in this namespace."""
        return replace(self, namespace=namespace)

    def command(self, *arguments: str) -> list[str]:
        """The whole command line."""
        given = {"--namespace": self.namespace, "--context": self.context, "--kubeconfig": self.kubeconfig}
        return ["kubectl", *arguments, *(f"{name}={value}" for name, value in given.items() if value is not None)]

    def run(self, *arguments: str, document: str | None = None) -> str:
        """What it prints, given this to read.

        Raises:
            ClusterError: when it refuses, is not there or does not answer.
        """
        try:
            ran = subprocess.run(
                self.command(*arguments),
                input=document,
                stdin=subprocess.DEVNULL if document is None else None,
                capture_output=True,
                text=True,
                timeout=self.within_seconds,
                check=False,
            )
        except FileNotFoundError:
            raise ClusterError(_NOT_INSTALLED) from None
        except subprocess.TimeoutExpired:
            raise NoAnswer(f"kubectl did not answer within {self.within_seconds:g} s; is the cluster there?") from None
        if ran.returncode:
            raise refused(ran.stderr)
        return ran.stdout

    def lines(self, *arguments: str) -> Iterator[str]:
        """What it prints, line by line, for as long as it prints.

        Raises:
            ClusterError: when it has ended with a refusal.
        """
        with tempfile.TemporaryFile("w+") as refusal:
            try:
                process = subprocess.Popen(
                    self.command(*arguments),
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.PIPE,
                    stderr=refusal,
                    text=True,
                )
            except FileNotFoundError:
                raise ClusterError(_NOT_INSTALLED) from None
            with process:
                try:
                    yield from process.stdout or ()
                    if process.wait():
                        refusal.seek(0)
                        raise refused(refusal.read())
                finally:
                    process.kill()

    def get(self, kind: str, name: str) -> Document:
        """One object.

        Raises:
            NotThere: when there is none of this name.
            ClusterError: when it cannot be read.
        """
        found: Document = json.loads(self.run("get", kind, name, "--output=json"))
        return found

    def items(self, kind: str, *options: str) -> list[Document]:
        """All objects of a kind that the options leave."""
        found: list[Document] = json.loads(self.run("get", kind, *options, "--output=json"))["items"]
        return found

    def workflow(self, name: str) -> Document:
        """One DurableWorkflow; if there is none of the name, the error says which there are."""
        try:
            return self.get(WORKFLOWS, name)
        except NotThere:
            raise no_such(name, self._names(), self.namespace or "") from None

    def workflow_names(self) -> list[str]:
        """Of all DurableWorkflows of the namespace."""
        return [line.rpartition("/")[2] for line in self.run("get", WORKFLOWS, "--output=name").splitlines()]

    def _names(self) -> Sequence[str] | None:
        try:
            return self.workflow_names()
        except ClusterError:  # who may get one may perhaps not list them all
            return None


def documents(lines: Iterable[str]) -> Iterator[Document]:
    """The JSON objects that stand one behind the other in a stream."""
    decoder, text = json.JSONDecoder(), ""
    for line in lines:
        text += line
        # An object ends where a line does, and a closing brace at its beginning is the last one.
        if line.startswith("}") or (line.startswith("{") and line.rstrip().endswith("}")):
            try:
                found, end = decoder.raw_decode(text)
            except ValueError:
                continue
            yield found
            text = text[end:].lstrip()
