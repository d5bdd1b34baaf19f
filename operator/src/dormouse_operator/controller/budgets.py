"""How does a workflow's PodDisruptionBudget come to be there, and go again?

Nobody watches it: it is made once for each operator that leads, so that somebody who deletes it by hand, because a node
has to go now, is not contradicted.
"""

from __future__ import annotations

from dormouse_operator.controller.api_server import ApiServer, Conflict, NotFound, Refused
from dormouse_operator.controller.asking import Seen
from dormouse_operator.controller.resources import BUDGETS
from dormouse_operator.plan import ApplyBudget, DeleteBudget


class BudgetKeeper:
    """What came of it is in the memory."""

    def __init__(self, api: ApiServer) -> None:
        self._api = api

    async def keep(self, seen: Seen, action: ApplyBudget | DeleteBudget) -> bool:
        """Whether there is something new to plan with. Raises ApiError."""
        before = (seen.memory.has_budget, seen.memory.budget_error)
        try:
            if isinstance(action, DeleteBudget):
                await self._delete(seen.workflow.metadata.namespace, action.name)
                seen.memory.has_budget = False
            elif not seen.memory.has_budget:
                await self._create(action)
                seen.memory.has_budget = True
            seen.memory.budget_error = ""
        except Refused as refused:
            seen.memory.budget_error = str(refused)
        return (seen.memory.has_budget, seen.memory.budget_error) != before

    async def _create(self, action: ApplyBudget) -> None:
        try:
            await self._api.create(BUDGETS, action.manifest)
        except Conflict:
            return  # an operator that led before has made it

    async def _delete(self, namespace: str, name: str) -> None:
        try:
            found = await self._api.get(BUDGETS, namespace, name)
            await self._api.delete(BUDGETS, namespace, name, found["metadata"]["uid"])
        except (NotFound, Conflict):
            return  # it is gone, and another one of its name is not ours
