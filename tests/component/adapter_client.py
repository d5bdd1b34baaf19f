"""A small editor: speaks the debug adapter protocol, https://microsoft.github.io/debug-adapter-protocol."""

from __future__ import annotations

import json
import socket
from types import TracebackType
from typing import Any, Self


class AdapterClient:
    """One connection. Use it with `with`."""

    def __init__(self, host: str, port: int, seconds: float) -> None:
        self._socket = socket.create_connection((host, port), timeout=seconds)
        self._answers = self._socket.makefile("rb")
        self._sent = 0
        self._events: list[dict[str, Any]] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._answers.close()
        self._socket.close()

    def send(self, command: str, **arguments: Any) -> int:
        """Ask for something; the number of the request."""
        self._sent += 1
        request = {"seq": self._sent, "type": "request", "command": command, "arguments": arguments}
        body = json.dumps(request).encode()
        self._socket.sendall(b"Content-Length: %d\r\n\r\n%s" % (len(body), body))
        return self._sent

    def answer(self, number: int) -> dict[str, Any]:
        """What came of a request."""
        while True:
            message = self._read()
            if message["type"] == "response" and message["request_seq"] == number:
                assert message["success"], message
                return dict(message.get("body") or {})
            self._events.append(message)

    def ask(self, command: str, **arguments: Any) -> dict[str, Any]:
        return self.answer(self.send(command, **arguments))

    def event(self, name: str) -> dict[str, Any]:
        """Wait for something to happen, or to have happened."""
        while True:
            found = next((one for one in self._events if one.get("event") == name), None)
            if found is not None:
                self._events.remove(found)
                return dict(found.get("body") or {})
            self._events.append(self._read())

    def _read(self) -> dict[str, Any]:
        length = 0
        while line := self._answers.readline().strip():
            name, _, value = line.partition(b":")
            if name == b"Content-Length":
                length = int(value)
        return dict(json.loads(self._answers.read(length)))
