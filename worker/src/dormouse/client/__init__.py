"""Talk to a runtime over HTTP, from any process.

```python
from dormouse.client import Client

with Client("http://localhost:8080") as client:
    order = client.start(handle_order, Order(number=7), id="order-7")
    print(order.result())
```

`AsyncClient` is the same with `await`. Needs `pip install 'dormouse[client]'`.
"""

from __future__ import annotations

from dormouse.client.http import AsyncClient, AsyncHandle, Client, Handle
from dormouse.client.refusals import Refused, Unreachable
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
    "Error",
    "Refused",
    "Unreachable",
]
