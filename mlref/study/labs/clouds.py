"""What labs on AWS check with: a learner's requests, read as AWS would, and sent to a local AWS.

    strictly("sagemaker", "CreateModel", answer.model, shown="`model`")
    with account() as aws:
        aws.upload("s3://models/late/model.tar.gz", content)
        aws.send("sagemaker", "create_model", answer.model)
        ...
        status = aws.settled("flights")["EndpointStatus"]

Whatever AWS would refuse rejects the answer, in words for learners. The account is empty, and gone
when the block ends; its clock can be moved on.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from threading import Event
from typing import Any

from mlref.aws.client import session
from mlref.aws.local.cloud import Cloud, start
from mlref.aws.strict import check
from mlref.runtime.lazy import extra
from mlref.study.labs.checks import Rejected, reject

__all__ = ["Account", "account", "strictly"]

_BUSY = frozenset({"Creating", "Updating", "RollingBack", "Deleting"})
_LOOK_S = 0.05
_LOOKS = 1200  # a minute
_SHOWN = 3  # problems of one request


def strictly(service: str, operation: str, request: object, *, shown: str) -> Mapping[str, Any]:
    """A request that AWS's own model allows.

    Args:
        service: the name that boto3 knows it by, for instance "sagemaker".
        operation: as AWS spells it, for instance "CreateModel".
        request: what stands in the answer.
        shown: the same as a message names it.

    Raises:
        Rejected: it is no mapping, or AWS would refuse a field of it.
    """
    if not isinstance(request, Mapping):
        kind = type(request).__name__
        reject(
            f"{shown} must be a dictionary, got {kind}",
            why=f"it is passed to {operation} as keyword arguments",
        )
    problems = check(service, operation, request)
    if problems:
        told = "\n".join(f"- {each}" for each in problems[:_SHOWN])
        more = f"\n- and {len(problems) - _SHOWN} more" if len(problems) > _SHOWN else ""
        reject(
            f"AWS would refuse {shown}, by its model of {operation}:\n{told}{more}",
            why="a request that is refused on your machine costs a second; in a pipeline it costs "
            "the minutes that all steps before it took",
        )
    return request


class Account:
    """An empty account on a local AWS.

    Args:
        cloud: the local AWS.

    Attributes:
        cloud: the same; `cloud.advance` moves its clock on.
    """

    def __init__(self, cloud: Cloud) -> None:
        self.cloud = cloud
        self._session = session(at=cloud, environ={})
        self._clients: dict[str, Any] = {}

    def client(self, service: str) -> Any:
        """A client of boto3, for instance of "sagemaker-runtime"."""
        if service not in self._clients:
            self._clients[service] = self._session.client(service)
        return self._clients[service]

    def upload(self, uri: str, content: bytes) -> None:
        """Save an object; its bucket is created if it is not there.

        Args:
            uri: as in "s3://bucket/key".
            content: of the object.
        """
        bucket, _, key = uri.removeprefix("s3://").partition("/")
        self.create_bucket(bucket)
        self.client("s3").put_object(Bucket=bucket, Key=key, Body=content)

    def create_bucket(self, name: str) -> None:
        """A bucket of that name, if there is none yet."""
        self.client("s3").create_bucket(Bucket=name)

    def create_role(self, arn: str) -> None:
        """A role that SageMaker may act in, and that may read and write every object in S3.

        Args:
            arn: of the role; it may have a path.
        """
        path, _, name = arn.partition(":role/")[2].rpartition("/")
        version = {"Version": "2012-10-17"}
        trust = {
            "Effect": "Allow",
            "Principal": {"Service": "sagemaker.amazonaws.com"},
            "Action": "sts:AssumeRole",
        }
        may = {"Effect": "Allow", "Action": ["s3:GetObject", "s3:PutObject"], "Resource": "*"}
        iam = self.client("iam")
        iam.create_role(
            RoleName=name,
            Path=f"/{path}/" if path else "/",
            AssumeRolePolicyDocument=json.dumps({**version, "Statement": [trust]}),
        )
        iam.put_role_policy(
            RoleName=name,
            PolicyName="objects",
            PolicyDocument=json.dumps({**version, "Statement": [may]}),
        )

    def send(self, service: str, method: str, request: Mapping[str, Any]) -> dict[str, Any]:
        """What a service answers to a learner's request.

        Args:
            service: the name that boto3 knows it by.
            method: of boto3's client, for instance "create_model".
            request: its keyword arguments.

        Raises:
            Rejected: it is refused; the message has the service's words.
        """
        with extra("aws"):
            from botocore.exceptions import ClientError
        try:
            return dict(getattr(self.client(service), method)(**request))
        except ClientError as error:
            told = error.response["Error"]
            reject(
                f"{method} was refused with {told['Code']}: {told['Message']:.500}",
                why="what AWS refuses is never created, and all that was to follow does not happen",
            )

    def describe(self, endpoint: str) -> dict[str, Any]:
        """What DescribeEndpoint tells of an endpoint."""
        return dict(self.client("sagemaker").describe_endpoint(EndpointName=endpoint))

    def settled(self, endpoint: str) -> dict[str, Any]:
        """What DescribeEndpoint tells of an endpoint when nothing is under way any more.

        Args:
            endpoint: its name.

        Raises:
            Rejected: it was still under way after a minute.
        """
        return self._described(endpoint, lambda told: told["EndpointStatus"] not in _BUSY)

    def baking(self, endpoint: str) -> dict[str, Any]:
        """What DescribeEndpoint tells of an endpoint when its update has moved the first requests.

        Args:
            endpoint: its name.

        Raises:
            Rejected: it had not after a minute.
        """

        def begun(told: Mapping[str, Any]) -> bool:
            pending = told.get("PendingDeploymentSummary", {})
            return told["EndpointStatus"] not in _BUSY or "ProductionVariants" in pending

        return self._described(endpoint, begun)

    def _described(
        self, endpoint: str, reached: Callable[[Mapping[str, Any]], bool]
    ) -> dict[str, Any]:
        """What DescribeEndpoint tells when something is reached; see `settled`."""
        for look in itertools.count():
            told = self.describe(endpoint)
            if reached(told):
                break
            if look == _LOOKS:
                reject(
                    f"the endpoint {endpoint} is still {told['EndpointStatus']} after a minute",
                    why="who deploys waits for a status that says how it ended",
                )
            Event().wait(_LOOK_S)
        return told

    def running(self, endpoint: str) -> dict[str, Any]:
        """What DescribeEndpoint tells of an endpoint that is in service.

        Args:
            endpoint: its name.

        Raises:
            Rejected: it is not; the message has the reason, and the last lines of its log.
        """
        told = self.settled(endpoint)
        if told["EndpointStatus"] != "InService":
            lines = "\n".join(self.log(endpoint)[-3:])
            reject(
                f"the endpoint {endpoint} is {told['EndpointStatus']}: "
                f"{told.get('FailureReason', '')}" + (f"\nits log ends:\n{lines}" if lines else ""),
                why="an endpoint that is not InService answers nobody",
            )
        return told

    def log(self, endpoint: str) -> list[str]:
        """What the containers of an endpoint printed, as far as CloudWatch Logs has it."""
        logs = self.client("logs")
        try:
            found = logs.filter_log_events(logGroupName=f"/aws/sagemaker/Endpoints/{endpoint}")
        except logs.exceptions.ResourceNotFoundException:
            return []
        return [str(each["message"]) for each in found["events"]]

    def ask(self, endpoint: str, rows: str) -> str:
        """What an endpoint answers to some rows.

        Args:
            endpoint: its name.
            rows: as CSV.

        Raises:
            Rejected: it did not answer; the message has the service's words.
        """
        reply = self._invoked(endpoint, rows)
        return str(reply["Body"].read().decode())

    def tried(self, endpoint: str, rows: str) -> bool:
        """Whether an endpoint answered to some rows.

        Args:
            endpoint: its name.
            rows: as CSV.
        """
        try:
            self._invoked(endpoint, rows)
        except Rejected:
            return False
        return True

    def _invoked(self, endpoint: str, rows: str) -> dict[str, Any]:
        request = {"EndpointName": endpoint, "ContentType": "text/csv", "Body": rows}
        return self.send("sagemaker-runtime", "invoke_endpoint", request)

    def lines(self, prefix: str) -> list[str]:
        """The lines of all objects below an address, in the order of their keys.

        Args:
            prefix: as in "s3://bucket/folder/".
        """
        bucket, _, below = prefix.removeprefix("s3://").partition("/")
        s3 = self.client("s3")
        found = s3.list_objects_v2(Bucket=bucket, Prefix=below).get("Contents", [])
        bodies = [s3.get_object(Bucket=bucket, Key=each["Key"])["Body"] for each in found]
        return [line for body in bodies for line in body.read().decode().splitlines()]


@contextmanager
def account() -> Iterator[Account]:
    """An empty account on a local AWS of its own, which ends with the block."""
    with start(seed=0) as cloud:
        yield Account(cloud)
