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
    from dormouse.engine.definitions import Activity, Workflow, activity, workflow
    from dormouse.engine.engine import Engine, Handle
    from dormouse.engine.info import ActivityInfo, WorkflowInfo, activity_info, now, random, uuid4, workflow_info
    from dormouse.engine.retry import RetryPolicy
    from dormouse.errors import (
        ActivityError,
        DormouseError,
        EngineStopped,
        ExecutionBlocked,
        ExecutionFailed,
        InvalidDefinition,
        InvalidInput,
        NotInWorkflow,
        RequestConflict,
        UnknownExecution,
        UnknownWorkflow,
    )

__all__ = [
    "workflow",
    "activity",
    "RetryPolicy",
    "activity_info",
    "workflow_info",
    "now",
    "random",
    "uuid4",
    "Engine",
    "Handle",
    "Workflow",
    "Activity",
    "ActivityInfo",
    "WorkflowInfo",
    "DormouseError",
    "ActivityError",
    "EngineStopped",
    "ExecutionBlocked",
    "ExecutionFailed",
    "InvalidDefinition",
    "InvalidInput",
    "NotInWorkflow",
    "RequestConflict",
    "UnknownExecution",
    "UnknownWorkflow",
]

_HOMES = {
    "dormouse.engine.definitions": ("Activity", "Workflow", "activity", "workflow"),
    "dormouse.engine.engine": ("Engine", "Handle"),
    "dormouse.engine.info": (
        "ActivityInfo", "WorkflowInfo", "activity_info", "now", "random", "uuid4", "workflow_info",
    ),
    "dormouse.engine.retry": ("RetryPolicy",),
}  # fmt: skip


def __getattr__(name: str) -> Any:
    """Load what is asked for: the keeper and the command line share this package and need none of it."""
    if name not in __all__:
        raise AttributeError(f"module 'dormouse' has no attribute {name!r}")
    from importlib import import_module

    home = next((home for home, names in _HOMES.items() if name in names), "dormouse.errors")
    value = globals()[name] = getattr(import_module(home), name)
    return value
