"""What does the status say that only the running pod knows?

A report counts only while its pod is the newest life. The status is also where it is remembered: an operator that
has no report, because it has just started, leaves what the status says of the same life.
"""

from msgspec import Struct

from dormouse.keeper.report import BlockedExecution, DrillResult, Report, RuntimeStatus
from dormouse_operator.api import Condition, Executions, LastDrill, RecoveryWindow
from dormouse_operator.api.metadata import ConditionStatus
from dormouse_operator.plan.case import Case, Step

Verdict = tuple[ConditionStatus, str, str]

_REPLICATION_TROUBLES = frozenset({"StoreUnreachable", "LagOverBound"})


class Doing(Struct, frozen=True):
    """What the executions of the running life do, as its runtime said last."""

    executions: Executions | None = None
    waiting_for: str = ""
    next_wake_at: str = ""


def report_of_newest_life(case: Case) -> Report | None:
    """Whatever else was reported is about a pod that counts no more."""
    report, life = case.observed.report, case.newest
    if report is None or life is None or not life.live or life.deleting:
        return None
    return report if (report.pod_uid, report.epoch) == (life.uid, life.epoch) else None


def doing(case: Case) -> Doing:
    """Nothing, while no life can do anything."""
    runtime, old = _runtime(case), case.dwf.status
    if runtime is not None:
        counts = runtime.executions
        executions = Executions(
            open=counts.open,
            running=counts.running,
            sleeping=counts.sleeping,
            waiting=counts.waiting,
            retrying=counts.retrying,
            blocked=counts.blocked,
        )
        return Doing(executions, runtime.waiting_for, runtime.next_wake_at)
    return Doing(old.executions, old.waiting_for, old.next_wake_at) if _is_same_life(case) else Doing()


def recovery_window(case: Case) -> RecoveryWindow | None:
    """What was told last stays, also when nothing runs: the data is there all the same."""
    report = report_of_newest_life(case)
    if report is None or report.recovery_window is None:
        return case.dwf.status.recovery_window
    return RecoveryWindow(begins=report.recovery_window.begins, ends=report.recovery_window.ends)


def last_drill(case: Case) -> LastDrill | None:
    """What was told last stays."""
    found = _drill(case)
    return case.dwf.status.last_drill if found is None else LastDrill(time=found.at, position=found.position)


def drilled(case: Case) -> Verdict:
    """Whether the last restore that was tried out gave back what the live side held."""
    if (found := _drill(case)) is not None:
        return ("True", "Drilled", found.message) if found.ok else ("False", "DrillFailed", found.message)
    known = case.dwf.status.condition("Drilled")
    if known is not None and known.status != "Unknown":
        return known.status, known.reason, known.message
    return "Unknown", "NotDrilledYet", "the first restore was not tried out yet"


def _drill(case: Case) -> DrillResult | None:
    runtime = _runtime(case)
    return runtime.drill if runtime is not None else None


def blocked(case: Case, step: Step) -> Verdict:
    """Whether executions wait for other code."""
    if step.phase == "Completed":
        return "False", step.phase, "all executions are closed"
    if (runtime := _runtime(case)) is not None:
        if not runtime.executions.blocked:
            return "False", "NothingBlocked", "the code can go on with every open execution"
        reason = runtime.blocked[0].reason if runtime.blocked else "Blocked"
        return "True", reason, _blocked_message(runtime.blocked, runtime.executions.blocked)
    return _known(case, "Blocked") or ("Unknown", "NotReported", "the newest pod has not reported yet")


def replication_trouble(case: Case) -> Verdict | None:
    """Why the keeper is not ready, if it is about the store and the pod could say so."""
    if (report := report_of_newest_life(case)) is not None:
        said = report.replication
        return ("False", said.state, said.message) if said.state in _REPLICATION_TROUBLES else None
    known = _known(case, "Replicating")
    return known if known is not None and known[1] in _REPLICATION_TROUBLES else None


def _runtime(case: Case) -> RuntimeStatus | None:
    report = report_of_newest_life(case)
    return report.runtime if report is not None else None


def _is_same_life(case: Case) -> bool:
    life = case.newest
    return life is not None and life.live and life.epoch == case.dwf.status.epoch


def _known(case: Case, name: str) -> Verdict | None:
    known: Condition | None = case.dwf.status.condition(name) if _is_same_life(case) else None
    return (known.status, known.reason, known.message) if known is not None else None


def _blocked_message(told: tuple[BlockedExecution, ...], count: int) -> str:
    messages = [f"execution {one.execution}: {one.message}" for one in told]
    if count > len(told):
        messages.append(f"{count - len(told)} more are blocked")
    return "\n".join(messages)
