"""Who may act in a role, and what may be done in it.

    trust of the role          who may act in it
    policies of the role       what may be done in it; or the policy of the bucket allows it
      and its boundary         the most that its policies can give
      and a session's policy   the most that AssumeRole lets it do

A deny in any of them wins. What the policy of a bucket gives, the boundary and the session's policy
limit as well (AWS makes an exception for a grant to a single session, which is not made here). Of
service control policies and of keys of KMS nothing is known.

Source: the IAM User Guide, "Policy evaluation logic".
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from mlref.aws.local.errors import AwsError, validation
from mlref.aws.local.iam.directory import Directory, Document, Login, Role
from mlref.aws.local.iam.policy import EXPLICIT, IMPLICIT, Policy, Query, Verdict, judge
from mlref.aws.local.world import ACCOUNT, REGION
from mlref.runtime.clock import Clock

__all__ = ["RolesOfIam", "context_of", "judge_resource"]

_BUCKETS = "arn:aws:s3:::"
_ASSUME = "sts:AssumeRole"
_EVERYBODY = frozenset({ACCOUNT, f"arn:aws:iam::{ACCOUNT}:root"})  # of the account
_IDENTITY, _RESOURCE = "identity-based policy", "resource-based policy"


def context_of(role: Role, clock: Clock) -> dict[str, Sequence[str]]:
    """The condition keys that every request of a role has.

    Args:
        role: that acts.
        clock: tells the time.
    """
    now = clock.now()
    found: dict[str, Sequence[str]] = {
        "aws:currenttime": [now.isoformat()],
        "aws:epochtime": [str(int(now.timestamp()))],
        "aws:principalaccount": [ACCOUNT],
        "aws:principalarn": [role.arn],
        "aws:principaltype": ["AssumedRole"],
        "aws:requestedregion": [REGION],
        "aws:securetransport": ["true"],  # as it is on AWS, which the policy is written for
        "aws:viaawsservice": ["false"],
    }
    return found | {f"aws:principaltag/{key.lower()}": [value] for key, value in role.tags.items()}


class RolesOfIam:
    """The roles of the account; see `mlref.aws.local.world.Roles`.

    Args:
        directory: what IAM knows.
        clock: tells the time to conditions.
    """

    def __init__(self, directory: Directory, clock: Clock) -> None:
        self._directory = directory
        self._clock = clock

    def trusts(self, role: str, service: str, *, source: str) -> None:
        """Return if a service may act in a role; see `Roles.trusts`.

        Args:
            role: its ARN.
            service: as in "sagemaker.amazonaws.com".
            source: the ARN of what it acts for.

        Raises:
            AwsError: there is no such role, or it does not trust the service.
        """
        found = self._directory.role(role)
        if found is not None:
            given = Policy.of(role, "trust", found.trust)
            context = {"aws:sourceaccount": [ACCOUNT], "aws:sourcearn": [source]}
            query = Query(_ASSUME, role, context, frozenset({service}))
            if judge([given], query).allowed:
                return
        raise validation(
            f"Could not assume role {role}. Please ensure that the role exists and allows "
            f"principal '{service}' to assume the role."
        )

    def require_assumable(self, role: str) -> None:
        """Return if the account itself may act in a role.

        Args:
            role: its ARN.

        Raises:
            AwsError: there is no such role, or its trust policy does not name the account.
        """
        found = self._directory.role(role)
        if found is not None:
            query = Query(_ASSUME, role, {"aws:principalaccount": [ACCOUNT]}, account=_EVERYBODY)
            if judge([Policy.of(role, "trust", found.trust)], query).allowed:
                return
        user = f"arn:aws:iam::{ACCOUNT}:root"
        raise AwsError(
            "AccessDenied",
            f"User: {user} is not authorized to perform: {_ASSUME} on resource: {role}",
            status=403,
        )

    def allows(self, role: str, action: str, resource: str) -> bool:
        """Whether a role may do something; see `Roles.allows`.

        Args:
            role: its ARN; one that is not there may do nothing.
            action: as in "s3:GetObject".
            resource: an ARN.
        """
        found = self._directory.role(role)
        if found is None:
            return False
        context = context_of(found, self._clock) | self._object_of(resource)
        query = Query(action, resource, context, frozenset({role}))
        return self._verdict(found, query)[0].allowed

    def require_allowed(
        self, login: Login, action: str, resource: str, context: Mapping[str, Sequence[str]]
    ) -> None:
        """Return if somebody who acts in a role may do something.

        Args:
            login: who asks.
            action: as in "sagemaker:InvokeEndpoint".
            resource: an ARN.
            context: more condition keys of the request, in lower case.

        Raises:
            AwsError: they may not; it tells which kind of policy is to blame.
        """
        role = self._directory.role(login.role)
        verdict, blamed = Verdict(IMPLICIT), _IDENTITY
        if role is not None:
            told = {**context_of(role, self._clock), **context}
            query = Query(action, resource, told, frozenset({login.role, login.arn}))
            verdict, blamed = self._verdict(role, query, login.policy)
        if verdict.allowed:
            return
        article = "an" if blamed.startswith("i") else "a"
        because = (
            f"with an explicit deny in {article} {blamed}"
            if verdict.decision == EXPLICIT
            else f"because no {blamed} allows the {action} action"
        )
        raise AwsError(
            "AccessDeniedException",
            f"User: {login.arn} is not authorized to perform: {action} on resource: {resource} "
            f"{because}",
            status=403,
        )

    def _verdict(
        self, role: Role, query: Query, session: Document | None = None
    ) -> tuple[Verdict, str]:
        """What all policies together say, and which kind of them decided it."""
        given = [_read(each) for each in role.policies]
        limits = {"permissions boundary": role.boundary, "session policy": session}
        bounds = {name: _read(each) for name, each in limits.items() if each is not None}
        own, bucket = judge(given, query), Verdict(IMPLICIT)
        policy = self._policy_of_bucket(query.resource)
        if policy is not None:
            bucket = judge_resource(policy, query)
        limited = {name: judge([each], query) for name, each in bounds.items()}
        named = {_IDENTITY: own, _RESOURCE: bucket, **limited}
        for name, verdict in named.items():
            if verdict.decision == EXPLICIT:
                return verdict, name
        for name, verdict in limited.items():
            if not verdict.allowed:
                return verdict, name
        return (bucket, _RESOURCE) if bucket.allowed else (own, _IDENTITY)

    def _object_of(self, resource: str) -> dict[str, Sequence[str]]:
        """The condition keys that tell of an object of S3: its tags."""
        bucket, _, key = resource.removeprefix(_BUCKETS).partition("/")
        if not resource.startswith(_BUCKETS) or not key:
            return {}
        tags = self._directory.object_tags(bucket, key)
        return {f"s3:existingobjecttag/{name.lower()}": [value] for name, value in tags.items()}

    def _policy_of_bucket(self, resource: str) -> Policy | None:
        if not resource.startswith(_BUCKETS):
            return None
        bucket = resource.removeprefix(_BUCKETS).partition("/")[0]
        text = self._directory.bucket_policy(bucket)
        return None if text is None else Policy.of(bucket, "resource", text)


def judge_resource(policy: Policy, query: Query) -> Verdict:
    """What the policy of a resource says to somebody of its own account.

    A deny reaches them by the names of the account too. An Allow that names the account alone
    leaves it to their own policies.

    Args:
        policy: of the resource.
        query: with the names of who asks, without those of the account.
    """
    denied = judge([policy], replace(query, account=_EVERYBODY))
    return denied if denied.decision == EXPLICIT else judge([policy], query)


def _read(document: Document) -> Policy:
    return Policy.of(document.name, document.kind, document.text)
