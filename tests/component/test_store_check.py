"""Does `dormouse store check` find what has nobody in a real store, and read only?"""

from __future__ import annotations

import asyncio
import json
import os
import shlex
import subprocess
import sys
from pathlib import Path
from uuid import uuid4

from dormouse.replica.current import Current, LineageEntry, State, encode
from dormouse.replica.layout import Layout, first_transaction
from dormouse.replica.s3 import S3, Location
from dormouse_operator.dev.seaweedfs import SeaweedFS
from markdown_blocks import REPOSITORY, blocks


def check(server: SeaweedFS, *arguments: str) -> subprocess.CompletedProcess[str]:
    keys = {"AWS_ACCESS_KEY_ID": server.access_key, "AWS_SECRET_ACCESS_KEY": server.secret_key}
    return subprocess.run(
        [Path(sys.executable).with_name("dormouse"), "store", "check", *arguments],
        env={"PATH": os.environ["PATH"], "AWS_ENDPOINT_URL": server.endpoint, **keys},
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )


async def fill(server: SeaweedFS, prefix: str) -> None:
    """A sound workflow, and beside it what the page shows."""
    store = S3(
        Location(
            bucket=server.bucket,
            endpoint=server.endpoint,
            region=server.region,
            access_key_id=server.access_key,
            secret_access_key=server.secret_key,
        )
    )
    sound, lost = Layout.of(prefix, "default", "sound"), Layout.of(prefix, "default", "lost")
    entry = LineageEntry(1, sound.epoch(1, "owner"), replicated=True)
    record = Current(1, "n", "uid", "uid", 1, "owner", State.ACTIVE, lineage=(entry,))
    await store.put(sound.current, encode(record), None)
    await store.put(first_transaction(entry.prefix), b"data", None)
    await store.put(first_transaction(lost.epoch(1, "owner")), b"data", None)
    await store.put(f"{prefix}/notes.txt", b"not ours", None)


def test_what_the_page_shows_is_found_and_a_sound_workflow_is_not(seaweedfs: SeaweedFS) -> None:
    prefix = f"check-{uuid4().hex[:8]}"
    asyncio.run(fill(seaweedfs, prefix))
    page = REPOSITORY / "docs/stores.md"
    (command,) = [block.text for block in blocks(page, "bash") if "store check" in block.text]
    (shown,) = [block.text for block in blocks(page, "text") if "NoCurrent" in block.text]
    words = shlex.split(command.replace("my-bucket/production", f"{seaweedfs.bucket}/{prefix}"))
    assert words[:3] == ["dormouse", "store", "check"]
    ran = check(seaweedfs, words[3], "--endpoint", seaweedfs.endpoint)
    assert ran.returncode == 1, ran.stdout + ran.stderr
    told = ran.stdout.replace(f"{seaweedfs.bucket}/{prefix}", "my-bucket/production").replace(prefix, "production")
    assert [line.split() for line in told.splitlines()] == [line.split() for line in shown.splitlines()]
    alone = check(seaweedfs, f"s3://{seaweedfs.bucket}/{prefix}/default/sound", "-o", "json")
    assert alone.returncode == 0, alone.stdout + alone.stderr
    assert json.loads(alone.stdout)["findings"] == []


def test_a_store_that_does_not_answer_is_told(seaweedfs: SeaweedFS) -> None:
    ran = check(seaweedfs, "s3://never-made")
    assert ran.returncode == 4
    assert "cannot be looked through" in ran.stderr
