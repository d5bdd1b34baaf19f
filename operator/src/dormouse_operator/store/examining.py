"""What can be found out about a store from outside? All checks of `dormouse store probe`."""

from __future__ import annotations

from obstore.exceptions import BaseError

from dormouse.replica.s3 import S3
from dormouse.replica.store import BucketMissing, StoreDenied, StoreError
from dormouse_operator.store.bucket_settings import encryption_check, settings_checks
from dormouse_operator.store.check import Check
from dormouse_operator.store.encryption import key_check
from dormouse_operator.store.probe import Races, protocol_checks
from dormouse_operator.store.url import Place

# Longer than a pod waits: a race may keep its losers waiting.
_ANSWERED_WITHIN_SECONDS = 20.0


class Unaskable(Exception):
    """Nothing was found out; the message says what to do."""


async def examine(place: Place, races: Races) -> list[Check]:
    """Try the key out that was named, then the protocol, then look at the bucket's settings.

    Raises:
        Unaskable: when the store does not answer, or lets these keys not in.
    """
    where = f"the bucket {place.location.bucket!r} at {place.location.endpoint or 'AWS'}"
    try:
        store = S3(place.location, _ANSWERED_WITHIN_SECONDS)
    except (ValueError, OSError, BaseError) as wrong:
        raise Unaskable(f"{where} cannot be opened: {str(wrong).partition(chr(10))[0]}") from wrong
    key = await key_check(place.location, place.prefix) if place.location.kms_key_id else None
    if key is not None and key.outcome == "failed":
        return [key]  # nothing can be written: the rest is not known
    try:
        checks = await protocol_checks(store, place.prefix, races)
    except BucketMissing as missing:
        raise Unaskable(f"{where} does not exist; create it, or correct the URL or --region") from missing
    except StoreDenied as denied:
        code = str(denied).partition("(")[2].partition(")")[0] or "denied"
        raise Unaskable(
            f"{where} refused the keys of AWS_ACCESS_KEY_ID ({code}): {_remedy(code, place.prefix)}"
        ) from denied
    except StoreError as failed:
        raise Unaskable(
            f"{where} does not answer as it should; look at --endpoint and the network: {failed}"
        ) from failed
    settings = await settings_checks(place.location, place.prefix)
    return [*checks, *settings, key or await encryption_check(place.location)]


def _remedy(code: str, prefix: str) -> str:
    if code not in ("AccessDenied", "denied"):
        return "export the right AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, for temporary ones AWS_SESSION_TOKEN too"
    below = f"below {prefix}/" if prefix else "in it"
    return f"they need s3:GetObject, s3:PutObject, s3:DeleteObject and s3:ListBucket {below}"
