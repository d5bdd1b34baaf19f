"""How are the hosts connected? All on one switch that is part of the control plane's host; no route leaves the lab."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress

from testcluster.commands import CommandError, run
from testcluster.hosts import RunningHost
from testcluster.lab import (
    CONTROL_PLANE,
    HOSTS,
    MACHINE_ADDRESS,
    NODES,
    PREFIX_LENGTH,
    SERVICE_RANGE,
    Host,
)
from testcluster.progress import wait_until

_SWITCH = "switch"
_OUR_LINK = "dm-machine"
INTERFACE = "eth0"


def connect(hosts: Mapping[str, RunningHost]) -> None:
    """Make the switch, plug every host and this machine into it, and set the routes to the pods."""
    switch = hosts[CONTROL_PLANE.name]
    _ip(
        switch,
        f"link add {_SWITCH} type bridge",
        f"address add {CONTROL_PLANE.address}/{PREFIX_LENGTH} dev {_SWITCH}",
        f"link set {_SWITCH} up",
    )
    for host in HOSTS:
        if host != CONTROL_PLANE:
            _plug(switch, host, hosts[host.name])
    _plug_this_machine(switch)
    for host in HOSTS:
        _ip(hosts[host.name], *_routes(host))


def disconnect() -> None:
    """Wait until this machine's link is gone. It goes with the switch; what a crash left half made is removed."""
    if is_connected():
        with suppress(CommandError):  # gone meanwhile, as it should be
            run(["ip", "link", "delete", _OUR_LINK])
    remedy = f"See `ip link show {_OUR_LINK}`"
    wait_until("this machine's link goes", lambda: not is_connected(), seconds=20, remedy=remedy)


def is_connected() -> bool:
    """Whether this machine has its link into the lab."""
    return f" {_OUR_LINK}@" in run(["ip", "-oneline", "link", "show", "type", "veth"])


def _plug(switch: RunningHost, host: Host, running: RunningHost) -> None:
    _ip(
        switch,
        f"link add {host.link} type veth peer name {INTERFACE} netns {running.pid}",
        f"link set {host.link} master {_SWITCH} up",
    )
    _ip(running, f"address add {host.address}/{PREFIX_LENGTH} dev {INTERFACE}", f"link set {INTERFACE} up")


def _plug_this_machine(switch: RunningHost) -> None:
    run(["ip", "link", "add", _OUR_LINK, "type", "veth", "peer", "name", _OUR_LINK, "netns", str(switch.pid)])
    _ip(switch, f"link set {_OUR_LINK} master {_SWITCH} up")
    run(["ip", "address", "add", f"{MACHINE_ADDRESS}/{PREFIX_LENGTH}", "dev", _OUR_LINK])
    run(["ip", "link", "set", _OUR_LINK, "up"])
    for node in NODES:  # tests listen here for pods, which need the way back; it goes with the link
        run(f"ip route add {node.pod_range} via {node.address}".split())


def _routes(host: Host) -> list[str]:
    """A host's routes: to the pods of each other node; a node also has a default route, which a kubelet asks for."""
    routes = [f"route add {node.pod_range} via {node.address}" for node in NODES if node != host]
    if host in NODES:
        # It ends at the control plane's host, which has none itself.
        return [*routes, f"route add default via {CONTROL_PLANE.address}"]
    if host == CONTROL_PLANE:
        return [*routes, f"route add {SERVICE_RANGE} via {NODES[0].address}"]
    return routes


def _ip(host: RunningHost, *commands: str) -> None:
    run(host.network_command(["ip", "-batch", "-"]), text="".join(f"{command}\n" for command in commands))
