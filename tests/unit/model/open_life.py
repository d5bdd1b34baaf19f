"""What may happen while the gate is open? Commits, uploads, barriers, the seal, collection."""

from __future__ import annotations

from collections.abc import Iterator

from rules import Play
from standing import changed, collected, gone, names, refused_step
from world import Files, LateFile, Pod, World

from dormouse.keeper.barrier import Progress, Step
from dormouse.keeper.litestream import Synced
from dormouse.replica.collection import is_leftover, pruned
from dormouse.replica.refusal import Refused

Steps = Iterator[tuple[str, World]]


def litestream(world: World, pod: Pod, play: Play) -> Steps:
    assert pod.disk is not None
    if pod.disk.snapshot is None:
        disk = pod.disk._replace(snapshot=len(pod.disk.rows))
        yield f"{pod.name}'s Litestream takes its first snapshot", world.with_pod(pod._replace(disk=disk))
        return
    txid = pod.uploaded + 1
    if txid > pod.disk.txid:
        return
    rows = pod.disk.at(txid)
    done = world.with_file(pod.prefix, txid, rows).with_pod(pod._replace(uploaded=txid))
    yield f"{pod.name} uploads {pod.epoch}/{txid}", done
    if world.delays < play.bounds.delays:
        late = tuple(sorted((*world.late, LateFile(pod.prefix, txid, rows)), key=hash))
        yield (
            f"{pod.name} uploads {pod.epoch}/{txid}, which is delayed",
            world._replace(late=late, delays=world.delays + 1),
        )


def runtime(world: World, pod: Pod, play: Play) -> Steps:
    assert pod.disk is not None
    written = {row for each in world.pods if each.disk is not None for row in each.disk.rows}
    written |= {row for files in world.files for _, rows in files.transactions for row in rows} | world.acknowledged
    if len(written) < play.bounds.rows:
        row = f"{pod.epoch}{'abc'[sum(each.startswith(str(pod.epoch)) for each in written)]}"
        disk = pod.disk._replace(rows=(*pod.disk.rows, row))
        yield f"{pod.name} commits {row}", world.with_pod(pod._replace(disk=disk))


def barrier(world: World, pod: Pod, play: Play) -> Steps:
    assert pod.disk is not None
    assert pod.mine is not None
    is_replicated = pod.mine.entry.replicated
    if not pod.target:
        if pod.disk.txid == 0:
            return
        if not is_replicated or set(pod.disk.rows) - world.acknowledged:
            begun = pod._replace(target=pod.disk.txid, is_uploaded=False, confirmed=False)
            yield f"{pod.name} begins a barrier for {pod.epoch}/{pod.disk.txid}", world.with_pod(begun)
        return
    step = play.rules.next_step(pod.is_uploaded, is_replicated, pod.confirmed)
    try:
        Progress().then(Synced(pod.disk.txid, pod.uploaded))
    except Refused as refused:
        yield refused_step(world, pod, refused)
        return
    if step is Step.UPLOAD and pod.uploaded >= pod.target:
        pod = pod._replace(is_uploaded=True)
        step = play.rules.next_step(True, is_replicated, pod.confirmed)
    if step is Step.MARK and world.newest(pod.prefix):
        told = f"{pod.name} is going to mark its epoch as replicated"
        yield told, world.with_pod(changed(pod, "replicated", play))
    elif step is Step.CONFIRM:
        if not play.rules.is_same_life(world.current, pod.mine):
            yield f"{pod.name} is fenced", gone(world, pod)
            return
        confirmed = pod._replace(confirmed=True)
        if play.rules.next_step(pod.is_uploaded, is_replicated, True) is Step.ACKNOWLEDGE:
            yield _acknowledged(world, confirmed)
        else:
            yield f"{pod.name} sees that CURRENT is its own", world.with_pod(confirmed)
    elif step is Step.ACKNOWLEDGE:
        yield _acknowledged(world, pod)


def _acknowledged(world: World, pod: Pod) -> tuple[str, World]:
    assert pod.disk is not None
    rows = frozenset(pod.disk.at(pod.target))
    told = f"{pod.name} acknowledges everything up to {pod.epoch}/{pod.target}"
    why = world.broken
    if missing := world.acknowledged - set(pod.disk.rows):
        why = f"{pod.name} acknowledges, although its database lacks {names(missing)}, acknowledged by another"
    elif world.released and pod.workflow == "A":
        why = f"{pod.name} acknowledges for a workflow that was deleted"
    done = pod._replace(target=0, is_uploaded=False, confirmed=False)
    return told, world.with_pod(done)._replace(acknowledged=world.acknowledged | rows, broken=why)


def seal(world: World, pod: Pod, play: Play) -> Steps:
    assert pod.disk is not None
    assert pod.mine is not None
    if not play.bounds.seals or pod.target or not pod.mine.entry.replicated:
        return
    if set(pod.disk.rows) <= world.acknowledged and pod.uploaded == pod.disk.txid:
        yield f"{pod.name} ends well and is going to seal", world.with_pod(changed(pod, "seal", play))


def collect(world: World, pod: Pod, play: Play) -> Steps:
    assert pod.mine is not None
    if not play.bounds.collects or pod.target:
        return
    found = collected(pod.mine, play)
    copies = [files for files in world.files if files.prefix in found.copies]
    for files in copies:
        yield _deletes(world, pod, files)
    if copies and "objects of copies first" not in play.rules.without:
        return
    named = pod.mine
    if len(found.lineage) < len(pod.mine.lineage):
        yield f"{pod.name} is going to prune the lineage", world.with_pod(changed(pod, "prune", play))
        if "prune before delete" not in play.rules.without:
            return
        named = pruned(pod.mine, found.lineage)
    for files in world.files:
        if play.bounds.collects == "old" and is_leftover(f"{files.prefix}/", named):
            yield _deletes(world, pod, files)


def _deletes(world: World, pod: Pod, files: Files) -> tuple[str, World]:
    told = f"{pod.name} deletes transaction {files.transactions[0][0]} of {files.prefix}"
    return told, world.with_files(files.prefix, files.transactions[1:])
