"""Does a pulled file hold what the store holds, and does nobody notice? A real keeper, Litestream and store."""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import sqlite3
import sys
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import obstore
import pytest
from keeper_pod import ON_EACH_STORE, KeeperPod, Workflow, run
from minio_server import S3Server

DORMOUSE = Path(sys.executable).with_name("dormouse")


@pytest.fixture
def workflow(request: pytest.FixtureRequest, tmp_path: Path) -> Workflow:
    server: S3Server = request.getfixturevalue(getattr(request, "param", "seaweedfs"))
    return Workflow(server, tmp_path)


async def pull(workflow: Workflow, *options: str, verb: str = "pull", **variables: str) -> tuple[int, str]:
    """What `dormouse pull URL`, or another verb that pulls, ends with, and what it says."""
    location = workflow.location
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    keys = {"AWS_ACCESS_KEY_ID": location.access_key_id, "AWS_SECRET_ACCESS_KEY": location.secret_access_key}
    url = f"s3://{location.bucket}/{workflow.layout.root}"
    process = await asyncio.create_subprocess_exec(
        DORMOUSE, verb, url, "--endpoint", location.endpoint, *options,
        cwd=workflow.folder, env={**inherited, **keys, **variables},
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    said, _ = await process.communicate()
    return process.returncode or 0, said.decode()


def notes(file: Path) -> list[str]:
    with closing(sqlite3.connect(f"file:{file}?mode=ro&immutable=1", uri=True)) as connection:
        return [text for (text,) in connection.execute("SELECT text FROM note ORDER BY rowid")]


def manifest(file: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(file.with_name(f"{file.name}.json").read_text())
    return found


async def written(pod: KeeperPod, *texts: str) -> None:
    for text in texts:
        pod.write(text)
        await pod.keeper.barrier()


async def objects(workflow: Workflow) -> dict[str, str]:
    """What lies under its prefix, by key and ETag."""
    found: dict[str, str] = {}
    async for page in obstore.list(workflow.raw_store, workflow.layout.root):
        found |= {item["path"]: str(item["e_tag"]) for item in page}
    return found


@ON_EACH_STORE
def test_a_running_workflow_is_pulled_and_goes_on_untouched(workflow: Workflow) -> None:
    async def story(workflow: Workflow) -> None:
        pod = await workflow.pod(1).open()
        await written(pod, "one", "two")
        before = await objects(workflow)
        code, said = await pull(workflow)
        assert code == 0, said
        file = workflow.folder / "sleeper.sqlite"
        assert notes(file) == ["one", "two"]
        assert file.stat().st_mode & 0o777 == 0o444
        assert not list(workflow.folder.glob(".*")), "no draft is left"
        told = manifest(file)
        assert (told["name"], told["namespace"], told["state"]) == ("sleeper", "default", "Active")
        assert (told["isNewest"], told["identity"]) == (True, workflow.uid)
        assert told["position"].startswith("1/")
        assert told["sha256"] == hashlib.sha256(file.read_bytes()).hexdigest()
        assert "default/sleeper at 1/" in said
        assert "Its pod may have written since" in said
        after = await objects(workflow)
        assert before.items() <= after.items()
        await written(pod, "three")
        assert await pod.terminate() == 0

        code, said = await pull(workflow, "-o", "whole.sqlite")
        assert code == 0, said
        assert notes(workflow.folder / "whole.sqlite") == ["one", "two", "three"]
        assert "all there is: nothing was written since it became Sealed" in said
        (workflow.folder / "orders.py").write_text(
            "from dormouse import workflow\n\n@workflow\nasync def order(): ...\n"
        )
        run_it = (DORMOUSE, "run", "orders.py", "--database", "whole.sqlite", "--port", "0")
        ran = await asyncio.create_subprocess_exec(*run_it, cwd=workflow.folder, stderr=asyncio.subprocess.PIPE)
        assert "is read-only, as pulled copies are" in (await ran.communicate())[1].decode()

    run(story, workflow)


def test_what_is_exported_by_its_address_is_pulled_first(workflow: Workflow) -> None:
    async def story(workflow: Workflow) -> None:
        pod = await workflow.pod(1).open()
        await written(pod, "one")
        code, said = await pull(workflow, "-o", "copy.sqlite", verb="export")
        assert code == 0, said
        assert notes(workflow.folder / "copy.sqlite") == ["one"]
        assert manifest(workflow.folder / "copy.sqlite")["identity"] == workflow.uid

    run(story, workflow)


def test_the_lives_before_are_told_with_what_each_was_restored_from(workflow: Workflow) -> None:
    async def story(workflow: Workflow) -> None:
        began = datetime.now(UTC).replace(microsecond=0)
        first = await workflow.pod(1).open()
        await written(first, "one")
        assert (await pull(workflow, "-o", "first.sqlite"))[0] == 0
        ended = datetime.now(UTC)
        (life,) = manifest(workflow.folder / "first.sqlite")["lives"]
        assert (life["epoch"], "beganWith" in life) == (1, False)
        assert await first.terminate() == 0
        second = await workflow.pod(2).open()
        await written(second, "two")
        assert (await pull(workflow))[0] == 0
        told = manifest(workflow.folder / "sleeper.sqlite")["lives"]
        assert told[0] == life
        assert (told[1]["epoch"], told[1]["beganWith"].startswith("1/"), "ofAnother" in told[1]) == (2, True, False)
        first_claim, second_claim = (datetime.fromisoformat(life["claimedAt"]) for life in told)
        # Claims are told in whole seconds: two lives can begin within one.
        assert began <= first_claim <= ended
        assert ended.replace(microsecond=0) <= second_claim <= datetime.now(UTC)

    run(story, workflow)


def test_an_earlier_position_is_pulled_by_its_name(workflow: Workflow) -> None:
    async def story(workflow: Workflow) -> None:
        pod = await workflow.pod(1).open()
        await written(pod, "one")
        assert (await pull(workflow, "-o", "first.sqlite"))[0] == 0
        position = manifest(workflow.folder / "first.sqlite")["position"]
        await written(pod, "two")
        code, said = await pull(workflow, "--at", position)
        assert code == 0, said
        assert notes(workflow.folder / "sleeper.sqlite") == ["one"]
        assert manifest(workflow.folder / "sleeper.sqlite")["isNewest"] is False
        assert "the store holds later positions" in said
        code, said = await pull(workflow, "--at", "7/1", "-o", "none.sqlite")
        assert (code, "epoch 7 is not part of the source's history" in said) == (1, True), said

    run(story, workflow)


def test_what_is_wrong_is_told_and_leaves_nothing(workflow: Workflow) -> None:
    async def story(workflow: Workflow) -> None:
        code, said = await pull(workflow)
        assert (code, "there is no" in said, "check the bucket and the prefix" in said) == (1, True, True), said
        pod = await workflow.pod(1).open()
        await written(pod, "one")
        for options, variables, ends_with, told in (
            ((), {"AWS_SECRET_ACCESS_KEY": "wrong"}, 4, "the store refused the credentials"),
            (("--endpoint", "http://127.0.0.1:1"), {}, 4, "Error: the store http://127.0.0.1:1"),
            (("--at", "yesterday"), {}, 2, "is neither a position such as 3/41 nor a time such as"),
            (("--at", "2999-01-01T00:00:00Z"), {}, 2, "lies in the future"),
            (("--at", "2001-01-01T00:00:00Z"), {}, 1, "lies before everything that is kept"),
            (("-o", "no/such/folder.sqlite"), {}, 2, "there is no folder no/such"),
        ):
            code, said = await pull(workflow, *options, **variables)
            assert (code, told in said) == (ends_with, True), said
        assert list(workflow.folder.glob("*.sqlite*")) == []

        kept = workflow.folder / "sleeper.sqlite"
        kept.write_text("mine")
        code, said = await pull(workflow)
        assert (code, "is there already; choose another, or --force" in said) == (2, True), said
        assert kept.read_text() == "mine"
        left = workflow.folder / "sleeper.sqlite-wal"
        left.write_text("of another database")
        code, said = await pull(workflow, "--force")
        assert (code, "is in use, or was when its process was killed" in said) == (2, True), said
        left.unlink()
        assert (await pull(workflow, "--force"))[0] == 0
        assert notes(kept) == ["one"]

    run(story, workflow)
