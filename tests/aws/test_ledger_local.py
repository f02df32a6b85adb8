"""What a session makes is added up on a local AWS, with what that answers."""

from __future__ import annotations

import socket
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import SimpleNamespace
from typing import Any

import pytest
from botocore.config import Config
from botocore.exceptions import (
    ClientError,
    ConnectionClosedError,
    EndpointConnectionError,
)
from botocore.stub import Stubber
from support.trainer import Trainer

from mlref import aws
from mlref.artifact import Artifact
from mlref.aws.local.cloud import start
from mlref.cost import Estimate, PriceBook
from mlref.errors import SpendingRefusedError

BOOK = PriceBook.load()
ONCE = Config(retries={"total_max_attempts": 1})


def _refused(operation: str, why: str) -> Any:
    return pytest.raises(SpendingRefusedError, match=f"^{operation} is refused.*{why}")


def _session(account: Any, **quantities: float) -> Any:
    """A session on the local AWS that is held to an estimate of so many for each use."""
    estimate = Estimate()
    for use, quantity in quantities.items():
        estimate = estimate.add(use, BOOK.find("sagemaker", f"{use} ml.m5.large"), quantity)
    return aws.session(at=account.cloud, estimate=estimate, expires_after=timedelta(hours=1))


@pytest.fixture
def made(account: Any) -> Iterator[list[str]]:
    """Names of endpoints that are deleted after the test."""
    names: list[str] = []
    yield names
    for name in names:
        account.settled(name)
        account.remove(name)


def test_clients_of_a_session_are_added_up(
    account: Any, colours: Artifact, made: list[str]
) -> None:
    """Two clients, one sum; what AWS refuses is not counted, what is deleted no more."""
    config, mine = account.config(account.model(colours)), _session(account, hosting=1)
    one, other = mine.client("sagemaker"), mine.client("sagemaker")
    theirs, names = account.endpoint(config), [account.name("mine") for _ in range(2)]
    made.append(theirs)
    with pytest.raises(ClientError, match="already exist"):
        one.create_endpoint(EndpointName=theirs, EndpointConfigName=config)
    with _refused("CreateEndpoint", "there is no configuration 'no-such'"):
        one.create_endpoint(EndpointName=names[0], EndpointConfigName="no-such")
    one.create_endpoint(EndpointName=names[0], EndpointConfigName=config)
    with _refused("CreateEndpoint", f"1 of endpoint {names[0]}, 1 of endpoint {names[1]}"):
        other.create_endpoint(EndpointName=names[1], EndpointConfigName=config)
    account.settled(names[0])
    other.delete_endpoint(EndpointName=names[0])
    one.create_endpoint(EndpointName=names[1], EndpointConfigName=config)
    made.append(names[1])


def test_what_scales_is_added_up(account: Any, colours: Artifact, made: list[str]) -> None:
    """Application Auto Scaling is another service, and the sum is the same."""
    used, mine = account.config(account.model(colours)), _session(account, hosting=2)
    names = [account.name("mine") for _ in range(2)]
    sagemaker, scaling = mine.client("sagemaker"), mine.client("application-autoscaling")
    sagemaker.create_endpoint(EndpointName=names[0], EndpointConfigName=used)
    made.append(names[0])
    account.settled(names[0])
    target = {
        "ServiceNamespace": "sagemaker",
        "ScalableDimension": "sagemaker:variant:DesiredInstanceCount",
        "ResourceId": f"endpoint/{names[0]}/variant/A",
    }
    scaling.register_scalable_target(**target, MinCapacity=1, MaxCapacity=2)
    with _refused("CreateEndpoint", f"2 of endpoint {names[0]}, 1 of endpoint {names[1]}"):
        sagemaker.create_endpoint(EndpointName=names[1], EndpointConfigName=used)
    scaling.deregister_scalable_target(**target)
    sagemaker.describe_endpoint(EndpointName=names[0])
    sagemaker.create_endpoint(EndpointName=names[1], EndpointConfigName=used)
    made.append(names[1])


def _jobs(account: Any, mine: Any, **clients: Any) -> Trainer:
    clients = {"s3": mine.client("s3"), "sagemaker": mine.client("sagemaker"), **clients}
    return Trainer(SimpleNamespace(bucket=account.bucket, name=account.name, **clients))


def test_what_did_not_reach_aws_is_not_counted(account: Any) -> None:
    """Nobody listened, so nothing runs."""
    mine, limit = (
        _session(account, training=1),
        {"StoppingCondition": {"MaxRuntimeInSeconds": 3600}},
    )
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    deaf = mine.client("sagemaker", endpoint_url=f"http://127.0.0.1:{port}", config=ONCE)
    with pytest.raises(EndpointConnectionError):
        _jobs(account, mine, sagemaker=deaf).begin("print(1)", **limit)
    _jobs(account, mine).begin("print(1)", **limit)


