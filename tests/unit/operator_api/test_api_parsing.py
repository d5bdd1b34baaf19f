"""What does `parse` do with what only YAML can say, and what comes out of it?"""

from datetime import date
from typing import Any

import msgspec
import pytest
import yaml

from dormouse_operator.api import DurableWorkflow, InvalidManifest, parse, to_document
from unit.operator_samples import document


def refused(made: Any) -> InvalidManifest:
    with pytest.raises(InvalidManifest) as error:
        parse(made)
    return error.value


def test_the_error_names_kind_name_path_and_remedy_in_one_line() -> None:
    error = refused(document("DurableWorkflow", {"spec.storage.durability": "sync"}))
    assert str(error) == ("DurableWorkflow report: spec.storage.durability: is `sync`, must be one of `Sync`, `Async`")


@pytest.mark.parametrize("made", [None, "text", [], 3])
def test_something_that_is_no_mapping_is_refused(made: Any) -> None:
    assert "a manifest is a mapping" in str(refused(made))


@pytest.mark.parametrize("broken", [None, [], "text", {"name": None}, {"name": 3}])
def test_broken_metadata_is_refused(broken: Any) -> None:
    assert refused(document("DurableWorkflow", {"metadata": broken})).path.startswith("metadata")


def test_a_key_that_yaml_reads_as_something_else_is_refused_with_the_remedy() -> None:
    made = document("DurableWorkflow", {"spec.start.input": yaml.safe_load("on: 1\n")})
    assert str(refused(made)).endswith("spec.start.input: has the key True, which is not text; put it in quotes")


def test_a_date_stays_the_text_that_an_api_server_would_keep() -> None:
    made = parse(document("DurableWorkflow", {"spec.start.input": {"day": date(2024, 1, 31)}}))
    assert isinstance(made, DurableWorkflow)
    assert made.spec.start is not None
    assert made.spec.start.input == {"day": "2024-01-31"}


@pytest.mark.parametrize("value", [float("nan"), float("inf"), b"bytes", {1, 2}])
def test_a_value_that_json_cannot_say_is_refused(value: Any) -> None:
    error = refused(document("DurableWorkflow", {"spec.start.input": {"value": [value]}}))
    assert error.path == "spec.start.input.value[0]"
    assert error.remedy == "write it as text"


def test_a_manifest_that_contains_itself_is_refused() -> None:
    endless: list[Any] = []
    endless.append(endless)
    assert "nested" in str(refused(document("DurableWorkflow", {"spec.start.input": endless})))


def test_no_input_and_a_null_input_are_two_things() -> None:
    without = parse(document("DurableWorkflow", {"spec.start": {"workflow": "main"}}))
    null = parse(document("DurableWorkflow", {"spec.start": {"workflow": "main", "input": None}}))
    assert isinstance(without, DurableWorkflow)
    assert isinstance(null, DurableWorkflow)
    assert without.spec.start is not None
    assert without.spec.start.input is msgspec.UNSET
    assert null.spec.start is not None
    assert null.spec.start.input is None


def test_unknown_metadata_and_status_of_a_newer_server_are_ignored() -> None:
    made = document("DurableWorkflow", {"metadata.newer": {}, "status": {"newer": 1, "epoch": 3}})
    parsed = parse(made)
    assert isinstance(parsed, DurableWorkflow)
    assert parsed.status.epoch == 3


@pytest.mark.parametrize("kind", ["DurableWorkflow", "ObjectStore"])
def test_a_parsed_object_survives_the_way_to_a_document_and_back(kind: str) -> None:
    parsed = parse(document(kind))
    assert parse(to_document(parsed)) == parsed
