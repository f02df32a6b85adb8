"""The sweep: what it finds, in which order it deletes, and what it says of the rest."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from moto import mock_aws

from mlref.aws.sweep import Leftover, Sweep, leftovers, nuke
from mlref.aws.tagging import EXPIRES, SESSION, install, tags_for
from mlref.runtime.clock import ManualClock

NOW = datetime(2026, 1, 5, 12, 0, tzinfo=UTC)
SAGEMAKER = "arn:aws:sagemaker:us-east-1:123456789012"
ROLE = "arn:aws:iam::123456789012:role/sagemaker"
POLICY = json.dumps(
    {"Version": "2012-10-17",
     "Statement": [{"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*"}]}
)  # fmt: skip


def _session(name: str = "lab", expires: datetime = NOW) -> boto3.Session:
    made = boto3.Session("test", "test", region_name="us-east-1")
    install(made, tags_for(name, expires))
    return made


@pytest.fixture
def plain() -> Iterator[boto3.Session]:
    """A cloud in memory, and a session that tags nothing."""
    with mock_aws():
        yield boto3.Session("test", "test", region_name="us-east-1")


def _arns(found: list[Leftover]) -> list[str]:
    return [each.arn.rpartition("123456789012:")[2] for each in found]


def _deploy(mine: boto3.Session) -> None:
    """One thing of each kind that moto has."""
    mine.client("s3").create_bucket(Bucket="models")
    mine.client("logs").create_log_group(logGroupName="/mlref/a")
    mine.client("sqs").create_queue(QueueName="queue")
    mine.client("sns").create_topic(Name="topic")
    trust = json.dumps({"Version": "2012-10-17", "Statement": []})
    mine.client("iam").create_role(RoleName="r", Path="/p/", AssumeRolePolicyDocument=trust)
    mine.client("sagemaker").create_model(
        ModelName="m", ExecutionRoleArn=ROLE, PrimaryContainer={"Image": "i"}
    )
    variant = {"VariantName": "A", "ModelName": "m", "InitialInstanceCount": 1,
               "InstanceType": "ml.m5.large"}  # fmt: skip
    untagged = boto3.client("sagemaker", region_name="us-east-1")
    untagged.create_endpoint_config(EndpointConfigName="c", ProductionVariants=[variant])
    mine.client("sagemaker").create_endpoint(EndpointName="e", EndpointConfigName="c")
    mine.client("cloudwatch").put_metric_alarm(
        AlarmName="alarm", MetricName="m", Namespace="n", EvaluationPeriods=1, Period=60,
        Statistic="Sum", Threshold=1, ComparisonOperator="GreaterThanThreshold",
    )  # fmt: skip


ORDER = ["endpoint/e", "model/m", "alarm:alarm", "log-group:/mlref/a", "arn:aws:s3:::models",
         "queue", "topic", "role/p/r"]  # fmt: skip


def test_what_a_session_creates_is_found_in_the_order_in_which_it_can_go(
    plain: boto3.Session,
) -> None:
    """What uses others stands before what they use; what is not tagged is not there."""
    _deploy(_session())
    plain.client("s3").create_bucket(Bucket="theirs")
    assert _arns(leftovers(plain)) == ORDER
    assert all(each.session == "lab" and each.expires == NOW for each in leftovers(plain))


def test_everything_is_deleted_and_nothing_else(plain: boto3.Session) -> None:
    """Things of others are still there; a second sweep has nothing to do."""
    _deploy(_session())
    plain.client("s3").create_bucket(Bucket="theirs")
    done = nuke(plain, clock=ManualClock(NOW))
    assert (len(done.deleted), done.failed) == (len(ORDER), {})
    assert leftovers(plain) == []
    assert [each["Name"] for each in plain.client("s3").list_buckets()["Buckets"]] == ["theirs"]
    assert plain.client("sagemaker").list_endpoints()["Endpoints"] == []
    assert len(plain.client("sagemaker").list_endpoint_configs()["EndpointConfigs"]) == 1
    again = nuke(plain, clock=ManualClock(NOW))
    assert (again.deleted, str(again)) == ((), "nothing is left behind")


def test_a_dry_run_touches_nothing(plain: boto3.Session) -> None:
    """It says what would be deleted, in the same order."""
    _deploy(_session())
    told = nuke(plain, dry_run=True)
    assert list(told.deleted) == [each.arn for each in leftovers(plain)]
    assert len(leftovers(plain)) == len(ORDER)
    assert "would be deleted" in str(told)


def test_only_what_has_expired_goes_if_that_is_asked_for(plain: boto3.Session) -> None:
    """At its expiry it has expired; what does not tell when never has."""
    _session("old", NOW).client("sns").create_topic(Name="old")
    _session("new", NOW + timedelta(hours=1)).client("sns").create_topic(Name="new")
    tags = [{"Key": SESSION, "Value": "x"}, {"Key": EXPIRES, "Value": "some day"}]
    plain.client("sns").create_topic(Name="odd", Tags=tags)
    done = nuke(plain, expired_only=True, clock=ManualClock(NOW))
    assert [each.rpartition(":")[2] for each in done.deleted] == ["old"]
    assert _arns(leftovers(plain)) == ["new", "odd"]
    assert str(leftovers(plain)[1]).endswith("(session x, expires never)")


def test_one_session_can_be_swept_alone(plain: boto3.Session) -> None:
    """By its name."""
    for name in ("a", "b"):
        _session(name).client("sns").create_topic(Name=f"topic-{name}")
    assert _arns(leftovers(plain, name="b")) == ["topic-b"]
    nuke(plain, name="b", clock=ManualClock(NOW))
    assert _arns(leftovers(plain)) == ["topic-a"]


def test_a_bucket_goes_with_all_its_versions_and_uploads(plain: boto3.Session) -> None:
    """Old versions, markers of deleted objects, and uploads that were not finished."""
    _session().client("s3").create_bucket(Bucket="models")
    s3 = plain.client("s3")
    s3.put_bucket_versioning(Bucket="models", VersioningConfiguration={"Status": "Enabled"})
    for number in range(3):
        s3.put_object(Bucket="models", Key="model.tar.gz", Body=str(number).encode())
    s3.delete_object(Bucket="models", Key="model.tar.gz")
    s3.create_multipart_upload(Bucket="models", Key="large")
    assert nuke(plain, clock=ManualClock(NOW)).failed == {}
    assert s3.list_buckets()["Buckets"] == []


def test_a_role_goes_with_what_is_attached_to_it(plain: boto3.Session) -> None:
    """Inline policies are deleted, others detached, instance profiles let it go."""
    mine, iam = _session().client("iam"), plain.client("iam")
    trust = json.dumps({"Version": "2012-10-17", "Statement": []})
    mine.create_role(RoleName="r", AssumeRolePolicyDocument=trust)
    policy = iam.create_policy(PolicyName="p", PolicyDocument=POLICY)["Policy"]["Arn"]
    iam.attach_role_policy(RoleName="r", PolicyArn=policy)
    iam.put_role_policy(RoleName="r", PolicyName="inline", PolicyDocument=POLICY)
    iam.create_instance_profile(InstanceProfileName="profile")
    iam.add_role_to_instance_profile(InstanceProfileName="profile", RoleName="r")
    assert nuke(plain, clock=ManualClock(NOW)).failed == {}
    assert iam.list_roles()["Roles"] == []
    assert iam.get_policy(PolicyArn=policy)["Policy"]["AttachmentCount"] == 0


def test_an_endpoint_goes_with_its_scaling_targets_and_its_log(plain: boto3.Session) -> None:
    """They carry no tag of ours and would stay; those of other endpoints do."""
    _deploy(_session())
    scaling, logs = plain.client("application-autoscaling"), plain.client("logs")
    for endpoint in ("e", "e2"):
        resource = f"endpoint/{endpoint}/variant/A"
        if endpoint == "e2":
            plain.client("sagemaker").create_endpoint(EndpointName="e2", EndpointConfigName="c")
        scaling.register_scalable_target(
            ServiceNamespace="sagemaker", ResourceId=resource, MinCapacity=1, MaxCapacity=2,
            ScalableDimension="sagemaker:variant:DesiredInstanceCount",
        )  # fmt: skip
        logs.create_log_group(logGroupName=f"/aws/sagemaker/Endpoints/{endpoint}")
    nuke(plain, clock=ManualClock(NOW))
    left = scaling.describe_scalable_targets(ServiceNamespace="sagemaker")["ScalableTargets"]
    assert [each["ResourceId"] for each in left] == ["endpoint/e2/variant/A"]
    groups = [each["logGroupName"] for each in logs.describe_log_groups()["logGroups"]]
    assert groups == ["/aws/sagemaker/Endpoints/e2"]


def test_a_key_is_scheduled_to_be_deleted_and_is_no_leftover_then(plain: boto3.Session) -> None:
    """KMS waits for seven days at least; the key stays in its list meanwhile."""
    _session().client("kms").create_key()
    (key,) = leftovers(plain)
    assert nuke(plain, clock=ManualClock(NOW)).deleted == (key.arn,)
    state = plain.client("kms").describe_key(KeyId=key.arn)["KeyMetadata"]["KeyState"]
    assert (state, leftovers(plain)) == ("PendingDeletion", [])


def test_what_is_not_known_is_reported(plain: boto3.Session) -> None:
    """A secret is none of the things that the chapters create."""
    _session().client("secretsmanager").create_secret(Name="token", SecretString="x")
    done = nuke(plain, clock=ManualClock(NOW))
    (reason,) = done.failed.values()
    assert reason == "mlref cannot delete a secretsmanager secret; delete it by hand"
    assert "still there: mlref cannot" in str(done)
    assert "<table>" in done._repr_html_()


def test_a_policy_goes_with_its_old_versions(plain: boto3.Session) -> None:
    """Only the default version goes with the policy itself; policies of others stay."""
    mine, theirs = _session().client("iam"), plain.client("iam")
    arn = mine.create_policy(PolicyName="p", PolicyDocument=POLICY)["Policy"]["Arn"]
    mine.create_policy_version(PolicyArn=arn, PolicyDocument=POLICY, SetAsDefault=True)
    theirs.create_policy(PolicyName="other", PolicyDocument=POLICY)
    assert nuke(plain, clock=ManualClock(NOW)).deleted == (arn,)
    left = theirs.list_policies(Scope="Local")["Policies"]
    assert [each["PolicyName"] for each in left] == ["other"]


def test_an_alarm_is_deleted_by_all_of_its_name(plain: boto3.Session) -> None:
    """A log group's ARN ends in ":*", an alarm's name may; another's alarm is called almost so."""
    alarm = {"MetricName": "m", "Namespace": "n", "EvaluationPeriods": 1, "Period": 60,
             "Statistic": "Sum", "Threshold": 1,
             "ComparisonOperator": "GreaterThanThreshold"}  # fmt: skip
    plain.client("cloudwatch").put_metric_alarm(AlarmName="prod", **alarm)
    _session().client("cloudwatch").put_metric_alarm(AlarmName="prod:*", **alarm)
    assert len(nuke(plain, clock=ManualClock(NOW)).deleted) == 1
    left = plain.client("cloudwatch").describe_alarms()["MetricAlarms"]
    assert [each["AlarmName"] for each in left] == ["prod"]


