"""An artefact behind an endpoint of SageMaker, and all that it needs there.

    hosted = host(aws.session(), artifact)
    hosted.client.invoke_endpoint(EndpointName=hosted.name, ContentType="text/csv", Body=b"...")
    hosted.delete()

A bucket with the model's archive, a role that may read it, a model, a configuration and an
endpoint: all are named alike, tagged by the session, and deleted together.
"""

from __future__ import annotations

import io
import json
import re
import secrets
import tarfile
import threading
import time
from typing import Any

from mlref.artifact import Artifact
from mlref.aws.client import Session
from mlref.aws.deletion import Arn, Deleter, is_gone
from mlref.errors import CloudError, ProcessExitedError, ProcessNotReadyError

__all__ = ["Hosted", "host"]

_IMAGE = "{account}.dkr.ecr.{region}.amazonaws.com/mlref:{version}"
_TRUST = {
    "Effect": "Allow",
    "Principal": {"Service": "sagemaker.amazonaws.com"},
    "Action": "sts:AssumeRole",
}
_NAME_CHARACTERS = 40  # of at most 63, so that a suffix fits
_SETTLED_S = 1800.0  # until AWS is done with an endpoint that is to be deleted
_BUSY = frozenset({"Creating", "Updating", "SystemUpdating", "RollingBack"})
_POLL_S = {"local": 0.05, "aws": 10.0}


class Hosted:
    """What `host` has made.

    Attributes:
        name: of the endpoint, and of all that belongs to it.
        client: boto3's client of the data plane.
    """

    def __init__(self, session: Session, name: str, client: Any) -> None:
        self.name = name
        self.client = client
        self._session = session
        self._made: list[str] = []

    def __repr__(self) -> str:
        return f"<Hosted {self.name}>"

    def wait_ready(self, timeout_s: float) -> None:
        """Return as soon as the endpoint is in service.

        Args:
            timeout_s: seconds to wait.

        Raises:
            ProcessExitedError: it has failed; says why.
            ProcessNotReadyError: it was not in service within the limit.
        """
        sagemaker, end = self._session.client("sagemaker"), time.monotonic() + timeout_s
        while True:
            told = sagemaker.describe_endpoint(EndpointName=self.name)
            status = told["EndpointStatus"]
            if status == "InService":
                return
            if status == "Failed":
                raise ProcessExitedError(f"endpoint {self.name}: {told.get('FailureReason')}")
            if time.monotonic() >= end:
                raise ProcessNotReadyError(
                    f"endpoint {self.name} is {status} after {timeout_s:g} s; wait longer, or look "
                    f"into the log group /aws/sagemaker/Endpoints/{self.name}"
                )
            threading.Event().wait(_POLL_S[self._session.cloud])

    def delete(self) -> None:
        """Delete all that was made, what uses others first. Calling it again does nothing.

        AWS refuses to delete an endpoint that it still makes or changes, so that is waited for.

        Raises:
            ProcessNotReadyError: AWS was not done with the endpoint within 30 minutes.
            botocore.exceptions.ClientError: AWS refused something; what is left can be tried again.
        """
        deleter = Deleter(self._session)
        while self._made:
            arn = Arn.of(self._made[-1])
            if arn.kind == "endpoint":
                self._wait_settled()
            deleter.delete(arn)
            self._made.pop()

    def _wait_settled(self) -> None:
        """Return as soon as AWS does nothing with the endpoint any more, or it is gone."""
        from botocore.exceptions import ClientError

        sagemaker, end = self._session.client("sagemaker"), time.monotonic() + _SETTLED_S
        while True:
            try:
                told = sagemaker.describe_endpoint(EndpointName=self.name)
            except ClientError as error:
                if is_gone(error):
                    return
                raise
            status = told["EndpointStatus"]
            if status not in _BUSY:
                return
            if time.monotonic() >= end:
                raise ProcessNotReadyError(f"endpoint {self.name} is still {status}; delete it")
            threading.Event().wait(_POLL_S[self._session.cloud])

    def made(self, arn: str) -> str:
        """Remember something that is to be deleted; returns its name again.

        Args:
            arn: its Amazon Resource Name.
        """
        self._made.append(arn)
        return arn


