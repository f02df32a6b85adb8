"""What a monitoring job does: the parts of a job definition that count here.

A definition is made by CreateDataQualityJobDefinition, or stands in the schedule itself. What the
local AWS does not do is refused when it is asked for, not left out when the job runs.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mlref.aws.formats.capture import SIDES, Side
from mlref.aws.local.errors import AwsError, validation
from mlref.aws.local.world import split_uri

__all__ = ["ANALYZER", "Definition"]

ANALYZER = "sagemaker-model-monitor-analyzer"
"""The repository of Amazon's image for data quality. What runs here is `mlref.drift.baseline`."""

_LEFT_OUT = (
    "ContainerEntrypoint",
    "ContainerArguments",
    "RecordPreprocessorSourceUri",
    "PostAnalyticsProcessorSourceUri",
)
_OF_OTHERS = (
    "FeaturesAttribute",
    "InferenceAttribute",
    "ProbabilityAttribute",
    "ProbabilityThresholdAttribute",
    "ExcludeFeaturesAttribute",
    "StartTimeOffset",
    "EndTimeOffset",
)


@dataclass(frozen=True)
class Definition:
    """What a monitoring job does.

    Attributes:
        endpoint: whose captures it looks at.
        role: in which it works.
        output: address in S3 under which its reports lie.
        statistics: address in S3 of the baseline's statistics, or None.
        constraints: address in S3 of the baseline's constraints, or None.
        sides: which bodies it looks at, in the order of their columns.
        publishes: whether it tells CloudWatch; it does unless the variable
            publish_cloudwatch_metrics says otherwise, as schedules set it to Enabled.
    """

    endpoint: str
    role: str
    output: str
    statistics: str | None
    constraints: str | None
    sides: tuple[Side, ...]
    publishes: bool

    @classmethod
    def of_data_quality(cls, request: Mapping[str, Any]) -> Definition:
        """Of the members of CreateDataQualityJobDefinition.

        Raises:
            AwsError: it asks for what cannot be done.
        """
        specification = request["DataQualityAppSpecification"]
        return _definition(
            request["DataQualityJobInput"],
            specification,
            specification.get("Environment", {}),
            request.get("DataQualityBaselineConfig", {}),
            request["DataQualityJobOutputConfig"],
            role=request["RoleArn"],
        )

    @classmethod
    def of_schedule(cls, given: Mapping[str, Any]) -> Definition:
        """Of a MonitoringJobDefinition.

        Raises:
            AwsError: it asks for what cannot be done.
        """
        (source,) = given["MonitoringInputs"]
        return _definition(
            source,
            given["MonitoringAppSpecification"],
            given.get("Environment", {}),
            given.get("BaselineConfig", {}),
            given["MonitoringOutputConfig"],
            role=given["RoleArn"],
        )


def _definition(
    source: Mapping[str, Any],
    specification: Mapping[str, Any],
    environment: Mapping[str, str],
    baseline: Mapping[str, Any],
    output: Mapping[str, Any],
    *,
    role: str,
) -> Definition:
    _refuse_others(source, specification, baseline)
    (report,) = output["MonitoringOutputs"]
    addresses = [report["S3Output"]["S3Uri"]]
    found = {}
    for name in ("StatisticsResource", "ConstraintsResource"):
        found[name] = baseline.get(name, {}).get("S3Uri")
        addresses += [found[name]] if found[name] else []
    for address in addresses:
        split_uri(address)
    return Definition(
        endpoint=source["EndpointInput"]["EndpointName"],
        role=role,
        output=addresses[0].rstrip("/"),
        statistics=found["StatisticsResource"],
        constraints=found["ConstraintsResource"],
        sides=_sides(environment),
        publishes=environment.get("publish_cloudwatch_metrics", "Enabled") == "Enabled",
    )


def _refuse_others(
    source: Mapping[str, Any], specification: Mapping[str, Any], baseline: Mapping[str, Any]
) -> None:
    """Refuse what cannot be done here, or at all."""
    if "EndpointInput" not in source:
        raise _not_done("monitoring of batch transform jobs", "give an EndpointInput")
    image = specification["ImageUri"]
    if image.rpartition("/")[2].partition(":")[0].partition("@")[0] != ANALYZER:
        raise _not_done(
            f"a monitor of your own image, {image}",
            f"give Amazon's image for data quality, {ANALYZER}",
        )
    for members, given in ((_LEFT_OUT, specification), (_OF_OTHERS, source["EndpointInput"])):
        named = [name for name in members if name in given]
        if named:
            raise _not_done(f"monitoring of data quality with {named[0]}", "leave it out")
    if "BaseliningJobName" in baseline:
        raise _not_done(
            "baselining jobs", "give StatisticsResource and ConstraintsResource, which they write"
        )


def _sides(environment: Mapping[str, str]) -> tuple[Side, ...]:
    """Which bodies the variable dataset_format asks for; the response's columns come first."""
    text = environment.get("dataset_format")
    if text is None:
        return SIDES
    try:
        names = json.loads(text)["sagemakerCaptureJson"]["captureIndexNames"]
        found = tuple(side for side in SIDES if side in names)
    except (ValueError, KeyError, TypeError):
        names, found = (), ()
    if not found or len(found) != len(names):
        raise validation(
            "the variable dataset_format must be "
            '{"sagemakerCaptureJson":{"captureIndexNames":["endpointInput","endpointOutput"]}}, '
            f"with one or both of the names; got {text!r}"
        )
    return found


def _not_done(what: str, instead: str) -> AwsError:
    return AwsError("UnsupportedOperation", f"the local AWS does not have {what}; {instead}")
