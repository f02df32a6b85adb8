"""What a deployment finds in an account: a role, a bucket, and a model in it."""

from __future__ import annotations

import io
import json
import tarfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mlref.artifact import Artifact

__all__ = ["IMAGE", "TRUST", "LocalAccount", "model_tar", "prepared", "trusted_role"]

IMAGE = "123456789012.dkr.ecr.us-east-1.amazonaws.com/mlref:1.0.0"
TRUST = {
    "Version": "2012-10-17",
    "Statement": [
        {
            "Effect": "Allow",
            "Principal": {"Service": "sagemaker.amazonaws.com"},
            "Action": "sts:AssumeRole",
        }
    ],
}
_ALL = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}


@dataclass(frozen=True)
class LocalAccount:
    """A local AWS that has what a deployment needs.

    Attributes:
        url: of the local AWS.
        bucket: that is there.
        role: the ARN of one that SageMaker may take and that may do everything.
        model_data: where the model lies.
        artifact: the model.
    """

    url: str
    bucket: str
    role: str
    model_data: str
    artifact: Artifact

    @property
    def environment(self) -> dict[str, str]:
        """All that a client of AWS is given."""
        return {
            "AWS_ENDPOINT_URL": self.url,
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_DEFAULT_REGION": "us-east-1",
        }

    @property
    def request(self) -> bytes:
        """The golden rows, as the body of an invocation."""
        rows = [dict(row) for row in self.artifact.golden.instances]
        return json.dumps({"instances": rows}).encode()

    def client(self, service: str) -> Any:
        """A client of boto3, without anything from the environment."""
        import boto3

        return boto3.client(
            service,
            endpoint_url=self.url,
            region_name="us-east-1",
            aws_access_key_id="test",
            aws_secret_access_key="test",  # noqa: S106 - the local AWS takes any
        )


def model_tar(folder: Path) -> bytes:
    """A model.tar.gz of a folder."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        archive.add(folder, arcname=folder.name)
    return buffer.getvalue()


def trusted_role(iam: Any, name: str) -> str:
    """A role that SageMaker may take and that may do everything; returns its ARN."""
    made = iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(TRUST))
    iam.put_role_policy(RoleName=name, PolicyName="all", PolicyDocument=json.dumps(_ALL))
    return str(made["Role"]["Arn"])


def prepared(url: str, artifact: Artifact) -> LocalAccount:
    """A local AWS with a role, a bucket and a model in it."""
    data = "s3://clients/model/model.tar.gz"
    role = "arn:aws:iam::123456789012:role/deployer"
    account = LocalAccount(url, "clients", role, data, artifact)
    s3 = account.client("s3")
    trusted_role(account.client("iam"), "deployer")
    s3.create_bucket(Bucket="clients")
    s3.put_object(Bucket="clients", Key="model/model.tar.gz", Body=model_tar(artifact.folder))
    return account
