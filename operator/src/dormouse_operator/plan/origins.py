"""Where does the newest life run, with which images, since when, and what did it start from?"""

from msgspec import Struct
from msgspec.structs import replace

from dormouse_operator.api import AdoptedFrom
from dormouse_operator.plan.actions import CreatePod
from dormouse_operator.plan.case import Case
from dormouse_operator.plan.lives import Life, read_life
from dormouse_operator.plan.moments import in_seconds


class Origin(Struct, frozen=True, kw_only=True):
    """The fields of the status of the same names; what is not known about this very epoch is empty."""

    node: str = ""
    image: str = ""
    keeper_image: str = ""
    claimed_at: str = ""
    restored_at: str = ""
    restored_from: str = ""
    adopted_from: AdoptedFrom | None = None


def origin(case: Case, epoch: int, created: CreatePod | None = None) -> Origin:
    """CURRENT is read for it once in a life; for the rest of it the status remembers.

    `created` is the pod that is asked for now.
    """
    old, life, own = case.dwf.status, case.newest, case.own_current
    made = Origin(adopted_from=old.adopted_from if own is None else own.adopted_from)
    if old.epoch == epoch:
        made = replace(made, claimed_at=old.claimed_at, restored_at=old.restored_at, restored_from=old.restored_from)
    if own is not None and own.epoch == epoch:
        made = replace(made, claimed_at=own.claimed_at, restored_from=own.restored_from)
    if created is not None:
        asked_for = read_life(created.manifest)
        return replace(made, image=asked_for.image, keeper_image=asked_for.keeper_image)
    if life is None or not life.live or life.epoch != epoch:
        return made
    # That it has a node now is worth no write of its own.
    is_at_work = life.keeper_ready or life.obstacle is not None or bool(life.endings or old.node)
    made = replace(made, node=life.node if is_at_work else "", image=life.image, keeper_image=life.keeper_image)
    return replace(made, restored_at=made.restored_at or (in_seconds(case.now) if life.keeper_ready else ""))


def is_origin_known(case: Case, life: Life) -> bool:
    """Whether the status has it already."""
    return case.dwf.status.epoch == life.epoch and bool(case.dwf.status.claimed_at)


def restoration(case: Case, epoch: int) -> str:
    """What the condition says of a life whose database is in place."""
    known = origin(case, epoch)
    if known.restored_from:
        return f"epoch {epoch} was restored from {known.restored_from}"
    if known.claimed_at:
        return f"epoch {epoch} began with an empty database: there was nothing to restore"
    return f"epoch {epoch} is claimed and restored"
