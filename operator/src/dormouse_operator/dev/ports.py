"""Which TCP ports on the loopback are free, and is this one?"""

from __future__ import annotations

import random
import socket

LOOPBACK = "127.0.0.1"
# Below the ephemeral ports of Linux (32768 and up) and macOS (49152): a server may bind its port seconds after it was
# chosen, and until then any outgoing connection of the machine could be given an ephemeral one.
_CHOICE = range(20_000, 32_768)
_random = random.SystemRandom()


def free_ports(count: int) -> list[int]:
    """Distinct ports that nothing listens on now, and that no outgoing connection is given.

    Raises OSError when there are not so many.
    """
    ports: list[int] = []
    for port in _random.sample(_CHOICE, len(_CHOICE)):
        if len(ports) == count:
            return ports
        if is_free(port):
            ports.append(port)
    raise OSError(f"of the ports {_CHOICE.start} to {_CHOICE.stop - 1} no {count} are free")


def is_free(port: int) -> bool:
    """Whether a server could listen on this port now."""
    with socket.socket() as probe:
        # As servers do it: a port whose old connections are still in TIME_WAIT counts as free.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
        return True
