"""Amounts of CPU and memory as Kubernetes writes them: "500m" is half a core, "512Mi" 512 * 2**20.

A suffix of one letter is a power of 1000, one that ends in i a power of 1024, and m a thousandth:
"512m" of memory is half a byte, a slip that the API accepts. `parse_quantity` is exact, since a
limit may not lie below its request by a rounding error.

Source: Kubernetes API reference, "Quantity" (k8s.io/apimachinery/pkg/api/resource).
"""

from __future__ import annotations

import re
from fractions import Fraction

__all__ = ["parse_quantity"]

_DECIMAL = {"n": -9, "u": -6, "m": -3, "": 0, "k": 3, "M": 6, "G": 9, "T": 12, "P": 15, "E": 18}
_BINARY = {"Ki": 10, "Mi": 20, "Gi": 30, "Ti": 40, "Pi": 50, "Ei": 60}
_LONGEST = 40  # characters; more is no amount that anybody means
_FORM = re.compile(
    r"(?P<number>[0-9]+(?:\.[0-9]*)?|\.[0-9]+)"
    r"(?:[eE](?P<exponent>[+-]?[0-9]{1,2})|(?P<suffix>[KMGTPE]i|[numkMGTPE]?))"
)


def parse_quantity(text: str) -> Fraction:
    """How much it is: cores, or bytes.

    Args:
        text: a number with a suffix, for instance "500m", "1.5", "512Mi", "1e3"; not negative.

    Raises:
        ValueError: it is not an amount.

    >>> parse_quantity("500m"), parse_quantity("1Ki")
    (Fraction(1, 2), Fraction(1024, 1))
    """
    found = _FORM.fullmatch(text) if len(text) <= _LONGEST else None
    if found is None:
        allowed = "a number and n, u, m, k, M, G, T, P, E, Ki, Mi, Gi, Ti, Pi, Ei or no suffix"
        raise ValueError(f'an amount is {allowed}, like "500m" or "512Mi"; got {text!r}')
    number, suffix = Fraction(found["number"].rstrip(".")), found["suffix"] or ""
    if suffix in _BINARY:
        return number * Fraction(2 ** _BINARY[suffix])
    exponent = int(found["exponent"]) if found["exponent"] else _DECIMAL[suffix]
    return number * (Fraction(10**exponent) if exponent >= 0 else Fraction(1, 10**-exponent))
