"""Is a store that is careless about conditions found out? With stores that are careless in one way each."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest

from dormouse.replica.store import StoreDenied, StoredObject, StoreError, StoreUnknown
from dormouse_operator.store.check import Check, verdict
from dormouse_operator.store.probe import Probe, Races, probe, protocol_checks


class Shelf:
    """A store in memory that keeps conditions; `careless` names the one that it does not."""

    def __init__(self, careless: str = "") -> None:
        self.careless = careless
        self.objects: dict[str, tuple[bytes, str]] = {}
        self.writes = 0

    async def get(self, key: str, unless_etag: str | None = None) -> StoredObject | None:  # noqa: ARG002 - the port
        if self.careless == "reads" and self.writes > 1:
            return StoredObject(b"old", "0", datetime.now(UTC))
        found = self.objects.get(key)
        late = timedelta(minutes=10 if self.careless == "clock" else 0)
        return None if found is None else StoredObject(*found, datetime.now(UTC) - late)

    async def put(self, key: str, data: bytes, if_match: str | None) -> str:
        if self.careless == "denied":
            raise StoreDenied("wrong keys")
        known = self.objects.get(key)
        await asyncio.sleep(0)
        if if_match is None and known is not None and self.careless != "If-None-Match":
            raise StoreUnknown("412")
        now = known if self.careless == "race" else self.objects.get(key)
        careless = self.careless == "If-Match" or (self.careless == "If-Match without an object" and now is None)
        if if_match is not None and (now is None or now[1] != if_match) and not careless:
            raise StoreUnknown("412")
        if if_match is not None and self.careless == "never":
            raise StoreUnknown("503")
        self.writes += 1
        self.objects[key] = (data, str(self.writes))
        return str(self.writes)

    async def exists(self, key: str) -> bool:
        return key in self.objects

    async def keys(self, prefix: str) -> AsyncIterator[str]:
        for key in list(self.objects)[: -1 if self.careless == "lists" else None]:
            if key.startswith(prefix):
                yield key

    async def delete(self, key: str) -> None:
        self.objects.pop(key, None)
        if self.careless == "If-Match":
            raise StoreError("no deletions today")


def probed(careless: str) -> tuple[Probe, Shelf]:
    shelf = Shelf(careless)
    return asyncio.run(probe(shelf, "team")), shelf


def test_a_store_that_keeps_conditions_is_proven_and_left_clean() -> None:
    found, shelf = probed("")
    assert (found.available.status, found.conditional.status) == ("True", "True")
    assert shelf.objects == {}


@pytest.mark.parametrize(
    "careless", ["If-None-Match", "If-Match", "race", "reads", "lists", "If-Match without an object"]
)
def test_a_store_that_is_careless_is_refused(careless: str) -> None:
    found, _ = probed(careless)
    assert (found.available.status, found.conditional.status) == ("True", "False")
    assert "use a store with atomic If-Match" in found.conditional.message


@pytest.mark.parametrize("careless", ["denied", "never"])
def test_a_store_that_cannot_be_asked_is_not_judged(careless: str) -> None:
    found, _ = probed(careless)
    assert (found.available.status, found.conditional.status) == ("False", "Unknown")


def checked(careless: str) -> dict[str, Check]:
    found = asyncio.run(protocol_checks(Shelf(careless), "team", Races(rounds=3, claimants=5)))
    return {check.name: check for check in found}


@pytest.mark.parametrize(
    ("careless", "rule"),
    [
        ("If-None-Match", "IfNoneMatch"),
        ("If-Match without an object", "IfMatch"),
        ("race", "OneWinner"),
        ("lists", "ListAfterWrite"),
    ],
)
def test_the_rule_that_is_broken_is_the_one_that_failed(careless: str, rule: str) -> None:
    checks = checked(careless)
    assert checks[rule].outcome == "failed"
    assert {check.outcome for name, check in checks.items() if name != rule} == {"passed"}
    assert verdict(checks.values()) == "unsuitable"


def test_a_clock_that_is_far_off_is_a_warning_and_nothing_more() -> None:
    checks = checked("clock")
    assert "600 s apart" in checks["Clock"].message
    assert verdict(checks.values()) == "suitable"
