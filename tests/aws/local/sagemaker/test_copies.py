"""The copies of inference components: as many as fit, scaled, replaced and mended."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psutil
from botocore.exceptions import ClientError
from support.shop import GOLDEN, NEEDS, Shop, refused
from support.waiting import until


def test_what_does_not_fit_fails_with_awss_reason(shop: Shop, colour: str) -> None:
    """Memory or cores; nothing else changes, and what is deleted makes room."""
    first = shop.made(colour)
    text = (
        "There is not enough hardware resources on the instances for this endpoint to create a "
        "copy of the inference component."
    )
    for needs in ({**NEEDS, "NumberOfCpuCoresRequired": 2}, {"MinMemoryRequiredInMb": 8192}):
        name = shop.create(colour, needs=needs)
        told = shop.told(name)
        assert (told["InferenceComponentStatus"], told["FailureReason"]) == ("Failed", text)
        code, _ = refused(shop.ask, name)
        assert code == "ValidationError"
        shop.delete(name)
    shop.delete(first)
    assert shop.ask(shop.made(colour, needs={"MinMemoryRequiredInMb": 8192}))["Body"] == GOLDEN


def test_copies_are_workers(shop: Shop, colour: str) -> None:
    """More, fewer and none; without any there is no capacity, which is counted."""
    process = psutil.Process(shop.account.cloud.pid)
    before = {each.pid for each in process.children(recursive=True)}

    def workers() -> int:
        return len({each.pid for each in process.children(recursive=True)} - before)

    name = shop.made(colour)
    assert workers() == 1
    assert shop.scale(name, 2)["RuntimeConfig"]["CurrentCopyCount"] == 2
    assert workers() == 2
    told = shop.scale(name, 3)  # there are two cores
    assert (told["InferenceComponentStatus"], told["RuntimeConfig"]["DesiredCopyCount"]) == (
        "InService",
        2,
    )
    assert "not enough hardware resources" in told["FailureReason"]
    told = shop.scale(name, 0)
    assert told["RuntimeConfig"] == {"DesiredCopyCount": 0, "CurrentCopyCount": 0}
    assert workers() == 0
    code, text = refused(shop.ask, name)
    assert (code, text.partition(".")[0]) == (
        "ValidationError",
        "Inference Component has no capacity to process this request",
    )
    assert shop.metric("NoCapacityInvocationFailures", name)["Sum"] == 1
    shop.scale(name, 1)
    assert shop.ask(name)["Body"] == GOLDEN


def test_managed_instances_come_with_the_copies(
    open_shop: Callable[..., Shop], colour: str
) -> None:
    """ManagedInstanceScaling: the endpoint has as many instances as the copies need."""
    scaling = {"Status": "ENABLED", "MinInstanceCount": 1, "MaxInstanceCount": 2}
    shop = open_shop(ManagedInstanceScaling=scaling)
    name = shop.made(colour, needs={"MinMemoryRequiredInMb": 8192})

    def instances() -> int:
        told = shop.call("describe_endpoint", EndpointName=shop.endpoint)
        (variant,) = told["ProductionVariants"]
        assert variant["ManagedInstanceScaling"] == scaling
        return int(variant["CurrentInstanceCount"])

    for copies in (2, 1):
        assert shop.scale(name, copies)["RuntimeConfig"]["CurrentCopyCount"] == copies
        assert instances() == copies


def test_another_model_takes_over_without_a_gap(
    shop: Shop, colour: str, sugar: str, account: Any
) -> None:
    """While a component is updated it goes on answering; then the new model does."""
    name = shop.made(colour)
    other = account.model_at(
        account.sagemaker.describe_model(ModelName=colour)["PrimaryContainer"]["ModelDataUrl"]
    )
    with ThreadPoolExecutor(2) as pool:
        asked = [pool.submit(shop.ask, name) for _ in range(200)]
        shop.call(
            "update_inference_component",
            InferenceComponentName=name,
            Specification={"ModelName": other},
        )
        assert {each.result()["Body"] for each in asked} == {GOLDEN}
    assert shop.told(name)["Specification"]["ModelName"] == other
    shop.call(
        "update_inference_component",
        InferenceComponentName=name,
        Specification={"ModelName": sugar},
    )
    shop.told(name)
    code, _ = refused(shop.ask, name)  # it has other columns
    assert code == "ModelError"


def test_an_update_that_does_not_start_changes_nothing(
    shop: Shop, colour: str, account: Any
) -> None:
    """The copies that are there stay, and the reason is told."""
    name = shop.made(colour)
    key = "broken/model.tar.gz"
    account.s3.put_object(Bucket=account.bucket, Key=key, Body=b"no archive")
    broken = account.model_at(f"s3://{account.bucket}/{key}")
    shop.call(
        "update_inference_component",
        InferenceComponentName=name,
        Specification={"ModelName": broken},
    )
    told = shop.told(name)
    assert told["InferenceComponentStatus"] == "InService"
    assert "valid tar.gz archive" in told["FailureReason"]
    assert told["Specification"]["ModelName"] == colour
    assert shop.ask(name)["Body"] == GOLDEN
    failed = shop.create(broken)
    told = shop.told(failed)
    assert told["InferenceComponentStatus"] == "Failed"
    assert "valid tar.gz archive" in told["FailureReason"]


def test_a_dead_copy_is_replaced(shop: Shop, colour: str) -> None:
    """As any other worker."""
    process = psutil.Process(shop.account.cloud.pid)
    before = {each.pid for each in process.children(recursive=True)}
    name = shop.made(colour)
    (worker,) = (c for c in process.children(recursive=True) if c.pid not in before)
    worker.kill()

    def answered() -> Any:
        try:
            return shop.ask(name)["Body"]
        except ClientError:
            return None

    assert until(answered) == GOLDEN
