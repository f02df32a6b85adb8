"""What a session makes is added up; nothing here is sent to anybody."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from mlref.aws.claims import Changes
from mlref.aws.ledger import Ledger
from mlref.aws.models import operation_model
from mlref.cost import Estimate, PriceBook
from mlref.errors import SpendingRefusedError

BOOK = PriceBook.load()
SCALING = "application-autoscaling"
CAPACITY = "UpdateEndpointWeightsAndCapacities"
DIMENSION = "sagemaker:variant:DesiredInstanceCount"
BEGAN = datetime(2026, 1, 5, 12, 0, tzinfo=UTC)


def _estimate(hours: float = 4, **quantities: float) -> Estimate:
    """Of so many ml.m5.large for each use."""
    found = Estimate()
    for use, quantity in quantities.items():
        found = found.add(use, BOOK.find("sagemaker", f"{use} ml.m5.large"), quantity)
    return found.over(hours)


def _refused(operation: str, why: str) -> Any:
    begin = f"^{operation} is refused, nothing was sent: "
    return pytest.raises(SpendingRefusedError, match=f"{begin}.*{why}.*delete what is not needed")


def _cluster(count: int, kind: str = "ml.m5.large") -> dict[str, Any]:
    return {"ClusterConfig": {"InstanceType": kind, "InstanceCount": count, "VolumeSizeInGB": 5}}


class _Account:
    """Held to an estimate; has configurations "one" and "two", by the sizes of their variants."""

    def __init__(self, estimate: Estimate) -> None:
        self.configs = {
            "one": self.config(A=1),
            "two": self.config(A=1, B=1),
            "three": self.config(A=3),
            "dear": self.config("ml.g5.2xlarge", A=1),
            "shadow": {**self.config(A=1), "ShadowProductionVariants": self.variants(S=1)},
            "small": {"ProductionVariants": [{"VariantName": "A", "ServerlessConfig": {}}]},
        }
        self.endpoints: dict[str, str] = {}
        self.ledger = Ledger(estimate, self._found)

    def variants(self, kind: str = "ml.m5.large", **sizes: int) -> list[dict[str, Any]]:
        """As a configuration lists them."""
        named = [{"VariantName": name, "InitialInstanceCount": n} for name, n in sizes.items()]
        return [{**each, "InstanceType": kind} for each in named]

    def config(self, kind: str = "ml.m5.large", **sizes: int) -> dict[str, Any]:
        """As DescribeEndpointConfig tells it."""
        return {"ProductionVariants": self.variants(kind, **sizes)}

    def ask(self, operation: str, service: str = "sagemaker", **request: Any) -> Changes:
        """Count a request; returns what undoes it."""
        shape = operation_model(service, operation).input_shape
        return self.ledger.reserve(operation, request, shape, request.pop("region", "us-east-1"))

    def tell(self, operation: str, answer: Mapping[str, Any] | None = None, **request: Any) -> None:
        """Tell what AWS answered."""
        self.ledger.hear(operation, request, answer or {}, "us-east-1")

    def make(self, name: str, config: str = "one", **more: Any) -> Changes:
        """Create an endpoint."""
        return self.ask("CreateEndpoint", EndpointName=name, EndpointConfigName=config, **more)

    def update(self, name: str, config: str, **more: Any) -> Changes:
        """Update one."""
        return self.ask("UpdateEndpoint", EndpointName=name, EndpointConfigName=config, **more)

    def resize(self, name: str, variant: str, count: int) -> Changes:
        """Change a variant's number of instances."""
        size = {"VariantName": variant, "DesiredInstanceCount": count}
        return self.ask(CAPACITY, EndpointName=name, DesiredWeightsAndCapacities=[size])

    def scale(self, name: str, most: int, variant: str = "A", action: str = "") -> Changes:
        """Let a variant scale, by itself or by a scheduled action."""
        path = f"endpoint/{name}/variant/{variant}"
        request = {"ResourceId": path, "ScalableDimension": DIMENSION}
        bounds = {"MinCapacity": 1, "MaxCapacity": most}
        if action:
            request |= {"ScheduledActionName": action, "ScalableTargetAction": bounds}
            return self.ask("PutScheduledAction", SCALING, **request)
        return self.ask("RegisterScalableTarget", SCALING, **request, **bounds)

    def job(self, name: str, hours: float, count: int = 1) -> Changes:
        """Begin a training job with a limit."""
        resources = {"InstanceType": "ml.m5.large", "InstanceCount": count}
        limit = {"MaxRuntimeInSeconds": round(hours * 3600)}
        return self.ask(
            "CreateTrainingJob",
            TrainingJobName=name,
            ResourceConfig=resources,
            StoppingCondition=limit,
        )

    def _found(self, operation: str, region: str, params: Mapping[str, Any]) -> Mapping[str, Any]:
        if region != "us-east-1" and "west" not in region:
            return {}
        if operation == "DescribeEndpointConfig":
            return self.configs.get(params["EndpointConfigName"], {})
        if operation == "DescribeEndpoint":
            config = self.endpoints.get(params["EndpointName"])
            return {} if config is None else {"EndpointConfigName": config}
        assert (operation, params) == (
            "DescribeModelQualityJobDefinition",
            {"JobDefinitionName": "quality"},
        )
        return {"JobResources": _cluster(2)}


