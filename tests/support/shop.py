"""An endpoint for inference components, and short ways to what tests do with them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError
from support.waiting import until

from mlref.aws.strict import check_response

__all__ = ["CSV_ROWS", "GOLDEN", "NEEDS", "ROLE", "Shop", "hosts", "refused"]

ROLE = "arn:aws:iam::123456789012:role/sagemaker"
CSV_ROWS = b"red,3,0.5\r\nblue,4,\r\n"
GOLDEN = b"3.5\n8.0\n"  # red 1 x 3 + 0.5; blue 2 x 4, nothing on top
NEEDS = {"NumberOfCpuCoresRequired": 1, "MinMemoryRequiredInMb": 1024}
BUSY = {"Creating", "Updating", "Deleting"}


class Shop:
    """An endpoint for inference components, and what is on it."""

    def __init__(self, account: Any, endpoint: str) -> None:
        self.account = account
        self.endpoint = endpoint

    def call(self, operation: str, **request: Any) -> Any:
        """A response that AWS could have given."""
        name = "".join(word.capitalize() for word in operation.split("_"))
        response = getattr(self.account.sagemaker, operation)(**request)
        told = {key: value for key, value in response.items() if key != "ResponseMetadata"}
        assert check_response("sagemaker", name, told) == []
        return told

    def create(self, model: str, *, copies: int = 1, needs: Any = None, **more: Any) -> str:
        """A component whose creation has begun; returns its name."""
        name = more.pop("InferenceComponentName", None) or self.account.name("component")
        specification = {"ModelName": model, "ComputeResourceRequirements": needs or NEEDS}
        request = {
            "EndpointName": self.endpoint,
            "VariantName": "A",
            "Specification": specification,
            "RuntimeConfig": {"CopyCount": copies},
            **more,
        }
        told = self.call("create_inference_component", InferenceComponentName=name, **request)
        assert told["InferenceComponentArn"].endswith(f":inference-component/{name}")
        return str(name)

    def told(self, name: str) -> Any:
        """What is described when nothing is under way any more."""

        def found() -> Any:
            told = self.call("describe_inference_component", InferenceComponentName=name)
            return None if told["InferenceComponentStatus"] in BUSY else told

        return until(found)

    def made(self, model: str, **more: Any) -> str:
        """A component that is in service; returns its name."""
        name = self.create(model, **more)
        assert self.told(name)["InferenceComponentStatus"] == "InService", self.told(name)
        return name

    def scale(self, name: str, copies: int) -> Any:
        """Have so many copies; returns what is described then."""
        wanted = {"CopyCount": copies}
        self.call(
            "update_inference_component_runtime_config",
            InferenceComponentName=name,
            DesiredRuntimeConfig=wanted,
        )
        return self.told(name)

    def names(self) -> list[str]:
        """Of all components of the endpoint."""
        listed = self.call(
            "list_inference_components", EndpointNameEquals=self.endpoint, MaxResults=100
        )
        return [each["InferenceComponentName"] for each in listed["InferenceComponents"]]

    def delete(self, name: str) -> None:
        """Delete a component, and wait until it is gone."""
        self.account.sagemaker.delete_inference_component(InferenceComponentName=name)
        until(lambda: name not in self.names())

    def ask(self, name: str | None, body: Any = CSV_ROWS, **more: Any) -> Any:
        """A component's answer."""
        named = {} if name is None else {"InferenceComponentName": name}
        reply = self.account.sagemaker_runtime.invoke_endpoint(
            EndpointName=self.endpoint, ContentType="text/csv", Body=body, **named, **more
        )
        return {**reply, "Body": reply["Body"].read()}

    def metric(self, name: str, component: str) -> Any:
        """All observations of a component's metric, as statistics."""
        now = self.account.now()
        (found,) = self.account.cloudwatch.get_metric_statistics(
            Namespace="AWS/SageMaker",
            MetricName=name,
            Dimensions=[{"Name": "InferenceComponentName", "Value": component}],
            StartTime=now - timedelta(hours=5),
            EndTime=now + timedelta(hours=1),
            Period=6 * 3600,
            Statistics=["Sum", "SampleCount"],
        )["Datapoints"] or [None]
        return found


def hosts(account: Any, **variant: Any) -> str:
    """A configuration without a model; returns its name."""
    name = account.name("hosts")
    given = {"VariantName": "A", "InstanceType": "ml.m5.large", "InitialInstanceCount": 1}
    account.sagemaker.create_endpoint_config(
        EndpointConfigName=name, ExecutionRoleArn=ROLE, ProductionVariants=[{**given, **variant}]
    )
    return str(name)


def refused(work: Callable[..., Any], *given: Any, **named: Any) -> tuple[str, str]:
    """Code and message of what the client is told instead."""
    with pytest.raises(ClientError) as caught:
        work(*given, **named)
    error = caught.value.response["Error"]
    return error["Code"], error["Message"]
