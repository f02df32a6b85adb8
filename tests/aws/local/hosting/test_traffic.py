"""Which variant answers on the running local AWS: by weight, by name, and what is refused."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from botocore.exceptions import ClientError

CSV = {"ContentType": "application/json"}


@pytest.fixture(scope="module")
def ask(account: Any) -> Callable[..., dict[str, Any]]:
    """Asks an endpoint with a row of the model, and reads the body."""

    def call(endpoint: str, body: str, **more: Any) -> dict[str, Any]:
        reply = account.sagemaker_runtime.invoke_endpoint(
            EndpointName=endpoint, Body=body, **{**CSV, **more}
        )
        return {**reply, "Body": reply["Body"].read()}

    return call


@pytest.fixture(scope="module")
def row(diabetes: Any) -> str:
    """A golden row of the model, as the body of a request."""
    golden = json.loads((diabetes.artifact.folder / "golden.json").read_text())
    return json.dumps({"instances": golden["instances"][:1]})


@pytest.fixture(scope="module")
def pair(account: Any, diabetes: Any) -> Any:
    """An endpoint with two variants, nine to one."""
    models = account.model(diabetes.artifact), account.model(diabetes.artifact)
    weights = {"A": {"InitialVariantWeight": 9}, "B": {"InitialVariantWeight": 1}}
    name = account.endpoint(account.config(*models, variants=weights))
    yield name
    account.settled(name)
    account.remove(name)


def _shares(
    ask: Callable[..., dict[str, Any]], endpoint: str, row: str, count: int
) -> Counter[str]:
    with ThreadPoolExecutor(8) as pool:
        replies = pool.map(lambda _: ask(endpoint, row), range(count))
        return Counter(reply["InvokedProductionVariant"] for reply in replies)


def test_requests_are_shared_by_weight(ask: Any, pair: str, row: str) -> None:
    """Nine to one: of 400 requests B gets 40, give or take four standard deviations."""
    found = _shares(ask, pair, row, 400)
    assert found.total() == 400
    assert 40 - 24 <= found["B"] <= 40 + 24


def test_a_variant_may_be_named(ask: Any, pair: str, row: str) -> None:
    """Its weight does not matter then."""
    for name in ("A", "B"):
        assert ask(pair, row, TargetVariant=name)["InvokedProductionVariant"] == name


def test_other_weights_count_from_then_on(account: Any, ask: Any, pair: str, row: str) -> None:
    """A gets nothing, then all; the numbers of instances stay."""
    change = account.sagemaker.update_endpoint_weights_and_capacities
    for weights in ({"A": 0.0, "B": 1.0}, {"A": 9.0, "B": 1.0}):
        wanted = [{"VariantName": name, "DesiredWeight": each} for name, each in weights.items()]
        change(EndpointName=pair, DesiredWeightsAndCapacities=wanted)
        told = account.settled(pair)["ProductionVariants"]
        assert {each["VariantName"]: each["CurrentWeight"] for each in told} == weights
        assert [each["CurrentInstanceCount"] for each in told] == [1, 1]
        if not weights["A"]:
            assert _shares(ask, pair, row, 20) == Counter({"B": 20})


def test_custom_attributes_of_the_container_come_back(ask: Any, champion_endpoint: Any) -> None:
    """Our server warns of an unknown category there; the caller's own are not sent back."""
    endpoint, golden = champion_endpoint
    strange = {**golden["instances"][0], "dest": "ZZZ"}
    reply = ask(endpoint, json.dumps({"instances": [strange]}), CustomAttributes="trace=1")
    assert "dest" in reply["CustomAttributes"]
    assert "trace" not in reply["CustomAttributes"]


@pytest.fixture(scope="module")
def champion_endpoint(account: Any, champion: Any) -> Any:
    """The champion's endpoint, and its golden rows."""
    name = account.endpoint(account.config(account.model(champion.artifact)))
    yield name, json.loads((champion.artifact.folder / "golden.json").read_text())
    account.remove(name)


@pytest.mark.parametrize(
    ("changed", "code", "status", "what"),
    [
        ({"EndpointName": "no-such"}, "ValidationError", 400, "no-such.*not found"),
        ({"TargetVariant": "C"}, "ValidationError", 400, "Variant C not found.*A, B"),
        ({"Body": b"x" * 6_291_457}, "413", 413, "6291456"),
        ({"ContentType": "text/weird"}, "ModelError", 424, r"client error \(415\)"),
        ({"Body": "{}"}, "ModelError", 424, r"client error \(422\)"),
    ],
)
def test_what_is_wrong_is_said(  # noqa: PLR0917 - a table
    account: Any, pair: str, row: str, changed: dict[str, Any], code: str, status: int, what: str
) -> None:
    """By AWS's codes, and without a second try of boto3."""
    given = {"EndpointName": pair, "Body": row, **CSV, **changed}
    with pytest.raises(ClientError, match=what) as caught:
        account.sagemaker_runtime.invoke_endpoint(**given)
    told = caught.value.response
    assert told["ResponseMetadata"]["HTTPStatusCode"] == status
    assert told["ResponseMetadata"]["RetryAttempts"] == 0
    assert told["Error"]["Code"] in {code, "ValidationError"}
    if code == "ModelError":
        assert told["OriginalStatusCode"] in {415, 422}
        assert f"/aws/sagemaker/Endpoints/{pair}" in told["LogStreamArn"]


def test_a_request_that_is_not_signed_is_refused(account: Any, pair: str, row: str) -> None:
    """403, as on AWS; no client of AWS sends such a one."""
    import httpx

    found = httpx.post(f"{account.cloud.url}/endpoints/{pair}/invocations", content=row)
    assert found.status_code == 403
    assert found.headers["x-amzn-errortype"] == "MissingAuthenticationTokenException"
