"""Monitoring of data quality: captures against a baseline, hour by hour, with boto3."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError
from support.monitor import HOURLY, NAMES, Monitor, celsius, rows

from mlref.aws.strict import check_response


@pytest.fixture(scope="module")
def monitor(account: Any, diabetes: Any) -> Iterator[Monitor]:
    """An endpoint that captures all."""
    capture = {
        "EnableCapture": True,
        "InitialSamplingPercentage": 100,
        "DestinationS3Uri": f"s3://{account.bucket}/monitored",
        "CaptureOptions": [{"CaptureMode": "Input"}, {"CaptureMode": "Output"}],
        "CaptureContentTypeHeader": {"CsvContentTypes": ["text/csv"]},
    }
    config = account.config(account.model(diabetes.artifact), DataCaptureConfig=capture)
    name = account.endpoint(config)
    found = Monitor(account, name, [])
    found.predicted = found.ask(rows(0))
    yield found
    account.remove(name)


@pytest.fixture(scope="module")
def against(monitor: Monitor) -> dict[str, Any]:
    """The baseline of what the endpoint answers and is asked, in the analyzer's order."""
    named = dict(zip(NAMES, rows(0).T.tolist(), strict=True))
    return monitor.baseline(prediction=monitor.predicted, **named)


@pytest.fixture
def made(monitor: Monitor) -> Iterator[None]:
    """Deletes all schedules after the test."""
    yield
    client = monitor.account.sagemaker
    listed = client.list_monitoring_schedules(EndpointName=monitor.endpoint)
    for each in listed["MonitoringScheduleSummaries"]:
        client.delete_monitoring_schedule(MonitoringScheduleName=each["MonitoringScheduleName"])


@pytest.mark.usefixtures("made")
def test_a_change_of_units_is_found_in_its_hour(monitor: Monitor, against: dict[str, Any]) -> None:
    """Fahrenheit is as ever; Celsius is a violation, of that column alone, and a metric says so."""
    schedule = monitor.schedule(monitor.definition(against), **HOURLY)
    monitor.next_hour()  # with what the fixture asked, or nothing
    monitor.ask(rows(1))
    monitor.next_hour()
    monitor.ask(celsius(rows(2)))
    monitor.next_hour()
    warm, usual = monitor.executions(schedule)[:2]
    assert usual["MonitoringExecutionStatus"] == "Completed"
    assert monitor.report(schedule, usual, "constraint_violations") == {"violations": []}
    assert warm["MonitoringExecutionStatus"] == "CompletedWithViolations"
    found = monitor.report(schedule, warm, "constraint_violations")["violations"]
    of_input = [each for each in found if each["feature_name"] != "prediction"]
    assert [(each["feature_name"], each["constraint_check_type"]) for each in of_input] == [
        ("bp", "baseline_drift_check")
    ]
    statistics = monitor.report(schedule, warm, "statistics")
    assert statistics["dataset"]["item_count"] == 400
    (bp,) = [each for each in statistics["features"] if each["name"] == "bp"]
    mean = celsius(rows(2))[:, 3].mean()  # of what was sent, by numpy
    assert bp["numerical_statistics"]["mean"] == pytest.approx(mean, abs=1e-3)
    suggested = monitor.report(schedule, warm, "constraints")["features"]
    assert [each["name"] for each in suggested] == ["prediction", *NAMES]

    hour = warm["ScheduledTime"]
    told = monitor.account.cloudwatch.get_metric_statistics(
        Namespace="aws/sagemaker/Endpoints/data-metrics",
        MetricName="feature_baseline_drift_bp",
        Dimensions=[
            {"Name": "Endpoint", "Value": monitor.endpoint},
            {"Name": "MonitoringSchedule", "Value": schedule},
        ],
        StartTime=hour - timedelta(hours=2),
        EndTime=hour + timedelta(minutes=1),
        Period=60,
        Statistics=["Maximum"],
    )
    points = {each["Timestamp"]: each["Maximum"] for each in told["Datapoints"]}
    assert points[usual["ScheduledTime"]] < 0.1 < points[hour]


@pytest.mark.usefixtures("made")
def test_an_hour_without_requests_fails_as_on_aws(monitor: Monitor, against: Any) -> None:
    """There is nothing that could be said of it."""
    schedule = monitor.schedule(monitor.definition(against))
    monitor.next_hour()
    monitor.next_hour()
    last = monitor.executions(schedule)[0]
    assert last["MonitoringExecutionStatus"] == "Failed"
    assert last["FailureReason"] == "Job inputs had no data"


