"""The rules of composite alarms: what "ALARM(errors) AND NOT OK("latency")" means.

NOT binds tighter than AND, and AND tighter than OR. Alarms are named by name or by Amazon Resource
Name, with quotes or without.

Source: Amazon CloudWatch API Reference, PutCompositeAlarm (AlarmRule).
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from mlref.aws.local.cloudwatch.evaluation import ALARM, INSUFFICIENT_DATA, OK
from mlref.aws.local.errors import AwsError

__all__ = ["CompositeRule", "parse"]

_STATES = (INSUFFICIENT_DATA, ALARM, OK)
_TOKEN = re.compile(
    rf"\s*(?:(?P<state>{'|'.join(_STATES)})\s*\(\s*(?:\"(?P<quoted>[^\"]*)\"|(?P<name>[^()\"]+?))\s*\)"
    r"|(?P<word>AND|OR|NOT|TRUE|FALSE)\b|(?P<mark>[()]))",
    re.IGNORECASE,
)
_MOST_CHILDREN = 100
_MOST_ELEMENTS = 500

StateOf = Callable[[str], str]
_Holds = Callable[[StateOf], bool]


@dataclass(frozen=True)
class CompositeRule:
    """A rule that was read.

    Attributes:
        children: the names of the alarms in it, each once, in their order.
        holds: whether the rule is true, given what tells an alarm's state.
    """

    children: tuple[str, ...]
    holds: _Holds


def parse(text: str) -> CompositeRule:
    """A rule, read.

    Raises:
        AwsError: it is none, or too large.
    """
    return _Parser(text).rule()


class _Parser:
    """Reads one rule, by recursive descent."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.children: dict[str, None] = {}
        self._tokens = self._split()
        self._next = 0

    def rule(self) -> CompositeRule:
        if len(self._tokens) > _MOST_ELEMENTS:
            text = f"the rule has {len(self._tokens)} elements, and {_MOST_ELEMENTS} are allowed"
            raise AwsError("ValidationError", text)
        holds = self._any()
        if self._next < len(self._tokens):
            raise self._error(f"{self._tokens[self._next][1]!r} is not expected there")
        if len(self.children) > _MOST_CHILDREN:
            text = f"the rule names {len(self.children)} alarms, and {_MOST_CHILDREN} are allowed"
            raise AwsError("ValidationError", text)
        return CompositeRule(tuple(self.children), holds)

    def _split(self) -> list[tuple[str, str]]:
        """(kind, text) each; of a state, the name of the alarm."""
        found, place = [], 0
        while place < len(self.text.rstrip()):
            match = _TOKEN.match(self.text, place)
            if match is None:
                raise self._error(f"it cannot be read at {self.text[place:].strip()!r}")
            if match["state"]:
                name = match["quoted"] if match["quoted"] is not None else match["name"]
                found.append((match["state"].upper(), name.rpartition(":alarm:")[2].strip()))
            else:
                found.append(("", (match["word"] or match["mark"]).upper()))
            place = match.end()
        return found

    def _any(self) -> _Holds:
        parts = [self._all()]
        while self._take("OR"):
            parts.append(self._all())
        return lambda state_of: any(part(state_of) for part in parts)

    def _all(self) -> _Holds:
        parts = [self._not()]
        while self._take("AND"):
            parts.append(self._not())
        return lambda state_of: all(part(state_of) for part in parts)

    def _not(self) -> _Holds:
        if self._take("NOT"):
            inner = self._not()
            return lambda state_of: not inner(state_of)
        if self._take("("):
            inner = self._any()
            if not self._take(")"):
                raise self._error("a parenthesis is not closed")
            return inner
        for word in ("TRUE", "FALSE"):
            if self._take(word):
                return lambda _, word=word: word == "TRUE"  # type: ignore[misc]
        if self._next == len(self._tokens):
            raise self._error("it ends too early")
        state, name = self._tokens[self._next]
        if not state:
            raise self._error(f"{name!r} is not expected there")
        self._next += 1
        self.children[name] = None
        return lambda state_of: state_of(name) == state

    def _take(self, word: str) -> bool:
        found = self._next < len(self._tokens) and self._tokens[self._next] == ("", word)
        self._next += found
        return found

    def _error(self, message: str) -> AwsError:
        text = f"the AlarmRule {self.text!r} cannot be read: {message}"
        known = "ALARM(name), OK(name), INSUFFICIENT_DATA(name), TRUE, FALSE, AND, OR, NOT"
        return AwsError("ValidationError", f"{text}; it is made of {known} and parentheses")
