"""With which keys does Litestream go to the store? With those of the workflow, whatever stands in the environment."""

from __future__ import annotations

import pytest

from dormouse.keeper.litestream import environment
from dormouse.replica.s3 import Location

OWN = Location("kept", access_key_id="id", secret_access_key="key")


@pytest.fixture(autouse=True)
def signed_in(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
        monkeypatch.setenv(name, "a person's own")


def test_a_session_token_of_somebody_else_is_not_mixed_with_its_keys() -> None:
    variables = environment(OWN)
    assert (variables["AWS_ACCESS_KEY_ID"], variables["AWS_SECRET_ACCESS_KEY"]) == ("id", "key")
    assert "AWS_SESSION_TOKEN" not in variables


def test_the_session_token_of_its_keys_goes_with_them() -> None:
    token = Location("kept", access_key_id="id", secret_access_key="key", session_token="token")
    assert environment(token)["AWS_SESSION_TOKEN"] == "token"
