"""How a policy names many actions, resources and values at once.

In a Resource, a * at the end of a part of an ARN reaches over the colons; an Arn condition compares
part by part.

Source: the IAM User Guide, "IAM JSON policy elements: Resource", "Action", "Condition operators"
and "Variables and tags".
"""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping, Sequence

__all__ = ["UnknownVariableError", "expand", "glob", "matches_arn", "matches_resource"]

_ARN_PARTS = 6
_VARIABLE = re.compile(r"\$\{([^}]*)\}")
_LITERAL = {"*": "[*]", "?": "[?]", "$": "$"}  # ${*} is a star that stands for itself


class UnknownVariableError(LookupError):
    """A pattern holds a policy variable that the request has no value for."""


@functools.lru_cache(maxsize=4096)
def _compiled(pattern: str, flags: int) -> re.Pattern[str]:
    words = re.split(r"(\[\*\]|\[\?\]|\*|\?)", pattern)
    special = {"*": ".*", "?": ".", "[*]": r"\*", "[?]": r"\?"}
    text = "".join(special.get(word, re.escape(word)) for word in words)
    return re.compile(text, flags | re.DOTALL)


def glob(pattern: str, value: str, *, ignore_case: bool = False) -> bool:
    """Whether a value fits a pattern, where * is any text and ? any character.

    Args:
        pattern: the whole value must fit it.
        value: of a request.
        ignore_case: as for the names of actions.

    >>> glob("s3:Get*", "s3:GetObject"), glob("s3:Get?", "s3:GetObject")
    (True, False)
    """
    flags = re.IGNORECASE if ignore_case else re.NOFLAG
    return _compiled(pattern, int(flags)).fullmatch(value) is not None


def matches_resource(pattern: str, value: str) -> bool:
    """Whether an ARN fits a Resource: a * at the end of a part reaches over colons, no other one.

    >>> matches_resource("arn:aws:s3:*", "arn:aws:s3:::models/a")
    True
    >>> matches_resource("arn:aws:s3:u*-1::models/a", "arn:aws:s3:us-1::models/a")
    True
    >>> matches_resource("arn:aws:sns:us*1:t", "arn:aws:sns:us-east-1:1:1:t")
    False
    """
    return pattern == "*" or _resource(pattern).fullmatch(value) is not None


@functools.lru_cache(maxsize=4096)
def _resource(pattern: str) -> re.Pattern[str]:
    parts = pattern.split(":", _ARN_PARTS - 1)
    made = []
    for number, part in enumerate(parts):
        inner = ".*" if number == _ARN_PARTS - 1 else "[^:]*"  # the last part may hold colons
        words = re.split(r"(\[\*\]|\[\?\]|\*|\?)", part)
        special = {"*": inner, "?": inner[:-1], "[*]": r"\*", "[?]": r"\?"}
        text = "".join(special.get(word, re.escape(word)) for word in words)
        if part.endswith("*"):
            text = text[: -len(inner)] + ".*"
        made.append(text)
    return re.compile(":".join(made), re.DOTALL)


def matches_arn(pattern: str, value: str) -> bool:
    """Whether an ARN fits the value of a condition: part by part.

    >>> matches_arn("arn:aws:s3:::models/*", "arn:aws:s3:::models/a:b")
    True
    >>> matches_arn("arn:aws:s3:*", "arn:aws:s3:::models/a")
    False
    """
    if pattern == "*":
        return True
    parts, found = pattern.split(":", _ARN_PARTS - 1), value.split(":", _ARN_PARTS - 1)
    return len(parts) == len(found) and all(map(glob, parts, found))


def expand(pattern: str, context: Mapping[str, Sequence[str]]) -> str:
    """A pattern with the request's values for its variables.

    Args:
        pattern: for instance "arn:aws:s3:::home/${aws:username}/*".
        context: key in lower case -> values.

    Raises:
        UnknownVariableError: a variable has no value, or several.
    """

    def value(match: re.Match[str]) -> str:
        key, _, default = match[1].partition(",")
        if key in _LITERAL:
            return _LITERAL[key]
        found = context.get(key.strip().lower(), ())
        if len(found) == 1:
            return re.sub(r"([*?])", r"[\1]", found[0])  # a value is no pattern
        if default.strip():
            return default.strip().strip("'")
        raise UnknownVariableError(key)

    return _VARIABLE.sub(value, pattern)
