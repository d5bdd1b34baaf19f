"""How is a story played? Real pods, the blows at their moments, a client that goes on throughout, and a restore."""

from __future__ import annotations

import asyncio
import json
import random
import signal
import uuid
from collections import Counter
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from faulting_store import FaultingStore
from history import Attempt
from local_pod import LocalPod
from outside import NAME, NAMESPACE, Outside
from recorder import Recorder
from story import SPLIT_BRAIN, Act, Blow, Moment, Request, Story
from telling import Told
from verdict import judge

from dormouse_operator.dev.seaweedfs import SeaweedFS

MAX_LAG_SECONDS = 2
_SLACK_SECONDS = 0.5  # between the check of the lag and the attempt that follows from it, on a machine that is busy
_REACHED_SECONDS = 240.0  # on a machine that is busy with other things a claim alone was seen to take 40
_ZOMBIE_SECONDS = 30.0
_LAST_ATTEMPTS = 4
_MANY_ATTEMPTS = 20
_FROZEN = {
    Blow.FREEZE_KEEPER: ("keeper",),
    Blow.FREEZE_LITESTREAM: ("litestream",),
    Blow.FREEZE_RUNTIME: ("runtime",),
}
_KILLED = {Blow.KILL_KEEPER: ("keeper",), Blow.KILL_LITESTREAM: ("litestream",), Blow.KILL_RUNTIME: ("runtime",)}


@dataclass
class _Watch:
    """A moment that is waited for. A request that does not come in this life is not waited for beyond many attempts."""

    moment: Moment
    do: Callable[[], None]
    reached: asyncio.Event = field(default_factory=asyncio.Event)
    _attempts: int = 0

    def attempted(self) -> bool:
        self._attempts += 1
        return self._attempts >= (self.moment.number if self.moment.what == "attempt" else _MANY_ATTEMPTS)


class Stuck(Exception):
    """The workflow did not get on, although nothing harmed it any more."""