def test_endpoints_are_added_up() -> None:
    """Each would pass alone; what is deleted makes room."""
    mine = _Account(_estimate(hosting=2))
    mine.make("a")
    mine.make("b")
    with _refused(
        "CreateEndpoint",
        r"has 2 hosting ml\.m5\.large \(8 instance-hours in 4 h\), and with this request the "
        "session would have 1 of endpoint a, 1 of endpoint b, 1 of endpoint c",
    ):
        mine.make("c")
    mine.tell("DeleteEndpoint", EndpointName="a")
    mine.make("c")


def test_regions_are_added_up() -> None:
    """Endpoints of one name in two regions are two."""
    mine = _Account(_estimate(hosting=1))
    mine.make("a")
    with _refused("CreateEndpoint", "1 of endpoint a, 1 of endpoint a"):
        mine.make("a", region="us-west-2")


@pytest.mark.parametrize(
    ("config", "why"),
    [
        ("dear", r"no hosting ml\.g5\.2xlarge"),
        ("three", "3 of endpoint a"),
        ("shadow", "1 of endpoint a, 1 of endpoint a"),
    ],
)
def test_what_another_has_configured_is_looked_up(config: str, why: str) -> None:
    """It was not this session that had to keep to the estimate when it was made."""
    with _refused("CreateEndpoint", why):
        _Account(_estimate(hosting=1)).make("a", config)


@pytest.mark.parametrize("config", ["small", "no-such"])
def test_what_has_no_instances_is_not_counted(config: str) -> None:
    """Serverless compute costs by use; what is not there, AWS refuses."""
    mine = _Account(Estimate())
    mine.make("a", config)
    mine.make("b", config)


def test_an_update_takes_the_place_of_what_was() -> None:
    """Both stand for minutes only."""
    mine = _Account(_estimate(hosting=2))
    mine.make("a", "one")
    mine.update("a", "two")
    with _refused("CreateEndpoint", "1 of endpoint a, 1 of endpoint a, 1 of endpoint b"):
        mine.make("b")
    with _refused("UpdateEndpoint", "3 of endpoint a"):
        mine.update("a", "three")
    mine.update("a", "one")
    mine.make("b")


def test_an_update_may_keep_what_a_variant_has() -> None:
    """RetainAllVariantProperties keeps the number of instances."""
    mine = _Account(_estimate(hosting=3))
    mine.make("a")
    mine.resize("a", "A", 3)
    with _refused("UpdateEndpoint", "3 of endpoint a, 1 of endpoint a"):
        mine.update("a", "two", RetainAllVariantProperties=True)
    mine.update("a", "two")


