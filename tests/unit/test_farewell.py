"""Can the operator read every farewell? The kubelet cuts what is longer than 4096 bytes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from dormouse.pod import TERMINATION_MESSAGE_BYTES, say_farewell


@pytest.mark.parametrize(
    "word",
    ["error ", "ошибка ", "エラー", "🐭🎢", 'a "quoted"\n\t\\ line ', "\x00\x1b[31m", "é"],
    ids=["english", "russian", "japanese", "emoji", "quotes", "control characters", "combining"],
)
@pytest.mark.parametrize("times", [1, 250, 4080, 100_000])
def test_a_message_of_any_length_in_any_language_stays_json_that_fits(tmp_path: Path, word: str, times: int) -> None:
    path = tmp_path / "termination"
    say_farewell(path, "EntrypointFailed", word * times, epoch=7, position="7/12")
    data = path.read_bytes()
    assert len(data) <= TERMINATION_MESSAGE_BYTES == 4096
    said = json.loads(data)
    assert (said["reason"], said["epoch"], said["position"]) == ("EntrypointFailed", 7, "7/12")
    kept = said["message"].removesuffix("...")
    assert kept
    assert (word * times).startswith(kept)


def test_a_message_that_fits_is_kept_whole(tmp_path: Path) -> None:
    path = tmp_path / "termination"
    message = "ошибка " * 280
    say_farewell(path, "EntrypointFailed", message)
    assert json.loads(path.read_bytes()) == {"reason": "EntrypointFailed", "message": message}


def test_a_farewell_that_cannot_be_written_is_printed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    say_farewell(tmp_path / "missing" / "termination", "Sealed", "sealed at 1/2")
    assert "sealed at 1/2" in capsys.readouterr().out


def test_a_message_with_a_lone_surrogate_does_not_keep_a_container_from_ending(tmp_path: Path) -> None:
    path = tmp_path / "termination"
    say_farewell(path, "EntrypointFailed", "FileNotFoundError: 'data-\udcff.csv'")
    assert json.loads(path.read_bytes())["reason"] == "EntrypointFailed"
