"""The server's numbers: what they may be, and how they are written."""

from __future__ import annotations

import dataclasses
import math
import re
from typing import Any

import pytest

from mlref.serving.settings import DEFAULT_SETTINGS, Settings, parse_settings

FIELDS = {field.name: field for field in dataclasses.fields(Settings)}


def test_every_setting_is_explained() -> None:
    """The docstring has a line for each, in order."""
    assert Settings.__doc__ is not None
    told = re.findall(r"^ +(\w+): ", Settings.__doc__.split("Attributes:")[1], re.MULTILINE)
    assert told == list(FIELDS)


@pytest.mark.parametrize("name", [n for n, f in FIELDS.items() if f.type != "bool"])
@pytest.mark.parametrize("value", [-1, math.inf, math.nan])
def test_what_no_server_can_keep_to_is_refused(name: str, value: float) -> None:
    """Negative, infinite or no number: the message names the setting and what was got."""
    with pytest.raises(ValueError, match=f"{name} must be .* got {value}"):
        Settings(**{name: value})


@pytest.mark.parametrize("name", [n for n, f in FIELDS.items() if f.type == "int"])
def test_a_number_of_things_is_at_least_one(name: str) -> None:
    """0 rows, bytes or requests are no limit to live with; 1 is."""
    with pytest.raises(ValueError, match="at least 1, got 0"):
        Settings(**{name: 0})
    assert getattr(Settings(**{name: 1}), name) == 1


@pytest.mark.parametrize("name", [n for n, f in FIELDS.items() if f.type == "int"])
def test_false_is_no_number_of_things(name: str) -> None:
    """A boolean where a number belongs is a slip: False would be 0."""
    with pytest.raises(ValueError, match=name):
        Settings(**{name: False})


@pytest.mark.parametrize("name", [n for n, f in FIELDS.items() if f.type == "float"])
def test_a_time_may_be_none_at_all(name: str) -> None:
    """0 seconds (or milliseconds) is allowed."""
    assert getattr(Settings(**{name: 0}), name) == 0


@pytest.mark.parametrize("name", FIELDS)
def test_each_setting_can_be_written_and_read(name: str) -> None:
    """What `str` makes of a default is read as that default, with its type."""
    default = getattr(DEFAULT_SETTINGS, name)
    found = getattr(parse_settings([f"{name}={default}"]), name)
    assert (found, type(found)) == (default, type(default))


def test_words_and_names_together() -> None:
    """Words change what they name; others may be given by name."""
    found = parse_settings(["max_in_flight=64", "max_lag_s=0.25", "lane=FALSE"], access_log=True)
    changed = {"max_in_flight": 64, "max_lag_s": 0.25, "lane": False, "access_log": True}
    assert found == dataclasses.replace(DEFAULT_SETTINGS, **changed)
    assert parse_settings([]) == DEFAULT_SETTINGS


@pytest.mark.parametrize(
    ("word", "message"),
    [
        ("max_in_flight", "looks like max_in_flight=64"),
        ("no_such=1", "there are max_body_bytes, "),
        ("=1", "looks like"),
        ("max_in_flight=", "must be a whole number, got ''"),
        ("max_in_flight=1e3", "must be a whole number, got '1e3'"),
        ("max_in_flight=0", "at least 1, got 0"),
        ("max_lag_s=soon", "must be a number, got 'soon'"),
        ("max_lag_s=nan", "got nan"),
        ("max_lag_s=-1", "got -1"),
        ("lane=yes", "must be true or false, got 'yes'"),
    ],
)
def test_a_word_that_says_nothing_is_refused(word: str, message: str) -> None:
    """The message tells what was got and what is understood."""
    with pytest.raises(ValueError, match=re.escape(message)):
        parse_settings([word])


def test_settings_cannot_be_changed_later() -> None:
    """A server keeps what it was started with."""
    frozen: Any = DEFAULT_SETTINGS
    with pytest.raises(dataclasses.FrozenInstanceError):
        frozen.max_in_flight = 1
