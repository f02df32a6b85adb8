"""What the data plane refuses by AWS's model, before a worker is asked."""

from __future__ import annotations

from typing import Any

import pytest

from mlref.aws.local.errors import AwsError
from mlref.aws.local.hosting.checks import Checks
from mlref.aws.models import operation_model
from mlref.aws.strict import check

WAYS = ("InvokeEndpoint", "InvokeEndpointWithResponseStream", "InvokeEndpointAsync")
NOT_DONE = ("TargetContainerHostname", "EnableExplanations", "SessionId")
VALUES = ["", "a", "x" * 64, "x" * 65, "x" * 1024, "x" * 1025, "a b", " a", "a\tb", "\xe4", "-a"]
NUMBERS = ["0", "1", "59", "60", "3600", "3601", "21600", "21601", "1.5", "-1", "soon", ""]


def _headers(operation: str) -> dict[str, Any]:
    members = operation_model("sagemaker-runtime", operation).input_shape.members
    return {
        name: shape
        for name, shape in members.items()
        if shape.serialization.get("location") == "header" and name not in NOT_DONE
    }


@pytest.mark.parametrize("operation", WAYS)
def test_headers_are_checked_as_strict_checks_parameters(operation: str) -> None:
    """For each header and many values the answer is that of `mlref.aws.strict.check`."""
    checks = Checks(operation)
    for name, shape in _headers(operation).items():
        number = shape.type_name == "integer"
        for value in NUMBERS if number else VALUES:
            whole = value.lstrip("-").isdecimal()
            given = {"EndpointName": "e", name: int(value) if number and whole else value}
            found = check("sagemaker-runtime", operation, given)
            problems = [each for each in found if each.field == name]
            header = {shape.serialization["name"].lower(): value}
            if not problems:
                checks.check(header, b"")
                continue
            with pytest.raises(AwsError) as caught:
                checks.check(header, b"")
            assert caught.value.code == "ValidationError"
            assert str(problems[0]) in caught.value.message


@pytest.mark.parametrize(
    ("operation", "most"), [(WAYS[0], 6_291_456), (WAYS[1], 6_291_456), (WAYS[2], 128_000)]
)
def test_a_body_has_a_limit(operation: str, most: int) -> None:
    """The maximum of botocore's model, in a stream as elsewhere."""
    checks = Checks(operation)
    checks.check({}, bytes(most))
    with pytest.raises(AwsError, match=f"allowed are {most}") as caught:
        checks.check({}, bytes(most + 1))
    assert caught.value.status == 413


@pytest.mark.parametrize(
    ("operation", "name"),
    [
        *((WAYS[0], name) for name in NOT_DONE),
        *((WAYS[1], name) for name in ("TargetContainerHostname", "SessionId")),
    ],
)
def test_what_is_not_done_is_refused(operation: str, name: str) -> None:
    """Sessions, explanations and one of several containers; and never silently left out."""
    members = operation_model("sagemaker-runtime", operation).input_shape.members
    header = members[name].serialization["name"].lower()
    with pytest.raises(AwsError, match=name) as caught:
        Checks(operation).check({header: "NEW"}, b"")
    assert caught.value.code == "UnsupportedOperation"
