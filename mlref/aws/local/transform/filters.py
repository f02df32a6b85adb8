"""DataProcessing: a filter before the model, a join with its answer, and a filter behind it.

A filter is a JSONPath of the few kinds that SageMaker knows:

    $                 all of it
    $.a  $['a']       a member; $.a.b goes on, $['a','b'] takes several
    $[0]  $[0,2]      elements, counted from 0; $[-1] counts from the end
    $[1:]  $[:-1]     a range, whose end is left out; $[0,5:] takes both kinds
    $.a.*  $[*]       all members or elements, as a list; what follows is looked for in each

The cells of a CSV line are a list. A line that is joined with its answer is longer by the cells of
the answer. A joined object in JSON gets a member SageMakerOutput; any other value becomes an object
with SageMakerInput and SageMakerOutput.

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

__all__ = ["Filter", "LineError", "LineFormat"]

_PLACE = r"(?:(?:-?\d+)?\s*:\s*(?:-?\d+)?|-?\d+)"
_STEP = re.compile(
    rf"""\.(?P<name>[A-Za-z_][\w-]*)
      | (?P<all>\.\*|\.?\[\*\])
      | \.?\[(?P<names>'[^']*'(?:\s*,\s*'[^']*')*)\]
      | \.?\[\s*(?P<places>{_PLACE}(?:\s*,\s*{_PLACE})*)\s*\]""",
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
            known = "$, $.a, $.*, $['a','b'], $[0], $[0,2], $[1:]"
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
        found = [value]
        for step in self.steps:
            try:
                if step is _children:
                    found = [each for parent in found for each in _children(parent)]
                else:
                    found = [step(each) for each in found]
            except (KeyError, IndexError, TypeError) as error:
                raise LineError(f"{self.text} finds nothing in {_shown(value)}") from error
        return found if _children in self.steps else found[0]


@dataclass(frozen=True)
class LineFormat:
    """What a line is.

    Attributes:
        kind: "CSV" or "JSON".
        read: a line as a value.
        write: a value as a line.
        join: a line and its answer, both as values, as one.
    """

    kind: str
    read: Callable[[bytes], Any]
    write: Callable[[Any], bytes]
    join: Callable[[Any, Any], Any]

    @classmethod
    def of(cls, content_type: str) -> LineFormat:
        """The format of a content type.

        Raises:
            ValueError: lines of that type cannot be filtered or joined.

        >>> LineFormat.of("application/json").join({"id": 7}, [0.5])
        {'id': 7, 'SageMakerOutput': [0.5]}
        """
        kind = content_type.partition(";")[0].strip().lower()
        if kind == "text/csv":
            return cls("CSV", _read_csv, _write_csv, _longer)
        if kind in {"application/json", "application/jsonlines"}:
            return cls("JSON", _read_json, _write_json, _object)
        raise ValueError(
            f"DataProcessing is for text/csv, application/json and application/jsonlines, "
            f"got {content_type!r}"
        )


def _step(found: re.Match[str]) -> Callable[[Any], Any]:
    if found["all"] is not None:
        return _children
    if found["name"] is not None:
        return _member(found["name"])
    if found["names"] is not None:
        names = re.findall(r"'([^']*)'", found["names"])
        return _member(names[0]) if len(names) == 1 else _members(names)
    return _elements([_place(text) for text in found["places"].split(",")])


def _place(text: str) -> int | slice:
    begin, colon, end = text.partition(":")
    if not colon:
        return int(text)
    return slice(int(begin) if begin.strip() else None, int(end) if end.strip() else None)


def _children(value: Any) -> list[Any]:
    """All that a list or an object holds."""
    if isinstance(value, Mapping):
        return list(value.values())
    if isinstance(value, list):
        return value
    raise TypeError("neither a list nor an object")


def _member(name: str) -> Callable[[Any], Any]:
    return lambda value: value[name]


def _members(names: list[str]) -> Callable[[Any], Any]:
    return lambda value: {name: value[name] for name in names}


def _elements(places: list[int | slice]) -> Callable[[Any], Any]:
    def take(value: Any) -> Any:
        if not isinstance(value, list):
            raise TypeError("not a list")
        if len(places) == 1:
            return value[places[0]]
        found: list[Any] = []
        for place in places:
            found += value[place] if isinstance(place, slice) else [value[place]]
        return found

    return take


def _longer(line: list[str], answer: list[str]) -> list[str]:
    return [*line, *answer]


def _object(line: Any, answer: Any) -> dict[str, Any]:
    given = line if isinstance(line, Mapping) else {"SageMakerInput": line}
    return {**given, "SageMakerOutput": answer}


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
