"""Policies of IAM, and what they say to a request: allowed, or denied explicitly or implicitly.

A statement that denies wins over all that allow, and what no statement allows is denied.

Source: the IAM User Guide, "Policy evaluation logic" and "IAM JSON policy reference".
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mlref.aws.local.iam.conditions import Condition, Context
from mlref.aws.local.iam.matching import UnknownVariableError, expand, glob, matches_resource

__all__ = ["ALLOWED", "EXPLICIT", "IMPLICIT", "Policy", "Query", "Verdict", "judge"]

_OLD, _NEW = "2008-10-17", "2012-10-17"  # versions of the language; the old one has no ${...}
_DOCUMENT = frozenset({"Version", "Id", "Statement"})
_ELEMENTS = frozenset({"Sid", "Effect", "Principal", "NotPrincipal", "Action", "NotAction",
                       "Resource", "NotResource", "Condition"})  # fmt: skip
_MUST = {"has": "have none", "lacks": "need one"}

ALLOWED, EXPLICIT, IMPLICIT = "allowed", "explicitDeny", "implicitDeny"
"""The decisions, as the policy simulator spells them."""


@dataclass(frozen=True)
class Query:
    """What somebody wants to do.

    Attributes:
        action: for instance "s3:GetObject".
        resource: an ARN; "*" is all there are.
        context: what conditions ask for: key in lower case -> values.
        principals: the names of who asks: ARNs, or the name of a service.
        account: more names by which a Principal means them too: those of their account.
    """

    action: str
    resource: str
    context: Context
    principals: frozenset[str] = frozenset()
    account: frozenset[str] = frozenset()


@dataclass(frozen=True)
class _Statement:
    allows: bool
    actions: tuple[str, ...]
    not_actions: bool
    resources: tuple[str, ...]
    not_resources: bool
    principals: tuple[str, ...] | None
    not_principals: bool
    conditions: tuple[Condition, ...]
    variables: bool

    def concerns(self, query: Query) -> bool:
        """Whether it is about such a request, whatever its conditions say."""
        acts = any(glob(each, query.action, ignore_case=True) for each in self.actions)
        if acts == self.not_actions:
            return False
        if any(self._names(each, query) for each in self.resources) == self.not_resources:
            return False
        if self.principals is None:
            return True
        if self.not_principals:  # to leave out an account leaves out none who acts in it
            return "*" not in self.principals and query.principals.isdisjoint(self.principals)
        asking = query.principals | query.account
        return "*" in self.principals or not asking.isdisjoint(self.principals)

    def _names(self, resource: str, query: Query) -> bool:
        """Whether one of its resources is meant; one with a variable of no value means nothing."""
        try:
            wanted = expand(resource, query.context) if self.variables else resource
        except UnknownVariableError:
            return False
        return matches_resource(wanted, query.resource)

    def holds(self, query: Query) -> bool:
        """Whether it applies to a request."""
        return self.concerns(query) and all(each.holds(query.context) for each in self.conditions)


@dataclass(frozen=True)
class Policy:
    """A policy document.

    Attributes:
        name: by which it is told apart from others.
        kind: where it comes from, for instance "role".
        statements: of the document.
    """

    name: str
    kind: str
    statements: tuple[_Statement, ...]

    @classmethod
    def of(cls, name: str, kind: str, document: str | Mapping[str, Any]) -> Policy:
        """A policy, read.

        Args:
            name: by which it is told apart from others.
            kind: where it comes from: "trust" of a role, "resource" as of a bucket, or that of
                an identity, for instance "role".
            document: JSON.

        Raises:
            ValueError: it is no policy of IAM's, or none of its kind.
        """
        try:
            given = json.loads(document) if isinstance(document, str) else document
            if not isinstance(given, Mapping):
                raise ValueError("a policy is an object")  # noqa: TRY004 - of JSON
            _only(given, _DOCUMENT)
            version = given.get("Version", _OLD)
            if version not in {_OLD, _NEW}:
                raise ValueError(f"Version must be {_NEW} or {_OLD}, got {version!r}")
            listed = given["Statement"]
            statements = listed if isinstance(listed, list) else [listed]
            read = (_statement(each, kind, variables=version == _NEW) for each in statements)
            return cls(name, kind, tuple(read))
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            told = f"{error} is missing" if isinstance(error, KeyError) else str(error)
            raise ValueError(f"policy {name}: {told}") from error


@dataclass(frozen=True)
class Verdict:
    """What some policies say to a request.

    Attributes:
        decision: ALLOWED, EXPLICIT or IMPLICIT.
        matched: the policies with a statement that decided it.
        missing: the keys that conditions ask for and the request lacks.
    """

    decision: str
    matched: tuple[Policy, ...] = ()
    missing: tuple[str, ...] = ()

    @property
    def allowed(self) -> bool:
        """Whether it may be done."""
        return self.decision == ALLOWED


def judge(policies: Iterable[Policy], query: Query) -> Verdict:
    """What policies say to a request, together."""
    allowing: list[Policy] = []
    denying: list[Policy] = []
    missing: set[str] = set()
    for policy in policies:
        for each in policy.statements:
            if not each.concerns(query):
                continue
            missing |= {one.key for one in each.conditions if one.missing(query.context)}
            if each.holds(query):
                (allowing if each.allows else denying).append(policy)
    decision = EXPLICIT if denying else ALLOWED if allowing else IMPLICIT
    matched = tuple(dict.fromkeys(denying or allowing))
    return Verdict(decision, matched, tuple(sorted(missing)))


def _only(given: Mapping[str, Any], names: frozenset[str]) -> None:
    """Refuse elements that nobody knows; they are misspelt, and would be without effect."""
    unknown = sorted(set(given) - names)
    if unknown:
        raise ValueError(f"{unknown[0]!r} is no element; there are {', '.join(sorted(names))}")


def _statement(given: Mapping[str, Any], kind: str, *, variables: bool) -> _Statement:
    """A statement, read.

    Raises:
        ValueError: it lacks something, or has what no statement of this kind has.
    """
    _only(given, _ELEMENTS)
    names_somebody = "Principal" in given or "NotPrincipal" in given
    if names_somebody != (kind in {"trust", "resource"}):
        told = "has" if names_somebody else "lacks"
        raise ValueError(f"a statement {told} a Principal; those of {kind} policies {_MUST[told]}")
    if kind == "trust" and ("Resource" in given or "NotResource" in given):
        raise ValueError("Has prohibited field Resource")
    effect = given.get("Effect")
    if effect not in {"Allow", "Deny"}:
        raise ValueError(f"Effect must be Allow or Deny, got {effect!r}")
    actions, not_actions = _either(given, "Action")
    resources, not_resources = _either(given, "Resource", optional=kind == "trust")
    principals, not_principals = _principals(given)
    conditions = [
        Condition.of(operator, key, _texts(values), variables=variables)
        for operator, keys in given.get("Condition", {}).items()
        for key, values in keys.items()
    ]
    return _Statement(
        allows=effect == "Allow",
        actions=actions,
        not_actions=not_actions,
        resources=resources,
        not_resources=not_resources,
        principals=principals,
        not_principals=not_principals,
        conditions=tuple(conditions),
        variables=variables,
    )


def _either(
    given: Mapping[str, Any], name: str, *, optional: bool = False
) -> tuple[tuple[str, ...], bool]:
    """The values of an element, and whether it is spelled with Not.

    Raises:
        ValueError: there are both, or none.
    """
    if (name in given) == (f"Not{name}" in given):
        if optional and name not in given:
            return ("*",), False  # the trust policy of a role is about the role
        raise ValueError(f"give {name} or Not{name}: exactly one of the two")
    spelled = name if name in given else f"Not{name}"
    return _texts(given[spelled]), spelled != name


def _principals(given: Mapping[str, Any]) -> tuple[tuple[str, ...] | None, bool]:
    """The principals of a statement, None if it has none; and whether it is NotPrincipal."""
    spelled = "NotPrincipal" if "NotPrincipal" in given else "Principal"
    named = given.get(spelled)
    if named is None:
        return None, False
    if named == "*":
        return ("*",), spelled != "Principal"
    found = [each for values in named.values() for each in _texts(values)]
    return tuple(found), spelled != "Principal"


def _texts(values: Any) -> tuple[str, ...]:
    listed: Sequence[Any] = values if isinstance(values, list) else [values]
    return tuple(str(each).lower() if isinstance(each, bool) else str(each) for each in listed)
