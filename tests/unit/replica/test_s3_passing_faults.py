"""Is a fault that passes told from one that a person has to mend?"""

from __future__ import annotations

import pytest
from obstore.exceptions import GenericError

from dormouse.replica.s3 import S3, Location
from dormouse.replica.store import StoreDenied, StoreUnknown

STORE = S3(Location("kept", access_key_id="id", secret_access_key="key"))


def told(code: str, message: str) -> Exception | None:
    return STORE._translate(GenericError(f"<Error><Code>{code}</Code><Message>{message}</Message></Error>"))


@pytest.mark.parametrize("code", ["ThrottlingException", "KMS.InternalException", "SlowDown"])
def test_a_key_service_that_is_busy_is_asked_again(code: str) -> None:
    assert type(told(code, "You have exceeded the rate at which you may call KMS.")) is StoreUnknown


@pytest.mark.parametrize("code", ["KMS.DisabledException", "KMS.NotFoundException"])
def test_a_key_that_cannot_be_used_is_for_a_person_to_mend(code: str) -> None:
    found = told(code, "the key is disabled")
    assert isinstance(found, StoreDenied)
    assert "correct spec.serverSideEncryption" in str(found)