def test_what_it_may_scale_to_counts() -> None:
    """A target's bound, and that of a scheduled action: the greatest is what it may cost."""
    mine = _Account(_estimate(hosting=4))
    mine.make("a")
    mine.scale("a", 2)
    mine.scale("a", 3, action="morning")
    mine.make("b")
    with _refused("CreateEndpoint", "3 of endpoint a, 1 of endpoint b, 1 of endpoint c"):
        mine.make("c")
    with _refused("RegisterScalableTarget", "4 of endpoint a, 1 of endpoint b"):
        mine.scale("a", 4)
    mine.tell("DeleteEndpoint", EndpointName="b")
    mine.scale("a", 4)


def test_what_has_scaled_stays_when_nothing_scales_it_any_more() -> None:
    """Deregistering a target lets no instance go; less is asked for by hand."""
    mine = _Account(_estimate(hosting=3))
    mine.make("a")
    mine.scale("a", 3)
    mine.scale("a", 2, action="morning")
    mine.tell("DeregisterScalableTarget", ResourceId="endpoint/a/variant/A")
    with _refused("CreateEndpoint", "3 of endpoint a, 1 of endpoint b"):
        mine.make("b")
    mine.resize("a", "A", 2)
    mine.make("b")


@pytest.mark.parametrize("way", ["resize", "scale"])
def test_what_another_has_made_counts_from_when_it_is_changed(way: str) -> None:
    """Its configuration tells of the other variants."""
    mine = _Account(_estimate(hosting=3))
    mine.endpoints["theirs"] = "two"
    getattr(mine, way)(
        "theirs", **{"resize": {"variant": "A", "count": 2}, "scale": {"most": 2}}[way]
    )
    with _refused("CreateEndpoint", "2 of endpoint theirs, 1 of endpoint theirs, 1 of endpoint a"):
        mine.make("a")


def test_what_asks_for_less_is_never_refused() -> None:
    """Also if somebody else's is already more than was estimated."""
    mine = _Account(_estimate(hosting=1))
    mine.endpoints["theirs"] = "three"
    mine.resize("theirs", "A", 1)
    with _refused(CAPACITY, "2 of endpoint theirs"):
        mine.resize("theirs", "A", 2)


def test_what_is_undone_is_not_counted() -> None:
    """As if the request had never been made."""
    mine = _Account(_estimate(hosting=1))
    mine.ledger.undo(mine.make("a"))
    before = mine.make("b")
    mine.ledger.undo(mine.update("b", "one"))
    with _refused("CreateEndpoint", "1 of endpoint b, 1 of endpoint c"):
        mine.make("c")
    mine.ledger.undo(before)
    mine.make("c")


def test_jobs_may_run_for_what_was_estimated() -> None:
    """By their limits, all together: instances times hours."""
    mine = _Account(_estimate(training=2, hours=2))
    mine.job("a", 1, count=2)
    mine.job("b", 2)
    with _refused(
        "CreateTrainingJob",
        r"2 training ml\.m5\.large \(4 instance-hours in 2 h\).*"
        "2 of training-job a for 1 h, 1 of training-job b for 2 h, 1 of training-job c for 0.1 h",
    ):
        mine.job("c", 0.1)


def test_a_quarter_of_an_instance_is_a_quarter_of_the_hours() -> None:
    """A job may have a whole one, for a shorter time."""
    mine = _Account(_estimate(training=0.25, hours=4))
    mine.job("a", 0.5)
    mine.job("b", 0.5)
    with _refused("CreateTrainingJob", r"\(1 instance-hours in 4 h\)"):
        mine.job("c", 0.01)


