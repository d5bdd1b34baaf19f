"""Is a workflow pulled by its name while it runs, with nothing but kubectl, as the page says?"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from e2e.chain_workflow import ChainWorkflow
from e2e.readers_shell import readers_shell
from e2e.running_cluster import Cluster
from markdown_blocks import REPOSITORY, blocks, examples, fits

pytestmark = [pytest.mark.own_namespace, pytest.mark.timeout(300), pytest.mark.usefixtures("operator")]

PAGE = REPOSITORY / "docs" / "observing.md"


def test_the_commands_of_the_page_bring_a_running_workflow_here(
    cluster: Cluster, namespace: str, tmp_path: Path
) -> None:
    one = ChainWorkflow(cluster, namespace).apply()
    one.wait_for_steps()
    reader = readers_shell(tmp_path)
    by_name, by_url = (example for example in examples(blocks(PAGE)) if "dormouse pull" in example.command)
    assert by_url.shown is not None

    name = by_name.command.replace("orders", f"{one.name} --namespace {namespace} -o by-name.sqlite")
    assert f"{namespace}/{one.name} at 1/" in reader.run(name)
    told = json.loads((reader.folder / "by-name.sqlite.json").read_text())
    assert told["image"] == one.pod()["spec"]["containers"][0]["image"]
    assert told["executions"]["open"] == 1

    store = cluster.store
    url = (
        by_url.command.replace("AWS_ACCESS_KEY_ID=...", f"AWS_ACCESS_KEY_ID={store['access_key_id']}")
        .replace("AWS_SECRET_ACCESS_KEY=...", f"AWS_SECRET_ACCESS_KEY={store['secret_access_key']}")
        .replace("my-bucket/production/shop/orders", f"{store['bucket']}/{one.prefix}/{namespace}/{one.name}")
        .replace("https://s3.example.com", store["endpoint"])
    )
    shown = by_url.shown.replace("shop/orders", f"{namespace}/{one.name}").replace(
        "orders.sqlite", f"{one.name}.sqlite"
    )
    printed = reader.run(url)
    assert fits(shown, printed), printed
    listed = reader.run(f"dormouse list {one.name}.sqlite")
    assert "chain" in listed
    assert one.finish() == []
    assert {attempt.epoch for attempt in one.attempts()} == {1}, "the pod did not notice"