class Round:
    """One workflow under a prefix of its own, from its first pod to the restore that is judged."""

    def __init__(self, story: Story, server: SeaweedFS, folder: Path, sabotage: str | None = None) -> None:
        self.story = story
        self._folder = folder
        self._server = server
        self._sabotage = sabotage
        self._prefix = f"chaos-{uuid.uuid4().hex[:12]}"
        self._outside = Outside(server, self._prefix, folder)
        self._recorder = Recorder(folder / "recorder.sock")
        self._recorder.heard = self._heard
        self._watch: _Watch | None = None
        self._chance = random.Random(story.seed)
        self._pods: list[LocalPod] = []
        self._stack = AsyncExitStack()
        self._claimed = False
        self._workflow_uid = str(uuid.uuid4())

    async def play(self) -> Told:
        """Play the story and judge what is left of it."""
        stuck = ""
        async with self._stack, self._recorder.listening():
            client = asyncio.create_task(self._send_starts())
            try:
                for act in self.story.acts:
                    await self._play(act)
                await self._end()
            except Stuck as problem:
                stuck = f"{problem}; {', '.join(self._farewells()[-6:])}"
            finally:
                client.cancel()
                await asyncio.gather(client, return_exceptions=True)
                for pod in self._pods:
                    await pod.take_away()
            for pod in self._pods:
                await pod.store.deliver()
        register = self._recorder.register
        restored = await asyncio.to_thread(self._outside.restored)
        current = await self._outside.current()
        return Told(
            self.story,
            judge(register, restored, self.story.durability, MAX_LAG_SECONDS + _SLACK_SECONDS),
            register.acknowledged(),
            failovers=len(current.lineage) - 1 if current else 0,
            stuck=stuck,
            met=Counter(str(each) for pod in self._pods for each in pod.store.met.elements()),
        )

    # The operator: who is the newest pod?

    @property
    def _pod(self) -> LocalPod:
        return self._pods[-1]

    async def _successor(self) -> LocalPod:
        """Start the next epoch."""
        current = await self._outside.current()
        self._claimed = self._claimed or current is not None
        newest = max(current.epoch if current else 0, self._pods[-1].epoch if self._pods else 0)
        store = await self._stack.enter_async_context(FaultingStore(self._server.port).serving())
        order = {"chains": self.story.chains, "recorder": str(self._recorder.socket)}
        settings = {
            "DORMOUSE_NAME": NAME,
            "DORMOUSE_NAMESPACE": NAMESPACE,
            "DORMOUSE_WORKFLOW_UID": self._workflow_uid,
            "DORMOUSE_STORE_BUCKET": self._server.bucket,
            "DORMOUSE_STORE_PREFIX": self._prefix,
            "DORMOUSE_STORE_ACCESS_KEY_ID": self._server.access_key,
            "DORMOUSE_STORE_SECRET_ACCESS_KEY": self._server.secret_key,
            "DORMOUSE_FIRST_CLAIM": "false" if self._claimed else "true",
            "DORMOUSE_DURABILITY": self.story.durability,
            "DORMOUSE_MAX_LAG_SECONDS": str(MAX_LAG_SECONDS),
            "DORMOUSE_ENTRYPOINT": "chains",
            "DORMOUSE_START_WORKFLOW": "chains",
            "DORMOUSE_START_INPUT": json.dumps(order),
        }
        pod = LocalPod(self._folder / f"pod-{newest + 1}", newest + 1, store, settings, self._sabotage)
        store.seen = partial(self._seen, pod)
        self._pods.append(pod)
        pod.start()
        return pod

    async def _until(self, reached: asyncio.Event, what: str) -> None:
        """Wait, and do meanwhile what the operator does: replace a pod that has ended for good."""
        waiting = asyncio.create_task(reached.wait())
        try:
            async with asyncio.timeout(_REACHED_SECONDS):
                while not reached.is_set():
                    ended = asyncio.create_task(self._pod.ended.wait())
                    await asyncio.wait({waiting, ended}, return_when=asyncio.FIRST_COMPLETED)
                    ended.cancel()
                    if not reached.is_set():
                        await self._pod.take_away()
                        await self._successor()
        except TimeoutError:
            raise Stuck(f"not within {_REACHED_SECONDS:.0f} s: {what}") from None
        finally:
            waiting.cancel()

    # The acts.

    async def _play(self, act: Act) -> None:
        if not self._pods or self._pod.ended.is_set():
            await self._successor()
        pod = self._pod
        pod.store.begin(act.faults)
        hit: list[LocalPod] = []

        def strike() -> None:
            hit.append(self._pod)
            self._strike(act, self._pod)

        await self._until(self._at(act.moment, strike), f"{act.blow} {act.moment}")
        await self._after(act, hit[0])
        hit[0].store.recover()

    def _at(self, moment: Moment, do: Callable[[], None]) -> asyncio.Event:
        """Do something at a moment of the newest pod; the event is set then."""
        self._watch = _Watch(moment, do)
        return self._watch.reached

    def _heard(self, attempt: Attempt) -> None:
        if self._watch is not None and attempt.epoch == self._pod.epoch:
            self._fire(self._watch.attempted())

    def _seen(self, pod: LocalPod, kind: Request, number: int, when: str) -> None:
        if self._watch is not None and pod is self._pod:
            self._fire(self._watch.moment == Moment(kind, number, "before" if when == "before" else "after"))

    def _fire(self, reached: bool) -> None:
        if reached and self._watch is not None:
            watch, self._watch = self._watch, None
            watch.do()
            watch.reached.set()

    def _strike(self, act: Act, pod: LocalPod) -> None:
        """What happens at the very moment, while whoever reached it waits."""
        blow = act.blow
        if blow in _KILLED:
            pod.signal(signal.SIGKILL, *_KILLED[blow])
        elif blow in _FROZEN:
            pod.signal(signal.SIGSTOP, *_FROZEN[blow])
        elif blow is Blow.STRAND:
            pod.signal(signal.SIGSTOP)
        elif blow is Blow.CUT_OFF:
            pod.store.go_down()
        elif blow is Blow.OUTAGE:
            for each in self._pods:
                each.store.go_down()
        elif blow is Blow.KILL_POD or blow is Blow.EVICT:
            pod.kill()
        elif blow is Blow.REBOOT:
            pod.reboot(self._chance)
        elif blow is Blow.WIPE:
            pod.wipe()
        elif blow is Blow.FILL_DISK:
            pod.fill_disk()
        elif blow is Blow.JUMP_CLOCK:
            pod.jump_clock(act.seconds)

    async def _after(self, act: Act, pod: LocalPod) -> None:
        """What follows from it."""
        if act.blow in _FROZEN:
            await asyncio.sleep(act.seconds)
            pod.signal(signal.SIGCONT)
        elif act.blow in (Blow.OUTAGE, Blow.FILL_DISK):
            await asyncio.sleep(act.seconds)
            pod.free_disk()
            pod.store.recover()
        elif act.blow is Blow.EVICT:
            await pod.take_away()
        elif act.blow is Blow.DRAIN:
            await pod.drain()
        elif act.blow in SPLIT_BRAIN:
            await self._split_brain(act, pod)

    async def _split_brain(self, act: Act, zombie: LocalPod) -> None:
        assert act.wakes is not None
        await self._successor()

        def wake() -> None:
            zombie.store.recover()
            zombie.signal(signal.SIGCONT)

        await self._until(self._at(act.wakes, wake), f"zombie let go {act.wakes}")
        await self._watch_zombie(zombie)
        await zombie.take_away()

    async def _watch_zombie(self, zombie: LocalPod) -> None:
        """Until it has ended, or has done more than it may."""
        before = self._recorder.attempts_of(zombie.epoch)
        deadline = asyncio.get_running_loop().time() + _ZOMBIE_SECONDS
        number = 0
        while asyncio.get_running_loop().time() < deadline and not zombie.ended.is_set():
            number += 1
            asked = asyncio.create_task(
                self._recorder.start("zombie", f"z{zombie.epoch}-{number}", zombie.port, zombie.epoch)
            )
            await asyncio.wait({asked}, timeout=2)
            if self._recorder.attempts_of(zombie.epoch) > before + 4 * self.story.chains:
                return
            await asyncio.sleep(0.05)

    async def _end(self) -> None:
        """Everything is well again: a last life has to get on, with what it began on as well."""
        for pod in self._pods:
            await pod.store.deliver()
        if self._pod.ended.is_set():
            await self._successor()
        self._pod.store.begin(())
        wanted = _LAST_ATTEMPTS * self.story.chains
        reached = self._at(Moment("attempt", wanted), lambda: None)
        await self._until(reached, f"{wanted} more attempts at the end")
        if self.story.sealed:
            await self._pod.drain()

    async def _send_starts(self) -> None:
        number = 1
        while True:
            if self._pods:
                pod = self._pod
                number += await self._recorder.start("client", f"c-{number}", pod.port, pod.epoch)
            await asyncio.sleep(0.02)

    def _farewells(self) -> list[str]:
        return [each for pod in self._pods for each in pod.farewells]
