"""The model as a Lambda function: in this process, and as the process that Lambda starts."""

from __future__ import annotations

import base64
import io
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from support.lambda_api import RuntimeApi, runtime_api

from mlref import errors
from mlref.artifact import Artifact, load
from mlref.runtime import process
from mlref.serving import lambda_runtime
from mlref.serving.environment import for_container, locate
from mlref.serving.lambda_runtime import Handler

COMMAND = [sys.executable, "-m", "mlref.serving.container", "lambda"]
JSON = {"content-type": "application/json"}
WRONG = {"columns": {"colour": [1], "count": ["x"]}}


def http_v2(
    method: str, path: str, body: str | None = None, *, stage: str = "$default", **more: Any
) -> dict[str, Any]:
    """An event of a function URL, or of an HTTP API with payload 2.0."""
    host = "id.lambda-url.eu-central-1.on.aws"
    asked = {"method": method, "path": path, "protocol": "HTTP/1.1", "sourceIp": "192.0.2.1"}
    return {
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": path,
        "rawQueryString": "",
        "headers": {**JSON, "host": host, "x-forwarded-proto": "https"},
        "requestContext": {"domainName": host, "http": asked, "stage": stage, "requestId": "1"},
        "body": body,
        "isBase64Encoded": False,
        **more,
    }


def rest(method: str, path: str, body: str | None = None) -> dict[str, Any]:
    """An event of a REST API: payload 1.0."""
    return {
        "resource": "/{proxy+}",
        "path": path,
        "httpMethod": method,
        "headers": {"Content-Type": "application/json", "Host": "id.execute-api.amazonaws.com"},
        "multiValueHeaders": {"Content-Type": ["application/json"]},
        "queryStringParameters": None,
        "multiValueQueryStringParameters": None,
        "requestContext": {"stage": "prod", "identity": {"sourceIp": "192.0.2.1"}},
        "body": body,
        "isBase64Encoded": False,
    }


def balancer(method: str, path: str, body: str = "") -> dict[str, Any]:
    """An event of an Application Load Balancer."""
    group = "arn:aws:elasticloadbalancing:eu-central-1:123456789012:targetgroup/model/1"
    return {
        "requestContext": {"elb": {"targetGroupArn": group}},
        "httpMethod": method,
        "path": path,
        "queryStringParameters": {},
        "headers": {**JSON, "host": "balancer.amazonaws.com", "x-forwarded-for": "192.0.2.1"},
        "body": body,
        "isBase64Encoded": False,
    }


@pytest.fixture(scope="module")
def handler(colours: Artifact) -> Iterator[Handler]:
    """The function around the hand-written graph."""
    made = Handler(colours)
    yield made
    made.close()


@pytest.fixture(scope="module")
def rows(colours: Artifact) -> dict[str, Any]:
    """The golden rows as a direct event."""
    return {"instances": colours.golden.instances}


def _same(predictions: Any, artifact: Artifact) -> None:
    np.testing.assert_allclose(predictions, artifact.golden.predictions, atol=1e-5)


def test_a_direct_event_is_the_body_of_a_prediction(
    handler: Handler, colours: Artifact, rows: dict[str, Any]
) -> None:
    """The result is the reply of /v1/predict, for rows and for columns."""
    answer = handler(rows)
    _same(answer["predictions"], colours)
    assert answer["model"] == {"name": "colours", "version": "0.1.0"}
    names = rows["instances"][0]
    columns = {name: [row[name] for row in rows["instances"]] for name in names}
    assert handler({"columns": columns}) == answer


@pytest.mark.parametrize("event", [http_v2, rest, balancer])
def test_an_http_event_is_answered_by_the_server(
    handler: Handler, colours: Artifact, rows: dict[str, Any], event: Any
) -> None:
    """Each kind of gateway gets the reply of the route that it asks for, as text."""
    answer = handler(event("POST", "/v1/predict", json.dumps(rows)))
    assert (answer["statusCode"], answer["isBase64Encoded"]) == (200, False)
    _same(json.loads(answer["body"])["predictions"], colours)
    health = handler(event("GET", "/health/ready"))
    assert (health["statusCode"], json.loads(health["body"])) == (200, {"status": "ok"})


