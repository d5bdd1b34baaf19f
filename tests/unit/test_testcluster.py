"""Are the test cluster's parts right, as far as that can be told without starting it?"""

from __future__ import annotations

import io
import json
import sys
import tarfile
import tomllib
from pathlib import Path

import pytest
import yaml

sys.path.append(str(Path(__file__).parents[2] / "hack"))  # a program of its own, not part of the distribution

from testcluster import builds, folders
from testcluster.certificates import IDENTITIES
from testcluster.image_archive import layer_of, write_image
from testcluster.lab import NODES
from testcluster.node import CRUN_STATE, cni_configuration, containerd_configuration
from testcluster.partition import Target, rules

API, STORE = "10.0.0.1", "10.0.0.2"


def test_a_healed_node_has_no_packet_filter() -> None:
    healed = rules((), api=API, store=STORE)
    assert healed.splitlines() == ["table inet dormouse_partition", "delete table inet dormouse_partition"]


def test_a_new_partition_takes_the_place_of_the_one_before() -> None:
    cut = rules((Target.STORE,), api=API, store=STORE)
    assert cut.startswith(rules((), api=API, store=STORE))


def test_a_partition_drops_both_ways_and_only_what_it_names() -> None:
    cut = rules((Target.API,), api=API, store=STORE)
    assert f"ip saddr {API} drop" in cut
    assert f"ip daddr {API} drop" in cut
    assert STORE not in cut


def test_several_targets_are_cut_at_once() -> None:
    cut = rules((Target.API, Target.STORE), api=API, store=STORE)
    assert API in cut
    assert STORE in cut


def test_cut_off_from_all_drops_by_the_link_and_not_by_address() -> None:
    cut = rules((Target.ALL,), api=API, store=STORE)
    assert 'iifname "eth0" drop' in cut
    assert 'oifname "eth0" drop' in cut
    assert "ip saddr" not in cut


def test_a_build_is_another_one_when_a_source_changes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "pause").mkdir()
    source = tmp_path / "pause" / "main.go"
    source.write_text("package main\n")
    monkeypatch.setattr(builds, "HERE", tmp_path)
    monkeypatch.setattr(builds, "_go", lambda *_: "go1.25 linux amd64")
    before = builds.pause().folder()
    assert builds.pause().folder() == before
    source.write_text("package main // changed\n")
    assert builds.pause().folder() != before


def test_every_staging_module_has_the_release_of_kubernetes() -> None:
    version = builds.kubernetes_version()
    go_mod = (folders.HERE / "kubernetes" / "go.mod").read_text()
    staging = [line.split()[-1] for line in go_mod.splitlines() if " => k8s.io/" in line]
    assert len(staging) > 20
    assert set(staging) == {version.replace("v1.", "v0.", 1)}


def test_helm_speaks_to_the_api_server_as_kubectl_does() -> None:
    clients = {builds.required_version(program, "k8s.io/client-go") for program in ("helm", "kubernetes")}
    assert clients == {builds.kubernetes_version().replace("v1.", "v0.", 1)}


def test_an_image_holds_its_program_and_says_how_to_run_it(tmp_path: Path) -> None:
    program = tmp_path / "pause"
    program.write_bytes(b"program")
    write_image(tmp_path / "image.tar", "localhost/pause:1", layer_of({"/pause": program}), entrypoint=["/pause"])
    with tarfile.open(tmp_path / "image.tar") as image:
        (manifest,) = json.loads(content(image, "manifest.json"))
        config = json.loads(content(image, manifest["Config"]))
        layer = io.BytesIO(content(image, manifest["Layers"][0]))
    assert manifest["RepoTags"] == ["localhost/pause:1"]
    assert config["config"]["Entrypoint"] == ["/pause"]
    with tarfile.open(fileobj=layer) as files:
        assert content(files, "pause") == b"program"
        assert files.getmember("pause").mode == 0o755


def test_the_same_files_make_the_same_layer(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"a")
    files = {"/a": tmp_path / "a"}
    assert layer_of(files) == layer_of(files)


def test_each_node_has_a_range_and_an_identity_of_its_own() -> None:
    ranges = [cni_configuration(node)["plugins"][0]["ipam"]["ranges"] for node in NODES]
    assert ranges[0] != ranges[1]
    names = {identity.common_name for identity in IDENTITIES}
    assert {f"system:node:{node.name}" for node in NODES} <= names


def test_each_node_has_a_second_runtime_with_a_record_of_its_own(tmp_path: Path) -> None:
    cri = tomllib.loads(containerd_configuration(tmp_path))["plugins"]["io.containerd.grpc.v1.cri"]["containerd"]
    assert cri["default_runtime_name"] == "runc"
    assert set(cri["runtimes"]) == {"runc", "crun"}
    assert cri["runtimes"]["crun"]["options"] == {"BinaryName": "crun", "Root": CRUN_STATE}
    classes = yaml.safe_load((folders.HERE / "runtime-classes.yaml").read_text())
    assert classes["handler"] in cri["runtimes"]


def content(archive: tarfile.TarFile, name: str) -> bytes:
    """What a file in an archive holds."""
    member = archive.extractfile(name)
    assert member is not None
    return member.read()
