"""Durable workflows in one SQLite file each: everything that a workflow author imports.

```python
from dormouse import activity, workflow

@activity
async def fetch(url: str) -> int: ...

@workflow
async def crawl(urls: list[str]) -> int:
    return sum(await asyncio.gather(*(fetch(url) for url in urls)))
```
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dormouse.engine.decision import Decision
    from dormouse.engine.definitions import Activity, Transaction, Workflow, activity, transaction, workflow
    from dormouse.engine.engine import Engine
    from dormouse.engine.handle import Handle
    from dormouse.engine.info import (
        ActivityInfo,
        WorkflowInfo,
        activity_info,
        continue_as_new,
        heartbeat,
        now,
        patched,
        random,
        uuid4,
        workflow_info,
    )
    from dormouse.engine.messages import Approval, Query, Signal, Update
    from dormouse.engine.retention import Retention
    from dormouse.engine.retry import RetryPolicy
    from dormouse.engine.sealing import Codec
    from dormouse.errors import (
        ActivityError,
        AlreadyDecided,
        AnswerFailed,
        CannotDecode,
        DigestMismatch,
        DormouseError,
        EngineStopped,
        ExecutionBlocked,
        ExecutionCancelled,
        ExecutionClosed,
        ExecutionFailed,
        ExecutionPaused,
        ExecutionTerminated,
        FileInUse,
        InvalidDefinition,
        InvalidInput,
        NewerFile,
        NotInWorkflow,
        NotRetryable,
        PayloadTooLarge,
        RequestConflict,
        RetryAfter,
        TransactionRefused,
        UnknownExecution,
        UnknownMessage,
        UnknownWorkflow,
    )

__all__ = [
    "workflow",
    "activity",
    "transaction",
    "RetryPolicy",
    "RetryAfter",
    "activity_info",
    "heartbeat",
    "Signal",
    "Query",
    "Update",
    "Approval",
    "Decision",
    "workflow_info",
    "now",
    "random",
    "uuid4",
    "patched",
    "continue_as_new",
    "Engine",
    "Codec",
    "Retention",
    "Handle",
    "Workflow",
    "Activity",
    "Transaction",
    "ActivityInfo",
    "WorkflowInfo",
    "DormouseError",
    "ActivityError",
    "AlreadyDecided",
    "AnswerFailed",
    "CannotDecode",
    "DigestMismatch",
    "EngineStopped",
    "ExecutionBlocked",
    "ExecutionCancelled",
    "ExecutionClosed",
    "ExecutionPaused",
    "ExecutionFailed",
    "ExecutionTerminated",
    "FileInUse",
    "InvalidDefinition",
    "InvalidInput",
    "NewerFile",
    "NotInWorkflow",
    "NotRetryable",
    "PayloadTooLarge",
    "RequestConflict",
    "TransactionRefused",
    "UnknownExecution",
    "UnknownMessage",
    "UnknownWorkflow",
]

_HOMES = {
    "dormouse.engine.decision": ("Decision",),
    "dormouse.engine.definitions": ("Activity", "Transaction", "Workflow", "activity", "transaction", "workflow"),
    "dormouse.engine.engine": ("Engine",),
    "dormouse.engine.handle": ("Handle",),
    "dormouse.engine.info": (
        "ActivityInfo", "WorkflowInfo", "activity_info", "continue_as_new", "heartbeat", "now", "patched", "random",
        "uuid4", "workflow_info",
    ),
    "dormouse.engine.messages": ("Approval", "Query", "Signal", "Update"),
    "dormouse.engine.retention": ("Retention",),
    "dormouse.engine.retry": ("RetryPolicy",),
    "dormouse.engine.sealing": ("Codec",),
}  # fmt: skip


def __getattr__(name: str) -> Any:
    """Load what is asked for: the keeper and the command line share this package and need none of it."""
    if name not in __all__:
        raise AttributeError(f"module 'dormouse' has no attribute {name!r}")
    from importlib import import_module

    home = next((home for home, names in _HOMES.items() if name in names), "dormouse.errors")
    value = globals()[name] = getattr(import_module(home), name)
    return value
