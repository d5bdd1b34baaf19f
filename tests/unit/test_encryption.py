"""Does a payload open with its key, at its place, and in no other way?"""

from __future__ import annotations

import base64
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dormouse import CannotDecode
from dormouse.encryption import FILE_VARIABLE, KEYS_VARIABLE, AesGcm, InvalidKeys, read_keys
from dormouse.extras import NotInstalled

OLD, NEW = b"o" * 32, b"n" * 32
CODEC = AesGcm({"2025": OLD, "2026": NEW})


def entry(name: str, key: bytes) -> str:
    return f"{name}:{base64.b64encode(key).decode()}"


@given(st.binary(max_size=200), st.binary(max_size=30))
def test_a_payload_comes_back_at_its_place(payload: bytes, place: bytes) -> None:
    stored = CODEC.encode(payload, place)
    assert CODEC.decode(stored, place) == payload
    assert len(payload) < 4 or payload not in stored


def test_at_another_place_it_does_not_open() -> None:
    with pytest.raises(CannotDecode, match="the file was changed from outside"):
        CODEC.decode(CODEC.encode(b"secret", b"event 1"), b"event 2")


@given(st.data())
def test_with_any_bit_changed_or_the_end_cut_off_it_does_not_open(data: st.DataObject) -> None:
    stored = CODEC.encode(b"secret", b"place")
    at = data.draw(st.integers(0, len(stored) - 1))
    changed = bytearray(stored)
    changed[at] ^= 1 << data.draw(st.integers(0, 7))
    for broken in (bytes(changed), stored[:at]):
        with pytest.raises(CannotDecode):
            CODEC.decode(broken, b"place")


def test_the_newest_key_encrypts_and_all_decrypt() -> None:
    before = AesGcm({"2025": OLD}).encode(b"secret", b"place")
    assert CODEC.decode(before, b"place") == b"secret"
    after = CODEC.encode(b"secret", b"place")
    with pytest.raises(CannotDecode, match="encrypted with the key '2026', and the keys here are 2025"):
        AesGcm({"2025": OLD}).decode(after, b"place")
    assert AesGcm({"2026": NEW}).decode(after, b"place") == b"secret"


def test_another_key_of_the_same_id_does_not_open_it() -> None:
    with pytest.raises(CannotDecode, match="this is another key of that id"):
        AesGcm({"2026": OLD}).decode(CODEC.encode(b"secret", b"place"), b"place")


def test_the_same_payload_never_looks_the_same() -> None:
    other = AesGcm({"2026": NEW})
    seen = {codec.encode(b"secret", b"place") for codec in (CODEC, other) for _ in range(100)}
    assert len({stored[-22:] for stored in seen}) == 200


def test_what_another_codec_has_written_is_said_to_be() -> None:
    with pytest.raises(CannotDecode, match="the file has another codec"):
        CODEC.decode(b"zip", b"place")


def test_keys_are_read_in_their_order() -> None:
    keys = read_keys(f"{entry('2025', OLD)}\n\n{entry('2026', NEW)} \n")
    assert list(keys.items()) == [("2025", OLD), ("2026", NEW)]
    assert AesGcm(keys).name == "AES-GCM, key 2026"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "there is no key; keys are written as ID:BASE64"),
        (base64.b64encode(OLD).decode(), "entry 1 of the keys has no id"),
        (f"{entry('a', OLD)} b/c:AAAA", "entry 2 of the keys has no id"),
        (f"{entry('a', OLD)} {entry('a', NEW)}", "two keys have the id 'a'"),
        ("a:b$b=", "the key 'a' is not base64"),
        (entry("a", b"short"), "the key 'a' has 5 bytes, and AES-256 takes 32"),
    ],
)
def test_keys_that_are_wrong_are_named_and_not_shown(text: str, said: str) -> None:
    with pytest.raises(InvalidKeys, match=said) as caught:
        AesGcm(read_keys(text))
    assert base64.b64encode(OLD).decode()[:8] not in str(caught.value)


def test_an_id_that_no_entry_could_have_is_refused() -> None:
    with pytest.raises(InvalidKeys, match="'a:b' cannot be the id of a key"):
        AesGcm({"a:b": OLD})


def test_keys_come_from_the_environment_or_from_a_file_that_it_names(tmp_path: Path) -> None:
    (tmp_path / "keys").write_text(entry("of-file", OLD))
    of_file = AesGcm.from_environment({FILE_VARIABLE: str(tmp_path / "keys")})
    itself = AesGcm.from_environment({KEYS_VARIABLE: entry("itself", OLD), FILE_VARIABLE: ""})
    assert of_file is not None
    assert itself is not None
    assert (of_file.name, itself.name) == ("AES-GCM, key of-file", "AES-GCM, key itself")
    assert AesGcm.from_environment({}) is None
    with pytest.raises(InvalidKeys, match="are both set; set one of them"):
        AesGcm.from_environment({FILE_VARIABLE: "keys", KEYS_VARIABLE: entry("a", OLD)})


@pytest.mark.parametrize("content", [None, "schlüssel".encode()])
def test_a_file_that_cannot_be_read_is_named(tmp_path: Path, content: bytes | None) -> None:
    if content is not None:
        (tmp_path / "keys").write_bytes(content)
    with pytest.raises(InvalidKeys, match=r"the keys in .*/keys cannot be read"):
        AesGcm.from_file(tmp_path / "keys")


def test_without_the_package_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cryptography.hazmat.primitives.ciphers.aead", None)
    with pytest.raises(NotInstalled, match=r"pip install '/path/to/dormouse\[encryption\]'"):
        AesGcm({"a": OLD})
