"""Credentials that end, without waiting for them to."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from mlref.aws.local.errors import AwsError
from mlref.aws.local.iam.directory import Document, Login, Role
from mlref.aws.local.iam.gate import Gate
from mlref.aws.local.iam.roles import RolesOfIam
from mlref.runtime.clock import ManualClock

START = datetime(2026, 1, 5, tzinfo=UTC)
ROLE = "arn:aws:iam::123456789012:role/caller"
ALL = '{"Statement": {"Effect": "Allow", "Action": "*", "Resource": "*"}}'
HEADERS = {
    "authorization": "AWS4-HMAC-SHA256 Credential=ASIAXYZ/20260105/us-east-1/sagemaker/aws4",
    "x-amz-security-token": "token",
}


class OneRole:
    """A directory with one role, and one who acts in it for an hour."""

    def __init__(self, *policies: str) -> None:
        self.policies = tuple(Document("work", text) for text in policies)

    def role(self, arn: str) -> Role | None:
        """The role."""
        return Role(arn, "{}", self.policies) if arn == ROLE and self.policies else None

    def login(self, access_key: str) -> Login | None:
        """Who acts in it."""
        until = START + timedelta(hours=1)
        return Login(ROLE, "arn:ann", "token", until) if access_key == "ASIAXYZ" else None

    def object_tags(self, bucket: str, key: str) -> dict[str, str]:
        """No object has any."""
        del bucket, key
        return {}

    def bucket_policy(self, bucket: str) -> str | None:
        """No bucket has one."""
        del bucket


def gate(directory: OneRole, clock: ManualClock) -> Gate:
    """A gate with that directory."""
    return Gate(directory, RolesOfIam(directory, clock), lambda _: {}, clock)


def test_credentials_end_after_their_time() -> None:
    """To the second, by the clock of those who sign."""
    clock = ManualClock(START)
    found = gate(OneRole(ALL), clock)
    found.check(HEADERS, "flights", "invocations")
    clock.advance(3599)
    found.check(HEADERS, "flights", "invocations")
    clock.advance(1)
    with pytest.raises(
        AwsError, match="security token included in the request is expired"
    ) as caught:
        found.check(HEADERS, "flights", "invocations")
    assert (caught.value.code, caught.value.status) == ("ExpiredTokenException", 403)


def test_a_role_that_was_deleted_may_do_nothing() -> None:
    """Though somebody still holds credentials of it."""
    found = gate(OneRole(), ManualClock(START))
    with pytest.raises(AwsError, match="no identity-based policy allows"):
        found.check(HEADERS, "flights", "invocations")


def test_only_temporary_credentials_are_looked_at() -> None:
    """All others are the account's own, and cost no time."""
    assert Gate.concerns(HEADERS)
    assert not Gate.concerns({"authorization": "AWS4-HMAC-SHA256 Credential=AKIAXYZ/2026"})
    assert not Gate.concerns({"authorization": "AWS4-HMAC-SHA256 Credential=test/2026"})
    assert not Gate.concerns({})


def test_a_temporary_key_that_nobody_was_given_is_refused() -> None:
    """For instance of a local AWS that has ended meanwhile, or of a real account."""
    headers = {"authorization": HEADERS["authorization"].replace("XYZ", "REAL")}
    with pytest.raises(AwsError, match="test/test always works") as caught:
        gate(OneRole(ALL), ManualClock(START)).check(headers, "flights", "invocations")
    assert (caught.value.code, caught.value.status) == ("UnrecognizedClientException", 403)
