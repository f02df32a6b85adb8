"""What labs say of a policy that a learner has written."""

from __future__ import annotations

from typing import Any

import pytest

from mlref.study.labs.policies import says

TRUST = {
    "Statement": {
        "Effect": "Allow",
        "Principal": {"Service": "sagemaker.amazonaws.com"},
        "Action": "sts:AssumeRole",
    }
}


def test_a_trust_policy_is_for_who_is_named() -> None:
    """And a deny is told apart from nothing said."""
    assert says(TRUST, "sts:AssumeRole", who="sagemaker.amazonaws.com") == "allowed"
    assert says(TRUST, "sts:AssumeRole", who="ec2.amazonaws.com") == "implicitDeny"
    denied = {"Statement": [{"Effect": "Deny", "Action": "s3:*", "Resource": "*"}]}
    assert says(denied, "s3:GetObject") == "explicitDeny"


@pytest.mark.parametrize(
    ("policy", "kind", "words"),
    [
        ("{}", TypeError, "is a dictionary, got str"),
        ({}, ValueError, "Statement"),
        ({"Statement": [{"Effect": "allow", "Action": "s3:*"}]}, ValueError, "Allow or Deny"),
    ],
)
def test_what_is_no_policy_is_told(policy: Any, kind: type[Exception], words: str) -> None:
    """In words that a check can pass on."""
    with pytest.raises(kind, match=words):
        says(policy, "s3:GetObject")
