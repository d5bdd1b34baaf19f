"""What files since version 2 hold as well: a workflow that is spoken to, and begins anew."""

from __future__ import annotations

from recorded.workflows import double

from dormouse import Signal, continue_as_new, workflow

word = Signal("word", str)


@workflow
async def rounds(left: int) -> str:
    heard = await word.receive()
    await double(left)
    if left:
        continue_as_new(left - 1)
    return heard
