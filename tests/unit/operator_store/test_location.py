"""What is said of a store that cannot even be opened? Which of its Secret and its certificates is to be put right."""

from __future__ import annotations

from pathlib import Path

import pytest

from dormouse.replica.store import StoreError
from dormouse_operator.store.location import open_store
from unit.operator_samples import store

KEYS = {"accessKeyId": b"id", "secretAccessKey": b"key"}


def test_a_store_is_opened_with_good_keys() -> None:
    open_store(store(), KEYS, None)


@pytest.mark.parametrize("key", sorted(KEYS))
@pytest.mark.parametrize("value", [b"hunter2\n", b" hunter2", b"hunt\xc3\xa9r", b"hunter\xff"])
def test_a_key_that_no_header_can_hold_is_named_and_not_shown(key: str, value: bytes) -> None:
    with pytest.raises(StoreError, match=f"Secret `local`, key `{key}`: the value has a line break") as caught:
        open_store(store(), {**KEYS, key: value}, None)
    assert "hunt" not in str(caught.value)


@pytest.mark.parametrize("text", ["", "no PEM", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"])
def test_certificates_that_are_none_are_named_by_their_field(text: str, tmp_path: Path) -> None:
    bundle = tmp_path / "ca.crt"
    bundle.write_text(text)
    with pytest.raises(StoreError, match=r"spec\.caBundle"):
        open_store(store(), KEYS, bundle)
