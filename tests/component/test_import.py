"""Does an imported file lie where a new workflow finds it, and is nothing there ever replaced? A real store."""

from __future__ import annotations

import asyncio
import json
import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from uuid import uuid4

import pytest
import yaml
from click.testing import CliRunner, Result
from observed_files import make

from dormouse._commands import root
from dormouse.keeper.origin import fetch_import
from dormouse.replica.current import ImportOf
from dormouse.replica.layout import Layout
from dormouse.replica.s3 import S3, Location
from dormouse_observer.exporting.export import Wanted, export
from dormouse_operator.dev.manifests import load
from dormouse_operator.dev.seaweedfs import SeaweedFS
from markdown_blocks import REPOSITORY, blocks


def dormouse_import(
    server: SeaweedFS, folder: Path, *arguments: str, typed: str = "", **variables: str
) -> subprocess.CompletedProcess[str]:
    keys = {"AWS_ACCESS_KEY_ID": server.access_key, "AWS_SECRET_ACCESS_KEY": server.secret_key}
    return subprocess.run(
        [str(Path(sys.executable).with_name("dormouse")), "import", *arguments],
        cwd=folder,
        input=typed,
        env={"PATH": os.environ["PATH"], "AWS_ENDPOINT_URL": server.endpoint, **keys, **variables},
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )


def refused(server: SeaweedFS, *arguments: object, **variables: str) -> Result:
    """In this process: only one that has succeeded ends it."""
    keys = {"AWS_ACCESS_KEY_ID": server.access_key, "AWS_SECRET_ACCESS_KEY": server.secret_key, "AWS_CA_BUNDLE": None}
    environment = {**keys, "AWS_ENDPOINT_URL": server.endpoint, **variables}
    return CliRunner().invoke(root, ["import", *map(str, arguments)], env=environment)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make(tmp_path_factory.mktemp("made") / "orders.sqlite")


@pytest.fixture
def file(made: Path, tmp_path: Path) -> Path:
    copy = tmp_path / "orders.sqlite"
    copy.write_bytes(made.read_bytes())
    return copy


def store_of(server: SeaweedFS) -> S3:
    return S3(
        Location(
            bucket=server.bucket,
            endpoint=server.endpoint,
            region=server.region,
            access_key_id=server.access_key,
            secret_access_key=server.secret_key,
        )
    )


def test_what_is_printed_is_what_a_keeper_begins_with(seaweedfs: SeaweedFS, file: Path, tmp_path: Path) -> None:
    prefix = f"import-{uuid4().hex[:8]}"
    before = file.read_bytes()
    ended = dormouse_import(seaweedfs, tmp_path, file.name, "--to", f"s3://{seaweedfs.bucket}/{prefix}/shop")
    assert ended.returncode == 0, ended.stderr
    assert "a new DurableWorkflow in shop begins with it by" in ended.stderr
    told = yaml.safe_load(ended.stdout)["spec"]["restore"]["fromObject"]
    origin = ImportOf(Layout.of(prefix, "shop", "again").imported(told["key"]), told["sha256"])
    asyncio.run(fetch_import(store_of(seaweedfs), origin, tmp_path / "draft.sqlite"))
    with closing(sqlite3.connect(tmp_path / "draft.sqlite")) as connection:
        assert connection.execute("SELECT count(*) FROM execution").fetchone() == (12,)
    assert file.read_bytes() == before

    again = dormouse_import(
        seaweedfs, tmp_path, file.name, "--to", f"s3://{seaweedfs.bucket}/{prefix}/shop", "-o", "json"
    )
    assert (again.returncode, "was there already" in again.stderr) == (0, True), again.stderr
    assert json.loads(again.stdout)["spec"]["restore"]["fromObject"] == told


