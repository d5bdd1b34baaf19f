"""Can a shell look into the store of `dormouse dev`, and nobody else's?"""

from __future__ import annotations

import subprocess
from pathlib import Path

from dormouse_operator.dev.local_store import write_environment
from dormouse_operator.dev.seaweedfs import SeaweedFS


def test_a_shell_reads_the_stores_address_and_keys(tmp_path: Path) -> None:
    server = SeaweedFS(tmp_path / "store", 8333)
    (tmp_path / "store").mkdir(exist_ok=True)
    file = tmp_path / "environment"
    file.write_text("something longer that was there before " * 20)
    write_environment(file, server)
    script = '. ./environment; echo "$AWS_ENDPOINT_URL $AWS_REGION $AWS_ACCESS_KEY_ID $AWS_SECRET_ACCESS_KEY"'
    said = subprocess.run(["sh", "-c", script], cwd=tmp_path, env={}, check=True, capture_output=True, text=True).stdout
    assert said.split() == ["http://127.0.0.1:8333", server.region, server.access_key, server.secret_key]


def test_only_its_owner_reads_a_new_one(tmp_path: Path) -> None:
    file = tmp_path / "environment"
    write_environment(file, SeaweedFS(tmp_path / "store", 8333))
    assert file.stat().st_mode & 0o777 == 0o600
