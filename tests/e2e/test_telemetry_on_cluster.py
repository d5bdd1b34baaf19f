"""Does a cluster tell of itself what the pages say: one trace from apply to the first step, and metrics of each pod?"""

from __future__ import annotations

import secrets
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
import yaml
from otlp_receiver import Receiver, attributes, is_one_life, receiving
from prometheus_client.parser import text_string_to_metric_families as read_text

from chart_rules import CHARTS
from e2e.chain_workflow import store_documents
from e2e.installed_operator import RELEASE, helm, installed
from e2e.running_cluster import Cluster, eventually

pytestmark = [pytest.mark.own_namespace, pytest.mark.timeout(300)]

MODULE = """
import asyncio
from dormouse import activity, workflow

@activity
async def weigh(item: str) -> int:
    return len(item)

@workflow
async def ship(item: str) -> None:
    while True:  # each life has a first step
        await weigh(item)
        await asyncio.sleep(1)
"""


@dataclass
class Shipping:
    """A DurableWorkflow that sends its traces."""

    cluster: Cluster
    namespace: str
    receiver: Receiver
    name: str = field(default_factory=lambda: f"shipping-{secrets.token_hex(3)}")

    def apply(self) -> Shipping:
        environment = {
            "DORMOUSE_TELEMETRY": "true",
            "OTEL_EXPORTER_OTLP_ENDPOINT": self.receiver.url,
            "OTEL_BSP_SCHEDULE_DELAY": "500",
        }
        told = [{"name": name, "value": value} for name, value in environment.items()]
        self.cluster.apply(
            *store_documents(self.cluster, self.namespace, self.namespace),
            {
                "apiVersion": "dormouse.dev/v1alpha1",
                "kind": "DurableWorkflow",
                "metadata": {"name": self.name, "namespace": self.namespace},
                "spec": {
                    "entrypoint": "shipping",
                    "source": {"inline": MODULE},
                    "start": {"workflow": "ship", "input": "tea"},
                    "storage": {"storeRef": {"name": "kept"}},
                    "template": {"spec": {"containers": [{"name": "runtime", "env": told}]}},
                },
            },
        )
        return self

    def life(self, epoch: int) -> list[Any]:
        """The spans of one life, once its beginning was told by the operator and by the pod."""

        def spans() -> list[Any]:
            mine = {"dormouse.dwf": self.name, "dormouse.epoch": epoch}.items()
            found = [span for span in self.receiver.spans if mine <= attributes(span).items()]
            return found if {"life", "become ready", "first step"} <= {span.name for span in found} else []

        return eventually(f"all of life {epoch} is told", spans, seconds=120)

    def pod(self, epoch: int) -> dict[str, Any]:
        return self.cluster.get("--namespace", self.namespace, "pod", f"{self.name}-e{epoch}")


@pytest.fixture(scope="module")
def receiver(cluster: Cluster) -> Iterator[Receiver]:
    with receiving(cluster.own_address) as made:
        yield made


@pytest.fixture(scope="module")
def shipping(cluster: Cluster, namespace: str, receiver: Receiver) -> Iterator[Shipping]:
    """In its first life, under an operator that sends its traces too."""
    with installed(cluster, namespace, f"traces.endpoint={receiver.url}"):
        yield Shipping(cluster, namespace, receiver).apply()


def by_name(spans: list[Any]) -> dict[str, Any]:
    return {span.name: span for span in spans}


def scraped(shipping: Shipping, pod: str, port: int) -> dict[tuple[str, ...], float]:
    """The samples that one port of a pod has, by name and values of labels."""
    forwarded = shipping.cluster.forwarded(shipping.namespace, pod, port)
    with forwarded as url, urllib.request.urlopen(f"{url}/metrics", timeout=20) as answer:
        families = list(read_text(answer.read().decode()))
    return {(sample.name, *sample.labels.values()): sample.value for each in families for sample in each.samples}


def test_from_apply_to_the_first_step_is_one_trace_and_the_next_life_is_another(shipping: Shipping) -> None:
    first = shipping.life(1)
    is_one_life(first, namespace=shipping.namespace, dwf=shipping.name, epoch=1)
    assert attributes(by_name(first)["schedule pod"])["k8s.node.name"] == shipping.pod(1)["spec"]["nodeName"]
    assert attributes(by_name(first)["first step"])["dormouse.activity"] == "weigh"
    assert {"dormouse-operator", shipping.name} <= shipping.receiver.services
    shipping.cluster.kubectl("--namespace", shipping.namespace, "delete", "pod", f"{shipping.name}-e1", seconds=90)
    second = shipping.life(2)
    is_one_life(second, namespace=shipping.namespace, dwf=shipping.name, epoch=2)
    assert second[0].trace_id != first[0].trace_id
    restored = attributes(by_name(second)["restore"])
    assert str(restored["dormouse.position"]).startswith("1/")
    assert int(restored["dormouse.bytes"]) > 0


def test_the_ports_that_the_podmonitor_names_have_the_metrics_of_keeper_litestream_and_runtime(
    shipping: Shipping,
) -> None:
    rendered = helm(
        "template", RELEASE, str(CHARTS / "dormouse"), f"--namespace={shipping.namespace}-operator",
        f"--set=namespaces={{{shipping.namespace}}}", "--set=podMonitor.enabled=true",
    )  # fmt: skip
    (monitor,) = (each["spec"] for each in yaml.safe_load_all(rendered) if each and each["kind"] == "PodMonitor")
    assert monitor["namespaceSelector"]["matchNames"] == [shipping.namespace]
    shipping.life(1)
    labels = ",".join(f"{name}={value}" for name, value in monitor["selector"]["matchLabels"].items())
    (pod,) = shipping.cluster.get("--namespace", shipping.namespace, "pods", f"--selector={labels}")["items"]
    assert pod["metadata"]["labels"]["dormouse.dev/name"] == shipping.name, "what the label dwf is made of"
    containers = (*pod["spec"]["initContainers"], *pod["spec"]["containers"])
    ports = {port["name"]: port["containerPort"] for each in containers for port in each.get("ports", ())}
    name = pod["metadata"]["name"]
    epoch = int(pod["metadata"]["labels"]["dormouse.dev/epoch"])
    scraped_ports = [endpoint["port"] for endpoint in monitor["podMetricsEndpoints"]]
    assert sorted(scraped_ports) == ["http", "keeper"]

    def of_keeper() -> dict[tuple[str, ...], float]:
        samples = scraped(shipping, name, ports["keeper"])
        return samples if samples.get(("litestream_replica_operation_total", "PUT", "s3")) else {}

    keeper = eventually("Litestream tells of its uploads", of_keeper, seconds=60)
    runtime = scraped(shipping, name, ports["http"])
    assert keeper["dormouse_keeper_epoch",] == runtime["dormouse_epoch",] == epoch
    assert keeper["dormouse_keeper_ready",] == 1
    executions = [value for of, value in runtime.items() if of[0] == "dormouse_executions" and "ship" in of]
    assert sum(executions) == 1
