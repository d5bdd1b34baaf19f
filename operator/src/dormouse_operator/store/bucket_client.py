"""How is a store asked for what is not an object: the settings of a bucket?"""

from __future__ import annotations

from functools import cache
from threading import Lock
from typing import TYPE_CHECKING

from dormouse.replica.s3 import Location

if TYPE_CHECKING:
    from boto3.session import Session
    from types_boto3_s3 import S3Client

_ANSWERED_WITHIN_SECONDS = 10.0
_making = Lock()
"""A session makes one client at a time."""


def bucket_client(location: Location) -> S3Client:
    """A client for the store's endpoint and keys. It blocks: call it in a thread.

    Raises ValueError when the endpoint is no URL.
    """
    from botocore.config import Config

    with _making:
        return _session().client(
            "s3",
            endpoint_url=location.endpoint or None,
            region_name=location.region,
            aws_access_key_id=location.access_key_id,
            aws_secret_access_key=location.secret_access_key,
            aws_session_token=location.session_token or None,
            verify=location.ca_bundle or None,
            config=Config(
                connect_timeout=_ANSWERED_WITHIN_SECONDS,
                read_timeout=_ANSWERED_WITHIN_SECONDS,
                retries={"mode": "standard", "total_max_attempts": 2},
                s3={"addressing_style": "path" if location.path_style else "virtual"},
            ),
        )


@cache
def _session() -> Session:
    """One for all stores: the description of S3 that it reads takes 80 ms and 12 MiB."""
    import boto3  # half a second, which only those pay who ask

    return boto3.session.Session()