Answer = Mapping[str, Any] | ClientError | Callable[[], Mapping[str, Any] | ClientError]


class _Scripted:
    """A cloud that answers what it is told to, for what moto does not have; nothing else is asked.

    Args:
        answers: operation -> its response, or an error, or what gives one or the other.
    """

    def __init__(self, answers: Mapping[str, Answer]) -> None:
        nothing = {"ListRoles": {"Roles": []}, "ListPolicies": {"Policies": []},
                   "DescribeScalableTargets": {"ScalableTargets": []}}  # fmt: skip
        self._answers: dict[str, Answer] = {**nothing, **answers}
        self.asked: list[str] = []
        self.session = boto3.Session("test", "test", region_name="us-east-1")
        self.session.events.register("before-call", self._answer)

    def _answer(self, model: Any, **_: object) -> Any:
        self.asked.append(model.name)
        answer = self._answers[model.name]
        answer = answer() if callable(answer) else answer
        if isinstance(answer, ClientError):
            return SimpleNamespace(status_code=400), answer.response
        return SimpleNamespace(status_code=200), answer

    @property
    def changed(self) -> list[str]:
        """The operations that change something."""
        return [each for each in self.asked if not each.startswith(("List", "Get", "Describe"))]


def _refusal(code: str, message: str) -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": message}}, "Operation")


