"""What CloudWatch is told of a variant: names, units, dimensions and numbers."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError
from support.aws import RecordedMetrics

from mlref.aws.local.hosting.meter import Meter


def test_every_metric_has_aws_s_name_unit_and_dimensions() -> None:
    """Right, refused by the container, broken off by it; and throttled, so that it is not asked."""
    metrics = RecordedMetrics()
    meter = Meter(metrics, "flights", "A")
    meter.count(200, 0.002, 0.0005, instances=2, model_status=200)
    meter.count(424, 0.001, 0.0005, instances=2, model_status=415)
    meter.count(503, 0.0, 0.0001, instances=2, model_status=None)
    meter.count(429, 0.0, 0.0001, instances=2, model_status=None)
    meter.flush()
    meter.flush()
    found = {each["name"]: (each["values"], each["unit"]) for each in metrics.puts}
    assert found == {
        "Invocations": ({1.0: 4}, "None"),
        "InvocationsPerInstance": ({0.5: 4}, "None"),
        "Invocation4XXErrors": ({1.0: 2, 0.0: 2}, "None"),
        "Invocation5XXErrors": ({1.0: 1, 0.0: 3}, "None"),
        "InvocationModelErrors": ({0.0: 1, 1.0: 2}, "None"),
        "ModelLatency": ({2000: 1, 1000: 1, 0: 2}, "Microseconds"),
        "OverheadLatency": ({500: 2, 100: 2}, "Microseconds"),
    }
    assert len(metrics.puts) == len(found)
    dimensions = {"EndpointName": "flights", "VariantName": "A"}
    assert all(each["dimensions"] == dimensions for each in metrics.puts)
    assert {each["namespace"] for each in metrics.puts} == {"AWS/SageMaker"}


def test_of_what_waited_in_a_queue_only_errors_and_the_model_are_told() -> None:
    """The guide lists what asynchronous endpoints publish, and says that nothing else is."""
    metrics = RecordedMetrics()
    meter = Meter(metrics, "flights", "A")
    meter.count(424, 0.002, 0.0, instances=1, model_status=500, queued=True)
    meter.flush()
    assert {each["name"]: each["values"] for each in metrics.puts} == {
        "Invocation4XXErrors": {0.0: 1},
        "Invocation5XXErrors": {1.0: 1},
        "ModelLatency": {2000: 1},
    }


def test_requests_at_the_same_time_are_a_metric_of_high_resolution() -> None:
    """Of a variant for each model, of an inference component for each copy."""
    metrics = RecordedMetrics()
    Meter(metrics, "flights", "A").concurrent(2.5)
    Meter(metrics, "flights", "A", component="copies").concurrent(1.0)
    model, copy = metrics.puts
    assert (model["name"], model["values"]) == ("ConcurrentRequestsPerModel", {2.5: 1})
    assert model["dimensions"] == {"EndpointName": "flights", "VariantName": "A"}
    assert (copy["name"], copy["values"]) == ("ConcurrentRequestsPerCopy", {1.0: 1})
    assert copy["dimensions"] == {"InferenceComponentName": "copies"}
    assert {each["resolution_s"] for each in metrics.puts} == {1}


def test_cloudwatch_tells_of_calls_at_once(
    account: Any, diabetes: Any, endpoint_of: Callable[..., str]
) -> None:
    """Through boto3: sums, percentiles, and what belongs to one variant only."""
    name = endpoint_of(account.config(account.model(diabetes.artifact)))
    golden = json.loads((diabetes.artifact.folder / "golden.json").read_text())
    body = json.dumps({"instances": golden["instances"][:1]})
    for number in range(12):
        kind = "application/json" if number < 10 else "text/weird"
        given = {"EndpointName": name, "ContentType": kind, "Body": body}
        if number < 10:
            account.sagemaker_runtime.invoke_endpoint(**given)
        else:
            with pytest.raises(ClientError):
                account.sagemaker_runtime.invoke_endpoint(**given)
    now = account.now()

    def statistic(metric: str, **asked: Any) -> dict[str, Any]:
        (found,) = account.cloudwatch.get_metric_statistics(
            Namespace="AWS/SageMaker",
            MetricName=metric,
            Dimensions=[
                {"Name": "EndpointName", "Value": name},
                {"Name": "VariantName", "Value": "A"},
            ],
            StartTime=now - timedelta(hours=1),
            EndTime=now + timedelta(hours=1),
            Period=7200 * 6,
            **asked,
        )["Datapoints"]
        return dict(found)

    assert statistic("Invocations", Statistics=["Sum"])["Sum"] == 12
    assert statistic("Invocation4XXErrors", Statistics=["Sum"])["Sum"] == 2
    latency = statistic("ModelLatency", Statistics=["Minimum", "Maximum"])
    assert latency["Unit"] == "Microseconds"
    median = statistic("ModelLatency", ExtendedStatistics=["p50"])["ExtendedStatistics"]["p50"]
    assert latency["Minimum"] <= median <= latency["Maximum"]
    assert 100 < latency["Minimum"] < 10_000_000
