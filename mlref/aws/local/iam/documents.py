"""Policies that are none are refused when they are given, as AWS does; moto takes any text.

Source: the API references of CreateRole, UpdateAssumeRolePolicy and AssumeRole
("MalformedPolicyDocument"), and of PutBucketPolicy ("MalformedPolicy").
"""

from __future__ import annotations

import json
from typing import Any

from mlref.aws.local.errors import AwsError
from mlref.aws.local.iam.policy import Policy

__all__ = ["GUARDED", "check"]

GUARDED = {
    ("iam", "CreateRole"): "AssumeRolePolicyDocument",
    ("iam", "UpdateAssumeRolePolicy"): "PolicyDocument",
    ("sts", "AssumeRole"): "Policy",
    ("s3", "PutBucketPolicy"): "Policy",
}
"""Service and operation, and the member of their request that holds a policy."""

_KINDS = {"iam": "trust", "sts": "role", "s3": "resource"}
_NOT_DONE = ("PolicyArns", "Tags", "TransitiveTagKeys", "ProvidedContexts")
"""The members of AssumeRole by which a session would be another one than moto keeps."""


def check(service: str, operation: str, request: dict[str, Any]) -> None:
    """Return if the policy in a request is one, and nothing else in it would be lost.

    Args:
        service: one of those in `GUARDED`, with an operation.
        operation: as AWS spells it.
        request: its parameters.

    Raises:
        AwsError: it is none; or a session is to be limited in a way that is not there.
    """
    if service == "sts":
        for member in _NOT_DONE:
            if member in request:
                text = f"the local AWS does not have AssumeRole with {member}; give Policy, or none"
                raise AwsError("UnsupportedOperation", text)
        if "Policy" not in request:
            return
    _check_policy(service, request.get(GUARDED[service, operation], ""))


def _check_policy(service: str, text: str) -> None:
    code = "MalformedPolicy" if service == "s3" else "MalformedPolicyDocument"
    try:
        document = json.loads(text)
    except ValueError as error:
        raise AwsError(code, f"This policy contains invalid Json: {error}") from error
    try:
        Policy.of("given", _KINDS[service], document)
    except ValueError as error:
        raise AwsError(code, f"Syntax errors in policy: {error}") from error
