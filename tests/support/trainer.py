"""Training jobs on a local AWS, for tests: begun, waited for, and looked at."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Mapping
from typing import Any

from support.waiting import until

from mlref.aws.strict import check_response

__all__ = ["Trainer"]

_ENDED = {"Completed", "Failed", "Stopped"}
_IMAGE = "123456789012.dkr.ecr.us-east-1.amazonaws.com/train:1"


def _source_of(**files: str) -> bytes:
    """A sourcedir.tar.gz; two underscores in a name are a dot."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for name, text in files.items():
            member = tarfile.TarInfo(name.replace("__", "."))
            member.size = len(text.encode())
            archive.addfile(member, io.BytesIO(text.encode()))
    return buffer.getvalue()


class Trainer:
    """Starts training jobs and looks at them."""

    def __init__(self, account: Any) -> None:
        self.account = account
        self.bucket: str = account.bucket

    def begin(self, script: str, *, data: Mapping[str, bytes] | None = None, **more: Any) -> str:
        """A job that runs a script; returns its name."""
        name = str(self.account.name("training"))
        put = self.account.s3.put_object
        for key, content in (data or {"a.csv": b"1,2\n", "x/b.csv": b"3,4\n"}).items():
            put(Bucket=self.bucket, Key=f"{name}/train/{key}", Body=content)
        put(Bucket=self.bucket, Key=f"{name}/source.tar.gz", Body=_source_of(train__py=script))
        request: dict[str, Any] = {
            "TrainingJobName": name,
            "RoleArn": "arn:aws:iam::123456789012:role/sagemaker",
            "AlgorithmSpecification": {"TrainingImage": _IMAGE, "TrainingInputMode": "File"},
            "HyperParameters": {
                "sagemaker_program": "train.py",
                "sagemaker_submit_directory": f"s3://{self.bucket}/{name}/source.tar.gz",
            },
            "InputDataConfig": [self.channel("train", f"{name}/train/")],
            "OutputDataConfig": {"S3OutputPath": f"s3://{self.bucket}/{name}/out"},
            "ResourceConfig": {
                "InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 5,
            },
            "StoppingCondition": {"MaxRuntimeInSeconds": 600},
        }  # fmt: skip
        for member, value in more.items():
            given = request.get(member)
            request[member] = {**given, **value} if isinstance(given, dict) else value
        self.account.sagemaker.create_training_job(**request)
        return name

    def channel(self, name: str, prefix: str) -> dict[str, Any]:
        """A channel of all below a prefix."""
        source = {"S3DataType": "S3Prefix", "S3Uri": f"s3://{self.bucket}/{prefix}"}
        return {"ChannelName": name, "DataSource": {"S3DataSource": source}}

    def told(self, name: str) -> dict[str, Any]:
        """What DescribeTrainingJob tells."""
        told: dict[str, Any] = self.account.sagemaker.describe_training_job(TrainingJobName=name)
        assert check_response("sagemaker", "DescribeTrainingJob", told) == []
        return told

    def ended(self, name: str) -> dict[str, Any]:
        """The same, when it has ended."""
        return until(lambda: (t := self.told(name))["TrainingJobStatus"] in _ENDED and t)  # type: ignore[return-value]

    def log(self, name: str) -> list[str]:
        """Its log."""
        found = self.account.logs.filter_log_events(
            logGroupName="/aws/sagemaker/TrainingJobs", logStreamNamePrefix=f"{name}/"
        )
        return [each["message"] for each in found["events"]]

    def files(self, uri: str) -> dict[str, bytes]:
        """What a tar.gz in S3 holds."""
        bucket, _, key = uri.removeprefix("s3://").partition("/")
        body = self.account.s3.get_object(Bucket=bucket, Key=key)["Body"].read()
        with tarfile.open(fileobj=io.BytesIO(body)) as archive:
            members = [each for each in archive if each.isfile()]
            return {each.name: archive.extractfile(each).read() for each in members}  # type: ignore[union-attr]
