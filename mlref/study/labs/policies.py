"""What a policy of IAM says, for labs that let a learner write one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mlref.aws.local.iam.policy import Policy, Query, judge

__all__ = ["says"]


def says(policy: Mapping[str, Any], action: str, resource: str = "*", *, who: str = "") -> str:
    """What a policy says to a request: "allowed", "explicitDeny" or "implicitDeny".

    Args:
        policy: the document.
        action: as in "s3:GetObject".
        resource: an ARN.
        who: asks, as in "sagemaker.amazonaws.com"; for policies that name a Principal.

    Raises:
        TypeError: it is no dictionary.
        ValueError: it is no policy; says what is wrong with it.

    >>> read = {"Effect": "Allow", "Action": "s3:Get*", "Resource": "arn:aws:s3:::models/*"}
    >>> policy = {"Version": "2012-10-17", "Statement": [read]}
    >>> says(policy, "s3:GetObject", "arn:aws:s3:::models/a.tar.gz")
    'allowed'
    >>> says(policy, "s3:PutObject", "arn:aws:s3:::models/a.tar.gz")
    'implicitDeny'
    """
    if not isinstance(policy, Mapping):
        raise TypeError(f"a policy is a dictionary, got {type(policy).__name__}")
    principals = frozenset({who} if who else ())
    return judge(
        [Policy.of("policy", "trust" if who else "none", policy)],
        Query(action, resource, {}, principals),
    ).decision