@pytest.mark.parametrize("status", ["Completed", "Failed", "Stopped", "InProgress"])
@pytest.mark.parametrize("seconds", [{"BillableTimeInSeconds": 360}, {}])
def test_a_job_that_has_ended_counts_for_as_long_as_it_ran(
    status: str, seconds: dict[str, int]
) -> None:
    """Its billed seconds; one that never began has none."""
    mine = _Account(_estimate(training=1, hours=1))
    mine.job("a", 1)
    told = {"TrainingJobStatus": status, **seconds}
    mine.tell("DescribeTrainingJob", told, TrainingJobName="a")
    if status == "InProgress":
        with _refused("CreateTrainingJob", "1 of training-job a for 1 h"):
            mine.job("b", 0.1)
        return
    mine.job("b", 0.9)
    with _refused("CreateTrainingJob", "1 of training-job b for 0.9 h"):
        mine.job("c", 0.2)


def test_a_job_of_processing_tells_when_it_began_and_ended() -> None:
    """Their difference counts."""
    mine = _Account(_estimate(processing=1, hours=1))
    request = {"ProcessingJobName": "a", "ProcessingResources": _cluster(1)}
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
    with _refused("CreateProcessingJob", "1 of processing-job a for 0.5 h"):
        mine.ask("CreateProcessingJob", **{**request, "ProcessingJobName": "c"}, **limit)


@pytest.mark.parametrize("end", ["StopTransformJob", "DescribeTransformJob"])
def test_a_transform_job_stands_until_it_has_ended(end: str) -> None:
    """AWS sets it no limit."""
    mine = _Account(_estimate(transform=1))
    resources = {"InstanceType": "ml.m5.large", "InstanceCount": 1}
    mine.ask("CreateTransformJob", TransformJobName="a", TransformResources=resources)
    with _refused("CreateTransformJob", "1 of transform-job a, 1 of transform-job b"):
        mine.ask("CreateTransformJob", TransformJobName="b", TransformResources=resources)
    mine.tell(end, {"TransformJobStatus": "Completed"}, TransformJobName="a")
    mine.ask("CreateTransformJob", TransformJobName="b", TransformResources=resources)


@pytest.mark.parametrize(
    "config",
    [
        {"MonitoringJobDefinition": {"MonitoringResources": _cluster(2),
                                     "StoppingCondition": {"MaxRuntimeInSeconds": 600}}},
        {"MonitoringJobDefinitionName": "quality", "MonitoringType": "ModelQuality"},
    ],
)  # fmt: skip
def test_a_schedule_stands_until_it_is_deleted(config: dict[str, Any]) -> None:
    """It begins jobs for ever; the definition that it names is looked up."""
    mine = _Account(_estimate(processing=2))
    request = {"MonitoringScheduleName": "a", "MonitoringScheduleConfig": config}
    mine.ask("CreateMonitoringSchedule", **request)
    mine.ask("UpdateMonitoringSchedule", **request)
    mine.tell("StopMonitoringSchedule", MonitoringScheduleName="a")  # it can be started again
    with _refused("CreateMonitoringSchedule", "2 of monitoring-schedule a, 2 of"):
        mine.ask("CreateMonitoringSchedule", **{**request, "MonitoringScheduleName": "b"})
    mine.tell("DeleteMonitoringSchedule", MonitoringScheduleName="a")
    mine.ask("CreateMonitoringSchedule", **{**request, "MonitoringScheduleName": "b"})


def test_jobs_and_schedules_share_what_was_estimated() -> None:
    """A schedule takes its instances for all the time."""
    mine = _Account(_estimate(processing=2, hours=1))
    config = {"MonitoringJobDefinition": {"MonitoringResources": _cluster(1)}}
    mine.ask(
        "CreateMonitoringSchedule", MonitoringScheduleName="a", MonitoringScheduleConfig=config
    )
    job = {"ProcessingJobName": "b", "ProcessingResources": _cluster(1)}
    mine.ask("CreateProcessingJob", **job, StoppingCondition={"MaxRuntimeInSeconds": 3600})
    with _refused("CreateProcessingJob", "1 of monitoring-schedule a, 1 of processing-job b"):
        mine.ask(
            "CreateProcessingJob",
            **{**job, "ProcessingJobName": "c"},
            StoppingCondition={"MaxRuntimeInSeconds": 60},
        )
