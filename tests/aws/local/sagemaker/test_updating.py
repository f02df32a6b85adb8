"""UpdateEndpoint: traffic moves step by step, and nobody is left without an answer."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from botocore.exceptions import ClientError
from support.waiting import until

from mlref.aws.strict import check_response


def _blue_green(kind: str, *, wait_s: int, after_s: int = 0, **sizes: Any) -> dict[str, Any]:
    routing = {"Type": kind, "WaitIntervalInSeconds": wait_s, **sizes}
    policy = {"TrafficRoutingConfiguration": routing, "TerminationWaitInSeconds": after_s}
    return {"BlueGreenUpdatePolicy": policy}


@pytest.fixture
def invoke(account: Any, diabetes: Any) -> Callable[[str], str]:
    """Asks an endpoint once; returns the variant that answered."""
    golden = json.loads((diabetes.artifact.folder / "golden.json").read_text())
    body = json.dumps({"instances": golden["instances"][:1]})

    def call(name: str) -> str:
        reply = account.sagemaker_runtime.invoke_endpoint(
            EndpointName=name, ContentType="application/json", Body=body
        )
        return str(reply["InvokedProductionVariant"])

    return call


def _shares(invoke: Callable[[str], str], name: str, count: int = 200) -> Counter[str]:
    with ThreadPoolExecutor(8) as pool:
        return Counter(pool.map(invoke, [name] * count))


@pytest.fixture
def configs(account: Any, diabetes: Any) -> tuple[str, str]:
    """Two configurations: the variant A of one instance, and Z of one."""
    model = account.model(diabetes.artifact)
    return account.config(model), account.config(model, variants={"A": {"VariantName": "Z"}})


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
    """Every request is answered, by A before and by Z after; the old configuration is free."""
    name = endpoint_of(configs[0])
    found: list[str] = []
    with ThreadPoolExecutor(4) as pool:
        _update(account, name, configs[1])
        while account.sagemaker.describe_endpoint(EndpointName=name)["EndpointStatus"] != (
            "InService"
        ):
            found += pool.map(invoke, [name] * 20)
    assert set(found) <= {"A", "Z"}
    assert set(_shares(invoke, name, 20)) == {"Z"}
    told = account.sagemaker.describe_endpoint(EndpointName=name)
    assert told["EndpointConfigName"] == configs[1]
    assert [each["VariantName"] for each in told["ProductionVariants"]] == ["Z"]
    account.sagemaker.delete_endpoint_config(EndpointConfigName=configs[0])


def test_linear_steps_follow_the_clock(
    account: Any,
    endpoint_of: Callable[..., str],
    configs: tuple[str, str],
    invoke: Callable[[str], str],
) -> None:
    """Half for five minutes, then all for two minutes; then the old one is gone."""
    name = endpoint_of(configs[0])
    size = {"LinearStepSize": {"Type": "CAPACITY_PERCENT", "Value": 50}}
    config = _blue_green("LINEAR", wait_s=300, after_s=120, **size)
    _update(account, name, configs[1], DeploymentConfig=config)
    told = _baking(account, name)
    assert check_response("sagemaker", "DescribeEndpoint", told) == []
    assert told["EndpointStatus"] == "Updating"
    assert 100 - 29 <= _shares(invoke, name)["Z"] <= 100 + 29  # four standard deviations
    account.cloud.advance(299)
    assert set(_shares(invoke, name, 40)) == {"A", "Z"}
    account.cloud.advance(1)
    assert set(_shares(invoke, name, 40)) == {"Z"}
    assert account.sagemaker.describe_endpoint(EndpointName=name)["EndpointStatus"] == "Updating"
    account.cloud.advance(120)
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
    assert invoke(name) == "A"


def test_properties_may_be_retained(
    account: Any, diabetes: Any, endpoint_of: Callable[..., str], configs: tuple[str, str]
) -> None:
    """The number of instances that was reached stays; the one left out is the new one's."""
    name = endpoint_of(configs[0])
    wanted = [{"VariantName": "A", "DesiredInstanceCount": 2, "DesiredWeight": 5.0}]
    account.sagemaker.update_endpoint_weights_and_capacities(
        EndpointName=name, DesiredWeightsAndCapacities=wanted
    )
    account.settled(name)
    config = account.config(account.model(diabetes.artifact))
    _update(
        account,
        name,
        config,
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
    """No second update, no deletion, and both configurations are in use."""
    name = endpoint_of(configs[0])
    _update(account, name, configs[1], DeploymentConfig=_blue_green("ALL_AT_ONCE", wait_s=600))
    _baking(account, name)
    for call, given in (
        ("update_endpoint", {"EndpointName": name, "EndpointConfigName": configs[0]}),
        ("delete_endpoint", {"EndpointName": name}),
        ("delete_endpoint_config", {"EndpointConfigName": configs[0]}),
        ("delete_endpoint_config", {"EndpointConfigName": configs[1]}),
    ):
        with pytest.raises(ClientError, match=r"while it is Updating|uses it"):
            getattr(account.sagemaker, call)(**given)
    account.cloud.advance(600)
    account.settled(name)


def test_an_alarm_takes_a_canary_back(
    account: Any,
    endpoint_of: Callable[..., str],
    configs: tuple[str, str],
    invoke: Callable[[str], str],
) -> None:
    """Requests to Z fail: the alarm on its metric rings, and A has all requests again."""
    name = endpoint_of(configs[0])
    account.cloudwatch.put_metric_alarm(
        AlarmName=f"{name}-errors",
        Namespace="AWS/SageMaker",
        MetricName="Invocation4XXErrors",
        Dimensions=[
            {"Name": "EndpointName", "Value": name},
            {"Name": "VariantName", "Value": "Z"},
        ],
        Statistic="Sum",
        Period=60,
        EvaluationPeriods=1,
        Threshold=3,
        ComparisonOperator="GreaterThanThreshold",
        TreatMissingData="notBreaching",
    )
    size = {"CanarySize": {"Type": "CAPACITY_PERCENT", "Value": 50}}
    config = {
        **_blue_green("CANARY", wait_s=600, **size),
        "AutoRollbackConfiguration": {"Alarms": [{"AlarmName": f"{name}-errors"}]},
    }
    _update(account, name, configs[1], DeploymentConfig=config)
    _baking(account, name)
    for _ in range(20):
        with pytest.raises(ClientError, match="415"):
            account.sagemaker_runtime.invoke_endpoint(
                EndpointName=name, TargetVariant="Z", ContentType="text/weird", Body=b"1"
            )
    account.cloud.advance(180)
    told = account.settled(name)
    assert told["EndpointStatus"] == "InService"
    assert told["EndpointConfigName"] == configs[0]
    assert f"{name}-errors" in told["FailureReason"]
    assert set(_shares(invoke, name, 40)) == {"A"}
    account.cloudwatch.delete_alarms(AlarmNames=[f"{name}-errors"])