@pytest.mark.usefixtures("made")
def test_a_schedule_can_run_at_once(monitor: Monitor, against: Any) -> None:
    """NOW looks at the stretch that it is given, once, and is Stopped then."""
    monitor.next_hour()
    monitor.ask(rows(3))
    monitor.account.cloud.advance(1)  # a capture tells the second
    schedule = monitor.schedule(
        monitor.definition(against),
        ScheduleExpression="NOW",
        DataAnalysisStartTime="-PT1M",
        DataAnalysisEndTime="-PT0H",
    )
    monitor.account.cloud.advance(0)
    (only,) = monitor.executions(schedule)
    assert only["MonitoringExecutionStatus"] == "Completed", only
    assert monitor.report(schedule, only, "statistics")["dataset"]["item_count"] == 400
    monitor.next_hour()
    assert len(monitor.executions(schedule)) == 1
    told = monitor.account.sagemaker.describe_monitoring_schedule(MonitoringScheduleName=schedule)
    assert told["MonitoringScheduleStatus"] == "Stopped"


@pytest.mark.usefixtures("made")
def test_one_side_can_be_looked_at_alone(monitor: Monitor) -> None:
    """With the variable of the container's contract; the answers are no extra column then."""
    of_input = monitor.baseline(**dict(zip(NAMES, rows(0).T.tolist(), strict=True)))
    form = json.dumps({"sagemakerCaptureJson": {"captureIndexNames": ["endpointInput"]}})
    both = monitor.schedule(monitor.definition(of_input))
    alone = monitor.schedule(monitor.definition(of_input, dataset_format=form))
    monitor.next_hour()
    monitor.ask(rows(4))
    monitor.next_hour()
    assert monitor.executions(alone)[0]["MonitoringExecutionStatus"] == "Completed"
    last = monitor.executions(both)[0]
    found = monitor.report(both, last, "constraint_violations")["violations"]
    assert "extra_column_check" in {each["constraint_check_type"] for each in found}


@pytest.mark.usefixtures("made")
def test_what_is_wrong_with_a_baseline_is_told(monitor: Monitor) -> None:
    """A file that is not there, and one that is no such file."""
    uri = f"s3://{monitor.account.bucket}/nothing.json"
    gone = monitor.schedule(monitor.definition({"ConstraintsResource": {"S3Uri": uri}}))
    monitor.account.s3.put_object(Bucket=monitor.account.bucket, Key="bad.json", Body=b"{}")
    uri = f"s3://{monitor.account.bucket}/bad.json"
    bad = monitor.schedule(monitor.definition({"ConstraintsResource": {"S3Uri": uri}}))
    monitor.next_hour()
    reasons = [monitor.executions(name)[0]["FailureReason"] for name in (gone, bad)]
    assert "nothing.json" in reasons[0]
    assert "bad.json: features is missing" in reasons[1]


@pytest.mark.usefixtures("made")
def test_a_schedule_is_stopped_started_and_changed(monitor: Monitor, against: Any) -> None:
    """A stopped one does not run; an update counts from then on."""
    client, definition = monitor.account.sagemaker, monitor.definition(against)
    schedule = monitor.schedule(definition)

    def told() -> dict[str, Any]:
        found = client.describe_monitoring_schedule(MonitoringScheduleName=schedule)
        assert check_response("sagemaker", "DescribeMonitoringSchedule", found) == []
        return dict(found)

    assert told()["MonitoringScheduleStatus"] == "Scheduled"
    client.stop_monitoring_schedule(MonitoringScheduleName=schedule)
    monitor.next_hour()
    assert (told()["MonitoringScheduleStatus"], monitor.executions(schedule)) == ("Stopped", [])
    client.start_monitoring_schedule(MonitoringScheduleName=schedule)
    monitor.next_hour()
    assert len(monitor.executions(schedule)) == 1
    config = {
        "ScheduleConfig": {"ScheduleExpression": f"cron(0 {told()['CreationTime'].hour} ? * * *)"},
        "MonitoringJobDefinitionName": definition,
    }
    client.update_monitoring_schedule(
        MonitoringScheduleName=schedule, MonitoringScheduleConfig=config
    )
    for _ in range(24):
        monitor.next_hour()
    assert len(monitor.executions(schedule)) == 2
    last = told()["LastMonitoringExecutionSummary"]
    assert last == monitor.executions(schedule)[0]
    assert last["ScheduledTime"].hour == told()["CreationTime"].hour


