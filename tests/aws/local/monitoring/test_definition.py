"""What a job definition asks for, and what is refused when it is asked for."""

from __future__ import annotations

from typing import Any

import pytest

from mlref.aws.local.errors import AwsError
from mlref.aws.local.monitoring.definition import Definition

IMAGE = "156813124566.dkr.ecr.us-east-1.amazonaws.com/sagemaker-model-monitor-analyzer"
ROLE = "arn:aws:iam::123456789012:role/sagemaker"
INPUT = {"EndpointName": "flights", "LocalPath": "/opt/ml/processing/input"}
OUTPUT = {"S3Output": {"S3Uri": "s3://b/reports/", "LocalPath": "/opt/ml/processing/output"}}
CLUSTER = {
    "ClusterConfig": {"InstanceCount": 1, "InstanceType": "ml.m5.large", "VolumeSizeInGB": 1}
}


def data_quality(
    *, specification: Any = None, endpoint: Any = None, baseline: Any = None
) -> dict[str, Any]:
    """Members of CreateDataQualityJobDefinition."""
    return {
        "DataQualityBaselineConfig": baseline or {},
        "DataQualityAppSpecification": {"ImageUri": IMAGE, **(specification or {})},
        "DataQualityJobInput": {"EndpointInput": {**INPUT, **(endpoint or {})}},
        "DataQualityJobOutputConfig": {"MonitoringOutputs": [OUTPUT]},
        "JobResources": CLUSTER,
        "RoleArn": ROLE,
    }


def in_schedule() -> dict[str, Any]:
    """The same, as a schedule holds it itself."""
    given = data_quality(specification={"ContainerArguments": []})
    return {
        "BaselineConfig": {"ConstraintsResource": {"S3Uri": "s3://b/constraints.json"}},
        "MonitoringInputs": [given["DataQualityJobInput"]],
        "MonitoringOutputConfig": given["DataQualityJobOutputConfig"],
        "MonitoringResources": CLUSTER,
        "MonitoringAppSpecification": {"ImageUri": f"{IMAGE}:latest"},
        "Environment": {"publish_cloudwatch_metrics": "Enabled"},
        "RoleArn": ROLE,
    }


def test_both_spellings_say_the_same() -> None:
    """A definition of its own, and one that stands in the schedule."""
    resource = {"ConstraintsResource": {"S3Uri": "s3://b/constraints.json"}}
    environment = {"Environment": {"publish_cloudwatch_metrics": "Enabled"}}
    one = Definition.of_data_quality(data_quality(specification=environment, baseline=resource))
    assert one == Definition.of_schedule(in_schedule())
    assert (one.endpoint, one.role, one.output) == ("flights", ROLE, "s3://b/reports")
    assert (one.statistics, one.constraints) == (None, "s3://b/constraints.json")


@pytest.mark.parametrize(
    ("environment", "publishes"),
    [
        ({}, True),
        ({"publish_cloudwatch_metrics": "Enabled"}, True),
        ({"publish_cloudwatch_metrics": "Disabled"}, False),
    ],
)
def test_cloudwatch_is_told_unless_the_variable_says_otherwise(
    *, environment: dict[str, str], publishes: bool
) -> None:
    """Container Contract Inputs: for a job of a schedule, it "is set to Enabled"."""
    given = data_quality(specification={"Environment": environment})
    assert Definition.of_data_quality(given).publishes is publishes
    schedule = {**in_schedule(), "Environment": environment}
    assert Definition.of_schedule(schedule).publishes is publishes
    del schedule["Environment"]
    assert Definition.of_schedule(schedule).publishes


@pytest.mark.parametrize(
    ("names", "sides"),
    [
        ('["endpointInput"]', ("endpointInput",)),
        ('["endpointOutput"]', ("endpointOutput",)),
        ('["endpointInput","endpointOutput"]', ("endpointOutput", "endpointInput")),
    ],
)
def test_the_variable_of_the_container_names_the_bodies(names: str, sides: tuple[str, ...]) -> None:
    """`dataset_format`, as "Container Contract Inputs" shows it; without it both are looked at."""
    text = f'{{"sagemakerCaptureJson":{{"captureIndexNames":{names}}}}}'
    environment = {"Environment": {"dataset_format": text}}
    assert Definition.of_data_quality(data_quality(specification=environment)).sides == sides
    assert len(Definition.of_data_quality(data_quality()).sides) == 2


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"specification": {"ImageUri": "mine:1"}}, "a monitor of your own image, mine:1"),
        ({"specification": {"ContainerEntrypoint": ["x"]}}, "with ContainerEntrypoint; leave it"),
        (
            {"specification": {"RecordPreprocessorSourceUri": "s3://b/x.py"}},
            "with RecordPreprocessorSourceUri",
        ),
        ({"endpoint": {"InferenceAttribute": "0"}}, "with InferenceAttribute"),
        ({"endpoint": {"StartTimeOffset": "-PT1H"}}, "with StartTimeOffset"),
        ({"baseline": {"BaseliningJobName": "b"}}, "baselining jobs; give StatisticsResource"),
    ],
)
def test_what_is_not_done_is_refused(changed: dict[str, Any], message: str) -> None:
    """When it is asked for, and by a code that boto3 does not try again."""
    with pytest.raises(AwsError, match=message) as caught:
        Definition.of_data_quality(data_quality(**changed))
    assert (caught.value.code, caught.value.status) == ("UnsupportedOperation", 400)


def test_captures_of_batch_transform_are_refused() -> None:
    """They lie elsewhere."""
    given = data_quality()
    given["DataQualityJobInput"] = {"BatchTransformInput": {}}
    with pytest.raises(AwsError, match="monitoring of batch transform jobs; give an EndpointInput"):
        Definition.of_data_quality(given)


@pytest.mark.parametrize(
    "text",
    [
        "x",
        "{}",
        "[]",
        '{"sagemakerCaptureJson":{"captureIndexNames":[]}}',
        '{"sagemakerCaptureJson":{"captureIndexNames":["endpointInputs"]}}',
        '{"sagemakerCaptureJson":{"captureIndexNames":["endpointInput","input"]}}',
    ],
)
def test_a_format_that_names_no_bodies_is_refused(text: str) -> None:
    """A misspelt side would otherwise be one that nobody looks at."""
    given = data_quality(specification={"Environment": {"dataset_format": text}})
    with pytest.raises(AwsError, match="dataset_format must be"):
        Definition.of_data_quality(given)


def test_addresses_must_be_in_s3() -> None:
    """Those of the baseline, too."""
    given = data_quality(baseline={"ConstraintsResource": {"S3Uri": "https://x/c.json"}})
    with pytest.raises(AwsError, match="an address in S3 is s3://bucket/key, got 'https://x/c"):
        Definition.of_data_quality(given)