def test_what_stands_in_a_wal_is_imported_too(seaweedfs: SeaweedFS, tmp_path: Path) -> None:
    live, prefix = tmp_path / "live.sqlite", f"import-{uuid4().hex[:8]}"
    with closing(sqlite3.connect(live)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("CREATE TABLE note (text)")
        connection.execute("INSERT INTO note VALUES ('in the WAL')")
        connection.commit()
        url = f"s3://{seaweedfs.bucket}/{prefix}/shop"
        ended = dormouse_import(seaweedfs, tmp_path, live.name, "--to", url, "--key", "notes/live.sqlite")
    assert ended.returncode == 0, ended.stderr
    told = yaml.safe_load(ended.stdout)["spec"]["restore"]["fromObject"]
    assert told["key"] == "notes/live.sqlite"
    origin = ImportOf(f"{prefix}/shop/.imports/notes/live.sqlite", told["sha256"])
    asyncio.run(fetch_import(store_of(seaweedfs), origin, tmp_path / "draft.sqlite"))
    with closing(sqlite3.connect(tmp_path / "draft.sqlite")) as connection:
        assert connection.execute("SELECT text FROM note").fetchall() == [("in the WAL",)]


def test_what_is_wrong_is_told_and_puts_nothing_there(seaweedfs: SeaweedFS, file: Path, tmp_path: Path) -> None:
    prefix = f"import-{uuid4().hex[:8]}"
    to = ("--to", f"s3://{seaweedfs.bucket}/{prefix}/shop")
    export(file, tmp_path / "redacted.sqlite", Wanted(redacted=True), None)
    (tmp_path / "text.sqlite").write_text("no database, but as long as one could be" * 40)
    (tmp_path / "cut.sqlite").write_bytes(file.read_bytes()[:50_000])
    wrong_key = {"AWS_SECRET_ACCESS_KEY": "wrong"}
    for arguments, variables, code, said in (
        ((tmp_path / "missing.sqlite", *to), {}, 4, "there is no file"),
        ((tmp_path / "text.sqlite", *to), {}, 4, "not a database"),
        ((tmp_path / "cut.sqlite", *to), {}, 4, "cut.sqlite: "),
        ((tmp_path / "redacted.sqlite", *to), {}, 1, "was redacted"),
        ((file, "--to", "orders"), {}, 2, "names no bucket"),
        ((file, "--to", f"s3://{seaweedfs.bucket}"), {}, 1, "--to names no namespace"),
        ((file, *to, "--key", "../up.sqlite"), {}, 1, "--key '../up.sqlite' is none"),
        ((file, "--to", "s3://nobody-made-it/shop"), {}, 4, "does not exist"),
        ((file, *to), wrong_key, 4, "refused the credentials"),
        ((file, *to, "--endpoint", "http://127.0.0.1:1"), {}, 4, "the store http://127.0.0.1:1"),
    ):
        ended = refused(seaweedfs, *arguments, **variables)
        assert (ended.exit_code, said in ended.stderr) == (code, True), (arguments, ended.stderr)
        assert ended.stdout == ""

    async def keys() -> list[str]:
        return [key async for key in store_of(seaweedfs).keys(prefix)]

    assert asyncio.run(keys()) == []
    assert dormouse_import(seaweedfs, tmp_path, file.name, *to, "--key", "one.sqlite").returncode == 0
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("DELETE FROM heartbeat")
        connection.execute("CREATE TABLE another (one)")
        connection.commit()
    taken = refused(seaweedfs, file, *to, "--key", "one.sqlite")
    assert (taken.exit_code, "another file is at" in taken.stderr) == (1, True), taken.stderr


def test_the_command_that_brings_a_fork_onto_a_cluster_prints_all_that_is_created(
    seaweedfs: SeaweedFS, file: Path, tmp_path: Path
) -> None:
    page = blocks(REPOSITORY / "docs" / "recovery.md", "console")
    (shown,) = (block.text for block in page if "dormouse import" in block.text)
    prefix = f"doc-{uuid4().hex[:8]}"
    typed = shown.replace("\\\n", " ").replace("s3://my-bucket/production", f"s3://{seaweedfs.bucket}/{prefix}")
    typed = typed.replace("https://s3.example.com", seaweedfs.endpoint)
    arguments = typed.partition("dormouse import ")[2].partition(" | kubectl create")[0].split()
    file.rename(tmp_path / "mended.sqlite")
    old = (
        "apiVersion: dormouse.dev/v1alpha1\nkind: DurableWorkflow\nmetadata: {name: shop, namespace: shop}\n"
        "spec: {image: shop, entrypoint: shop, start: {workflow: ship}, storage: {storeRef: {name: local}}}\n"
    )
    ended = dormouse_import(seaweedfs, tmp_path, *arguments, typed=old)
    assert ended.returncode == 0, ended.stderr
    (tmp_path / "new.yaml").write_text(ended.stdout)
    (made,) = load([tmp_path / "new.yaml"]).workflows.values()
    assert (made.metadata.name, made.metadata.namespace, made.spec.start) == ("shop-mended", "shop", None)
    assert made.spec.restore is not None
    told = made.spec.restore.from_object
    assert told is not None
    where = Layout.of(prefix, "shop", "any").imported(told.key)
    asyncio.run(fetch_import(store_of(seaweedfs), ImportOf(where, told.sha256), tmp_path / "draft.sqlite"))


def test_a_manifest_that_does_not_fit_is_told_before_anything_is_uploaded(
    seaweedfs: SeaweedFS, file: Path, tmp_path: Path
) -> None:
    prefix = f"import-{uuid4().hex[:8]}"
    to = ("--to", f"s3://{seaweedfs.bucket}/{prefix}/shop")
    (tmp_path / "none.yaml").write_text("kind: ConfigMap\n")
    for arguments, said in (
        (("--manifest", tmp_path / "none.yaml", "--name", "orders-2"), "no documents of the kind DurableWorkflow"),
        (("--manifest", tmp_path / "none.yaml"), "--manifest and --name belong together"),
        (("--name", "orders-2"), "--manifest and --name belong together"),
    ):
        ended = refused(seaweedfs, file, *to, *arguments)
        assert (ended.exit_code, said in " ".join(ended.stderr.split())) == (2, True), ended.stderr

    async def keys() -> list[str]:
        return [key async for key in store_of(seaweedfs).keys(prefix)]

    assert asyncio.run(keys()) == []


def test_the_command_of_the_page_on_recovery_works(seaweedfs: SeaweedFS, file: Path, tmp_path: Path) -> None:
    page = blocks(REPOSITORY / "docs" / "recovery.md", "bash")
    (shown,) = (block.text for block in page if block.text.startswith("dormouse import"))
    file.rename(tmp_path / "shop.sqlite")
    typed = shown.replace("s3://my-bucket/production", f"s3://{seaweedfs.bucket}/doc-{uuid4().hex[:8]}")
    typed = typed.replace("https://s3.example.com", seaweedfs.endpoint)
    ended = dormouse_import(seaweedfs, tmp_path, *typed.split()[2:])
    assert ended.returncode == 0, ended.stderr
    assert yaml.safe_load(ended.stdout)["spec"]["restore"]["fromObject"]["key"].startswith("shop-")
