"""Captured requests of a made-up week: three columns of weather that nature binds together.

    files = recorded(7, celsius={"temp"}, since=50)      # from the 51st hour on, temp is in °C
    humidity(temp, dewp)                                 # the law, for °F

The files are as SageMaker's data capture leaves them in S3, one an hour.
"""

from __future__ import annotations

import json
from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np

from mlref.aws.formats import capture

__all__ = ["NAMES", "humidity", "recorded"]

NAMES = ("minute_of_day", "humid", "temp", "dewp")
"""The columns of a request, in order: minutes, %, °F, °F."""

_MONDAY = datetime(2026, 3, 2, tzinfo=UTC)
_REQUESTS = 6  # an hour
_BELOW_ZERO_F = 32.0  # what 0 °C is
_FRONT_F = 6.0  # by so much it gets colder in each of so many hours


def humidity(temp: Any, dewp: Any) -> Any:
    """Relative humidity in %.

    Args:
        temp: the temperature in °F, a number or an array.
        dewp: the dew point in °F, of the same shape.

    Source: Alduchov and Eskridge (1996), the Magnus form with 17.625 and 243.04 °C.

    >>> round(humidity(50.0, 50.0))
    100
    """
    temp, dewp = _celsius(temp), _celsius(dewp)
    return 100 * np.exp(17.625 * dewp / (243.04 + dewp) - 17.625 * temp / (243.04 + temp))


def _celsius(fahrenheit: Any) -> Any:
    return (fahrenheit - _BELOW_ZERO_F) / 1.8


def recorded(
    seed: int,
    *,
    hours: int = 96,
    celsius: Collection[str] = ("temp", "dewp"),
    since: int | None = None,
    front: int | None = None,
    stuck: Collection[int] = (),
) -> dict[str, bytes]:
    """Captured files: address -> content, from Monday, 2 March 2026, 00:00 UTC on.

    Args:
        seed: of all that is drawn.
        hours: how many, one file each.
        celsius: the columns that come in °C...
        since: ...from this hour on; None for never.
        front: in the six hours after this one it gets 36 °F colder; None for no cold front.
        stuck: the hours in which the sensor of the dew point says 0.
    """
    chance = np.random.default_rng(seed)
    files = {}
    for hour, (temp, dewp) in enumerate(zip(*_weather(chance, hours, front), strict=True)):
        changed = frozenset(celsius if since is not None and hour >= since else ())
        content = _Hour(hour, float(temp), float(dewp), changed, hour in stuck).content(chance)
        at = _MONDAY + timedelta(hours=hour)
        address = capture.key("s3://flights-captures/live", "flights", "main", at, unique="0")
        files[address] = content
    return files


def _weather(chance: np.random.Generator, hours: int, front: int | None) -> tuple[Any, Any]:
    """Temperature and dew point of each hour, in °F."""
    hour = np.arange(hours)
    wave = np.sin((hour - 9) * np.pi / 12)
    temp = 66 + 8 * wave + chance.normal(0, 0.4, hours).cumsum()
    if front is not None:
        temp -= _FRONT_F * np.clip(hour - front, 0, 6)
    return temp, temp - (11 + 4 * wave + chance.uniform(-1, 1, hours))


@dataclass(frozen=True)
class _Hour:
    """The requests of one hour; see `recorded`."""

    number: int
    temp: float
    dewp: float
    celsius: frozenset[str]
    stuck: bool

    def content(self, chance: np.random.Generator) -> bytes:
        """Its file."""
        minutes = np.sort(chance.integers(0, 60, _REQUESTS))
        lines = [
            self._line(chance, index, minute=int(minute)) for index, minute in enumerate(minutes)
        ]
        return "\n".join(lines).encode()

    def _line(self, chance: np.random.Generator, index: int, *, minute: int) -> str:
        """One exchange, of which the request was captured."""
        values = {"temp": self.temp + chance.normal(0, 0.3), "dewp": self.dewp}
        humid = float(humidity(**values)) + chance.normal(0, 0.5)
        if self.stuck:
            values["dewp"] = 0.0
        values |= {name: _celsius(values[name]) for name in self.celsius}
        row = [(self.number % 24) * 60 + minute, *(round(v, 2) for v in (humid, *values.values()))]
        at = _MONDAY + timedelta(hours=self.number, minutes=minute)
        request = {"observedContentType": "text/csv", "mode": "INPUT", "encoding": "CSV"}
        request["data"] = ",".join(map(str, row))
        event = {"eventId": f"{at:%d%H%M}-{index}", "inferenceTime": at.isoformat()}
        return json.dumps({
            "captureData": {"endpointInput": request}, "eventMetadata": event, "eventVersion": "0",
        })  # fmt: skip
