"""UpdateEndpoint: traffic moves step by step, and nobody is left without an answer."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from botocore.exceptions import ClientError
from support.waiting import until

from mlref.aws.strict import check_response
from mlref.study.labs.small_models import model_data

HANDLERS = """
import os

def input_fn(body, content_type):
    return body

def predict_fn(body, model):
    if os.environ.get("FAILS"):
        raise RuntimeError("no answer")
    return os.environ["VERSION"]

def output_fn(version, accept):
    return version, "text/plain"
"""


def _blue_green(kind: str, *, wait_s: int, after_s: int = 0, **sizes: Any) -> dict[str, Any]:
    routing = {"Type": kind, "WaitIntervalInSeconds": wait_s, **sizes}
    policy = {"TrafficRoutingConfiguration": routing, "TerminationWaitInSeconds": after_s}
    return {"BlueGreenUpdatePolicy": policy}


@pytest.fixture
def invoke(account: Any) -> Callable[[str], str]:
    """Asks an endpoint once; returns the version that answered."""

    def call(name: str) -> str:
        reply = account.sagemaker_runtime.invoke_endpoint(
            EndpointName=name, ContentType="text/plain", Body=b"which?"
        )
        return str(reply["Body"].read().decode())

    return call


def _shares(invoke: Callable[[str], str], name: str, count: int = 200) -> Counter[str]:
    with ThreadPoolExecutor(8) as pool:
        return Counter(pool.map(invoke, [name] * count))


@pytest.fixture(scope="module")
def archive(account: Any) -> str:
    """Model data that answers with its version."""
    account.s3.put_object(Bucket=account.bucket, Key="versions.tar.gz", Body=model_data(HANDLERS))
    return f"s3://{account.bucket}/versions.tar.gz"


@pytest.fixture
def version(account: Any, archive: str) -> Callable[..., str]:
    """Makes configurations of one variant A, on one instance, with a version of the model."""

    def make(name: str, **variables: str) -> str:
        environment = {"VERSION": name, **variables}
        return str(account.config(account.model_at(archive, Environment=environment)))

    return make


@pytest.fixture
def configs(version: Callable[..., str]) -> tuple[str, str]:
    """Two configurations: the version old, and the version new."""
    return version("old"), version("new")


def _update(account: Any, name: str, config: str, **more: Any) -> None:
    account.sagemaker.update_endpoint(EndpointName=name, EndpointConfigName=config, **more)


def _baking(account: Any, name: str) -> dict[str, Any]:
    """What DescribeEndpoint tells when the new variants take part."""

    def found() -> Any:
        told = account.sagemaker.describe_endpoint(EndpointName=name)
        pending = told.get("PendingDeploymentSummary", {})
        return told if pending.get("ProductionVariants") else None

    return until(found)


def test_all_at_once_while_requests_go_on(
    account: Any,
    endpoint_of: Callable[..., str],
    configs: tuple[str, str],
    invoke: Callable[[str], str],
) -> None:
    """Every request is answered, by the old version before and by the new one after."""
    name = endpoint_of(configs[0])
    found: list[str] = []
    with ThreadPoolExecutor(4) as pool:
        _update(account, name, configs[1])
        while account.sagemaker.describe_endpoint(EndpointName=name)["EndpointStatus"] != (
            "InService"
        ):
            found += pool.map(invoke, [name] * 20)
    assert set(found) <= {"old", "new"}
    assert set(_shares(invoke, name, 20)) == {"new"}
    told = account.sagemaker.describe_endpoint(EndpointName=name)
    assert told["EndpointConfigName"] == configs[1]


def test_linear_steps_follow_the_clock(
    account: Any,
    endpoint_of: Callable[..., str],
    configs: tuple[str, str],
    invoke: Callable[[str], str],
) -> None:
    """Half for five minutes, then all for five and two minutes; then the old one is gone."""
    name = endpoint_of(configs[0])
    size = {"LinearStepSize": {"Type": "CAPACITY_PERCENT", "Value": 50}}
    config = _blue_green("LINEAR", wait_s=300, after_s=120, **size)
    _update(account, name, configs[1], DeploymentConfig=config)
    told = _baking(account, name)
    assert check_response("sagemaker", "DescribeEndpoint", told) == []
    assert told["EndpointStatus"] == "Updating"
    assert 100 - 29 <= _shares(invoke, name)["new"] <= 100 + 29  # four standard deviations
    account.cloud.advance(299)
    assert set(_shares(invoke, name, 40)) == {"old", "new"}
    account.cloud.advance(1)
    assert set(_shares(invoke, name, 40)) == {"new"}
    account.cloud.advance(300 + 100)
    assert account.sagemaker.describe_endpoint(EndpointName=name)["EndpointStatus"] == "Updating"
    account.cloud.advance(20)
    told = account.settled(name)
    assert told["EndpointConfigName"] == configs[1]
    assert told["LastDeploymentConfig"] == config


def test_variants_that_do_not_start_change_nothing(
    account: Any, endpoint_of: Callable[..., str], configs: tuple[str, str], invoke: Any
) -> None:
    """The endpoint goes on as it was, and says why."""
    name = endpoint_of(configs[0])
    account.s3.put_object(Bucket=account.bucket, Key="broken.tar.gz", Body=b"no archive")
    broken = account.config(account.model_at(f"s3://{account.bucket}/broken.tar.gz"))
    _update(account, name, broken)
    told = account.settled(name)
    assert told["EndpointStatus"] == "InService"
    assert told["EndpointConfigName"] == configs[0]
    assert "valid tar.gz archive" in told["FailureReason"]
    assert invoke(name) == "old"


def test_properties_may_be_retained(
    account: Any, endpoint_of: Callable[..., str], configs: tuple[str, str]
) -> None:
    """The number of instances that was reached stays; the one left out is the new one's."""
    name = endpoint_of(configs[0])
    wanted = [{"VariantName": "A", "DesiredInstanceCount": 2, "DesiredWeight": 5.0}]
    account.sagemaker.update_endpoint_weights_and_capacities(
        EndpointName=name, DesiredWeightsAndCapacities=wanted
    )
    account.settled(name)
    _update(
        account,
        name,
        configs[1],
        RetainAllVariantProperties=True,
        ExcludeRetainedVariantProperties=[{"VariantPropertyType": "DesiredWeight"}],
    )
    (told,) = account.settled(name)["ProductionVariants"]
    assert (told["CurrentInstanceCount"], told["CurrentWeight"]) == (2, 1.0)


