"""The policy simulator: what a role's policies, or some that are given, say to some actions.

Source: the API reference of SimulatePrincipalPolicy and SimulateCustomPolicy.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from mlref.aws.local.errors import AwsError
from mlref.aws.local.iam.directory import Directory, Document, Role
from mlref.aws.local.iam.policy import EXPLICIT, IMPLICIT, Policy, Query, Verdict, judge
from mlref.aws.local.iam.roles import judge_resource
from mlref.aws.local.services import Part, Request, Response, operation

__all__ = ["Simulator"]

_PAGE = 100
_ENTITY = re.compile(r"arn:aws:iam::\d{12}:(user|group|role)/")  # those that have policies


class Simulator(Part):
    """SimulatePrincipalPolicy and SimulateCustomPolicy.

    Args:
        directory: knows the roles.
    """

    def __init__(self, directory: Directory) -> None:
        self._directory = directory

    @operation
    def simulate_principal_policy(self, request: Request) -> Response:
        """SimulatePrincipalPolicy, of a role.

        Raises:
            AwsError: there is no such role, or a policy that is given is none.
        """
        arn = request["PolicySourceArn"]
        if not _ENTITY.match(arn):
            raise AwsError("InvalidInput", f"Invalid Entity Arn: {arn}")
        role = self._directory.role(arn)
        if role is None:
            text = f"The role {arn} cannot be found; the local AWS has roles, no users and groups."
            raise AwsError("NoSuchEntity", text, status=404)
        if "ResourcePolicy" in request:
            text = "ResourcePolicy cannot be simulated for roles; use SimulateCustomPolicy"
            raise AwsError("InvalidInput", text)
        documents = [*role.policies, *_given(request, "PolicyInputList")]
        boundary = [role.boundary] if role.boundary is not None else []
        boundary = _given(request, "PermissionsBoundaryPolicyInputList") or boundary
        return self._simulated(request, documents, boundary, role)

    @operation
    def simulate_custom_policy(self, request: Request) -> Response:
        """SimulateCustomPolicy."""
        boundary = _given(request, "PermissionsBoundaryPolicyInputList")
        return self._simulated(request, _given(request, "PolicyInputList"), boundary, None)

    def _simulated(
        self,
        request: Request,
        documents: Sequence[Document],
        boundary: Sequence[Document],
        role: Role | None,
    ) -> Response:
        policies, limits = _read(documents), _read(boundary)
        of_resource = _read(_given(request, "ResourcePolicy"))
        context = {} if role is None else {"aws:principalarn": [role.arn]}
        context |= {
            each["ContextKeyName"].lower(): each.get("ContextKeyValues", [])
            for each in request.get("ContextEntries", [])
        }
        caller = request.get("CallerArn") or ("" if role is None else role.arn)
        principals = frozenset({caller} if caller else ())
        results = []
        for action in request["ActionNames"]:
            _require_action(action)
            for resource in request.get("ResourceArns") or ["*"]:
                query = Query(action, resource, context, principals)
                verdict = _joined(judge(policies, query), of_resource, query)
                limit = judge(limits, query) if limits else None
                results.append(_told(query, verdict, limit))
        return _page(results, request)


def _joined(own: Verdict, of_resource: Sequence[Policy], query: Query) -> Verdict:
    """What the caller's policies and that of the resource say together."""
    if not of_resource or own.decision == EXPLICIT:
        return own
    other = judge_resource(of_resource[0], query)
    missing = tuple(sorted({*own.missing, *other.missing}))
    decisive = other if other.decision == EXPLICIT or not own.allowed else own
    return replace(decisive, missing=missing)


def _told(query: Query, verdict: Verdict, limit: Verdict | None) -> dict[str, Any]:
    """One of EvaluationResults."""
    decision = verdict.decision
    if limit is not None and verdict.allowed and not limit.allowed:
        decision = limit.decision
    missing = {*verdict.missing, *(limit.missing if limit is not None else ())}
    found: dict[str, Any] = {
        "EvalActionName": query.action,
        "EvalResourceName": query.resource,
        "EvalDecision": decision,
        "MatchedStatements": [
            {"SourcePolicyId": each.name, "SourcePolicyType": each.kind}
            for each in (verdict.matched if verdict.decision != IMPLICIT else ())
        ],
        "MissingContextValues": sorted(missing),
    }
    if limit is not None:
        found["PermissionsBoundaryDecisionDetail"] = {"AllowedByPermissionsBoundary": limit.allowed}
    return found


def _given(request: Request, member: str) -> list[Document]:
    """The policies that stand in a request."""
    values = request.get(member, [])
    listed = [values] if isinstance(values, str) else values
    kind = "resource" if member == "ResourcePolicy" else "none"
    return [Document(f"{member}.{number}", text, kind) for number, text in enumerate(listed, 1)]


def _read(documents: Sequence[Document]) -> list[Policy]:
    """The policies of documents.

    Raises:
        AwsError: one is no policy.
    """
    try:
        return [Policy.of(each.name, each.kind, each.text) for each in documents]
    except ValueError as error:
        raise AwsError("InvalidInput", f"Invalid Input {error}") from error


def _require_action(name: str) -> None:
    """Refuse what is no action: the simulator takes no wildcards."""
    service, _, action = name.partition(":")
    if not service or not action or "*" in name or "?" in name:
        text = f"Invalid Service/Action name: {name}; give one like s3:GetObject, without wildcards"
        raise AwsError("InvalidInput", text)


def _page(results: Sequence[Mapping[str, Any]], request: Request) -> Response:
    """One page, as IAM's lists are cut."""
    marker = request.get("Marker", "0")
    if not marker.isdecimal():
        raise AwsError("InvalidInput", f"Marker {marker!r} is none that this service gave")
    begin = int(marker)
    end = begin + request.get("MaxItems", _PAGE)
    more = end < len(results)
    return {
        "EvaluationResults": results[begin:end],
        "IsTruncated": more,
        **({"Marker": str(end)} if more else {}),
    }
