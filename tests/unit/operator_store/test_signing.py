"""Is a request signed as AWS asks? Against the worked example of AWS's own documentation."""

from __future__ import annotations

from datetime import UTC, datetime

from dormouse_operator.store.signing import Keys, Request, signed

KEYS = Keys("AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY")
NOW = datetime(2013, 5, 24, tzinfo=UTC)
BUCKET = "https://examplebucket.s3.amazonaws.com/"


def test_the_worked_example_of_aws_gets_its_signature() -> None:
    headers = signed(Request("GET", BUCKET, {"lifecycle": ""}), KEYS, "us-east-1", "s3", NOW)
    assert headers["authorization"] == (
        "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request, "
        "SignedHeaders=host;x-amz-content-sha256;x-amz-date, "
        "Signature=fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543"
    )


def test_a_query_is_signed_in_the_order_of_its_names() -> None:
    headers = signed(Request("GET", BUCKET, {"prefix": "J", "max-keys": "2"}), KEYS, "us-east-1", "s3", NOW)
    assert headers["authorization"].endswith("34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7")


def test_a_session_token_is_sent_and_signed() -> None:
    keys = Keys(KEYS.access_key_id, KEYS.secret_access_key, "a-token")
    headers = signed(Request("GET", BUCKET), keys, "us-east-1", "s3", NOW)
    assert headers["x-amz-security-token"] == "a-token"
    assert "x-amz-date;x-amz-security-token," in headers["authorization"]


def test_secrets_are_not_shown() -> None:
    shown = repr(Keys("who", "secret-key", "secret-token"))
    assert "secret-" not in shown
