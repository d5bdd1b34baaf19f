"""Does a support bundle tell enough to help, and no secret, wherever one is planted?"""

from __future__ import annotations

import gzip
import io
import json
import os
import subprocess
import sys
import tarfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from observed_files import describe

from dormouse import RetryPolicy, Workflow, activity, workflow
from dormouse._commands import root
from dormouse.cluster.findings import NEEDED
from dormouse.testing import Durable
from dormouse_observer.manifest import encoded, manifest_of
from dormouse_observer.reporting.bundle import Entry, versions, write
from dormouse_observer.reporting.cluster import status_of
from scripted_kubectl import Refusal, ScriptedKubectl

SECRET = "Xk29-planted-secret"
OF_A_FILE = {"README.txt", "versions.json", "redacted.sqlite.json", "redacted.sqlite", "tree.txt", "queries/stuck.json"}


@pytest.fixture
def kubectl(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ScriptedKubectl:
    scripted = ScriptedKubectl.in_folder(tmp_path / "programs")
    monkeypatch.setenv("PATH", f"{scripted.folder}{os.pathsep}{os.environ['PATH']}")
    for name in ("AWS_SECRET_ACCESS_KEY", "AWS_ACCESS_KEY_ID", "DORMOUSE_TOKEN", "AWS_ENDPOINT_URL", "HOME", "USER"):
        monkeypatch.setenv(name, SECRET)
    monkeypatch.chdir(tmp_path)
    return scripted


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """In a folder that has a secret's name, as its values have."""

    @activity(retry=RetryPolicy(attempts=3))
    async def charges(card: str) -> str:
        raise ValueError(f"{card} was refused")

    @workflow
    async def pays(card: str) -> str:
        return await charges(card)

    (tmp_path / SECRET).mkdir()
    durable = Durable(tmp_path / SECRET)
    flow: Workflow[[str], str] = pays
    with pytest.raises(Exception, match="was refused"):
        durable.run(flow, SECRET, id="pays-1")
    return durable.database


def run(*command: object) -> Result:
    return CliRunner().invoke(root, ["report", *(str(part) for part in command)])


def inside(bundle: Path) -> dict[str, bytes]:
    """What it holds, by name, each looked through for the secret; and so is the archive itself."""
    packed = gzip.decompress(bundle.read_bytes())
    assert SECRET.encode() not in packed
    with tarfile.open(fileobj=io.BytesIO(packed)) as archive:
        found = {}
        for member in archive:
            opened = archive.extractfile(member)
            assert opened is not None
            assert (member.uid, member.uname) == (0, "")
            found[member.name.removeprefix("dormouse-report/")] = opened.read()
    return found


def cluster() -> dict[str, Any]:
    """One that has a secret in everything that is free text."""
    message = f"the log says charge[{SECRET}], and https://user:{SECRET}@store refuses"
    conditions = [{"type": "Blocked", "status": "True", "reason": "NonDeterministic", "message": message}]
    orders = {
        "metadata": {"name": "orders", "namespace": "shop", "annotations": {"note": SECRET}, "generation": 3},
        "spec": {"storage": {"storeRef": {"name": "main"}}, "template": {"spec": {"env": [{"value": SECRET}]}}},
        "status": {
            "phase": "Running", "epoch": 4, "conditions": conditions, "waitingFor": SECRET, "node": SECRET,
            "lastFailure": {"epoch": 3, "reason": "Error", "message": message, "time": "2026-05-01T12:00:00Z"},
        },
    }  # fmt: skip
    available = {"type": "Available", "status": "False", "reason": "StoreDenied", "message": message}
    store = {"metadata": {"name": "main", "namespace": "shop"}, "status": {"conditions": [available]}}
    renewed = datetime.now(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
    lease = {
        "metadata": {"name": "dormouse-operator", "namespace": "dormouse"},
        "spec": {"holderIdentity": "pod-1", "renewTime": renewed},
    }
    return {
        "get durableworkflows.dormouse.dev orders": orders,
        "^version": {"serverVersion": {"major": "1", "minor": "34", "gitVersion": "v1.34.1"}},
        "get --raw /apis/dormouse.dev/v1alpha1": {
            "resources": [{"name": "durableworkflows"}, {"name": "objectstores"}]
        },
        "get --raw /apis": {"groups": [{"name": "dormouse.dev"}]},
        "get customresourcedefinitions": Refusal(f"error: {SECRET} may not"),
        "get deployments": Refusal(f"error: {SECRET} may not"),
        "get lease": lease,
        "^config view": {"contexts": [{"context": {"namespace": "shop"}}]},
        "^create": "".join(json.dumps({"status": {"allowed": True}}, indent=4) + "\n" for _ in NEEDED),
        "get objectstores.dormouse.dev main": Refusal(f"error: {SECRET}"),
        "get objectstores.dormouse.dev": {"items": [store]},
        "get durableworkflows": {"items": [orders]},
    }


def test_of_a_file_it_tells_what_happened_and_no_value(kubectl: ScriptedKubectl, file: Path, tmp_path: Path) -> None:
    del kubectl
    describe(file)
    ended = run(file, "-o", tmp_path / "bundle.tar.gz")
    assert (ended.exit_code, "is not what was pulled" in ended.stderr) == (1, True), "its manifest is of another file"
    manifest_of(file).unlink()
    ended = run(file, "-o", tmp_path / "bundle.tar.gz")
    assert ended.exit_code == 0, ended.output
    found = inside(tmp_path / "bundle.tar.gz")
    assert set(found) >= OF_A_FILE
    assert "pays-1" in found["tree.txt"].decode()
    assert "ActivityError: <text: up to 128> (test_report.py:" in found["tree.txt"].decode()
    assert json.loads(found["versions.json"])["packages"]["dormouse"]
    assert json.loads(found["queries/slowest_steps.json"])["rows"][0]["activity"] == "charges"
    for name in found:
        assert name in ended.stdout
        assert name in found["README.txt"].decode() or name == "README.txt"


def test_of_a_name_it_tells_its_status_and_findings_without_their_words(
    kubectl: ScriptedKubectl, tmp_path: Path
) -> None:
    kubectl.answers(cluster())
    # A process of its own: one that has pulled ends at once.
    command = [str(Path(sys.executable).with_name("dormouse")), "report", "orders", "-n", "shop"]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (ended.returncode, "its data is not in the bundle" in ended.stderr) == (0, True), ended.stderr
    found = inside(tmp_path / "orders-report.tar.gz")
    status = json.loads(found["status.json"])
    assert status["metadata"] == {"name": "orders", "namespace": "shop", "generation": 3}
    assert status["status"]["conditions"] == [{"type": "Blocked", "status": "True", "reason": "NonDeterministic"}]
    assert status["status"]["lastFailure"] == {"epoch": 3, "reason": "Error", "time": "2026-05-01T12:00:00Z"}
    findings = {one["check"]: one["message"] for one in json.loads(found["findings.json"])["findings"]}
    assert findings["workflows"] == "shop/orders: NonDeterministic"
    assert findings["stores"] == "shop/main: StoreDenied"
    assert findings["operator"] == "not looked at"
    assert findings["cluster"].endswith("v1.34.1")


def test_a_status_is_told_by_fields_that_are_known() -> None:
    told = status_of({"metadata": {"name": "a", "labels": {"b": SECRET}}, "status": {"epoch": 1, "later": SECRET}})
    assert told == {"metadata": {"name": "a"}, "status": {"epoch": 1}}


def test_what_cannot_be_packed_is_told_and_leaves_nothing(kubectl: ScriptedKubectl, file: Path, tmp_path: Path) -> None:
    kubectl.answers({"": Refusal('Error from server (NotFound): durableworkflows.dormouse.dev "orders" not found')})
    (tmp_path / "there.tar.gz").write_text("mine")
    for options, exit_code, said in (
        ((file, "-o", tmp_path / "there.tar.gz"), 2, "is there already"),
        ((file, "-o", tmp_path / "nowhere" / "bundle.tar.gz"), 2, "there is no folder"),
        ((file, "--region", "eu-1"), 2, "not a file"),
        ((tmp_path / "missing.sqlite",), 4, "there is no file"),
        (("orders",), 4, "orders"),
    ):
        refused = run(*options)
        assert (refused.exit_code, said in refused.stderr) == (exit_code, True), refused.output
    assert (tmp_path / "there.tar.gz").read_text() == "mine"
    assert sorted(path.name for path in tmp_path.glob("*.tar.gz")) == ["there.tar.gz"]


def test_a_bundle_that_cannot_be_written_to_its_end_is_not_left_there(tmp_path: Path) -> None:
    bundle, kept = tmp_path / "report.tar.gz", tmp_path / "kept.tar.gz"
    with pytest.raises(FileNotFoundError):
        write([versions(), Entry("tree.txt", "gone meanwhile", tmp_path / "gone")], bundle)
    assert not bundle.exists()
    kept.write_bytes(b"of somebody else")
    with pytest.raises(FileExistsError):
        write([versions()], kept)
    assert kept.read_bytes() == b"of somebody else"


def test_a_manifest_tells_no_place(kubectl: ScriptedKubectl, file: Path, tmp_path: Path) -> None:
    del kubectl
    from msgspec.structs import replace

    from dormouse_observer.contents import sha256_of
    from dormouse_observer.exporting.export import Wanted, export

    whole = tmp_path / "whole.sqlite"
    manifest = export(file, whole, Wanted(), None)
    beside = manifest_of(whole)
    beside.write_bytes(
        encoded(replace(manifest, source=f"s3://{SECRET}/shop", identity=SECRET, sha256=sha256_of(whole)))
    )
    assert run(whole, "-o", tmp_path / "bundle.tar.gz").exit_code == 0
    assert json.loads(inside(tmp_path / "bundle.tar.gz")["redacted.sqlite.json"])["redacted"] is True
