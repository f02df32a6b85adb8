"""Metric math: what an expression such as "100 * SUM([m1, m2]) / m3" means.

`parse` reads an expression into a tree, `Formula.value` computes it from the series that the names
stand for. From the loosest to the tightest: OR, AND, comparisons, + and -, * and /, unary -, ^.

What is not there is refused by name: SEARCH, SORT, SLICE, anomaly detection, Metrics Insights.

Source: Amazon CloudWatch User Guide, "Using metric math", "Metric math syntax and functions".
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from mlref.aws.local.cloudwatch.series import (
    FUNCTIONS,
    OPERATORS,
    Grid,
    Series,
    Value,
    combine,
    each,
    invalid,
)

__all__ = ["Formula", "parse"]

_TOKEN = re.compile(
    r"\s*(?:(?P<number>\d+(?:\.\d*)?|\.\d+)|(?P<name>[A-Za-z_]\w*)"
    r"|(?P<text>\"[^\"]*\"|'[^']*')|(?P<mark>&&|\|\||==|!=|<=|>=|[-+*/^<>()\[\],]))"
)
_ALIASES = {"&&": "AND", "||": "OR"}
_LEVELS = (("OR",), ("AND",), ("==", "!=", "<", ">", "<=", ">="), ("+", "-"), ("*", "/"))
_WORDS = {"REPEAT", "LINEAR"}

_Compute = Callable[["_Given"], Value]


@dataclass(frozen=True)
class _Given:
    """What an expression is computed from."""

    find: Callable[[str], Value]
    metrics: Sequence[str]
    grid: Grid


@dataclass(frozen=True)
class Formula:
    """An expression that was read.

    Attributes:
        text: as it was written.
        names: the other queries that it refers to.
        compute: see `value`.
    """

    text: str
    names: frozenset[str]
    compute: _Compute

    def value(
        self, find: Callable[[str], Value], metrics: Sequence[str], grid: Grid
    ) -> Series | list[Series]:
        """What it comes to.

        Args:
            find: gives what a name stands for.
            metrics: the ids that METRICS() means; expressions are not among them.
            grid: of the series that TIME_SERIES makes.

        Raises:
            AwsError: it comes to a number, or its parts do not go together.
        """
        found = self.compute(_Given(find, metrics, grid))
        if isinstance(found, (float, str)):
            text = f"the expression {self.text!r} comes to a single number"
            raise invalid(f"{text}; it must come to a time series, use TIME_SERIES({self.text})")
        return found


def parse(text: str) -> Formula:
    """An expression, read.

    Raises:
        AwsError: it is none, or uses what the local AWS does not have.
    """
    return _Parser(text).formula()


class _Parser:
    """Reads one expression, by recursive descent."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.names: set[str] = set()
        self._tokens = _tokens(text)
        self._next = 0

    def formula(self) -> Formula:
        compute = self._level(0)
        if self._next < len(self._tokens):
            raise self._error(f"{self._tokens[self._next][1]!r} is not expected there")
        return Formula(self.text, frozenset(self.names), compute)

    def _level(self, level: int) -> _Compute:
        """Operators that bind equally tight, from the left."""
        if level == len(_LEVELS):
            return self._unary()
        left = self._level(level + 1)
        while (found := self._take(*_LEVELS[level])) is not None:
            left = _binary(found, left, self._level(level + 1))
        return left

    def _unary(self) -> _Compute:
        if self._take("-") is not None:
            operand = self._unary()
            return lambda given: each(lambda value: -value, operand(given))
        base = self._primary()
        return _binary("^", base, self._unary()) if self._take("^") is not None else base

    def _primary(self) -> _Compute:
        if self._take("(") is not None:
            inner = self._level(0)
            self._expect(")")
            return inner
        if self._take("[") is not None:
            items = self._items("]")
            return lambda given: _flat([item(given) for item in items])
        kind, token = self._advance()
        if kind == "number":
            number = float(token)
            return lambda _: number
        if kind == "name" and self._take("(") is not None:
            return self._call(token)
        if kind == "name" and token in _WORDS:
            return lambda _: token
        if kind == "name" and token[0].islower():
            self.names.add(token)
            return lambda given: given.find(token)
        raise self._error(f"{token!r} is not expected there; ids begin with a lower-case letter")

    def _call(self, name: str) -> _Compute:
        if name == "METRICS":
            return self._metrics()
        if name not in FUNCTIONS and name != "TIME_SERIES":
            known = ", ".join(sorted([*FUNCTIONS, "METRICS", "TIME_SERIES"]))
            raise self._error(f"the local CloudWatch has no function {name}; it has {known}")
        items = self._items(")")
        if name == "TIME_SERIES":
            return lambda given: _constant(_only(items)(given), given.grid)
        return lambda given: FUNCTIONS[name]([item(given) for item in items])

    def _metrics(self) -> _Compute:
        part = ""
        if self._take(")") is None:
            kind, token = self._advance()
            if kind != "text":
                raise self._error(f"METRICS takes nothing or a text in quotes, got {token!r}")
            part = token[1:-1]
            self._expect(")")
        return lambda given: _flat([given.find(name) for name in given.metrics if part in name])

    def _items(self, end: str) -> list[_Compute]:
        items: list[_Compute] = []
        while self._take(end) is None:
            if items:
                self._expect(",")
            items.append(self._level(0))
        return items

    def _take(self, *wanted: str) -> str | None:
        if self._next < len(self._tokens) and self._tokens[self._next][1] in wanted:
            self._next += 1
            return self._tokens[self._next - 1][1]
        return None

    def _expect(self, wanted: str) -> None:
        if self._take(wanted) is None:
            got = self._tokens[self._next][1] if self._next < len(self._tokens) else "the end"
            raise self._error(f"{wanted!r} is missing before {got!r}")

    def _advance(self) -> tuple[str, str]:
        if self._next == len(self._tokens):
            raise self._error("it ends too early")
        self._next += 1
        return self._tokens[self._next - 1]

    def _error(self, message: str) -> Exception:
        return invalid(f"the expression {self.text!r} cannot be read: {message}")


def _tokens(text: str) -> list[tuple[str, str]]:
    """(kind, token) each."""
    found, place = [], 0
    while place < len(text.rstrip()):
        match = _TOKEN.match(text, place)
        if match is None:
            rest = text[place:].strip()
            raise invalid(f"the expression {text!r} cannot be read at {rest!r}")
        token = match[match.lastgroup or 0]
        found.append((match.lastgroup or "", _ALIASES.get(token, token)))
        place = match.end()
    return found


def _binary(symbol: str, left: _Compute, right: _Compute) -> _Compute:
    return lambda given: combine(OPERATORS[symbol], left(given), right(given))


def _flat(values: list[Value]) -> Value:
    """A list of series, of which some came as lists."""
    found: list[Series] = []
    for value in values:
        if not isinstance(value, (list, Series)):
            raise invalid("a list in [] holds time series only")
        found.extend(value if isinstance(value, list) else [value])
    return found


def _only(items: list[_Compute]) -> _Compute:
    if len(items) != 1:
        raise invalid(f"TIME_SERIES takes one number, got {len(items)} arguments")
    return items[0]


def _constant(value: Value, grid: Grid) -> Value:
    if not isinstance(value, float):
        raise invalid("TIME_SERIES takes a number, not a time series")
    return Series(grid, dict.fromkeys(grid.moments(), value))
