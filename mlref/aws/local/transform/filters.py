"""DataProcessing: a filter before the model, a join with its answer, and a filter behind it.

A filter is a JSONPath of the few kinds that SageMaker knows:

    $                 all of it
    $.a  $['a']       a member; $.a.b goes on, $['a','b'] takes several
    $[0]  $[0,2]      elements, counted from 0; $[-1] counts from the end
    $[1:]  $[:-1]     a range, whose end is left out

The cells of a CSV line are a list. A line that is joined with its answer is longer by the cells of
the answer; an object in JSON gets a member SageMakerOutput.

Source: the Amazon SageMaker Developer Guide, "Associate Prediction Results with Input Records".
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

__all__ = ["Filter", "LineError", "LineFormat", "joined"]

_STEP = re.compile(
    r"""\.(?P<name>[A-Za-z_][\w-]*)
      | \[(?P<names>'[^']*'(?:\s*,\s*'[^']*')*)\]
      | \[(?P<range>-?\d*\s*:\s*-?\d*)\]
      | \[(?P<places>-?\d+(?:\s*,\s*-?\d+)*)\]""",
    re.VERBOSE,
)


class LineError(Exception):
    """A line that cannot be sent, filtered or joined; becomes a FailureReason."""


@dataclass(frozen=True)
class Filter:
    """A JSONPath, read.

    Attributes:
        text: the JSONPath.
        steps: each leads from a value to a part of it.
    """

    text: str
    steps: tuple[Callable[[Any], Any], ...]

    @classmethod
    def of(cls, text: str) -> Filter:
        """Read a JSONPath.

        Raises:
            ValueError: it is none of those that SageMaker knows.

        >>> Filter.of("$[1:]").apply(["7", "1.5", "2"])
        ['1.5', '2']
        """
        steps, at = [], 1
        while text.startswith("$") and at < len(text):
            found = _STEP.match(text, at)
            if found is None:
                break
            steps.append(_step(found))
            at = found.end()
        if not text.startswith("$") or at < len(text):
            known = "$, $.a, $['a','b'], $[0], $[0,2], $[1:]"
            raise ValueError(f"{text!r} is no filter that SageMaker has; there are {known}")
        return cls(text, tuple(steps))

    @property
    def is_all(self) -> bool:
        """Whether it takes everything."""
        return not self.steps

    def apply(self, value: Any) -> Any:
        """The part of a value.

        Raises:
            LineError: the value has no such part.
        """
        for step in self.steps:
            try:
                value = step(value)
            except (KeyError, IndexError, TypeError) as error:
                raise LineError(f"{self.text} finds nothing in {_shown(value)}") from error
        return value


@dataclass(frozen=True)
class LineFormat:
    """What a line is.

    Attributes:
        read: a line as a value.
        write: a value as a line.
    """

    read: Callable[[bytes], Any]
    write: Callable[[Any], bytes]

    @classmethod
    def of(cls, content_type: str) -> LineFormat:
        """The format of a content type.

        Raises:
            ValueError: lines of that type cannot be filtered or joined.
        """
        kind = content_type.partition(";")[0].strip().lower()
        if kind == "text/csv":
            return cls(_read_csv, _write_csv)
        if kind in {"application/json", "application/jsonlines"}:
            return cls(_read_json, _write_json)
        raise ValueError(
            f"DataProcessing is for text/csv, application/json and application/jsonlines, "
            f"got {content_type!r}"
        )


def joined(line: Any, answer: Any) -> Any:
    """A line and its answer as one.

    Args:
        line: cells, or a value of JSON.
        answer: the same.

    >>> joined({"id": 7}, [0.5])
    {'id': 7, 'SageMakerOutput': [0.5]}
    """
    if isinstance(line, list) and isinstance(answer, list):
        return [*line, *answer]
    if isinstance(line, Mapping):
        return {**line, "SageMakerOutput": answer}
    return {"SageMakerInput": line, "SageMakerOutput": answer}


def _step(found: re.Match[str]) -> Callable[[Any], Any]:
    if found["name"] is not None:
        return _member(found["name"])
    if found["names"] is not None:
        names = re.findall(r"'([^']*)'", found["names"])
        return _member(names[0]) if len(names) == 1 else _members(names)
    if found["range"] is not None:
        begin, _, end = found["range"].partition(":")
        return _range(
            slice(int(begin) if begin.strip() else None, int(end) if end.strip() else None)
        )
    places = [int(place) for place in found["places"].split(",")]
    return _elements(places)


def _member(name: str) -> Callable[[Any], Any]:
    return lambda value: value[name]


def _members(names: list[str]) -> Callable[[Any], Any]:
    return lambda value: {name: value[name] for name in names}


def _range(cut: slice) -> Callable[[Any], Any]:
    def take(value: Any) -> Any:
        if not isinstance(value, list):
            raise TypeError("not a list")
        return value[cut]

    return take


def _elements(places: list[int]) -> Callable[[Any], Any]:
    def take(value: Any) -> Any:
        if not isinstance(value, list):
            raise TypeError("not a list")
        return value[places[0]] if len(places) == 1 else [value[place] for place in places]

    return take


def _read_csv(line: bytes) -> list[str]:
    try:
        return next(csv.reader([line.decode()]))
    except (StopIteration, UnicodeDecodeError, csv.Error) as error:
        raise LineError(f"{_shown(line)} is no line of CSV: {error}") from error


def _write_csv(value: Any) -> bytes:
    buffer = io.StringIO()
    csv.writer(buffer, lineterminator="").writerow(value if isinstance(value, list) else [value])
    return buffer.getvalue().encode()


def _read_json(line: bytes) -> Any:
    try:
        return json.loads(line)
    except ValueError as error:
        raise LineError(f"{_shown(line)} is no JSON: {error}") from error


def _write_json(value: Any) -> bytes:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode()


def _shown(value: Any) -> str:
    text = value.decode("utf-8", "replace") if isinstance(value, bytes) else repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."  # noqa: PLR2004 - what a reason has room for
