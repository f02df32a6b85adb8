"""What a session makes is added up on a local AWS, with what that answers."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from botocore.config import Config
from botocore.exceptions import ClientError, EndpointConnectionError, ReadTimeoutError
from support.trainer import Trainer

from mlref import aws
from mlref.artifact import Artifact
from mlref.cost import Estimate, PriceBook
from mlref.errors import SpendingRefusedError

BOOK = PriceBook.load()


def _refused(operation: str, why: str) -> Any:
    return pytest.raises(SpendingRefusedError, match=f"^{operation} is refused.*{why}")


@pytest.fixture
def session(account: Any) -> Callable[..., Any]:
    """Opens sessions on the local AWS, that are held to an estimate."""

    def make(**quantities: float) -> Any:
        estimate = Estimate()
        for use, quantity in quantities.items():
            price = BOOK.find("sagemaker", f"{use} ml.m5.large")
            estimate = estimate.add(use, price, quantity)
        return aws.session(at=account.cloud, estimate=estimate, expires_after=timedelta(hours=1))

    return make


@pytest.fixture
def made(account: Any) -> Iterator[list[str]]:
    """Names of endpoints that are deleted after the test."""
    names: list[str] = []
    yield names
    for name in names:
        account.settled(name)
        account.remove(name)


def test_clients_of_a_session_are_added_up(
    account: Any, colours: Artifact, session: Callable[..., Any], made: list[str]
) -> None:
    """Two clients, one sum; what AWS refuses is not counted, what is deleted no more."""
    config, mine = account.config(account.model(colours)), session(hosting=1)
    one, other = mine.client("sagemaker"), mine.client("sagemaker")
    theirs, names = account.endpoint(config), [account.name("mine") for _ in range(2)]
    made.append(theirs)
    with pytest.raises(ClientError, match="already exist"):
        one.create_endpoint(EndpointName=theirs, EndpointConfigName=config)
    with pytest.raises(ClientError, match="Could not find"):
        one.create_endpoint(EndpointName=names[0], EndpointConfigName="no-such")
    one.create_endpoint(EndpointName=names[0], EndpointConfigName=config)
    with _refused("CreateEndpoint", f"1 of endpoint {names[0]}, 1 of endpoint {names[1]}"):
        other.create_endpoint(EndpointName=names[1], EndpointConfigName=config)
    account.settled(names[0])
    other.delete_endpoint(EndpointName=names[0])
    one.create_endpoint(EndpointName=names[1], EndpointConfigName=config)
    made.append(names[1])


def test_what_did_not_reach_aws_is_not_counted(
    account: Any, colours: Artifact, session: Callable[..., Any], made: list[str]
) -> None:
    """Nobody listened, so nothing stands."""
    config, mine, name = account.config(account.model(colours)), session(hosting=1), "unheard"
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    options = {"retries": {"total_max_attempts": 1}, "read_timeout": 0.2}
    url = f"http://127.0.0.1:{port}"
    deaf = mine.client("sagemaker", endpoint_url=url, config=Config(**options))
    with pytest.raises(EndpointConnectionError):
        deaf.create_endpoint(EndpointName=name, EndpointConfigName=config)
    made.append(account.name("mine"))
    mine.client("sagemaker").create_endpoint(EndpointName=made[0], EndpointConfigName=config)


def test_what_aws_did_not_answer_is_counted(
    account: Any, colours: Artifact, session: Callable[..., Any]
) -> None:
    """It may stand."""
    config, mine = account.config(account.model(colours)), session(hosting=1)
    options = {"retries": {"total_max_attempts": 1}, "read_timeout": 0.2}
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        silent = mine.client("sagemaker", endpoint_url=url, config=Config(**options))
        with pytest.raises(ReadTimeoutError):
            silent.create_endpoint(EndpointName="unsure", EndpointConfigName=config)
    with _refused("CreateEndpoint", "1 of endpoint unsure, 1 of endpoint another"):
        mine.client("sagemaker").create_endpoint(EndpointName="another", EndpointConfigName=config)


def test_a_job_that_has_ended_makes_room(account: Any, session: Callable[..., Any]) -> None:
    """As soon as the session hears of it; before, its limit counts."""
    mine = session(training=1)
    clients = {each: mine.client(each) for each in ("s3", "sagemaker")}
    jobs = Trainer(SimpleNamespace(bucket=account.bucket, name=account.name, **clients))
    limit = {"StoppingCondition": {"MaxRuntimeInSeconds": 3500}}
    first = jobs.begin("print(1)", **limit)
    with _refused("CreateTrainingJob", f"1 of training-job {first} for 0.972 h"):
        jobs.begin("print(2)", **limit)
    jobs.ended(first)
    jobs.begin("print(2)", **limit)
