"""What IAM knows of an account, as the rest of the local AWS asks for it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

__all__ = ["Directory", "Document", "Login", "Role"]


@dataclass(frozen=True)
class Document:
    """A policy as it was given.

    Attributes:
        name: by which the policy simulator tells it apart.
        text: JSON.
        kind: where it comes from, as the policy simulator spells it: role, aws-managed, ...
    """

    name: str
    text: str
    kind: str = "role"


@dataclass(frozen=True)
class Role:
    """A role.

    Attributes:
        arn: of the role.
        trust: who may act in it: JSON.
        policies: what may be done in it.
        boundary: the most that may be done in it, whatever its policies say; or None.
        tags: that it carries.
    """

    arn: str
    trust: str
    policies: tuple[Document, ...] = ()
    boundary: Document | None = None
    tags: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Login:
    """Temporary credentials of somebody who acts in a role.

    Attributes:
        role: the role's ARN.
        arn: of the one who acts.
        token: the session token that belongs to the access key.
        expires: when it ends.
        policy: the most that may be done with it, as AssumeRole was told; or None.
    """

    role: str
    arn: str
    token: str
    expires: datetime
    policy: Document | None = None


class Directory(Protocol):
    """Finds roles, logins and the policies of buckets."""

    def role(self, arn: str) -> Role | None:
        """A role by its ARN; None if there is none."""
        ...

    def login(self, access_key: str) -> Login | None:
        """Whose access key it is, if it is a temporary one of a role."""
        ...

    def object_tags(self, bucket: str, key: str) -> Mapping[str, str]:
        """The tags of an object; none if it is not there.

        Args:
            bucket: its name.
            key: of the object.
        """
        ...

    def bucket_policy(self, bucket: str) -> str | None:
        """The policy of a bucket, JSON; None if it has none, or is not there."""
        ...
