"""What do the four data files say? Pure calculations on their rows; nothing here knows of workflows."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from statistics import fmean
from typing import Any

Row = Mapping[str, str]


@dataclass(frozen=True)
class AirportSurvey:
    airports: int
    states: int
    densest_state: str
    airports_there: int
    northernmost: str


@dataclass(frozen=True)
class CarSurvey:
    cars: int
    without_mileage: int
    mean_mileage_by_origin: dict[str, float]
    strongest: str


@dataclass(frozen=True)
class WeatherSurvey:
    days: int
    years: list[int]
    hottest_day: str
    days_by_kind: dict[str, int]


@dataclass(frozen=True)
class StockSurvey:
    prices: int
    symbols: list[str]


@dataclass(frozen=True)
class YearOfWeather:
    year: int
    wet_days: int
    precipitation: float
    mean_high: float
    # Against the year before; None for the first.
    warmer_by: float | None


@dataclass(frozen=True)
class StockGrowth:
    symbol: str
    months: int
    growth: float
    worst_month: float


def survey_airports(rows: Iterable[Row]) -> AirportSurvey:
    """Count airports and states, and name the extremes."""
    rows = list(rows)
    by_state = Counter(row["state"] for row in rows if row["state"] not in {"", "NA"})
    densest = min(by_state, key=lambda state: (-by_state[state], state))
    northernmost = max(rows, key=lambda row: float(row["latitude"]))
    return AirportSurvey(len(rows), len(by_state), densest, by_state[densest], northernmost["iata"])


def survey_cars(cars: Sequence[Mapping[str, Any]]) -> CarSurvey:
    """Average the mileage by origin, leaving out the cars without one."""
    mileage: dict[str, list[float]] = defaultdict(list)
    for car in cars:
        if car["Miles_per_Gallon"] is not None:
            mileage[car["Origin"]].append(car["Miles_per_Gallon"])
    strongest = max(cars, key=lambda car: car["Horsepower"] or 0)
    return CarSurvey(
        cars=len(cars),
        without_mileage=sum(car["Miles_per_Gallon"] is None for car in cars),
        mean_mileage_by_origin={origin: round(fmean(mileage[origin]), 3) for origin in sorted(mileage)},
        strongest=strongest["Name"],
    )


def survey_weather(rows: Iterable[Row]) -> WeatherSurvey:
    """Count the days by kind, and find the hottest one and the years covered."""
    rows = list(rows)
    hottest = max(rows, key=lambda row: float(row["temp_max"]))
    kinds = Counter(row["weather"] for row in rows)
    return WeatherSurvey(
        days=len(rows),
        years=sorted({int(row["date"][:4]) for row in rows}),
        hottest_day=hottest["date"],
        days_by_kind={kind: kinds[kind] for kind in sorted(kinds)},
    )


def survey_stocks(rows: Iterable[Row]) -> StockSurvey:
    """Count the prices and list the symbols."""
    symbols = [row["symbol"] for row in rows]
    return StockSurvey(len(symbols), sorted(set(symbols)))


def year_of_weather(rows: Iterable[Row], year: int, before: YearOfWeather | None) -> YearOfWeather:
    """Sum up one year, and compare it with the one before."""
    days = [row for row in rows if row["date"].startswith(f"{year}/")]
    mean_high = round(fmean(float(day["temp_max"]) for day in days), 3)
    return YearOfWeather(
        year=year,
        wet_days=sum(float(day["precipitation"]) > 0 for day in days),
        precipitation=round(sum(float(day["precipitation"]) for day in days), 1),
        mean_high=mean_high,
        warmer_by=None if before is None else round(mean_high - before.mean_high, 3),
    )


def stock_growth(rows: Iterable[Row], symbol: str) -> StockGrowth:
    """Find the growth from the first month to the last, and the worst month on the way."""
    dated = sorted(
        (datetime.strptime(row["date"], "%b %d %Y").date(), float(row["price"]))  # noqa: DTZ007 - dates without a zone
        for row in rows
        if row["symbol"] == symbol
    )
    prices = [price for _, price in dated]
    return StockGrowth(
        symbol=symbol,
        months=len(prices),
        growth=round(prices[-1] / prices[0], 3),
        worst_month=round(min(after / before for before, after in pairwise(prices)) - 1, 3),
    )
