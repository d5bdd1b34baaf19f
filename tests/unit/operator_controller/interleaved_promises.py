"""What must hold whatever happens? Each request that two operators make is looked at when it is done."""

from __future__ import annotations

from dormouse.replica.current import Current, SealReason, State, decode
from dormouse_operator.controller.resources import PODS, WORKFLOWS, Document, Resource
from dormouse_operator.plan import FINALIZER, identity_of, is_watched
from unit.operator_controller.interleaved_server import Line
from unit.operator_controller.interleaved_surroundings import KEY, Surroundings
from unit.operator_plan.pods import environment
from unit.operator_samples import UID


class Promises:
    """An AssertionError says which one was broken."""

    def __init__(self, around: Surroundings) -> None:
        self._around = around
        self._read: dict[str, Current | None] = {}
        """What each operator last read of CURRENT."""
        self._epochs: set[int] = set()
        self._late_epochs: set[int] = set()
        self._refused_epochs: set[int] = set()
        self._made_by: dict[int, tuple[str, int]] = {}
        """Each epoch's operator, and the version then."""
        self._began_at: dict[str, int] = {}
        """The version at which each operator's step began."""
        self._listed_at: dict[str, int] = {}
        self._read_at: dict[str, int] = {}

    def begins(self, line: Line) -> None:
        """A step."""
        self._began_at[line.name] = self._around.objects.version

    def lists(self, line: Line, resource: Resource) -> None:
        if resource is PODS:
            self._listed_at[line.name] = self._around.objects.version

    def refuses(self, made: Document) -> None:
        """The pod was never there: its epoch may be asked for again."""
        self._refused_epochs.add(self._around.epoch(made["metadata"]["name"]))

    def writes(self, line: Line, resource: Resource, made: Document) -> None:
        """What follows from the rules of an epoch, and of a finalizer."""
        if resource is PODS:
            self._creates(line, made)
        if resource is WORKFLOWS and FINALIZER not in (made["metadata"].get("finalizers") or ()):
            deleted = made["metadata"].get("deletionTimestamp")
            assert not deleted or self._around.is_let_go(), "the object goes, and its data is nobody's"

    def asks_store(self, line: Line, what: str, data: bytes) -> None:
        """What was read is remembered; data is given away only when nobody can write it."""
        record = decode(data) if data else None
        if what == "read":
            self._read[line.name], self._read_at[line.name] = record, self._around.objects.version
            return
        assert record is not None
        assert record.state in (State.RELEASED, State.DELETING)
        if not line.is_arriving_late:
            assert not (alive := self._known_alive(line.name)), f"{alive} could still write what is released"

    def _known_alive(self, who: str) -> list[str]:
        """The pods that could write, and that this operator made itself, or could see when it looked for pods last.

        What another operator makes after that nothing but the epochs keeps from writing: docs/design.md, 9.
        """
        around, current = self._around, self._around.current()
        # One without labels that neither of these names has not claimed, or is fenced.
        named = {
            0 if current is None else current.epoch,
            0 if around.is_gone() else around.status().get("epoch", 0),
        }

        def is_known(name: str) -> bool:
            epoch = around.epoch(name)
            maker, version = self._made_by.get(epoch, ("", 0))
            is_told = is_watched(around.objects.get(PODS, "team", name)) or epoch in named
            is_seen = maker == who or version < self._listed_at.get(who, 0)
            return is_told and is_seen and epoch not in self._late_epochs

        return [each for each in around.live() if is_known(each)]

    def _creates(self, line: Line, made: Document) -> None:
        identity = identity_of(made)
        assert identity is not None
        around, who, epoch = self._around, line.name, identity.epoch
        # Of a pod that never claimed, and is gone, nothing tells once the status was edited: nor did it write.
        is_forgotten = around.is_forged and epoch not in around.claimed
        assert epoch not in self._epochs - self._refused_epochs or is_forgotten, "an epoch was used twice"
        self._epochs.add(epoch)
        if line.is_arriving_late:
            self._late_epochs.add(epoch)
            return
        workflow = around.objects.get(WORKFLOWS, *KEY)
        assert (workflow.get("status") or {}).get("epoch", 0) >= epoch or around.is_forged, (
            "a pod whose epoch no status remembers"
        )
        assert FINALIZER in workflow["metadata"]["finalizers"], "a pod before the object is held"
        last_news = max(self._began_at[who], self._read_at.get(who, 0))
        is_known = min(self._epochs) == epoch or self._listed_at.get(who, -1) >= last_news
        assert is_known, "a pod that a live list may have shown was not looked for"
        self._made_by.setdefault(epoch, (who, around.objects.version))
        assert not (alive := self._known_alive(who)), f"{alive} could still write"
        known = self._read.get(who)
        if known is not None:
            assert epoch > known.epoch, "an epoch at or below CURRENT"
            assert known.workflow_uid != UID or known.seal_reason is not SealReason.COMPLETED, "it had completed"
        elif min(self._epochs) < epoch:
            assert who in self._read, "created without reading CURRENT"
        told_first = environment(made, "DORMOUSE_FIRST_CLAIM") == "true"
        if told_first and min(around.claimed, default=epoch) < epoch:
            assert self._late_epochs, "a first claim after a claim"