@pytest.mark.parametrize(
    ("given", "what"),
    [
        ({"EndpointName": "no-such"}, "Could not find endpoint"),
        ({"EndpointConfigName": "no-such"}, "Could not find endpoint configuration"),
        (
            {"ExcludeRetainedVariantProperties": [{"VariantPropertyType": "DesiredWeight"}]},
            "needs RetainAllVariantProperties",
        ),
        (
            {
                "DeploymentConfig": {
                    **_blue_green("ALL_AT_ONCE", wait_s=0),
                    "AutoRollbackConfiguration": {"Alarms": [{"AlarmName": "no-such"}]},
                }
            },
            "no alarm 'no-such'",
        ),
        ({"DeploymentConfig": _blue_green("CANARY", wait_s=0)}, "needs CanarySize"),
    ],
)
def test_an_update_that_cannot_be_made_is_refused(
    account: Any, steady: tuple[str, str], given: dict[str, Any], what: str
) -> None:
    """At once, and the endpoint is as it was."""
    name, config = steady
    with pytest.raises(ClientError, match=what) as caught:
        account.sagemaker.update_endpoint(
            **{"EndpointName": name, "EndpointConfigName": config, **given}
        )
    assert caught.value.response["Error"]["Code"] == "ValidationException"
    assert account.sagemaker.describe_endpoint(EndpointName=name)["EndpointStatus"] == "InService"


@pytest.fixture(scope="module")
def steady(account: Any, diabetes: Any) -> Any:
    """An endpoint that nothing changes, and its configuration."""
    config = account.config(account.model(diabetes.artifact))
    name = account.endpoint(config)
    yield name, config
    account.remove(name)


def test_what_is_under_way_is_not_disturbed(
    account: Any, endpoint_of: Callable[..., str], configs: tuple[str, str]
) -> None:
    """No second update, no deletion."""
    name = endpoint_of(configs[0])
    _update(account, name, configs[1], DeploymentConfig=_blue_green("ALL_AT_ONCE", wait_s=600))
    _baking(account, name)
    with pytest.raises(ClientError, match="Cannot update in-progress endpoint"):
        account.sagemaker.update_endpoint(EndpointName=name, EndpointConfigName=configs[0])
    with pytest.raises(ClientError, match="while it is Updating"):
        account.sagemaker.delete_endpoint(EndpointName=name)
    account.cloud.advance(600)
    account.settled(name)