def host(
    session: Session,
    artifact: Artifact,
    *,
    image: str | None = None,
    role: str | None = None,
    instance_type: str = "ml.m5.large",
    instances: int = 1,
    ready_timeout_s: float = 1800.0,
    options: Any = None,
) -> Hosted:
    """An endpoint that is in service and answers with an artefact.

    Args:
        session: of `mlref.aws.session`.
        artifact: what to serve.
        image: of the container; None is possible on the local AWS only.
        role: the ARN of one that SageMaker may act in and that may read the model; None makes one,
            on the local AWS only.
        instance_type: what each instance is.
        instances: how many there are.
        ready_timeout_s: seconds until it must be in service.
        options: a `botocore.config.Config` for the client of the data plane.

    Raises:
        CloudError: a real account needs an image and a role.
        ProcessError: it did not get in service; nothing is left of it.
        botocore.exceptions.ClientError: AWS refused something; nothing is left of it.
    """
    if session.cloud == "aws" and (image is None or role is None):
        raise CloudError(
            "on real AWS, give the image of a registry of the account, and the ARN of a role "
            "that SageMaker may act in and that may read the model's bucket"
        )
    stem = re.sub("[^a-zA-Z0-9]+", "-", artifact.manifest.name).strip("-")[:_NAME_CHARACTERS]
    name = f"{stem or 'model'}-{secrets.token_hex(6)}"
    hosted = Hosted(session, name, session.client("sagemaker-runtime", config=options))
    try:
        account = session.client("sts").get_caller_identity()["Account"]
        uri = _uploaded(session, hosted, artifact)
        sagemaker = session.client("sagemaker")
        container = {"Image": image or _image(account, session, artifact), "ModelDataUrl": uri}
        made = sagemaker.create_model(
            ModelName=name,
            ExecutionRoleArn=role or _role(session, hosted),
            PrimaryContainer=container,
        )
        hosted.made(made["ModelArn"])
        variant = {
            "VariantName": "AllTraffic",
            "ModelName": name,
            "InstanceType": instance_type,
            "InitialInstanceCount": instances,
        }
        made = sagemaker.create_endpoint_config(
            EndpointConfigName=name, ProductionVariants=[variant]
        )
        hosted.made(made["EndpointConfigArn"])
        made = sagemaker.create_endpoint(EndpointName=name, EndpointConfigName=name)
        hosted.made(made["EndpointArn"])
        hosted.wait_ready(ready_timeout_s)
    except BaseException as error:  # also when Ctrl-C breaks the wait off
        try:
            hosted.delete()
        except Exception as left:  # noqa: BLE001 - what kept it from being made is told, and this
            error.add_note(f"not all of {name} could be deleted; mlref.aws.sweep.nuke does: {left}")
        raise
    return hosted


def _uploaded(session: Session, hosted: Hosted, artifact: Artifact) -> str:
    """The address of an artefact's archive, in a bucket of its own."""
    s3, bucket = session.client("s3"), f"mlref-{hosted.name.lower()}"
    elsewhere = {"LocationConstraint": session.region_name}
    more: dict[str, Any] = {"CreateBucketConfiguration": elsewhere}
    s3.create_bucket(Bucket=bucket, **({} if session.region_name == "us-east-1" else more))
    hosted.made(f"arn:aws:s3:::{bucket}")
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        archive.add(artifact.folder, arcname=artifact.manifest.name)
    s3.put_object(Bucket=bucket, Key="model.tar.gz", Body=buffer.getvalue())
    return f"s3://{bucket}/model.tar.gz"


def _role(session: Session, hosted: Hosted) -> str:
    """A role that may read the model, and nothing else."""
    iam, version = session.client("iam"), {"Version": "2012-10-17"}
    trust = json.dumps({**version, "Statement": [_TRUST]})
    made = iam.create_role(RoleName=hosted.name, AssumeRolePolicyDocument=trust)
    arn = hosted.made(made["Role"]["Arn"])
    bucket = f"arn:aws:s3:::mlref-{hosted.name.lower()}"
    read = [
        {"Effect": "Allow", "Action": "s3:GetObject", "Resource": f"{bucket}/*"},
        {"Effect": "Allow", "Action": "s3:ListBucket", "Resource": bucket},
    ]
    policy = json.dumps({**version, "Statement": read})
    iam.put_role_policy(RoleName=hosted.name, PolicyName="read-model", PolicyDocument=policy)
    return arn


def _image(account: str, session: Session, artifact: Artifact) -> str:
    """What the local AWS is told: an image of the account, which it need not have."""
    version = re.sub("[^a-zA-Z0-9._-]", "-", artifact.manifest.version)
    return _IMAGE.format(account=account, region=session.region_name, version=version)
