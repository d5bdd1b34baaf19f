"""What can a node not reach? Packets are dropped without a word, as when a cable is cut, and pass again once healed."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum

from testcluster.network import INTERFACE

_TABLE = "inet dormouse_partition"
# Before connection tracking and address translation sees what arrives; after it has rewritten what leaves, so that
# what a pod sends to a Service counts by where it really goes.
_ARRIVING = "type filter hook prerouting priority raw; policy accept;"
_LEAVING = "type filter hook postrouting priority srcnat + 10; policy accept;"


class Target(StrEnum):
    """What a node is cut off from."""

    API = "api"
    STORE = "store"
    ALL = "all"


def rules(cut: Sequence[Target], *, api: str, store: str, interface: str = INTERFACE) -> str:
    """The packet filter, for `nft -f -` on the node, that takes the place of the one before. Nothing cut: no filter."""
    arriving, leaving = [], []
    for target in cut:
        if target is Target.ALL:
            arriving.append(f'iifname "{interface}" drop')
            leaving.append(f'oifname "{interface}" drop')
        else:
            address = api if target is Target.API else store
            arriving.append(f"ip saddr {address} drop")
            leaving.append(f"ip daddr {address} drop")
    removal = f"table {_TABLE}\ndelete table {_TABLE}\n"
    if not cut:
        return removal
    chains = (_chain("arriving", _ARRIVING, arriving), _chain("leaving", _LEAVING, leaving))
    return f"{removal}table {_TABLE} {{\n{''.join(chains)}}}\n"


def _chain(name: str, hook: str, drops: Sequence[str]) -> str:
    lines = "".join(f"    {drop}\n" for drop in drops)
    return f"  chain {name} {{\n    {hook}\n{lines}  }}\n"
