"""How long the flights take to load: the first time, and from the cache.

Peer: reading and joining the two CSV files with pandas alone, which is what a notebook without a
cache does every time. Each figure comes from fresh processes; the ratio counts.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile

from mlref.tables import Table

REPEATS = 5
LIMIT_FIRST_S = 10.0
LIMIT_LATER_S = 0.5

TIMED = """
import time
import pandas, pyarrow.parquet  # what both need is not counted
from mlref import flights
{prepare}
began = time.perf_counter()
{work}
print(time.perf_counter() - began)
"""
LOAD = TIMED.format(prepare="", work="assert len(flights.load()) == 336_776")
FIRST = TIMED.format(
    prepare="flights.cache_path().unlink(missing_ok=True)",
    work="assert len(flights.load()) == 336_776",
)
PANDAS = TIMED.format(
    prepare="flights_csv, weather_csv = flights._sources()",
    work="""
left, right = pandas.read_csv(flights_csv), pandas.read_csv(weather_csv)
assert len(left.merge(right, on=["origin", "time_hour"], how="left")) == 336_776
""",
)


def seconds(code: str, cache: str) -> float:
    """What a fresh process measured."""
    environment = {**os.environ, "MLREF_CACHE": cache}
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True
    )
    return float(done.stdout)


def main() -> int:
    """Print the table; the exit status tells whether the limits were kept."""
    measured: dict[str, list[float]] = {"pandas, no cache": [], "first load": [], "later load": []}
    with tempfile.TemporaryDirectory() as cache:
        for _ in range(REPEATS):  # interleaved: a busy moment hits all of them
            for name, code in zip(measured, (PANDAS, FIRST, LOAD), strict=True):
                measured[name].append(seconds(code, cache))
    median = {name: statistics.median(values) for name, values in measured.items()}
    base = median["pandas, no cache"]
    limits = {"first load": LIMIT_FIRST_S, "later load": LIMIT_LATER_S}
    rows = tuple(
        (name, round(value, 3), round(value / base, 2), limits.get(name))
        for name, value in median.items()
    )
    print(Table(("what", "median s", "ratio to pandas", "limit s"), rows))
    return int(any(median[name] > limit for name, limit in limits.items()))


if __name__ == "__main__":
    sys.exit(main())