def _tagged(*arns: str) -> dict[str, Any]:
    tags = [{"Key": key, "Value": value} for key, value in tags_for("lab", NOW).items()]
    return {"ResourceTagMappingList": [{"ResourceARN": arn, "Tags": tags} for arn in arns]}


def test_a_name_in_an_arn_is_looked_up_as_it_was_given() -> None:
    """SageMaker writes ARNs in lower case; the endpoint's name is not."""
    arn = f"{SAGEMAKER}:endpoint/flights"
    seen = []
    cloud = _Scripted({
        "GetResources": _tagged(arn),
        "ListEndpoints": {"Endpoints": [{"EndpointName": "Flights", "EndpointArn": arn}]},
        "DeleteEndpoint": {}, "DeleteLogGroup": {},
    })  # fmt: skip
    cloud.session.events.register(
        "before-parameter-build.sagemaker.DeleteEndpoint",
        lambda params, **_: seen.append(params["EndpointName"]),
    )
    assert nuke(cloud.session, clock=ManualClock(NOW)).deleted == (arn,)
    assert seen == ["Flights"]


def test_what_is_in_use_is_tried_again_until_it_is_free() -> None:
    """An endpoint that is being updated cannot be deleted; five seconds later it can."""
    arn = f"{SAGEMAKER}:endpoint/e"
    busy = _refusal("ValidationException", "Cannot update in-progress endpoint")
    answers = iter([busy, busy, {}])
    cloud = _Scripted({
        "GetResources": _tagged(arn),
        "ListEndpoints": {"Endpoints": [{"EndpointName": "e", "EndpointArn": arn}]},
        "DeleteEndpoint": lambda: next(answers), "DeleteLogGroup": {},
    })  # fmt: skip
    clock = ManualClock(NOW)
    done = nuke(cloud.session, clock=clock)
    assert (done.deleted, done.failed) == ((arn,), {})
    assert clock.now() - NOW == timedelta(seconds=10)


