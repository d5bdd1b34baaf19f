"""How do values become JSON, and failures?"""

from __future__ import annotations

from typing import Any, Self

import pytest

from dormouse.engine.payload import decode_failure, decoder, encode, failure_of


class ModelLike:
    """Has the two methods by which Pydantic's models are known."""

    def __init__(self, count: int) -> None:
        self.count = count

    def model_dump(self, *, mode: str) -> dict[str, Any]:
        assert mode == "json"
        return {"count": self.count}

    @classmethod
    def model_validate(cls, value: Any) -> Self:
        return cls(value["count"])


def test_pydantic_models_are_written_and_read_by_their_methods() -> None:
    assert encode(ModelLike(3)) == b'{"count":3}'
    assert decoder(ModelLike).decode(b'{"count":3}').count == 3


def test_a_type_that_json_cannot_make_is_refused_with_the_remedy() -> None:
    with pytest.raises(Exception, match="annotate with a dataclass or a msgspec Struct"):
        decoder(complex).decode(b'"1j"')


def test_a_failure_keeps_the_users_frames_alone() -> None:
    def broken() -> None:
        raise ValueError("no such file")

    with pytest.raises(ValueError, match="no such file") as caught:
        broken()
    failure = failure_of(caught.value)
    assert (failure.type, failure.message) == ("ValueError", "no such file")
    assert failure.traceback is not None
    assert "in broken" in failure.traceback
    assert decode_failure(encode(failure)) == failure
