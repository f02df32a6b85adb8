"""Values from a file, each of the type that it must have."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any, TypeVar

__all__ = ["count", "mapping", "moment", "optional", "record", "reviews", "table", "text"]

T = TypeVar("T")


def _wrong(place: str, wanted: str, value: Any) -> ValueError:
    return ValueError(f"{place} must be {wanted}, got {value!r:.60}")


def record(value: Any, place: str) -> dict[str, Any]:
    """A JSON object.

    Raises:
        ValueError: it is something else; the message begins with the place.
    """
    if not isinstance(value, dict):
        raise _wrong(place, "an object", value)
    return value


def mapping(value: Any, place: str) -> dict[str, Any] | None:
    """A JSON object, or None.

    Raises:
        ValueError: it is something else; the message begins with the place.
    """
    return None if value is None else record(value, place)


def table(value: Any, place: str, read: Callable[[Any, str], T]) -> dict[str, T]:
    """A JSON object, each value of which is read by `read`.

    Args:
        value: what the file holds.
        place: where in the file; messages begin with it.
        read: gets a value and its place.

    Raises:
        ValueError: it is something else; the message begins with the place.
    """
    return {key: read(each, f"{place}.{key}") for key, each in record(value, place).items()}


def text(value: Any, place: str) -> str:
    """Text.

    Raises:
        ValueError: it is something else; the message begins with the place.
    """
    if not isinstance(value, str):
        raise _wrong(place, "text", value)
    return value


def count(value: Any, place: str) -> int:
    """A whole number, at least 0.

    Raises:
        ValueError: it is something else; the message begins with the place.
    """
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise _wrong(place, "a whole number of at least 0", value)
    return value


def moment(value: Any, place: str) -> str:
    """A moment in ISO 8601 with its time zone, as text.

    Raises:
        ValueError: it is something else; the message begins with the place.
    """
    try:
        known = datetime.fromisoformat(text(value, place)).utcoffset() is not None
    except ValueError:
        known = False
    if not known:
        raise _wrong(place, "a moment with its time zone", value)
    return str(value)


def optional(value: Any, place: str, read: Callable[[Any, str], T]) -> T | None:
    """None, or what `read` makes of the value.

    Args:
        value: what the file holds.
        place: where in the file; messages begin with it.
        read: gets the value and the place.

    Raises:
        ValueError: it is something else; the message begins with the place.
    """
    return None if value is None else read(value, place)


def reviews(value: Any, place: str) -> list[dict[str, Any]]:
    """A list of JSON objects: `at` of each is a moment; rating and score are numbers, or absent.

    Raises:
        ValueError: it is something else; the message begins with the place.
    """
    if not isinstance(value, list):
        raise _wrong(place, "a list", value)
    found = [record(each, f"{place}[{index}]") for index, each in enumerate(value)]
    for index, each in enumerate(found):
        moment(each.get("at"), f"{place}[{index}].at")
        optional(each.get("rating"), f"{place}[{index}].rating", count)
        optional(each.get("score"), f"{place}[{index}].score", _number)
    return found


def _number(value: Any, place: str) -> float:
    if not isinstance(value, (int, float)) or isinstance(value, bool):
        raise _wrong(place, "a number", value)
    return value
