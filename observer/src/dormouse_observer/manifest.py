"""What is a pulled file, and how far behind the live workflow may it be? Pure."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import msgspec

from dormouse.replica.current import Current, State


class Executions(msgspec.Struct, frozen=True, rename="camel"):
    """How many executions a file has, and which versions of the code they began with."""

    open: int
    closed: int
    app_versions: tuple[str, ...]


class Life(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """One life of the workflow, up to the position of the file.

    Attributes:
        claimed_at: when it began, by the clock of the store.
        began_with: the position that it was restored from; None for one that began with nothing, or with a file.
        of_another: whether that is a position of another workflow, as of the first life of a fork.
    """

    epoch: int
    claimed_at: str | None = None
    began_with: str | None = None
    of_another: bool = False


class Manifest(msgspec.Struct, frozen=True, rename="camel"):
    """What lies beside a file that was pulled or exported.

    Of one that was never pulled, namespace and position are empty, and `written_at` is when the file changed last.

    Attributes:
        source: where it comes from; empty when that is not to be told.
        position: `epoch/txid`: the life, and the last transaction in it.
        written_at: when that transaction was written, by the clock of its node.
        is_newest: whether the store held nothing later.
        state: of the workflow when it was pulled: Active means that a pod may have written since.
        identity: what the workflow's idempotency keys begin with.
        image: what its pod ran with; None when only the bucket was asked.
        schema: the number of the engine's tables; None when the file is none of the engine's.
        executions: None when the file is none of the engine's.
        redacted: whether placeholders stand in the place of all values.
        lives: those of which the store still knows, the newest last; none of a file that was never pulled.
    """

    name: str
    namespace: str
    source: str
    position: str
    written_at: datetime
    pulled_at: datetime
    is_newest: bool
    state: str
    identity: str
    sha256: str
    bytes: int
    image: str | None = None
    schema: int | None = None
    executions: Executions | None = None
    redacted: bool = False
    lives: tuple[Life, ...] = ()

    @property
    def workflow(self) -> str:
        """What it is called: with its namespace, where it has one."""
        return f"{self.namespace}/{self.name}" if self.namespace else self.name


def lives_of(current: Current, root: str, epoch: int) -> tuple[Life, ...]:
    """The lives up to this epoch; `root` is the folder of the workflow's data."""
    return tuple(
        Life(one.epoch, one.claimed_at)
        if one.base is None
        else Life(one.epoch, one.claimed_at, str(one.base.position), not one.base.prefix.startswith(f"{root}/"))
        for one in current.lineage
        if one.epoch <= epoch
    )


def encoded(manifest: Manifest) -> bytes:
    """As it lies there."""
    return msgspec.json.format(msgspec.json.encode(manifest), indent=2) + b"\n"


def manifest_of(file: Path) -> Path:
    """Where the manifest of a pulled file lies."""
    return file.with_name(f"{file.name}.json")


def manifest_beside(file: Path) -> Manifest | None:
    """What lies beside the file; None when that is nothing, or no manifest."""
    try:
        return msgspec.json.decode(manifest_of(file).read_bytes(), type=Manifest)
    except (OSError, msgspec.DecodeError):
        return None


def behind(manifest: Manifest, current: Current) -> str:
    """How far behind it may be, in a sentence."""
    age = _age((manifest.pulled_at - manifest.written_at).total_seconds())
    if not manifest.is_newest:
        return f"what it was {age} ago, as was asked; the store holds later positions"
    if current.state is State.ACTIVE:
        return (
            f"the newest that the store held, written {age} ago. Its pod may have written since: with Sync all that it "
            "had acknowledged by then is in the file, with Async all that was older than maxLagSeconds"
        )
    return f"all there is: nothing was written since it became {current.state}, {age} ago"


def manifest_text(manifest: Manifest, behind: str, target: str) -> str:
    """For a person."""
    found = manifest.executions
    held = "no executions" if found is None else f"{found.open} open and {found.closed} closed executions"
    return f"{target}: {manifest.workflow} at {manifest.position}, {held}, {manifest.bytes:,} bytes\nit is {behind}"


def _age(seconds: float) -> str:
    seconds = max(0.0, seconds)
    for unit, length in (("days", 86400), ("hours", 3600), ("minutes", 60)):
        if seconds >= 2 * length:
            return f"{seconds / length:.0f} {unit}"
    return f"{seconds:.0f} s"
