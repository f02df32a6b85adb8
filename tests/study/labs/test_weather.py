"""Captured requests of a made-up week: what holds of them, and what a change of unit breaks."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest

from mlref.aws.formats import capture
from mlref.study.labs.weather import NAMES, humidity, recorded


def _rows(files: dict[str, bytes]) -> dict[str, Any]:
    """The columns of all requests, in the order of the files."""
    tables = [
        capture.columns(capture.load(content, file=name), names=NAMES, sides=("endpointInput",))
        for name, content in files.items()
    ]
    return {name: np.array([table[name] for table in tables], dtype=float) for name in NAMES}


def _off(columns: dict[str, Any]) -> Any:
    """How far the humidity is from what the law says, of each hour."""
    told = humidity(columns["temp"], columns["dewp"])
    return np.median(np.abs(told - columns["humid"]), axis=1)


@pytest.mark.parametrize(
    ("temp_celsius", "dewp_celsius", "share"),
    [(20.0, 10.0, 1.2281 / 2.3393), (30.0, 20.0, 2.3393 / 4.2470), (0.01, 0.01, 1.0)],
)
def test_humidity_is_a_quotient_of_vapour_pressures(
    temp_celsius: float, dewp_celsius: float, share: float
) -> None:
    """Within half a percent of the saturation pressures in kPa of IAPWS-95."""
    got = humidity(temp_celsius * 1.8 + 32, dewp_celsius * 1.8 + 32)
    assert float(got) == pytest.approx(100 * share, abs=0.5)


def test_the_files_are_those_of_data_capture() -> None:
    """One for each hour, in the order of time, that the reader of captures takes."""
    moments = [capture.moment_of(address) for address in recorded(1, hours=30)]
    assert moments[0] == datetime(2026, 3, 2, tzinfo=UTC)
    assert [(moment - moments[0]).total_seconds() for moment in moments] == [
        3600.0 * hour for hour in range(30)
    ]


def test_each_request_comes_in_its_hour() -> None:
    """The minute of the day is that of the exchange."""
    minutes = _rows(recorded(1, hours=30))["minute_of_day"]
    assert [list(set(each // 60)) for each in minutes] == [[hour % 24] for hour in range(30)]


def test_of_a_seed_there_is_one_week() -> None:
    """The same bytes each time; another seed gives others."""
    assert recorded(1, hours=3) == recorded(1, hours=3)
    assert recorded(1, hours=3) != recorded(2, hours=3)


def test_the_law_holds_also_in_a_cold_front() -> None:
    """The temperature falls by 36 °F, and humidity goes with it."""
    quiet, front = _rows(recorded(2, hours=40)), _rows(recorded(2, hours=40, front=14))
    fallen = np.median(quiet["temp"] - front["temp"], axis=1)
    assert fallen[14] == pytest.approx(0, abs=0.01)
    assert fallen[20:] == pytest.approx(36, abs=0.01)
    assert _off(quiet).max() < 2
    assert _off(front).max() < 2


@pytest.mark.parametrize("celsius", [["temp"], ["dewp"], ["temp", "dewp"]])
def test_a_change_of_unit_breaks_it_from_its_hour_on(celsius: list[str]) -> None:
    """The columns that come in °C are mended by reading them so, and no others changed."""
    usual = _rows(recorded(3, hours=40))
    changed = _rows(recorded(3, hours=40, celsius=celsius, since=25))
    assert _off(changed)[:25].max() < 2
    assert _off(changed)[25:].min() > 3
    for name in NAMES:
        read = changed[name].copy()
        if name in celsius:
            read[25:] = read[25:] * 1.8 + 32
        assert read == pytest.approx(usual[name], abs=0.02)


def test_a_stuck_sensor_says_0_for_its_hours() -> None:
    """The dew point alone."""
    columns = _rows(recorded(4, hours=10, stuck=[5, 6]))
    assert [bool((hour == 0).all()) for hour in columns["dewp"]] == [n in {5, 6} for n in range(10)]
    assert columns["temp"] == pytest.approx(_rows(recorded(4, hours=10))["temp"])
