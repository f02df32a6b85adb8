"""What the parts of the local AWS share: the account, the time, and what lies in S3."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from mlref.aws.local.errors import validation
from mlref.aws.local.tags import Tags
from mlref.aws.local.timers import Timers
from mlref.runtime.clock import Clock

__all__ = [
    "ACCOUNT",
    "REGION",
    "Logs",
    "Metrics",
    "NoLogs",
    "Objects",
    "OpenRoles",
    "Roles",
    "World",
    "arn",
    "split_uri",
]

ACCOUNT = "123456789012"
"""The account that the local AWS is: the one that moto uses, too."""

REGION = "us-east-1"
"""The one region that the local AWS has."""


class Objects(Protocol):
    """What lies in S3."""

    def get(self, uri: str) -> bytes:
        """The content of an object.

        Args:
            uri: as in "s3://bucket/key".

        Raises:
            AwsError: there is no such bucket or object.
        """
        ...

    def put(self, uri: str, content: bytes) -> None:
        """Save an object, as another client would.

        Raises:
            AwsError: there is no such bucket.
        """
        ...

    def keys(self, prefix: str) -> list[str]:
        """The objects that begin so, in order, as "s3://bucket/key" each.

        Raises:
            AwsError: there is no such bucket.
        """
        ...

    def exists(self, uri: str) -> bool:
        """Whether there is such an object."""
        ...


class Metrics(Protocol):
    """What CloudWatch keeps."""

    def put(
        self,
        namespace: str,
        name: str,
        dimensions: Mapping[str, str],
        values: Mapping[float, float],
        *,
        unit: str,
        at: datetime | None = None,
        resolution_s: int = 60,
    ) -> None:
        """Keep observations.

        Args:
            namespace: as in "AWS/SageMaker".
            name: as in "Invocations".
            dimensions: name -> value.
            values: value -> how often it was seen.
            unit: one of CloudWatch's, as in "Microseconds".
            at: when they were made; None is now.
            resolution_s: 60, or 1 for a metric of high resolution.
        """
        ...


class Logs(Protocol):
    """What stands in CloudWatch Logs."""

    def put(self, group: str, stream: str, lines: Iterable[str]) -> None:
        """Append lines to a stream; group and stream are made if they are not there.

        Args:
            group: as in "/aws/sagemaker/Endpoints/flights".
            stream: as in "AllTraffic/i-0".
            lines: without line ends.
        """
        ...


class Roles(Protocol):
    """Who may do what."""

    def trusts(self, role: str, service: str, *, source: str) -> None:
        """Return if a service may act in a role.

        Args:
            role: its ARN.
            service: as in "sagemaker.amazonaws.com".
            source: the ARN of what it acts for, for instance of a model.

        Raises:
            AwsError: there is no such role, or it does not trust the service.
        """
        ...

    def allows(self, role: str, action: str, resource: str) -> bool:
        """Whether a role's policies allow something.

        Args:
            role: its ARN.
            action: as in "s3:GetObject".
            resource: an ARN.
        """
        ...


class OpenRoles:
    """Everybody may do everything."""

    def trusts(self, role: str, service: str, *, source: str) -> None:
        """See `Roles.trusts`.

        Args:
            role: any.
            service: any.
            source: any.
        """

    def allows(self, role: str, action: str, resource: str) -> bool:  # noqa: ARG002 - as Roles
        """See `Roles.allows`.

        Args:
            role: any.
            action: any.
            resource: any.
        """
        return True


class NoLogs:
    """Keeps no log."""

    def put(self, group: str, stream: str, lines: Iterable[str]) -> None:
        """See `Logs.put`.

        Args:
            group: any.
            stream: any.
            lines: are lost.
        """


@dataclass(frozen=True, kw_only=True)
class World:
    """What the parts share.

    Attributes:
        timers: the time, and what is to be done when.
        objects: what lies in S3.
        metrics: what CloudWatch keeps.
        logs: what stands in CloudWatch Logs.
        roles: who may do what.
        tags: what resources carry.
    """

    timers: Timers
    objects: Objects
    metrics: Metrics
    logs: Logs = field(default_factory=NoLogs)
    roles: Roles = field(default_factory=OpenRoles)
    tags: Tags = field(default_factory=Tags)

    @property
    def clock(self) -> Clock:
        """Tells the time."""
        return self.timers.clock


def arn(service: str, resource: str) -> str:
    """The Amazon Resource Name of something in the local AWS.

    >>> arn("sagemaker", "model/flights")
    'arn:aws:sagemaker:us-east-1:123456789012:model/flights'
    """
    return f"arn:aws:{service}:{REGION}:{ACCOUNT}:{resource}"


def split_uri(uri: str) -> tuple[str, str]:
    """Bucket and key of an address in S3.

    >>> split_uri("s3://models/flights/model.tar.gz")
    ('models', 'flights/model.tar.gz')

    Raises:
        AwsError: it is no such address.
    """
    scheme, _, rest = uri.partition("://")
    bucket, _, key = rest.partition("/")
    if scheme != "s3" or not bucket:
        raise validation(f"an address in S3 is s3://bucket/key, got {uri!r}")
    return bucket, key
