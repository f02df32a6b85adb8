"""Trust policies that are none are refused when they are given, as IAM does; moto takes any text.

Source: the API reference of CreateRole and UpdateAssumeRolePolicy, "MalformedPolicyDocument".
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping

from mlref.aws.local.errors import AwsError
from mlref.aws.local.iam.policy import Policy
from mlref.aws.local.services import Request

__all__ = ["GUARDS"]

_VERSIONS = {"2012-10-17", "2008-10-17"}


def _check_trust(text: str) -> None:
    """Return if a text is a trust policy.

    Raises:
        AwsError: it is none.
    """
    try:
        document = json.loads(text)
    except ValueError as error:
        raise _malformed(f"This policy contains invalid Json: {error}") from error
    if not isinstance(document, dict) or document.get("Version", "2008-10-17") not in _VERSIONS:
        raise _malformed(f"the Version must be one of {', '.join(sorted(_VERSIONS))}")
    try:
        Policy.of("trust policy", "role", document)
    except ValueError as error:
        raise _malformed(f"Syntax errors in policy: {error}") from error
    statements = document["Statement"]
    for each in statements if isinstance(statements, list) else [statements]:
        if "Principal" not in each:
            raise _malformed("AssumeRole policy must specify a Principal in each statement")
        if "Resource" in each or "NotResource" in each:
            raise _malformed("Has prohibited field Resource")


def _malformed(message: str) -> AwsError:
    return AwsError("MalformedPolicyDocument", message)


GUARDS: Mapping[str, Callable[[Request], None]] = {
    "CreateRole": lambda request: _check_trust(request.get("AssumeRolePolicyDocument", "")),
    "UpdateAssumeRolePolicy": lambda request: _check_trust(request.get("PolicyDocument", "")),
}
"""Operations of IAM, and what looks at their requests before moto gets them."""
