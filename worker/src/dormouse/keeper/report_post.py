"""How does a report get to the operator? One POST on a connection of its own, so that the Service chooses anew."""

from __future__ import annotations

import asyncio

import h11

from dormouse.keeper.settings import Operator

_PATH = "/v1/reports"
_SECONDS = 15.0
_LONGEST_ANSWER = 4096
_LONGEST_REASON = 200
_CONNECTIONS = 8
"""One straight after the other: with two replicas, all of eight meet the standby in 1 of 256 posts."""
_STANDBY = b'"NotTheLeader"'


class NotTaken(Exception):
    """The operator did not take the report; the message says why, as far as that is known."""


async def post(operator: Operator, report: bytes) -> None:
    """Post it.

    Raises:
        NotTaken: whatever it was: another try may help.
    """
    try:
        token = operator.token_file.read_text("ascii").strip()  # the kubelet puts a new one there now and then
        async with asyncio.timeout(_SECONDS):
            connections = 1
            status, answer = await _exchange(operator, token, report)
            while status == 503 and _STANDBY in answer and connections < _CONNECTIONS:
                connections += 1
                status, answer = await _exchange(operator, token, report)
    except TimeoutError as error:
        raise NotTaken(f"no answer in {_SECONDS:.0f} s") from error
    except (OSError, ValueError, h11.ProtocolError) as error:
        raise NotTaken(f"{type(error).__name__}: {error}") from error
    if status // 100 != 2:
        raise NotTaken(f"{status} {' '.join(answer.decode(errors='replace').split())}"[:_LONGEST_REASON])


async def _exchange(operator: Operator, token: str, body: bytes) -> tuple[int, bytes]:
    connection = h11.Connection(h11.CLIENT)
    request = h11.Request(
        method="POST",
        target=_PATH,
        headers=[
            ("host", f"{operator.host}:{operator.port}"),
            ("authorization", f"Bearer {token}"),
            ("content-type", "application/json"),
            ("content-length", str(len(body))),
            ("connection", "close"),
        ],
    )
    reader, writer = await asyncio.open_connection(operator.host, operator.port)
    try:
        for event in (request, h11.Data(data=body), h11.EndOfMessage()):
            writer.write(connection.send(event) or b"")
        return await _answer(connection, reader)
    finally:
        writer.close()


async def _answer(connection: h11.Connection, reader: asyncio.StreamReader) -> tuple[int, bytes]:
    status, body = 0, b""
    while True:
        event = connection.next_event()
        if event is h11.NEED_DATA:
            connection.receive_data(await reader.read(_LONGEST_ANSWER))
        elif isinstance(event, h11.Response):
            status = event.status_code
        elif isinstance(event, h11.Data):
            body = (body + event.data)[:_LONGEST_ANSWER]
        elif isinstance(event, h11.EndOfMessage):
            return status, body
