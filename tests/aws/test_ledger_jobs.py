"""Jobs that a session begins are added up; nothing here is sent to anybody."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from support.ledger import Held, cluster, estimate, refused

BEGAN = datetime(2026, 1, 5, 12, 0, tzinfo=UTC)


def test_jobs_may_run_for_what_was_estimated() -> None:
    """By their limits, all together: instances times hours."""
    mine = Held(estimate(training=2, hours=2))
    mine.job("a", 1, count=2)
    mine.job("b", 2)
    with refused(
        "CreateTrainingJob",
        r"2 training ml\.m5\.large \(4 instance-hours in 2 h\).*"
        "4.1 instance-hours: 2 of training-job a for 1 h, 1 of training-job b for 2 h, 1 of "
        "training-job c for 0.1 h; call describe_training_job",
    ):
        mine.job("c", 0.1)


def test_groups_of_a_job_are_added_up() -> None:
    """Two of one type are two."""
    mine = Held(estimate(training=2, hours=2))
    group = {"InstanceType": "ml.m5.large", "InstanceCount": 1}
    groups = [{**group, "InstanceGroupName": name} for name in "ab"]
    request = {"ResourceConfig": {"InstanceGroups": groups}}
    limit = {"StoppingCondition": {"MaxRuntimeInSeconds": 7200}}
    mine.ask("CreateTrainingJob", TrainingJobName="a", **request, **limit)
    with refused("CreateTrainingJob", "2 of training-job a for 2 h, 1 of training-job b"):
        mine.job("b", 0.1)


def test_a_quarter_of_an_instance_is_a_quarter_of_the_hours() -> None:
    """A job may have a whole one, for a shorter time."""
    mine = Held(estimate(training=0.25, hours=4))
    mine.job("a", 0.5)
    mine.job("b", 0.5)
    with refused("CreateTrainingJob", r"\(1 instance-hours in 4 h\)"):
        mine.job("c", 0.01)


@pytest.mark.parametrize("status", ["Completed", "Failed", "Stopped", "InProgress"])
@pytest.mark.parametrize(
    "seconds",
    [
        {"BillableTimeInSeconds": 360, "TrainingTimeInSeconds": 900},
        {"TrainingTimeInSeconds": 360},
        {"TrainingStartTime": BEGAN, "TrainingEndTime": BEGAN + timedelta(minutes=6)},
        {},
    ],
)
def test_a_job_that_has_ended_counts_for_as_long_as_it_ran(
    status: str, seconds: dict[str, Any]
) -> None:
    """Its billed seconds; one that never began has none."""
    mine = Held(estimate(training=1, hours=1))
    mine.job("a", 1)
    told = {"TrainingJobStatus": status, **seconds}
    mine.tell("DescribeTrainingJob", told, TrainingJobName="a")
    if status == "InProgress":
        with refused("CreateTrainingJob", "1 of training-job a for 1 h"):
            mine.job("b", 0.1)
        return
    mine.job("b", 0.9)
    with refused("CreateTrainingJob", "1 of training-job b for 0.9 h"):
        mine.job("c", 0.2)


def test_instances_that_are_kept_when_a_job_has_ended_count() -> None:
    """A warm pool stands, and is billed, for its time."""
    mine = Held(estimate(training=1, hours=1))
    resources = {"InstanceType": "ml.m5.large", "KeepAlivePeriodInSeconds": 1800}
    limit = {"MaxRuntimeInSeconds": 1800}
    request = {"TrainingJobName": "a", "ResourceConfig": resources, "StoppingCondition": limit}
    mine.ask("CreateTrainingJob", **request)
    told = {"TrainingJobStatus": "Completed", "BillableTimeInSeconds": 360}
    mine.tell("DescribeTrainingJob", told, TrainingJobName="a")
    with refused("CreateTrainingJob", "1 of training-job a for 0.6 h"):
        mine.job("b", 0.5)
    mine.job("b", 0.4)


@pytest.mark.parametrize("status", ["Terminated", "Reused"])
def test_instances_that_are_let_go_count_for_as_long_as_they_were_kept(status: str) -> None:
    """The next job took them, or their time was over."""
    mine = Held(estimate(training=1, hours=1))
    resources = {"InstanceType": "ml.m5.large", "KeepAlivePeriodInSeconds": 1800}
    request = {"ResourceConfig": resources, "StoppingCondition": {"MaxRuntimeInSeconds": 1800}}
    pool = {"Status": status, "ResourceRetainedBillableTimeInSeconds": 36}
    told = {"TrainingJobStatus": "Completed", "BillableTimeInSeconds": 324, "WarmPoolStatus": pool}
    for count in range(6):
        mine.ask("CreateTrainingJob", TrainingJobName=f"job-{count}", **request, end="commit")
        mine.tell("DescribeTrainingJob", told, TrainingJobName=f"job-{count}")
        request["StoppingCondition"] = {"MaxRuntimeInSeconds": 360}
        resources["KeepAlivePeriodInSeconds"] = 360
    with refused(
        "CreateTrainingJob",
        "1.1 instance-hours: 1 of training-job more for 0.5 h, .* job-0 for 0.1 h",
    ):
        mine.job("more", 0.5)


def test_a_job_that_is_deleted_has_run() -> None:
    """Its hours are spent, and those of another one of its name are added."""
    mine = Held(estimate(training=1, hours=1))
    mine.job("a", 0.5)
    mine.tell("DescribeTrainingJob", None, TrainingJobName="a")
    mine.job("a", 0.4)
    with refused(
        "CreateTrainingJob",
        "job a for 0.5 h, 1 of training-job a run 2 for 0.4 h, 1 .* run 3 for 0.2",
    ):
        mine.job("a", 0.2)
    told = {"TrainingJobStatus": "Stopped", "BillableTimeInSeconds": 1080}
    mine.tell("DescribeTrainingJob", told, TrainingJobName="a")
    mine.job("a", 0.2)
    with refused("CreateTrainingJob", "a for 0.5 h, .* run 2 for 0.3 h, .* run 3 for 0.2"):
        mine.job("b", 0.1)


def test_a_job_that_has_never_been_is_not_counted() -> None:
    """Its request was lost on the way."""
    mine = Held(estimate(training=1, hours=1))
    mine.job("a", 1, end="leave")
    with refused("CreateTrainingJob", "1 of training-job a for 1 h"):
        mine.job("b", 1)
    mine.job("a", 1)  # it is tried again, and has run once


def test_a_job_that_was_lost_makes_room() -> None:
    """AWS has no such job."""
    mine = Held(estimate(training=1, hours=1))
    mine.job("a", 1, end="leave")
    mine.tell("DescribeTrainingJob", None, TrainingJobName="a")
    mine.job("b", 1)


def test_a_schedule_of_a_kind_that_is_none_is_left_to_the_check_of_requests() -> None:
    """Which names the field."""
    config = {"MonitoringJobDefinitionName": "quality", "MonitoringType": "Foo"}
    request = {"MonitoringScheduleName": "a", "MonitoringScheduleConfig": config}
    Held(estimate(processing=1)).ask("CreateMonitoringSchedule", **request)


def test_a_job_of_processing_tells_when_it_began_and_ended() -> None:
    """Their difference counts."""
    mine = Held(estimate(processing=1, hours=1))
    request = {"ProcessingJobName": "a", "ProcessingResources": cluster(1)}
    limit = {"StoppingCondition": {"MaxRuntimeInSeconds": 3600}}
    mine.ask("CreateProcessingJob", **request, **limit)
    ended = {
        "ProcessingJobStatus": "Completed",
        "ProcessingStartTime": BEGAN,
        "ProcessingEndTime": BEGAN + timedelta(minutes=30),
    }
    mine.tell("DescribeProcessingJob", ended, ProcessingJobName="a")
    limit = {"StoppingCondition": {"MaxRuntimeInSeconds": 1800}}
    mine.ask("CreateProcessingJob", **{**request, "ProcessingJobName": "b"}, **limit)
    with refused(
        "CreateProcessingJob", "1 of processing-job a for 0.5 h, .*; call describe_processing_job"
    ):
        mine.ask("CreateProcessingJob", **{**request, "ProcessingJobName": "c"}, **limit)


@pytest.mark.parametrize("end", ["StopTransformJob", "DescribeTransformJob"])
def test_a_transform_job_stands_until_it_has_ended(end: str) -> None:
    """AWS sets it no limit."""
    mine = Held(estimate(transform=1))
    resources = {"InstanceType": "ml.m5.large", "InstanceCount": 1}
    mine.ask("CreateTransformJob", TransformJobName="a", TransformResources=resources)
    with refused(
        "CreateTransformJob",
        "1 of transform-job a, 1 of transform-job b; call describe_transform_job",
    ):
        mine.ask("CreateTransformJob", TransformJobName="b", TransformResources=resources)
    mine.tell(end, {"TransformJobStatus": "Completed"}, TransformJobName="a")
    mine.ask("CreateTransformJob", TransformJobName="b", TransformResources=resources)


@pytest.mark.parametrize(
    "config",
    [
        {"MonitoringJobDefinition": {"MonitoringResources": cluster(2),
                                     "StoppingCondition": {"MaxRuntimeInSeconds": 600}}},
        {"MonitoringJobDefinitionName": "quality", "MonitoringType": "ModelQuality"},
        {"MonitoringJobDefinitionName": "quality"},
    ],
)  # fmt: skip
def test_a_schedule_stands_until_it_is_deleted(config: dict[str, Any]) -> None:
    """It begins jobs for ever; the definition that it names is looked up."""
    mine = Held(estimate(processing=2))
    request = {"MonitoringScheduleName": "a", "MonitoringScheduleConfig": config}
    mine.ask("CreateMonitoringSchedule", **request)
    mine.ask("UpdateMonitoringSchedule", **request)
    mine.tell("StopMonitoringSchedule", {}, MonitoringScheduleName="a")  # it can be started again
    with refused("CreateMonitoringSchedule", "2 of monitoring-schedule a, 2 of"):
        mine.ask("CreateMonitoringSchedule", **{**request, "MonitoringScheduleName": "b"})
    mine.tell("DeleteMonitoringSchedule", {}, MonitoringScheduleName="a")
    mine.ask("CreateMonitoringSchedule", **{**request, "MonitoringScheduleName": "b"})


def test_jobs_and_schedules_share_what_was_estimated() -> None:
    """A schedule takes its instances for all the time."""
    mine = Held(estimate(processing=2, hours=1))
    config = {"MonitoringJobDefinition": {"MonitoringResources": cluster(1)}}
    mine.ask(
        "CreateMonitoringSchedule", MonitoringScheduleName="a", MonitoringScheduleConfig=config
    )
    job = {"ProcessingJobName": "b", "ProcessingResources": cluster(1)}
    mine.ask("CreateProcessingJob", **job, StoppingCondition={"MaxRuntimeInSeconds": 3600})
    with refused("CreateProcessingJob", "1 of monitoring-schedule a, 1 of processing-job b"):
        mine.ask(
            "CreateProcessingJob",
            **{**job, "ProcessingJobName": "c"},
            StoppingCondition={"MaxRuntimeInSeconds": 60},
        )
