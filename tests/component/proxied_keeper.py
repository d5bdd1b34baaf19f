"""How does a test put the faulting proxy between keepers and their store?"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from keeper_pod import Workflow, run
from store_proxy import StoreProxy

Story = Callable[[Workflow, StoreProxy], Awaitable[None]]


def through_proxy(story: Story, workflow: Workflow) -> None:
    async def body(workflow: Workflow) -> None:
        async with StoreProxy(workflow.server.port).serving() as proxy:
            make = workflow.pod
            workflow.pod = lambda epoch, **variables: make(  # type: ignore[method-assign]
                epoch, **{"DORMOUSE_STORE_ENDPOINT": proxy.endpoint, **variables}
            )
            await story(workflow, proxy)

    run(body, workflow)
