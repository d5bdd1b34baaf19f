"""Who is in the lab, and at which address? The names that everything else refers to."""

from __future__ import annotations

from dataclasses import dataclass

CLUSTER_DOMAIN = "cluster.local"
POD_RANGE = "10.244.0.0/16"
SERVICE_RANGE = "10.96.0.0/16"
API_SERVICE_ADDRESS = "10.96.0.1"
DNS_SERVICE_ADDRESS = "10.96.0.10"
PREFIX_LENGTH = 24
# This machine's own end in the lab: tests reach the API server and the store through it.
MACHINE_ADDRESS = "10.99.0.254"
API_PORT = 6443
STORE_PORT = 8333


@dataclass(frozen=True)
class Host:
    """One host of the lab. A node also has a range of addresses for its pods."""

    name: str
    address: str
    pod_range: str | None = None

    @property
    def link(self) -> str:
        """The host's port on the lab's switch."""
        return f"dm-{self.name}"

    @property
    def cgroup(self) -> str:
        """The control group that holds a node's pods."""
        return f"dormouse-{self.name}"


CONTROL_PLANE = Host("cp", "10.99.0.2")
NODES = (Host("n1", "10.99.0.11", "10.244.1.0/24"), Host("n2", "10.99.0.12", "10.244.2.0/24"))
STORE = Host("store", "10.99.0.30")
HOSTS = (CONTROL_PLANE, *NODES, STORE)

API_ENDPOINT = f"https://{CONTROL_PLANE.address}:{API_PORT}"
STORE_ENDPOINT = f"http://{STORE.address}:{STORE_PORT}"
