"""An endpoint that captures, and what a monitor of it is asked."""

from __future__ import annotations

import io
import json
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import numpy as np

from mlref.aws.strict import check_response
from mlref.drift import baseline
from mlref.drift.documents.codec import dump

__all__ = ["HOURLY", "NAMES", "Monitor", "celsius", "rows"]

HOURLY = {"ScheduleExpression": "cron(0 * ? * * *)"}
NAMES = ["age", "sex", "bmi", "bp", "s1", "s2", "s3", "s4", "s5", "s6"]
_IMAGE = "156813124566.dkr.ecr.us-east-1.amazonaws.com/sagemaker-model-monitor-analyzer"
_ROLE = "arn:aws:iam::123456789012:role/sagemaker"


def rows(seed: int, count: int = 400) -> np.ndarray:
    """Rows of numbers; the fourth is taken for a temperature in Fahrenheit."""
    chance = np.random.default_rng(seed)
    return np.round(chance.normal(75, 10, (count, len(NAMES))).clip(40, 900), 3)


def _csv(asked: np.ndarray) -> str:
    buffer = io.StringIO()
    np.savetxt(buffer, asked, delimiter=",", fmt="%.3f")
    return buffer.getvalue()


def celsius(asked: np.ndarray) -> np.ndarray:
    """The same rows with the fourth number in Celsius."""
    found = asked.copy()
    found[:, 3] = (found[:, 3] - 32) / 1.8
    return found


@dataclass
class Monitor:
    """An endpoint that captures, and what is asked about it.

    Attributes:
        account: a local AWS.
        endpoint: the endpoint's name.
        predicted: what it answers to the rows of the baseline.
    """

    account: Any
    endpoint: str
    predicted: list[float]

    def ask(self, asked: np.ndarray) -> list[float]:
        """Ask the endpoint."""
        reply = self.account.sagemaker_runtime.invoke_endpoint(
            EndpointName=self.endpoint, ContentType="text/csv", Accept="text/csv", Body=_csv(asked)
        )
        return [float(line) for line in reply["Body"].read().decode().split()]

    def baseline(self, **columns: Any) -> dict[str, Any]:
        """A baseline in S3; returns its DataQualityBaselineConfig."""
        folder = self.account.name("baseline")
        told = {}
        documents = zip(("Statistics", "Constraints"), baseline.suggest(columns), strict=True)
        for kind, document in documents:
            key = f"{folder}/{kind.lower()}.json"
            self.account.s3.put_object(Bucket=self.account.bucket, Key=key, Body=dump(document))
            told[f"{kind}Resource"] = {"S3Uri": f"s3://{self.account.bucket}/{key}"}
        return told

    def definition(self, against: dict[str, Any], **environment: str) -> str:
        """A job definition; returns its name."""
        name = self.account.name("definition")
        local = "/opt/ml/processing"
        report = {"S3Uri": f"s3://{self.account.bucket}/reports", "LocalPath": f"{local}/output"}
        self.account.sagemaker.create_data_quality_job_definition(
            JobDefinitionName=name,
            DataQualityBaselineConfig=against,
            DataQualityAppSpecification={"ImageUri": _IMAGE, "Environment": environment},
            DataQualityJobInput={
                "EndpointInput": {"EndpointName": self.endpoint, "LocalPath": f"{local}/input"}
            },
            DataQualityJobOutputConfig={"MonitoringOutputs": [{"S3Output": report}]},
            JobResources={
                "ClusterConfig": {
                    "InstanceCount": 1,
                    "InstanceType": "ml.m5.large",
                    "VolumeSizeInGB": 1,
                }
            },
            RoleArn=_ROLE,
        )
        return str(name)

    def schedule(self, definition: str, **schedule: str) -> str:
        """A schedule of a job definition; returns its name."""
        name = self.account.name("schedule")
        self.account.sagemaker.create_monitoring_schedule(
            MonitoringScheduleName=name,
            MonitoringScheduleConfig={
                "ScheduleConfig": schedule or HOURLY,
                "MonitoringJobDefinitionName": definition,
                "MonitoringType": "DataQuality",
            },
        )
        return str(name)

    def executions(self, schedule: str, **more: Any) -> list[dict[str, Any]]:
        """Its executions, the last one first."""
        told = self.account.sagemaker.list_monitoring_executions(
            MonitoringScheduleName=schedule, SortBy="ScheduledTime", **more
        )
        assert check_response("sagemaker", "ListMonitoringExecutions", told) == []
        return list(told["MonitoringExecutionSummaries"])

    def report(self, schedule: str, execution: dict[str, Any], file: str) -> Any:
        """A file of an execution's report."""
        hour = f"{execution['ScheduledTime']:%Y/%m/%d/%H}"
        key = f"reports/{self.endpoint}/{schedule}/{hour}/{file}.json"
        found = self.account.s3.get_object(Bucket=self.account.bucket, Key=key)
        return json.load(found["Body"])

    def next_hour(self) -> None:
        """Let time pass to two minutes after the next full hour, and to its executions."""
        now = self.account.now()
        then = now.replace(minute=2, second=0, microsecond=0) + timedelta(hours=1)
        self.account.cloud.advance((then - now).total_seconds())
