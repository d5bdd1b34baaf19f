"""May this execution be started, or was it started before by the same request?"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Mapping
from typing import Any

from dormouse.engine.database import Database
from dormouse.engine.definitions import Workflow
from dormouse.engine.execution import Execution
from dormouse.engine.origin import Origin
from dormouse.engine.registry import Registry
from dormouse.engine.requests import check_id, check_input, check_text, fingerprint
from dormouse.engine.turns import Turns
from dormouse.errors import RequestConflict, UnknownWorkflow


class Starting:
    """Starts executions of these workflows, each once."""

    def __init__(
        self,
        turns: Turns,
        registry: Registry,
        database: Database,
        workflows: Mapping[str, Workflow[..., Any]],
        app_version: str | None,
    ) -> None:
        self._turns = turns
        self._registry = registry
        self._database = database
        self._workflows = workflows
        self._app_version = app_version

    async def start(
        self,
        name: str,
        payload: bytes | None,
        execution_id: str | None,
        idempotency_key: str | None,
        traceparent: str | None,
    ) -> tuple[str, bool]:
        """The id of the execution, and whether this very request has started it; once its start counts."""
        definition = self._workflows.get(name)
        if definition is None:
            raise UnknownWorkflow(f"there is no workflow {name!r}; there are: {', '.join(self._workflows) or 'none'}")
        check_input(definition, payload)
        check_id(execution_id)
        check_text("the idempotency key", idempotency_key)
        request = fingerprint(name, payload, self._database.digest_key)
        existing = self._find(execution_id, idempotency_key)
        if existing is not None:
            found_id, found = existing
            same = found in (request, fingerprint(name, payload))  # or it is older than the codec
            await self._again(found_id, execution_id, same_request=same)
            return found_id, False
        journal = self._turns.journal
        new_id, seed = execution_id or secrets.token_hex(8), secrets.token_bytes(16)
        origin = Origin(request, idempotency_key, self._app_version, traceparent=traceparent)
        execution = Execution(journal, journal.reserve(), new_id, definition, seed, origin)
        running = self._registry.add(execution)
        self._turns.start(execution, payload)
        await asyncio.shield(running.started)
        return new_id, True

    def _find(self, execution_id: str | None, idempotency_key: str | None) -> tuple[str, bytes] | None:
        """Id and fingerprint of the execution that the key or else the id stands for."""
        registry, database = self._registry, self._database
        running = row = None
        if idempotency_key is not None:
            running = registry.find_by_key(idempotency_key)
            row = None if running else database.execution_of_request(idempotency_key)
        if execution_id is not None and running is None and row is None:
            running = registry.find(execution_id)
            row = None if running else database.execution(execution_id)
        if running is not None:
            return running.execution.id, running.execution.origin.fingerprint
        return None if row is None else (row.id, row.request)

    async def _again(self, found_id: str, asked_id: str | None, *, same_request: bool) -> None:
        if not same_request or asked_id not in (None, found_id):
            raise RequestConflict(
                f"this id or idempotency key belongs to the execution {found_id!r}, which was started with "
                "another workflow, input or id; use a new one for a new request"
            )
        running = self._registry.find(found_id)
        if running is not None:
            await asyncio.shield(running.started)
