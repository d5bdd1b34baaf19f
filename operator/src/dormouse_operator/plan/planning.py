"""What has to happen next for one DurableWorkflow, and what is its status?"""

from datetime import datetime

from dormouse_operator.api import DurableWorkflow
from dormouse_operator.plan.actions import Plan
from dormouse_operator.plan.case import Case
from dormouse_operator.plan.checks import read_checks
from dormouse_operator.plan.deciding import decide
from dormouse_operator.plan.lives import read_lives
from dormouse_operator.plan.observed import Observed
from dormouse_operator.plan.pod import STOCK, Settings
from dormouse_operator.plan.rolling import until_turn_ends
from dormouse_operator.plan.statuses import events, next_status


def plan(dwf: DurableWorkflow, observed: Observed, now: datetime, settings: Settings = STOCK) -> Plan:
    """Pure: the same input gives the same plan, and a plan that changes nothing has no actions.

    A new epoch is planned only when every earlier pod is terminated, gone, or on a lost node, and, once
    anything ever lived, only with CURRENT read after that.
    """
    lives = read_lives(observed.pods, observed.lost_nodes)
    checks = read_checks(observed.pods, observed.lost_nodes)
    case = Case(dwf=dwf, observed=observed, now=now, settings=settings, lives=lives, checks=checks)
    step = decide(case)
    status = next_status(case, step)
    return Plan(
        actions=step.actions + events(dwf.status, status, step),
        status=status,
        requeue_after_seconds=until_turn_ends(status, now, step.wait_seconds),
        wants_turn=step.turn == "wants",
    )
