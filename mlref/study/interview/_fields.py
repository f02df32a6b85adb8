"""Reading a table of TOML field by field; what is wrong is collected, not raised."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

__all__ = ["Fields"]


class Fields:
    """One table. Every getter returns something usable and notes a problem where it had to invent.

    Args:
        table: the table as TOML gives it.
        place: how problems name it, "" for the whole file.
        problems: where problems are noted, one line each.
    """

    def __init__(self, table: Mapping[str, Any], place: str, problems: list[str]) -> None:
        self._table = table
        self._place = place
        self._problems = problems
        self._asked: list[str] = []

    def problem(self, text: str) -> None:
        """Note what is wrong with this table."""
        self._problems.append(f"{self._place}: {text}" if self._place else text)

    def has(self, key: str) -> bool:
        """Whether the table has the key."""
        return key in self._table

    def text(self, key: str, *, required: bool = True) -> str:
        """A text without the space around it; "" if it is absent or no text."""
        value = self._get(key)
        if isinstance(value, str) and value.strip():
            return value.strip()
        if required or key in self._table:
            self.problem(_wanted(key, "must be text", value))
        return ""

    def texts(self, key: str) -> tuple[str, ...]:
        """A list of texts; empty if it is absent."""
        value = self._get(key)
        if value is None:
            return ()
        if isinstance(value, list) and all(isinstance(each, str) and each for each in value):
            return tuple(value)
        self.problem(_wanted(key, 'must be a list of texts, as ["..."]', value))
        return ()

    def integer(self, key: str, *, default: int, low: int, high: int) -> int:
        """A whole number from `low` to `high`.

        Args:
            key: its name.
            default: what counts if it is absent or wrong.
            low: the smallest allowed.
            high: the largest allowed.
        """
        value = self._get(key)
        if value is None:
            return default
        if isinstance(value, int) and not isinstance(value, bool) and low <= value <= high:
            return value
        self.problem(_wanted(key, f"must be a whole number from {low} to {high}", value))
        return default

    def tables(self, key: str, *, name_by: str | None = None) -> list[Fields]:
        """A list of tables, each of which names itself by its place and one of its own texts."""
        value = self._get(key)
        if value is None:
            return []
        if not isinstance(value, list) or not all(isinstance(each, dict) for each in value):
            self.problem(f"{key} must be tables; write each below [[{key}]]")
            return []
        places = [
            f"{key} {number}" + (f" ({each[name_by]})" if name_by and name_by in each else "")
            for number, each in enumerate(value, 1)
        ]
        return [
            Fields(each, place, self._problems) for each, place in zip(value, places, strict=True)
        ]

    def patterns(self, key: str) -> tuple[re.Pattern[str], ...]:
        """A list of regular expressions; letters match in any case."""
        found = []
        for text in self.texts(key):
            try:
                pattern = re.compile(text, re.IGNORECASE)
            except re.error as error:
                self.problem(f"{key}: {text!r} is no regular expression: {error}")
                continue
            if pattern.search(""):
                self.problem(f"{key}: {text!r} matches an empty answer; let it ask for a word")
            found.append(pattern)
        return tuple(found)

    def finish(self) -> None:
        """Note each key that nobody asked for."""
        unknown = [key for key in self._table if key not in self._asked]
        if unknown:
            known = ", ".join(self._asked)
            self.problem(f"unknown key {', '.join(unknown)}; there may be: {known}")

    def _get(self, key: str) -> Any:
        if key not in self._asked:
            self._asked.append(key)
        return self._table.get(key)


def _wanted(key: str, wanted: str, value: Any) -> str:
    """What is wrong with a value, or that there is none."""
    return f"{key} is missing" if value is None else f"{key} {wanted}, got {value!r}"
