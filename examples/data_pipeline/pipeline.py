"""Which activities make the report, in which order? The durable pipeline over four public data files.

Every attempt of an activity leaves an object of its own in the store, so that anyone can count
from outside, without asking the engine, what ran and how often.
"""

from __future__ import annotations

import asyncio
import csv
import json
import os
import uuid
from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from importlib.util import find_spec
from pathlib import Path

import measures
import msgspec
from measures import AirportSurvey, CarSurvey, StockGrowth, StockSurvey, WeatherSurvey, YearOfWeather
from obstore.store import ObjectStore, S3Store

from dormouse import RetryPolicy, activity, activity_info, workflow


@dataclass(frozen=True)
class Order:
    """The workflow's input: how slow to be, so that a person can watch, and how often to fail."""

    pace_seconds: float = 0.0
    rest_seconds: float = 0.0
    planned_failures: int = 2


@dataclass(frozen=True)
class Report:
    airports: AirportSurvey
    cars: CarSurvey
    weather: WeatherSurvey
    stocks: StockSurvey
    years: list[YearOfWeather]
    growth: list[StockGrowth]


@dataclass(frozen=True)
class Published:
    report: Report
    receipt: str


@workflow
async def data_pipeline(order: Order) -> Published:
    """Survey every file, rest, look closer at two of them, register the report, publish it."""
    pace = order.pace_seconds
    airports, cars, weather, stocks = await asyncio.gather(
        survey_airports(pace), survey_cars(pace), survey_weather(pace), survey_stocks(pace)
    )
    await asyncio.sleep(order.rest_seconds)
    years: list[YearOfWeather] = []
    for year in weather.years:
        years.append(await year_of_weather(year, years[-1] if years else None, pace))
    growth = await asyncio.gather(*(stock_growth(symbol, pace) for symbol in stocks.symbols))
    report = Report(airports, cars, weather, stocks, years, list(growth))
    receipt = await register(report, order.planned_failures, pace)
    return await publish(Published(report, receipt), pace)


@activity
async def survey_airports(pace: float) -> AirportSurvey:
    await begin_attempt(pace)
    return measures.survey_airports(read_rows("airports.csv"))


@activity
async def survey_cars(pace: float) -> CarSurvey:
    await begin_attempt(pace)
    return measures.survey_cars(json.loads(data_file("cars.json").read_bytes()))


@activity
async def survey_weather(pace: float) -> WeatherSurvey:
    await begin_attempt(pace)
    return measures.survey_weather(read_rows("seattle-weather.csv"))


@activity
async def survey_stocks(pace: float) -> StockSurvey:
    await begin_attempt(pace)
    return measures.survey_stocks(read_rows("stocks.csv"))


@activity
async def year_of_weather(year: int, before: YearOfWeather | None, pace: float) -> YearOfWeather:
    await begin_attempt(pace)
    return measures.year_of_weather(read_rows("seattle-weather.csv"), year, before)


@activity
async def stock_growth(symbol: str, pace: float) -> StockGrowth:
    await begin_attempt(pace)
    return measures.stock_growth(read_rows("stocks.csv"), symbol)


@activity(retry=RetryPolicy(initial_seconds=0.5, factor=2.0, attempts=8))
async def register(report: Report, planned_failures: int, pace: float) -> str:
    """Stand in for a service that is unreachable at first: the first attempts fail, as many as planned."""
    await begin_attempt(pace)
    if activity_info().attempt <= planned_failures:
        raise ConnectionError("the registry does not answer")
    return sha256(msgspec.json.encode(report)).hexdigest()[:12]


@activity
async def publish(published: Published, pace: float) -> Published:
    """Put the report where anyone can read it. The same key each time: a second attempt changes nothing."""
    await begin_attempt(pace)
    key = f"reports/data_pipeline/{activity_info().execution_id}.json"
    await object_store().put_async(key, msgspec.json.encode(published))
    return published


async def begin_attempt(pace: float) -> None:
    """Leave the attempt's object in the store, then take as long as the workflow's input asks for."""
    info = activity_info()
    sequence = info.idempotency_key.rpartition("/")[2]
    key = f"attempts/data_pipeline/{info.execution_id}/{info.activity}-{sequence}/{uuid.uuid4().hex}"
    about = {
        "idempotencyKey": info.idempotency_key,
        "attempt": info.attempt,
        "epoch": os.environ.get("DORMOUSE_EPOCH"),
    }
    await object_store().put_async(key, msgspec.json.encode(about))
    await asyncio.sleep(pace)


@cache
def object_store() -> ObjectStore:
    """Open the bucket that dormouse.yaml names in the runtime's environment."""
    try:
        return S3Store(
            os.environ["PIPELINE_BUCKET"],
            prefix=os.environ.get("PIPELINE_PREFIX"),
            endpoint=os.environ["PIPELINE_ENDPOINT"],
            region=os.environ["PIPELINE_REGION"],
            access_key_id=os.environ["PIPELINE_ACCESS_KEY_ID"],
            secret_access_key=os.environ["PIPELINE_SECRET_ACCESS_KEY"],
            client_options={"allow_http": True},
        )
    except KeyError as missing:
        raise RuntimeError(
            f"the pipeline's store needs the environment variable {missing}; "
            "examples/data_pipeline/dormouse.yaml shows how to set it from a Secret"
        ) from None


def data_file(name: str) -> Path:
    """Find a file that the package vega_datasets ships, without importing it: that would import pandas."""
    found = find_spec("vega_datasets")
    if found is None or found.origin is None:
        raise RuntimeError("the pipeline reads the files of vega_datasets: pip install vega_datasets==0.9.0")
    return Path(found.origin).parent / "_data" / name


def read_rows(name: str) -> list[dict[str, str]]:
    with data_file(name).open(newline="", encoding="utf-8") as lines:
        return list(csv.DictReader(lines))
