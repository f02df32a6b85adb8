"""What the data plane checks of a request before any worker is asked: its size and its headers.

Every request pays for it. So what AWS's model says of each header is read once; a request costs a
look for each of them, and the model itself is only asked for the words of a refusal.

Source: the service model of the SageMaker runtime, as botocore has it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from mlref.aws.java_patterns import compiled
from mlref.aws.local.errors import AwsError
from mlref.aws.models import operation_model
from mlref.aws.strict import check_shape

if TYPE_CHECKING:
    from botocore.model import Shape

__all__ = ["Checks", "too_large"]

_NOT_DONE = {
    "TargetContainerHostname": "a model has one container here; make a model of each",
    "EnableExplanations": "there is no ExplainerConfig here; leave it out",
    "SessionId": "models have no sessions here; send with each request what it needs",
}
_TOO_LARGE = 413


class Checks:
    """What an operation takes.

    Args:
        operation: of the SageMaker runtime, as AWS spells it.

    Attributes:
        most_bytes: that a body may have.
    """

    def __init__(self, operation: str) -> None:
        self._operation = operation
        members = operation_model("sagemaker-runtime", operation).input_shape.members
        self.most_bytes = int(members["Body"].metadata["max"])
        headers = {
            shape.serialization["name"].lower(): (name, shape)
            for name, shape in members.items()
            if shape.serialization.get("location") == "header"
        }
        self._members: dict[str, tuple[str, Shape]] = headers
        self._rules = [(header, *_rule(name, shape)) for header, (name, shape) in headers.items()]

    def check(self, headers: Mapping[str, str], body: bytes) -> None:
        """Refuse what AWS would refuse by its model, and what cannot be done here.

        Args:
            headers: names in lower case.
            body: as it came.

        Raises:
            AwsError: the body is too large, or a header is too long or says what it must not.
        """
        if len(body) > self.most_bytes:
            raise too_large(len(body), self.most_bytes)
        for header, least, most, fits in self._rules:
            value = headers.get(header)
            if value is not None and not (least <= len(value) <= most and fits(value)):
                raise self._refusal(header, value)

    def _refusal(self, header: str, value: str) -> AwsError:
        name, shape = self._members[header]
        if name in _NOT_DONE:
            text = f"the local AWS does not do {name} of {self._operation}: {_NOT_DONE[name]}"
            return AwsError("UnsupportedOperation", text)
        number = shape.type_name == "integer" and value.lstrip("-").isdecimal()
        found = check_shape(shape, int(value) if number else value, name)
        told = "; ".join(str(each) for each in found) or f"{name}: {value!r} is none"
        return AwsError("ValidationError", f"1 validation error detected: {told}")


def too_large(size_bytes: int, most_bytes: int) -> AwsError:
    """413: a body has too many bytes.

    Args:
        size_bytes: of the body.
        most_bytes: that it may have.
    """
    text = f"the body has {size_bytes} bytes, allowed are {most_bytes}"
    return AwsError("ValidationError", text, status=_TOO_LARGE)


def _rule(name: str, shape: Shape) -> tuple[float, float, Callable[[str], bool]]:
    """The least and the most characters of a header, and what tells whether they fit."""
    limits: dict[str, Any] = shape.metadata
    least, most = limits.get("min", 0), limits.get("max", math.inf)
    if name in _NOT_DONE:
        return math.inf, -math.inf, bool  # nothing fits
    if shape.type_name == "integer":
        return 1, len(str(most)), lambda value: value.isdecimal() and least <= int(value) <= most
    pattern = limits.get("pattern", "")
    if pattern == r"\p{ASCII}*":  # of most headers, and this is quicker
        return least, most, str.isascii
    return least, most, compiled(pattern) or (lambda _: True)