class _Forwarder(BaseHTTPRequestHandler):
    """Sends requests to the local AWS, and loses the first answer to each one of `lost`."""

    server: _Lossy

    def log_message(self, *_: Any) -> None:
        """Nothing."""

    def do_POST(self) -> None:
        """Ask, and answer unless that is to be lost."""
        body = self.rfile.read(int(self.headers["Content-Length"]))
        kept = ("Content-Type", "X-Amz-Target", "Authorization", "X-Amz-Date")
        headers = {name: self.headers[name] for name in kept}
        request = urllib.request.Request(self.server.url, body, headers)  # noqa: S310 - loopback
        try:
            with urllib.request.urlopen(request) as found:  # noqa: S310 - loopback
                status, content = found.status, found.read()
        except urllib.error.HTTPError as error:
            with error:
                status, content = error.code, error.read()
        if self.headers["X-Amz-Target"] in self.server.lost:
            self.server.lost.discard(self.headers["X-Amz-Target"])
            self.close_connection = True
            return
        self.send_response(status)
        self.send_header("Content-Type", "application/x-amz-json-1.1")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)


class _Lossy(ThreadingHTTPServer):
    daemon_threads = True
    url: str
    lost: set[str]


@pytest.fixture
def lossy(account: Any) -> Iterator[str]:
    """A way to the local AWS on which the first answer to CreateEndpoint is lost."""
    with _Lossy(("127.0.0.1", 0), _Forwarder) as server:
        server.url, server.lost = account.cloud.url, {"SageMaker.CreateEndpoint"}
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()
        thread.join()


@pytest.mark.parametrize("attempts", [1, 2])
def test_what_may_have_been_made_is_counted(
    account: Any, colours: Artifact, made: list[str], lossy: str, attempts: int
) -> None:
    """The first answer was lost, the second is that it exists; and so it does."""
    used, mine = account.config(account.model(colours)), _session(account, hosting=1)
    made.append(account.name("unsure"))
    config = Config(retries={"total_max_attempts": attempts})
    client = mine.client("sagemaker", endpoint_url=lossy, config=config)
    with pytest.raises(ConnectionClosedError if attempts == 1 else ClientError):
        client.create_endpoint(EndpointName=made[0], EndpointConfigName=used)
    account.settled(made[0])
    with _refused("CreateEndpoint", f"1 of endpoint {made[0]}, 1 of endpoint another"):
        client.create_endpoint(EndpointName="another", EndpointConfigName=used)


def test_what_a_stub_answers_is_not_counted(account: Any) -> None:
    """Nothing was sent, so tests of one's own with a stub go on."""
    client = _session(account, hosting=1).client("sagemaker")
    with Stubber(client) as stub:
        stub.add_client_error("describe_endpoint", "ValidationException", "Could not find", 400)
        with pytest.raises(ClientError, match="Could not find"):
            client.describe_endpoint(EndpointName="a")


def test_what_was_deleted_elsewhere_makes_room(
    account: Any, colours: Artifact, made: list[str]
) -> None:
    """As soon as AWS tells the session that it is not there."""
    used, mine = (
        account.config(account.model(colours)),
        _session(account, hosting=1).client("sagemaker"),
    )
    name, other = account.name("mine"), account.name("mine")
    mine.create_endpoint(EndpointName=name, EndpointConfigName=used)
    account.settled(name)
    account.remove(name)
    with _refused("CreateEndpoint", "call describe_endpoint for what was deleted elsewhere"):
        mine.create_endpoint(EndpointName=other, EndpointConfigName=used)
    with pytest.raises(ClientError, match="Could not find"):
        mine.describe_endpoint(EndpointName=name)
    mine.create_endpoint(EndpointName=other, EndpointConfigName=used)
    made.append(other)


def test_what_is_only_elsewhere_is_looked_up_there(account: Any, colours: Artifact) -> None:
    """A client with another endpoint may know other configurations than the session."""
    mine = _session(account, hosting=1)
    with start() as other:
        there = type(account)(other).furnished()
        config = there.config(there.model(colours), variants={"A": {"InitialInstanceCount": 2}})
        client = mine.client("sagemaker", endpoint_url=other.url)
        with _refused("CreateEndpoint", "2 of endpoint e"):
            client.create_endpoint(EndpointName="e", EndpointConfigName=config)


def test_a_job_that_has_ended_makes_room(account: Any) -> None:
    """As soon as the session hears of it; before, its limit counts."""
    mine = _session(account, training=1)
    jobs = _jobs(account, mine)
    limit = {"StoppingCondition": {"MaxRuntimeInSeconds": 3500}}
    first = jobs.begin("print(1)", **limit)
    with _refused("CreateTrainingJob", f"1 of training-job {first} for 0.972 h"):
        jobs.begin("print(2)", **limit)
    jobs.ended(first)
    jobs.begin("print(2)", **limit)
