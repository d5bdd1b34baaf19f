"""What must the report say? The same numbers a second time, by SQL instead of Python, sharing no code.

Run it to see them: python expected.py
"""

from __future__ import annotations

import csv
import json
import sqlite3
from importlib.util import find_spec
from pathlib import Path
from typing import Any

SCHEMA = """
create table airport
    (iata text, name text, city text, state text, country text, latitude real, longitude real);
create table weather (date text, precipitation real, temp_max real, temp_min real, wind real, kind text);
create table stock (symbol text, date text, price real);
create table car (name text, mileage real, horsepower real, origin text);
"""
MONTHS = "JanFebMarAprMayJunJulAugSepOctNovDec"

AIRPORTS = """
with by_state as (
    select state, count(*) as airports from airport where state not in ('', 'NA') group by state
)
select (select count(*) from airport), (select count(*) from by_state), state, airports,
       (select iata from airport order by latitude desc limit 1)
from by_state order by airports desc, state limit 1
"""
CARS = """
select count(*), count(*) - count(mileage), (select name from car order by horsepower desc, rowid limit 1)
from car
"""
MILEAGE = """
select origin, round(avg(mileage), 3) from car where mileage is not null group by origin order by origin
"""
WEATHER = "select count(*), (select date from weather order by temp_max desc, rowid limit 1) from weather"
KINDS = "select kind, count(*) from weather group by kind order by kind"
YEARS = """
with summed as (
    select cast(substr(date, 1, 4) as integer) as year, sum(precipitation > 0) as wet_days,
           round(sum(precipitation), 1) as precipitation, round(avg(temp_max), 3) as mean_high
    from weather group by year
)
select year, wet_days, precipitation, mean_high, round(mean_high - lag(mean_high) over (order by year), 3)
from summed order by year
"""
GROWTH = """
with monthly as (
    select symbol, price, lag(price) over each_symbol as before,
           first_value(price) over each_symbol as first, last_value(price) over whole as last
    from stock
    window each_symbol as (partition by symbol order by date),
           whole as (partition by symbol order by date
                     rows between unbounded preceding and unbounded following)
)
select symbol, count(*), round(max(last) / max(first), 3), round(min(price / before) - 1, 3)
from monthly group by symbol order by symbol
"""


def expected_report() -> dict[str, Any]:
    """Compute every number of the report from the data files."""
    database = sqlite3.connect(":memory:")
    try:
        load(database)
        return {
            "airports": one(
                database, AIRPORTS, "airports", "states", "densest_state", "airports_there", "northernmost"
            ),
            "cars": one(database, CARS, "cars", "without_mileage", "strongest")
            | {"mean_mileage_by_origin": dict(database.execute(MILEAGE).fetchall())},
            "weather": one(database, WEATHER, "days", "hottest_day")
            | {
                "years": [year for year, *_ in database.execute(YEARS)],
                "days_by_kind": dict(database.execute(KINDS).fetchall()),
            },
            "stocks": {
                "prices": database.execute("select count(*) from stock").fetchone()[0],
                "symbols": [symbol for symbol, *_ in database.execute(GROWTH)],
            },
            "years": every(database, YEARS, "year", "wet_days", "precipitation", "mean_high", "warmer_by"),
            "growth": every(database, GROWTH, "symbol", "months", "growth", "worst_month"),
        }
    finally:
        database.close()


def load(database: sqlite3.Connection) -> None:
    found = find_spec("vega_datasets")
    if found is None or found.origin is None:
        raise SystemExit("the files are those of vega_datasets: pip install vega_datasets==0.9.0")
    folder = Path(found.origin).parent / "_data"
    database.executescript(SCHEMA)
    database.executemany("insert into airport values (?, ?, ?, ?, ?, ?, ?)", rows(folder / "airports.csv"))
    database.executemany("insert into weather values (?, ?, ?, ?, ?, ?)", rows(folder / "seattle-weather.csv"))
    database.executemany(
        "insert into stock values (?, ?, ?)",
        ((symbol, iso_date(date), price) for symbol, date, price in rows(folder / "stocks.csv")),
    )
    database.execute(
        "insert into car select json_extract(value, '$.Name'), json_extract(value, '$.Miles_per_Gallon'),"
        " json_extract(value, '$.Horsepower'), json_extract(value, '$.Origin') from json_each(?)",
        [(folder / "cars.json").read_text(encoding="utf-8")],
    )


def rows(file: Path) -> list[list[str]]:
    with file.open(newline="", encoding="utf-8") as lines:
        return list(csv.reader(lines))[1:]


def iso_date(date: str) -> str:
    """Turn `Jan 1 2000` into `2000-01-01`, which sorts as text."""
    month, day, year = date.split()
    return f"{year}-{MONTHS.index(month) // 3 + 1:02}-{int(day):02}"


def one(database: sqlite3.Connection, query: str, *names: str) -> dict[str, Any]:
    return dict(zip(names, database.execute(query).fetchone(), strict=True))


def every(database: sqlite3.Connection, query: str, *names: str) -> list[dict[str, Any]]:
    return [dict(zip(names, row, strict=True)) for row in database.execute(query)]


if __name__ == "__main__":
    print(json.dumps(expected_report(), indent=2))
