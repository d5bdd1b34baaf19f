"""Are manifest files read as a cluster would read them, and is what is wrong named with its place?"""

from __future__ import annotations

from pathlib import Path

import pytest

from dormouse_operator.dev.manifests import ManifestError, load

WORKFLOW = """\
apiVersion: dormouse.dev/v1alpha1
kind: DurableWorkflow
metadata: {name: sleeper}
spec:
  image: sleeper
  storage: {storeRef: {name: local}}
"""
SECRET = """\
apiVersion: v1
kind: Secret
metadata: {name: model, namespace: default}
data: {token: czNjcmV0}
stringData: {plain: text}
"""
CONFIG_MAP = """\
apiVersion: v1
kind: ConfigMap
metadata: {name: settings, namespace: other}
data: {a.txt: hello}
binaryData: {b.bin: AAE=}
"""


def written(folder: Path, *documents: str, name: str = "all.yaml") -> Path:
    path = folder / name
    path.write_text("---\n".join(documents))
    return path


def refusal(path: Path) -> str:
    with pytest.raises(ManifestError) as refused:
        load([path])
    return str(refused.value)


def test_all_documents_of_all_files_are_read(tmp_path: Path) -> None:
    first = written(tmp_path, WORKFLOW, "", SECRET)
    second = written(tmp_path, CONFIG_MAP, name="more.yaml")
    found = load([first, second])
    assert list(found.workflows) == [("default", "sleeper")]
    assert found.folders == {("default", "sleeper"): tmp_path}
    assert found.secrets == {("default", "model"): {"token": b"s3cret", "plain": b"text"}}
    assert found.config_maps == {("other", "settings"): {"a.txt": b"hello", "b.bin": b"\x00\x01"}}


def test_an_unknown_field_is_named_with_its_place_in_the_file(tmp_path: Path) -> None:
    told = refusal(written(tmp_path, SECRET, WORKFLOW.replace("image:", "imag:")))
    assert f"{tmp_path}/all.yaml:7: DurableWorkflow sleeper: spec.imag" in told
    assert "image" in told.partition("spec.imag")[2]


def test_a_kind_that_dev_cannot_run_is_refused(tmp_path: Path) -> None:
    told = refusal(written(tmp_path, "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web}\n"))
    assert "all.yaml:1: `dormouse dev` runs no 'Deployment'; it knows DurableWorkflow, ObjectStore" in told


def test_a_typo_in_one_of_our_kinds_is_refused_with_the_right_word(tmp_path: Path) -> None:
    assert "DurableWorkflow" in refusal(written(tmp_path, WORKFLOW.replace("DurableWorkflow", "DurableWorkflw")))


def test_an_object_that_is_defined_twice_is_refused_with_both_places(tmp_path: Path) -> None:
    told = refusal(written(tmp_path, WORKFLOW, WORKFLOW))
    assert "all.yaml:8: DurableWorkflow sleeper in namespace default is already defined at" in told
    assert "all.yaml:1" in told


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a: 1\nb: [1\n", "all.yaml:3: is not YAML: did not find"),
        ("a: \x07", "all.yaml: is not YAML"),
        ("metadata: {name: a}\n", "all.yaml:1: there is no `kind`; `dormouse dev` knows DurableWorkflow, "),
        (WORKFLOW.replace("sleeper}", "a" * 60 + "}", 1), f"DurableWorkflow {'a' * 60}: metadata.name must be"),
        ("- 1\n- 2\n", "a manifest is a mapping"),
        ("", "no document of kind DurableWorkflow"),
        (SECRET.replace("czNjcmV0", "'?'"), "data.token is not base64"),
        (SECRET.replace("czNjcmV0", "7"), "Expected `str`, got `int`"),
        (SECRET.replace("stringData", "stringdata"), "unknown field `stringdata`"),
    ],
)
def test_what_cannot_be_read_is_refused(tmp_path: Path, text: str, expected: str) -> None:
    assert expected in refusal(written(tmp_path, text))


def test_a_file_that_is_gone_is_refused(tmp_path: Path) -> None:
    assert "cannot be read" in refusal(tmp_path / "missing.yaml")
