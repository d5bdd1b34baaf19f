"""Talk to a runtime over HTTP, from any process.

```python
from dormouse.client import Client

with Client("http://localhost:8080") as client:
    order = client.start(handle_order, Order(number=7), id="order-7")
    print(order.result())
```

`AsyncClient` is the same with `await`. Needs the extra `client`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dormouse.client.handles import AsyncHandle, Handle
    from dormouse.client.http import AsyncClient, Client
    from dormouse.client.refusals import Refused, Unreachable
    from dormouse.engine.mismatch import Blocked
    from dormouse.runtime.views import ApprovalsView as Approvals
    from dormouse.runtime.views import ApprovalView as PendingApproval
    from dormouse.runtime.views import ErrorView as Error
    from dormouse.runtime.views import EventView as Event
    from dormouse.runtime.views import ExecutionsView as Executions
    from dormouse.runtime.views import ExecutionView as Execution
    from dormouse.runtime.views import WaitingView as Waiting

__all__ = [
    "Client",
    "AsyncClient",
    "Handle",
    "AsyncHandle",
    "Execution",
    "Executions",
    "Event",
    "Waiting",
    "PendingApproval",
    "Approvals",
    "Blocked",
    "Error",
    "Refused",
    "Unreachable",
]

_HOMES = {
    "Client": ("dormouse.client.http", "Client"),
    "AsyncClient": ("dormouse.client.http", "AsyncClient"),
    "Handle": ("dormouse.client.handles", "Handle"),
    "AsyncHandle": ("dormouse.client.handles", "AsyncHandle"),
    "Execution": ("dormouse.runtime.views", "ExecutionView"),
    "Executions": ("dormouse.runtime.views", "ExecutionsView"),
    "Event": ("dormouse.runtime.views", "EventView"),
    "Waiting": ("dormouse.runtime.views", "WaitingView"),
    "PendingApproval": ("dormouse.runtime.views", "ApprovalView"),
    "Approvals": ("dormouse.runtime.views", "ApprovalsView"),
    "Blocked": ("dormouse.engine.mismatch", "Blocked"),
    "Error": ("dormouse.runtime.views", "ErrorView"),
    "Refused": ("dormouse.client.refusals", "Refused"),
    "Unreachable": ("dormouse.client.refusals", "Unreachable"),
}


def __getattr__(name: str) -> Any:
    """Load what is asked for: who only reads a file needs no HTTP."""
    if name not in _HOMES:
        raise AttributeError(f"module 'dormouse.client' has no attribute {name!r}")
    from importlib import import_module

    module, attribute = _HOMES[name]
    value = globals()[name] = getattr(import_module(module), attribute)
    return value
