"""What does one execution's turn mean for others? Children begin, end and are let go of in their parents' turns."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from typing import Any

from dormouse.engine.calls import ChildCall
from dormouse.engine.database import Database
from dormouse.engine.definitions import Workflow
from dormouse.engine.dormancy import Dormancy
from dormouse.engine.ending import End
from dormouse.engine.execution import Execution
from dormouse.engine.journal import Begins, Ends, Journal, Kind, Orphaned
from dormouse.engine.origin import Origin
from dormouse.engine.payload import encode, failure_of
from dormouse.engine.registry import Registry
from dormouse.engine.requests import check_id, check_input, fingerprint
from dormouse.engine.tracing import Tracing
from dormouse.errors import DormouseError, RequestConflict, UnknownWorkflow


class Family:
    """The executions that call others."""

    def __init__(
        self,
        journal: Journal,
        registry: Registry,
        dormancy: Dormancy,
        database: Database,
        workflows: Mapping[str, Workflow[..., Any]],
        app_version: str | None,
        tracing: Tracing | None,
    ) -> None:
        self._journal = journal
        self._registry = registry
        self._dormancy = dormancy
        self._database = database
        self._workflows = workflows
        self._app_version = app_version
        self._tracing = tracing

    def follow(self, at: int) -> None:
        """Do what the turn's executions mean for each other, until nothing more follows."""
        consequences = self._journal.consequences
        while consequences:
            follows = consequences.popleft()
            if isinstance(follows, Begins):
                self._begin(follows.call, at)
            elif isinstance(follows, Ends):
                self._tell_parent(follows.execution, follows.end, at)
            elif isinstance(follows, Orphaned):
                self._let_go(follows.call, follows.call.workflow.child_options.parent_close, at)
            else:
                self._let_go(follows.call, "cancel", at)

    def _begin(self, call: ChildCall, at: int) -> None:
        parent, workflow, payload = call.execution, call.workflow, call.payload
        if parent.pending.get(call.command) is not call:
            return  # it changed its mind at once
        try:
            self._check(call)
        except DormouseError as error:
            parent.child_ended(
                call.command, End(Kind.EXECUTION_FAILED, encode(failure_of(error)), failure_of(error)), at
            )
            return
        request = fingerprint(workflow.name, payload, self._database.digest_key)
        trace = parent.origin.traceparent if self._tracing is None else self._tracing.within(parent)
        origin = Origin(request, None, self._app_version, parent.key, call.command, trace)
        child = Execution(
            self._journal,
            self._journal.reserve(),
            call.child_id,
            self._workflows[workflow.name],
            secrets.token_bytes(16),
            origin,
        )
        self._registry.add(child)
        child.start(payload, at)

    def _check(self, call: ChildCall) -> None:
        name = call.workflow.name
        if name not in self._workflows:
            raise UnknownWorkflow(
                f"the engine has no workflow {name!r}; offer it beside {call.execution.workflow.name!r}"
            )
        check_input(call.workflow, call.payload)
        check_id(call.child_id)
        if self._registry.find(call.child_id) or self._database.execution(call.child_id):
            raise RequestConflict(f"there is an execution {call.child_id!r} already; give the child another id")

    def _tell_parent(self, child: Execution, end: End, at: int) -> None:
        running = self._dormancy.find_by_number(child.origin.parent or 0)
        if running is None or running.execution.status.closed:
            return
        parent, command = running.execution, child.origin.parent_command or 0
        if command in parent.pending or parent.blocked is not None:
            parent.child_ended(command, end, at)

    def _let_go(self, call: ChildCall, how: str, at: int) -> None:
        running = self._dormancy.find(call.child_id)
        if running is None or running.execution.status.closed or how == "abandon":
            return
        child = running.execution
        if child.origin.parent != call.execution.key or child.origin.parent_command != call.command:
            return
        if how == "terminate":
            child.terminate(f"its parent {call.execution.id!r} ended", at)
        elif not child.is_asked_to_cancel:
            child.cancel(f"its parent {call.execution.id!r} does not wait for it any more", at)