@pytest.mark.usefixtures("made")
def test_lists_are_filtered_and_sorted(monitor: Monitor, against: Any) -> None:
    """By endpoint, definition, status and time."""
    client, definition = monitor.account.sagemaker, monitor.definition(against)
    first, second = monitor.schedule(definition), monitor.schedule(monitor.definition(against))
    client.stop_monitoring_schedule(MonitoringScheduleName=second)

    def names(**request: Any) -> list[str]:
        told = client.list_monitoring_schedules(EndpointName=monitor.endpoint, **request)
        assert check_response("sagemaker", "ListMonitoringSchedules", told) == []
        return [each["MonitoringScheduleName"] for each in told["MonitoringScheduleSummaries"]]

    assert names(SortBy="CreationTime", SortOrder="Ascending") == [first, second]
    assert names(StatusEquals="Stopped") == [second]
    assert names(MonitoringJobDefinitionName=definition) == [first]
    assert names(MonitoringTypeEquals="ModelBias") == []
    assert (
        client.list_monitoring_schedules(EndpointName="other")["MonitoringScheduleSummaries"] == []
    )
    monitor.next_hour()
    monitor.next_hour()
    newest, oldest = monitor.executions(first)
    assert newest["ScheduledTime"] - oldest["ScheduledTime"] == timedelta(hours=1)
    assert monitor.executions(first, SortOrder="Ascending") == [oldest, newest]
    assert monitor.executions(first, ScheduledTimeAfter=oldest["ScheduledTime"]) == [newest]
    assert monitor.executions(first, StatusEquals="Completed") == []
    assert monitor.executions(first, MaxResults=1) == [newest]


def test_definitions_are_made_described_listed_and_deleted(monitor: Monitor, against: Any) -> None:
    """And a schedule whose definition is gone says so."""
    client, name = monitor.account.sagemaker, monitor.definition(against)
    told = client.describe_data_quality_job_definition(JobDefinitionName=name)
    assert check_response("sagemaker", "DescribeDataQualityJobDefinition", told) == []
    assert told["DataQualityBaselineConfig"] == against
    listed = client.list_data_quality_job_definitions(NameContains=name)
    assert check_response("sagemaker", "ListDataQualityJobDefinitions", listed) == []
    (only,) = listed["JobDefinitionSummaries"]
    assert (only["MonitoringJobDefinitionName"], only["EndpointName"]) == (name, monitor.endpoint)
    schedule = monitor.schedule(name)
    client.delete_data_quality_job_definition(JobDefinitionName=name)
    monitor.next_hour()
    assert "Could not find job definition" in monitor.executions(schedule)[0]["FailureReason"]
    client.delete_monitoring_schedule(MonitoringScheduleName=schedule)
    for call, request in (
        (client.describe_data_quality_job_definition, {"JobDefinitionName": name}),
        (client.describe_monitoring_schedule, {"MonitoringScheduleName": schedule}),
    ):
        with pytest.raises(ClientError, match="Could not find") as caught:
            call(**request)
        assert caught.value.response["Error"]["Code"] == "ResourceNotFound"


@pytest.mark.parametrize(
    ("change", "code", "message"),
    [
        (lambda config: config.pop("ScheduleConfig"), "ValidationException", "needs a Schedule"),
        (
            lambda config: config.pop("MonitoringJobDefinitionName"),
            "ValidationException",
            "needs either MonitoringJobDefinitionName or",
        ),
        (
            lambda config: config.update(MonitoringType="ModelBias"),
            "UnsupportedOperation",
            "monitoring of ModelBias; give DataQuality",
        ),
        (
            lambda config: config.update(MonitoringJobDefinitionName="none-such"),
            "ResourceNotFound",
            "Could not find job definition .*none-such",
        ),
        (
            lambda config: config.update(ScheduleConfig={"ScheduleExpression": "rate(1 hour)"}),
            "ValidationException",
            "is none of: NOW",
        ),
    ],
)
def test_schedules_that_cannot_be_are_refused(
    monitor: Monitor,
    against: Any,
    change: Callable[[dict[str, Any]], object],
    code: str,
    message: str,
) -> None:
    """Before anything is made."""
    config: dict[str, Any] = {
        "ScheduleConfig": HOURLY,
        "MonitoringJobDefinitionName": monitor.definition(against),
    }
    change(config)
    with pytest.raises(ClientError, match=message) as caught:
        monitor.account.sagemaker.create_monitoring_schedule(
            MonitoringScheduleName="refused", MonitoringScheduleConfig=config
        )
    assert caught.value.response["Error"]["Code"] == code


def test_an_endpoint_that_captures_nothing_is_no_endpoint_to_monitor(
    account: Any, diabetes: Any, endpoint_of: Callable[..., str], against: Any
) -> None:
    """With the reason, and what to do."""
    name = endpoint_of(account.config(account.model(diabetes.artifact)))
    with pytest.raises(ClientError, match=f"the endpoint {name} captures no data; give its"):
        Monitor(account, name, []).definition(against)
    with pytest.raises(ClientError, match="Could not find endpoint"):
        Monitor(account, "nobody", []).definition(against)
