"""Does a command line name a store as AWS's own tools would understand it, and is a wrong one told what is wrong?"""

from __future__ import annotations

from pathlib import Path

import pytest

from dormouse_operator.store.url import InvalidURL, located

KEYS = {"AWS_ACCESS_KEY_ID": "who", "AWS_SECRET_ACCESS_KEY": "secret"}


def test_the_environment_says_what_the_command_line_does_not() -> None:
    said = {"AWS_ENDPOINT_URL": "http://store:1", "AWS_REGION": "eu-central-1", "AWS_SESSION_TOKEN": "token"}
    place = located("s3://bucket/team/prod/", None, None, None, None, KEYS | said)
    location = place.location
    assert (location.bucket, place.prefix) == ("bucket", "team/prod")
    assert (location.endpoint, location.path_style, location.region) == ("http://store:1", True, "eu-central-1")
    assert location.session_token == "token"


def test_the_command_line_comes_first() -> None:
    said = {"AWS_ENDPOINT_URL": "http://other:1", "AWS_REGION": "eu-central-1", "AWS_CA_BUNDLE": "other.crt"}
    location = located("s3://bucket", "http://store:2/", "here", False, Path("ca.crt"), KEYS | said).location
    assert (location.endpoint, location.region) == ("http://store:2", "here")
    assert (location.path_style, location.ca_bundle) == (False, "ca.crt")


def test_without_an_endpoint_it_is_aws() -> None:
    location = located("s3://bucket", None, None, None, None, KEYS).location
    assert (location.endpoint, location.region, location.path_style) == ("", "us-east-1", False)


@pytest.mark.parametrize(
    ("url", "endpoint", "missing", "said"),
    [
        ("bucket", None, "", "write s3://BUCKET"),
        ("http://store/bucket", None, "", "the host as --endpoint"),
        ("s3://Bucket", None, "", "names no bucket"),
        ("s3://bucket", "store:9000", "", "must be http(s)://host"),
        ("s3://bucket", None, "AWS_ACCESS_KEY_ID", "AWS_ACCESS_KEY_ID is not set"),
        ("s3://bucket", None, "AWS_SECRET_ACCESS_KEY", "AWS_SECRET_ACCESS_KEY is not set; export "),
    ],
)
def test_what_is_wrong_is_told_with_what_would_be_right(
    url: str, endpoint: str | None, missing: str, said: str
) -> None:
    environment = {name: value for name, value in KEYS.items() if name != missing}
    with pytest.raises(InvalidURL) as wrong:
        located(url, endpoint, None, None, None, environment)
    assert said in str(wrong.value)


def test_a_key_with_a_line_break_is_named_and_not_shown() -> None:
    with pytest.raises(InvalidURL) as wrong:
        located("s3://bucket", None, None, None, None, KEYS | {"AWS_SECRET_ACCESS_KEY": "sec\nret"})
    assert "AWS_SECRET_ACCESS_KEY: " in str(wrong.value)
    assert "ret" not in str(wrong.value).replace("SECRET", "")
