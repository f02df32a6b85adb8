"""Roles on a local AWS, for tests: made, given policies, and acted in."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import boto3
from support.local_account import TRUST

__all__ = ["ACCOUNT", "ASSUMED", "IMAGE", "LIST", "READ", "SAGEMAKER", "Roles", "document"]

ACCOUNT = "arn:aws:iam::123456789012"
SAGEMAKER = "arn:aws:sagemaker:us-east-1:123456789012"
IMAGE = "123456789012.dkr.ecr.us-east-1.amazonaws.com/mlref:1.0.0"
ASSUMED = {
    "Version": "2012-10-17",
    "Statement": [
        {"Effect": "Allow", "Principal": {"AWS": f"{ACCOUNT}:root"}, "Action": "sts:AssumeRole"}
    ],
}


def document(*statements: Mapping[str, Any]) -> str:
    """A policy; what a statement does not say is Allow, and everything."""
    whole = [{"Effect": "Allow", "Action": "*", "Resource": "*", **each} for each in statements]
    return json.dumps({"Version": "2012-10-17", "Statement": whole})


@dataclass
class Roles:
    """Makes roles, and acts in them."""

    account: Any
    made: list[str] = field(default_factory=list)

    def role(self, *statements: Mapping[str, Any], trust: Any = TRUST, **more: Any) -> str:
        """A role with one policy; returns its ARN."""
        name = self.account.name("role")
        self.made.append(name)
        told = self.account.iam.create_role(
            RoleName=name, AssumeRolePolicyDocument=json.dumps(trust), **more
        )
        if statements:
            self.put(name, *statements)
        return str(told["Role"]["Arn"])

    def put(self, role: str, *statements: Mapping[str, Any]) -> None:
        """Give a role another policy."""
        name = role.rpartition("/")[2]
        self.account.iam.put_role_policy(
            RoleName=name, PolicyName="work", PolicyDocument=document(*statements)
        )

    def runtime(self, role: str, **session: Any) -> Any:
        """A client of the data plane that acts in a role."""
        found = self.account.sts.assume_role(RoleArn=role, RoleSessionName="ann", **session)
        given = found["Credentials"]
        return boto3.client(
            "sagemaker-runtime",
            endpoint_url=self.account.cloud.url,
            region_name="us-east-1",
            aws_access_key_id=given["AccessKeyId"],
            aws_secret_access_key=given["SecretAccessKey"],
            aws_session_token=given["SessionToken"],
        )


READ = {"Action": "s3:GetObject", "Resource": "arn:aws:s3:::guarded/*"}
LIST = {"Action": "s3:ListBucket", "Resource": "arn:aws:s3:::guarded"}
