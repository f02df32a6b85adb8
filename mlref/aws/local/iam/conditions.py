"""The Condition of a statement: operators that compare the request's keys with values.

A condition holds if all its operators hold for all their keys. An operator holds for a key if one
of its values fits the request's; one that denies (StringNotEquals) holds if none does. A key that
the request lacks makes an operator fail, one that denies hold, and one with IfExists hold.

Source: the IAM User Guide, "IAM JSON policy elements: Condition operators" and "Multivalued context
keys".
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from mlref.aws.local.iam.matching import UnknownVariableError, expand, glob, matches_arn

__all__ = ["Condition", "Context"]

Context = Mapping[str, Sequence[str]]
"""What a request is judged by: key in lower case -> values, as text."""

Compare = Callable[[str, str], bool]
"""Whether a value of the policy (first) fits one of the request."""


def _same(wanted: str, got: str) -> bool:
    return wanted == got


def _same_letters(wanted: str, got: str) -> bool:
    return wanted.casefold() == got.casefold()


def _in_network(wanted: str, got: str) -> bool:
    return ipaddress.ip_address(got) in ipaddress.ip_network(wanted, strict=False)


def _moment(text: str) -> float:
    """Seconds since 1970, of ISO 8601 or of a number."""
    try:
        return float(text)
    except ValueError:
        found = datetime.fromisoformat(text)
    return (found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp()


def _ordered(read: Callable[[str], float], sign: str) -> Compare:
    tests: dict[str, Callable[[float, float], bool]] = {
        "Equals": lambda got, wanted: got == wanted,
        "LessThan": lambda got, wanted: got < wanted,
        "LessThanEquals": lambda got, wanted: got <= wanted,
        "GreaterThan": lambda got, wanted: got > wanted,
        "GreaterThanEquals": lambda got, wanted: got >= wanted,
    }
    test = tests[sign]
    return lambda wanted, got: test(read(got), read(wanted))


_SIGNS = ("Equals", "LessThan", "LessThanEquals", "GreaterThan", "GreaterThanEquals")
_OPERATORS: dict[str, tuple[Compare, bool]] = {  # how values fit, and whether it denies that
    "StringEquals": (_same, False),
    "StringNotEquals": (_same, True),
    "StringEqualsIgnoreCase": (_same_letters, False),
    "StringNotEqualsIgnoreCase": (_same_letters, True),
    "StringLike": (glob, False),
    "StringNotLike": (glob, True),
    "ArnEquals": (matches_arn, False),
    "ArnLike": (matches_arn, False),
    "ArnNotEquals": (matches_arn, True),
    "ArnNotLike": (matches_arn, True),
    "Bool": (_same_letters, False),
    "BinaryEquals": (_same, False),
    "IpAddress": (_in_network, False),
    "NotIpAddress": (_in_network, True),
    "NumericNotEquals": (_ordered(float, "Equals"), True),
    "DateNotEquals": (_ordered(_moment, "Equals"), True),
    **{f"Numeric{sign}": (_ordered(float, sign), False) for sign in _SIGNS},
    **{f"Date{sign}": (_ordered(_moment, sign), False) for sign in _SIGNS},
}


@dataclass(frozen=True)
class Condition:
    """An operator, a key, and the values that the operator compares with.

    Attributes:
        operator: for instance "StringNotLike".
        key: in lower case, for instance "aws:principalarn".
        values: of which one must fit.
        quantifier: "ForAllValues", "ForAnyValue" or "".
        if_exists: whether a request without the key passes.
        variables: whether ${...} in a value stands for something.
    """

    operator: str
    key: str
    values: tuple[str, ...]
    quantifier: str = ""
    if_exists: bool = False
    variables: bool = True

    @classmethod
    def of(
        cls, operator: str, key: str, values: Sequence[str], *, variables: bool = True
    ) -> Condition:
        """A condition as a policy spells it.

        Args:
            operator: with its quantifier and IfExists, if any.
            key: in any case.
            values: as text.
            variables: whether ${...} in them stands for something.

        Raises:
            ValueError: IAM has no such operator.
        """
        quantifier, _, name = operator.rpartition(":")
        bare = name.removesuffix("IfExists")
        if quantifier not in {"", "ForAllValues", "ForAnyValue"} or (
            bare not in _OPERATORS and name != "Null"
        ):
            raise ValueError(
                f"{operator} is no condition operator of IAM; there are Null, "
                + ", ".join(sorted(_OPERATORS))
            )
        return cls(bare, key.lower(), tuple(values), quantifier, bare != name, variables)

    def missing(self, context: Context) -> bool:
        """Whether its outcome hangs on a key that the request lacks."""
        return self.operator != "Null" and not self.if_exists and self.key not in context

    def holds(self, context: Context) -> bool:
        """Whether it holds for a request."""
        got = context.get(self.key)
        if self.operator == "Null":
            return any(_same_letters(value, str(got is None)) for value in self.values)
        compare, denies = _OPERATORS[self.operator]
        if got is None:
            return (
                self.if_exists
                or self.quantifier == "ForAllValues"
                or (denies and self.quantifier != "ForAnyValue")
            )

        def passes(each: str) -> bool:
            return any(self._fits(compare, value, each, context) for value in self.values) != denies

        every = self.quantifier == "ForAllValues" or (denies and not self.quantifier)
        return all(map(passes, got)) if every else any(map(passes, got))

    def _fits(self, compare: Compare, wanted: str, got: str, context: Context) -> bool:
        """What cannot be compared (a word with a number, say) does not fit."""
        try:
            wanted = expand(wanted, context) if self.variables else wanted
            if compare not in {glob, matches_arn}:  # where a star has no meaning
                wanted = wanted.replace("[*]", "*").replace("[?]", "?")
            return compare(wanted, got)
        except (UnknownVariableError, ValueError):
            return False
