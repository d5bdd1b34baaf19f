"""Which spans does the operator send of a new life: from what was applied, or failed, until it is ready?"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

from dormouse.life_trace import Life, LifeSpan
from dormouse_operator.api import DurableWorkflow, DurableWorkflowStatus
from dormouse_operator.controller.resources import Key
from dormouse_operator.controller.waiting_times import NOBODY_WAITS
from dormouse_operator.plan.naming import KEEPER_CONTAINER, RUNTIME_CONTAINER

_MOST_STEPS = 64


class Sender(Protocol):
    """Sends the spans of one life."""

    def send_root(self, began_ns: int, ended_ns: int, failed: str = "") -> None: ...
    def send(self, spans: Iterable[LifeSpan]) -> None: ...


@dataclass
class _Beginning:
    """A life that is not ready yet."""

    life: Life
    began_ns: int
    pod_name: str


@dataclass
class _Followed:
    """What is known of one workflow."""

    looked_ns: int = 0
    steps: list[LifeSpan] = field(default_factory=list)
    beginning: _Beginning | None = None


class LifeTraces:
    """Of all workflows, by the clock of this replica. Without somebody who sends them it remembers nothing."""

    def __init__(self, of_life: Callable[[Life], Sender] | None, now_ns: Callable[[], int] = time.time_ns) -> None:
        """`of_life` gives who sends the spans of a life; None where nobody does."""
        self._of_life = of_life
        self._now_ns = now_ns
        self._followed: dict[Key, _Followed] = {}

    def looked(self, key: Key) -> None:
        """A step for this workflow begins. What earlier steps did counts only for a life that they began."""
        if self._of_life is None:
            return
        known = self._followed.setdefault(key, _Followed())
        known.looked_ns = self._now_ns()
        if known.beginning is None:
            known.steps.clear()

    @contextmanager
    def doing(self, key: Key, what: str) -> Iterator[None]:
        """Within, the operator does this for a workflow."""
        known = self._followed.get(key)
        if known is None:
            yield
            return
        began_ns, failed = self._now_ns(), ""
        try:
            yield
        except BaseException as error:
            failed = f"{type(error).__name__}: {error}"
            raise
        finally:
            if len(known.steps) < _MOST_STEPS:
                known.steps.append(LifeSpan(what, began_ns, self._now_ns(), failed=failed, within="operator"))

    def saved(
        self,
        workflow: DurableWorkflow,
        new: DurableWorkflowStatus,
        pods: Iterable[Mapping[str, Any]],
    ) -> None:
        """This status was written in the place of the workflow's."""
        metadata, old = workflow.metadata, workflow.status
        key = (metadata.namespace, metadata.name)
        known = self._followed.get(key)
        if known is None:
            return
        if new.epoch > old.epoch:
            if known.beginning is not None:
                self._send(known, known.beginning, (), "it failed before it was ready")
            began_ns = known.looked_ns if old.epoch else _moment_ns(metadata.creation_timestamp, known.looked_ns)
            life = Life(metadata.namespace, metadata.name, metadata.uid, new.epoch)
            known.beginning = _Beginning(life, began_ns, new.pod_name)
        elif known.beginning is not None and new.epoch == known.beginning.life.epoch:
            if new.is_true("Ready"):
                spans = [span for pod in pods if _name(pod) == known.beginning.pod_name for span in pod_spans(pod)]
                self._send(known, known.beginning, spans, "")
            elif new.phase in NOBODY_WAITS:
                self._send(known, known.beginning, (), f"it is {new.phase}")

    def forget(self, key: Key) -> None:
        """There is no such workflow any more."""
        self._followed.pop(key, None)

    def forget_all(self) -> None:
        """This replica leads anew: what went on meanwhile it has not seen."""
        self._followed.clear()

    def _send(self, known: _Followed, beginning: _Beginning, of_pod: Iterable[LifeSpan], failed: str) -> None:
        assert self._of_life is not None  # noqa: S101 - else nothing is known
        sender = self._of_life(beginning.life)
        steps, known.steps, known.beginning = known.steps, [], None
        sender.send_root(beginning.began_ns, self._now_ns(), failed)
        if steps:
            ended_ns = max(step.ended_ns for step in steps)
            sender.send([LifeSpan("operator", steps[0].began_ns, ended_ns), *steps])
        sender.send(of_pod)


def pod_spans(pod: Mapping[str, Any]) -> list[LifeSpan]:
    """From the times in a pod's status, which are whole seconds: until it is placed, until its containers run."""
    metadata, status = pod["metadata"], pod.get("status") or {}
    made = _moment_ns(metadata.get("creationTimestamp", ""))
    conditions = {each.get("type"): each for each in status.get("conditions") or () if each.get("status") == "True"}
    placed, ready = (
        _moment_ns((conditions.get(name) or {}).get("lastTransitionTime", "")) for name in ("PodScheduled", "Ready")
    )
    started = {
        each["name"]: _moment_ns(((each.get("state") or {}).get("running") or {}).get("startedAt", ""))
        for name in ("initContainerStatuses", "containerStatuses")
        for each in status.get(name) or ()
    }
    where: dict[str, str | int] = {"k8s.pod.name": metadata.get("name", "")}
    if node := (pod.get("spec") or {}).get("nodeName"):
        where["k8s.node.name"] = node
    all_started = max((moment for moment in started.values()), default=0)
    steps = (
        ("schedule pod", made, placed),
        ("start keeper", placed, started.get(KEEPER_CONTAINER, 0)),
        ("start runtime", placed, started.get(RUNTIME_CONTAINER, 0)),
        ("become ready", all_started, ready),
    )
    parts = [
        LifeSpan(name, began, max(began, ended), where, within="pod") for name, began, ended in steps if began and ended
    ]
    if not parts:
        return []
    return [LifeSpan("pod", parts[0].began_ns, max(part.ended_ns for part in parts), where), *parts]


def _name(pod: Mapping[str, Any]) -> str:
    return str(pod["metadata"].get("name", ""))


def _moment_ns(told: object, otherwise: int = 0) -> int:
    try:
        return int(datetime.fromisoformat(str(told)).timestamp()) * 10**9
    except ValueError:
        return otherwise