@pytest.mark.parametrize("event", [http_v2, rest, balancer])
def test_what_is_wrong_with_an_http_event_is_a_status(handler: Handler, event: Any) -> None:
    """422 with the problems, 415, 404: as the server answers."""
    refused = handler(event("POST", "/v1/predict", json.dumps(WRONG)))
    assert refused["statusCode"] == 422
    problems = json.loads(refused["body"])["problems"]
    assert {problem["column"] for problem in problems} == {"colour", "count", "extra"}
    assert handler(event("GET", "/nowhere"))["statusCode"] == 404


def test_a_body_in_base64_is_read(
    handler: Handler, colours: Artifact, rows: dict[str, Any]
) -> None:
    """Gateways encode what they take for binary."""
    body = base64.b64encode(json.dumps(rows).encode()).decode()
    answer = handler(http_v2("POST", "/v1/predict", body, isBase64Encoded=True))
    _same(json.loads(answer["body"])["predictions"], colours)


def test_a_binary_reply_is_sent_in_base64(handler: Handler, colours: Artifact) -> None:
    """SageMaker's route can answer as NPY, which is no text."""
    body = json.dumps({"instances": colours.golden.instances})
    headers = {**JSON, "accept": "application/x-npy"}
    answer = handler(http_v2("POST", "/invocations", body, headers=headers))
    assert answer["isBase64Encoded"]
    _same(np.load(io.BytesIO(base64.b64decode(answer["body"]))), colours)


@pytest.mark.parametrize(
    ("path", "stage", "status"),
    [
        ("/prod/v1/model", "prod", 200),
        ("/prod/v1/predict", "prod", 405),
        ("/v1/v1/model", "v1", 200),
        ("/v1/predict", "v1", 405),  # a domain of one's own leaves the stage out
        ("/product/v1/model", "prod", 404),
    ],
)
def test_the_stage_of_an_http_api_is_no_part_of_the_path(
    handler: Handler, path: str, stage: str, status: int
) -> None:
    """A stage with a name stands before the path; what merely looks like it stays."""
    assert handler(http_v2("GET", path, stage=stage))["statusCode"] == status


def test_a_direct_event_that_does_not_fit_raises_every_problem(handler: Handler) -> None:
    """The same typed problems as everywhere, and a message that names them all."""
    with pytest.raises(errors.InvalidInputError) as caught:
        handler(WRONG)
    assert {problem.column for problem in caught.value.exceptions} == {"colour", "count", "extra"}
    assert all(name in str(caught.value) for name in ("colour", "count", "extra"))


@pytest.mark.parametrize(
    "event", [{}, [], "text", None, {"Records": []}, {"columns": {"colour": [float("nan")]}}]
)
def test_an_event_that_is_no_request_is_invalid_input(handler: Handler, event: Any) -> None:
    """Events of other services, and what is no object at all, are refused like any rows."""
    with pytest.raises(errors.InvalidInputError):
        handler(event)


def test_other_refusals_of_a_direct_event_are_told(colours: Artifact, rows: Any) -> None:
    """A caller who is not let in gets the server's words, with the status."""

    def nobody(_request: object) -> None:
        raise errors.RequestRefusedError("who are you?", status=401)

    handler = Handler(colours, authorize=nobody)
    with pytest.raises(errors.RequestRefusedError, match="who are you") as caught:
        handler(rows)
    assert caught.value.status == 401
    handler.close()


def test_the_id_of_the_invocation_is_the_id_of_the_request(
    colours: Artifact, rows: dict[str, Any]
) -> None:
    """The log of the server and Lambda's own name a direct event alike."""
    seen = []
    handler = Handler(colours, authorize=lambda request: seen.append(dict(request.headers)))
    handler(rows, SimpleNamespace(aws_request_id="8476a536"))
    assert seen[0][b"x-request-id"] == b"8476a536"
    handler.close()