def test_patience_ends_and_the_reason_is_told() -> None:
    """What is still in use then is reported, with what AWS said."""
    arn = f"{SAGEMAKER}:endpoint/e"
    cloud = _Scripted({
        "GetResources": _tagged(arn),
        "ListEndpoints": {"Endpoints": [{"EndpointName": "e", "EndpointArn": arn}]},
        "DeleteEndpoint": _refusal("ValidationException", "Cannot update in-progress endpoint"),
    })  # fmt: skip
    clock = ManualClock(NOW)
    done = nuke(cloud.session, clock=clock, patience_s=60)
    assert done.failed == {arn: "ValidationException: Cannot update in-progress endpoint"}
    assert done.deleted == ()
    assert clock.now() - NOW == timedelta(seconds=60)


def test_what_is_forbidden_is_not_tried_again_and_stops_nothing() -> None:
    """One refusal does not keep the others."""
    topic = "arn:aws:sns:us-east-1:123456789012:t"
    group = "arn:aws:logs:us-east-1:123456789012:log-group:/g:*"
    cloud = _Scripted({
        "GetResources": _tagged(group, topic), "DeleteTopic": {},
        "DeleteLogGroup": _refusal("AccessDeniedException", "not you"),
    })  # fmt: skip
    clock = ManualClock(NOW)
    done = nuke(cloud.session, clock=clock)
    assert (done.deleted, done.failed) == ((topic,), {group: "AccessDeniedException: not you"})
    assert clock.now() == NOW