def _alarm(account: Any, endpoint: str) -> str:
    """An alarm on the errors of the variant A; returns its name."""
    name = f"{endpoint}-errors"
    dimensions = {"EndpointName": endpoint, "VariantName": "A"}
    account.cloudwatch.put_metric_alarm(
        AlarmName=name,
        Namespace="AWS/SageMaker",
        MetricName="Invocation5XXErrors",
        Dimensions=[{"Name": each, "Value": value} for each, value in dimensions.items()],
        Statistic="Sum",
        Period=60,
        EvaluationPeriods=1,
        Threshold=3,
        ComparisonOperator="GreaterThanThreshold",
        TreatMissingData="notBreaching",
    )
    return name


def _guarded_canary(alarm: str) -> dict[str, Any]:
    """Half of the requests for ten minutes, unless an alarm rings."""
    size = {"CanarySize": {"Type": "CAPACITY_PERCENT", "Value": 50}}
    guards = {"AutoRollbackConfiguration": {"Alarms": [{"AlarmName": alarm}]}}
    return {**_blue_green("CANARY", wait_s=600, **size), **guards}


def _asked(invoke: Callable[[str], str], name: str, count: int) -> int:
    """How many of so many requests fail."""
    failed = 0
    for _ in range(count):
        try:
            invoke(name)
        except ClientError as error:
            failed += error.response["Error"]["Code"] == "ModelError"
    return failed


@pytest.mark.parametrize("passed_s", [0, 600])
def test_an_alarm_takes_a_canary_back(
    account: Any,
    endpoint_of: Callable[..., str],
    version: Callable[..., str],
    invoke: Callable[[str], str],
    passed_s: float,
) -> None:
    """While a part bakes, and in the final baking period: the old version has all again."""
    stable = version("old")
    name = endpoint_of(stable)
    alarm = _alarm(account, name)
    _update(account, name, version("new", FAILS="yes"), DeploymentConfig=_guarded_canary(alarm))
    _baking(account, name)
    account.cloud.advance(passed_s)
    failed = _asked(invoke, name, 40)
    assert failed == 40 if passed_s else 20 - 13 <= failed <= 20 + 13  # four standard deviations
    account.cloud.advance(180)
    told = account.settled(name)
    assert told["EndpointStatus"] == "InService"
    assert told["EndpointConfigName"] == stable
    assert alarm in told["FailureReason"]
    assert set(_shares(invoke, name, 40)) == {"old"}
    account.cloudwatch.delete_alarms(AlarmNames=[alarm])


def test_an_alarm_takes_the_canary_of_an_asynchronous_endpoint_back(
    account: Any, endpoint_of: Callable[..., str], archive: str
) -> None:
    """The new variant works on its share of the queue, so that the alarm hears of its errors."""
    place = f"s3://{account.bucket}/{account.name('canary')}"
    output = {"S3OutputPath": f"{place}/answers", "S3FailurePath": f"{place}/failures"}

    def config(version: str, **variables: str) -> str:
        model = account.model_at(archive, Environment={"VERSION": version, **variables})
        return str(account.config(model, AsyncInferenceConfig={"OutputConfig": output}))

    def done(kind: str) -> int:
        prefix = f"{place}/{kind}/".removeprefix(f"s3://{account.bucket}/")
        return int(account.s3.list_objects_v2(Bucket=account.bucket, Prefix=prefix)["KeyCount"])

    stable = config("old")
    name = endpoint_of(stable)
    alarm = _alarm(account, name)
    _update(account, name, config("new", FAILS="yes"), DeploymentConfig=_guarded_canary(alarm))
    _baking(account, name)
    account.s3.put_object(Bucket=account.bucket, Key="which", Body=b"which?")
    for _ in range(40):
        account.sagemaker_runtime.invoke_endpoint_async(
            EndpointName=name,
            ContentType="text/plain",
            InputLocation=f"s3://{account.bucket}/which",
        )
    until(lambda: done("answers") + done("failures") == 40)
    assert done("answers") > 0
    assert done("failures") > 3
    account.cloud.advance(180)
    told = account.settled(name)
    assert told["EndpointConfigName"] == stable
    assert alarm in told["FailureReason"]
    account.cloudwatch.delete_alarms(AlarmNames=[alarm])