def test_the_handler_is_made_once_and_only_when_asked_for(
    colours: Artifact, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Importing the module loads no model; its name `handler` does, from the image's folder."""
    monkeypatch.setenv("MLREF_MODEL_DIR", str(colours.folder))
    made = lambda_runtime.handler
    assert made is lambda_runtime.handler
    assert load(locate(for_container(os.environ))).digest == colours.digest
    _same(made({"instances": colours.golden.instances})["predictions"], colours)
    made.close()
    lambda_runtime._handler.cache_clear()
    with pytest.raises(AttributeError, match="no 'hanlder'"):
        _ = lambda_runtime.hanlder


@pytest.fixture(scope="module")
def api() -> Iterator[RuntimeApi]:
    """Lambda's side."""
    with runtime_api() as server:
        yield server


@pytest.fixture(scope="module")
def function(api: RuntimeApi, colours: Artifact) -> Iterator[process.ManagedProcess]:
    """The image's process, as Lambda starts it."""
    env = {"AWS_LAMBDA_RUNTIME_API": api.address, "MLREF_MODEL_DIR": str(colours.folder)}
    with process.start(COMMAND, name="function", env=env) as started:
        yield started
        assert started.stop() == 128 + signal.SIGTERM


def test_the_process_answers_event_after_event(
    function: process.ManagedProcess, api: RuntimeApi, colours: Artifact, rows: dict[str, Any]
) -> None:
    """Golden rows by both ways; errors in between, even of what is no JSON, do not end it."""
    direct = api.invoke(rows)
    assert not direct.failed
    _same(direct.payload["predictions"], colours)
    wrong = api.invoke(WRONG)
    assert wrong.failed
    assert wrong.payload["errorType"] == "InvalidInputError"
    assert all(name in wrong.payload["errorMessage"] for name in ("colour", "count", "extra"))
    assert api.invoke(b"{").failed
    answer = api.invoke(http_v2("POST", "/v1/predict", json.dumps(rows)))
    assert (answer.failed, answer.payload["statusCode"]) == (False, 200)
    _same(json.loads(answer.payload["body"])["predictions"], colours)
    assert api.invoke(http_v2("POST", "/v1/predict", "{}")).payload["statusCode"] == 422
    assert function.running
    assert any("aws-lambda-python" in agent for agent in api.user_agents)


def test_a_damaged_model_is_an_error_of_the_init_phase(damaged: Path) -> None:
    """Lambda is told what is wrong before any event, and the process ends."""
    with runtime_api() as api:
        env = {"AWS_LAMBDA_RUNTIME_API": api.address, "MLREF_MODEL_DIR": str(damaged)}
        with process.start(COMMAND, name="function", env=env) as function:
            told = api.init_errors.get(timeout=60)
            assert function.wait(60) == 1
    assert told["errorType"] == "ArtifactTamperedError"
    assert "model.onnx was changed" in told["errorMessage"]


def _refused(*words: str, **env: str) -> tuple[int, str]:
    variables = {name: value for name, value in os.environ.items() if "LAMBDA" not in name}
    done = subprocess.run(
        [*COMMAND, *words],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        env={**variables, **env},
    )
    return done.returncode, done.stderr


def test_outside_lambda_it_says_so_in_one_line() -> None:
    """The variable that only Lambda sets is named, and what to use instead."""
    status, told = _refused()
    assert (status, len(told.splitlines())) == (1, 1)
    assert told.startswith("error: AWS_LAMBDA_RUNTIME_API is not set")


def test_it_takes_no_options() -> None:
    """Options of `serve` mean nothing here, and are not silently dropped."""
    assert _refused("--port", "1") == (2, "error: lambda takes no options, got --port 1\n")


def test_a_runtime_api_that_is_gone_is_told_in_one_line(colours: Artifact) -> None:
    """The last line says who does not answer; the status is 1."""
    with socket.socket() as deaf:  # it has the port, and does not listen
        deaf.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{deaf.getsockname()[1]}"
        env = {"AWS_LAMBDA_RUNTIME_API": address, "MLREF_MODEL_DIR": str(colours.folder)}
        status, told = _refused(**env)
    assert status == 1
    assert told.splitlines()[-1].startswith(f"error: Lambda's Runtime API at {address} does not")