def test_what_costs_goes_before_what_belongs_to_it() -> None:
    """The endpoint is deleted also by somebody who may not look at its scaling; that is told."""
    arn = f"{SAGEMAKER}:endpoint/e"
    cloud = _Scripted({
        "GetResources": _tagged(arn), "DeleteEndpoint": {},
        "ListEndpoints": {"Endpoints": [{"EndpointName": "e", "EndpointArn": arn}]},
        "DescribeScalableTargets": _refusal("AccessDeniedException", "not you"),
    })  # fmt: skip
    assert nuke(cloud.session, clock=ManualClock(NOW)).failed == {
        arn: "AccessDeniedException: not you"
    }
    assert cloud.changed == ["DeleteEndpoint"]


@pytest.mark.parametrize(
    "refusal",
    [
        _refusal("ResourceNotFoundException", "The specified log group does not exist."),
        _refusal("ValidationException", 'Could not find log group "/g".'),
    ],
)
def test_what_is_gone_already_is_deleted(refusal: ClientError) -> None:
    """AWS lists things for minutes after they were deleted."""
    group = "arn:aws:logs:us-east-1:123456789012:log-group:/g"
    cloud = _Scripted({"GetResources": _tagged(group), "DeleteLogGroup": refusal})
    assert nuke(cloud.session, clock=ManualClock(NOW)).deleted == (group,)


def test_a_job_that_runs_is_stopped_and_is_ours_no_more() -> None:
    """AWS keeps the record of a job for ever; without our tags nobody lists it again."""
    running, over = (f"{SAGEMAKER}:training-job/{name}" for name in ("a", "b"))
    states = iter(["InProgress", "Completed"])
    cloud = _Scripted({
        "GetResources": _tagged(running, over), "StopTrainingJob": {}, "DeleteTags": {},
        "DescribeTrainingJob": lambda: {"TrainingJobStatus": next(states)},
    })  # fmt: skip
    assert nuke(cloud.session, clock=ManualClock(NOW)).deleted == (running, over)
    assert cloud.changed == ["StopTrainingJob", "DeleteTags", "DeleteTags"]


def test_everything_of_an_endpoint_goes_in_the_order_of_dependence() -> None:
    """Targets, schedules, components, the endpoint, its configuration, the model, the rest."""
    kinds = ["model", "endpoint-config", "endpoint", "inference-component", "monitoring-schedule",
             "data-quality-job-definition"]  # fmt: skip
    arns = [f"{SAGEMAKER}:{kind}/x" for kind in kinds]
    target = "arn:aws:application-autoscaling:us-east-1:123456789012:scalable-target/1"
    bucket, role = "arn:aws:s3:::b", "arn:aws:iam::123456789012:role/r"
    cloud = _Scripted({"GetResources": _tagged(role, bucket, *arns, target)})
    found = [each.rpartition(":")[2].partition("/")[0] for each in _arns(leftovers(cloud.session))]
    assert found == [
        "scalable-target", "monitoring-schedule", "inference-component", "endpoint",
        "endpoint-config", "model", "data-quality-job-definition", "b", "role",
    ]  # fmt: skip


def test_a_sweep_of_nothing_says_so() -> None:
    """Not an empty table."""
    assert str(Sweep()) == "nothing is left behind"
