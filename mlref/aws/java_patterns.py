r"""Patterns of Java, as AWS's models have them, for Python.

    matches = compiled(r"[\p{L}\d]+")
    matches("Zürich1")                          # True

The dialects read the same text differently. In Java `.` is no end of a line, of which there are
five; `\d`, `\w`, `\s` and names such as `\p{Alnum}` are of ASCII, also beside `\p{L}`, which is of
Unicode; and `[a-z&&[^x]]` is what is in both. `translated` writes a pattern of Java so that the
`regex` library reads it as Java does.

Source: the documentation of java.util.regex.Pattern.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable

from mlref.runtime.lazy import extra

__all__ = ["compiled", "translated"]

_PATIENCE_S = 0.5  # that matching one value may take; some patterns of AWS are exponential
_PAIRS = r"\uD800\uDC00-\uDBFF\uDFFF"  # how Java writes all characters beyond 16 bits
_CATEGORY = re.compile(r"\\[pP](\{\^?([A-Z][a-z]?|LD|Is\w+)\}|[A-Z])")
_PART = re.compile(r"\\[pPx]\{\^?\w+\}|\\.|.", re.DOTALL)
_DOT = r"[^\n\r\u0085\u2028\u2029]"
_ALL_LINES = re.compile(r"\(\?[a-z]*s")
_ASCII = {
    r"\d": "0-9",
    r"\h": r" \t\xa0\u1680\u180e\u2000-\u200a\u202f\u205f\u3000",
    r"\v": r"\n\x0b\f\r\x85\u2028\u2029",
    r"\w": "a-zA-Z0-9_",
    r"\s": r" \t\n\x0b\f\r",
    r"\p{Alnum}": "a-zA-Z0-9",
    r"\p{Alpha}": "a-zA-Z",
    r"\p{ASCII}": r"\x00-\x7f",
    r"\p{Blank}": r" \t",
    r"\p{Cntrl}": r"\x00-\x1f\x7f",
    r"\p{Digit}": "0-9",
    r"\p{Graph}": "!-~",
    r"\p{LD}": r"\p{L}\p{Nd}",
    r"\p{Lower}": "a-z",
    r"\p{Print}": r"\x20-~",
    r"\p{Punct}": r"!-/:-@\[-`{-~",
    r"\p{Upper}": "A-Z",
    r"\p{XDigit}": "0-9a-fA-F",
    r"\p{all}": r"\x00-\U0010FFFF",
}
"""What Java means by names of classes, inside brackets."""


@functools.cache
def compiled(text: str) -> Callable[[str], bool] | None:
    """What tells whether all of a value matches a pattern of Java; None if it cannot be read.

    A value that would take too long is said to match: AWS will tell.

    Args:
        text: the pattern.

    Raises:
        MissingExtraError: the library for patterns is not installed.
    """
    with extra("aws"):
        import regex
    flags = 0 if _CATEGORY.search(text) else regex.ASCII
    if "&&" in text:
        flags |= regex.V1  # which knows what is in both of two classes
    try:
        found = regex.compile(translated(text), flags)
    except regex.error:
        return None

    def matches(value: str) -> bool:
        try:
            return found.fullmatch(value, timeout=_PATIENCE_S) is not None
        except TimeoutError:
            return True

    return matches


def translated(text: str) -> str:
    r"""A pattern of Java in the dialect of `regex`.

    >>> translated(r"\w.[\d.]")
    '[a-zA-Z0-9_][^\\n\\r\\u0085\\u2028\\u2029][0-9.]'
    """
    dot = "." if _ALL_LINES.match(text) else _DOT
    text = text.replace(r"\z", r"\Z").replace(_PAIRS, r"\U00010000-\U0010FFFF")
    made, depth, before = [], 0, ""
    for part in _PART.findall(text):
        if part in _ASCII:
            made.append(_ASCII[part] if depth else f"[{_ASCII[part]}]")
        elif depth and part == "-" and before in _ASCII:
            made.append(r"\-")  # which begins no range
        elif part.startswith(r"\x{"):
            made.append(f"\\U{int(part[3:-1], 16):08X}")
        else:
            depth += {"[": 1, "]": -1 if depth else 0}.get(part, 0)
            made.append(dot if part == "." and not depth else part)
        before = part
    return "".join(made)
