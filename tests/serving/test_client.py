"""The client against a server of mlref, and against servers that are none."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pandas as pd
import pytest

from mlref import errors
from mlref.artifact import Artifact
from mlref.runtime import process
from mlref.serving import Client, Prediction
from mlref.targets import Local

ROWS = {"colour": ["red", "pink"], "count": [3, 2], "extra": [0.5, None]}


@pytest.fixture(scope="module")
def client(colours: Artifact) -> Iterator[Client]:
    """A client of a server of the hand-written graph."""
    with Local().deploy(colours) as endpoint:
        url = endpoint.describe().url
        assert url is not None
        with Client(f"{url}/") as made:
            yield made


class Stub(ThreadingHTTPServer):
    """A server that answers everything in one way."""

    daemon_threads = True
    status = 200
    body = b"{}"
    hang_up = False  # close each connection after the answer, without saying so
    connections = 0

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.go_on = threading.Event()
        self.go_on.set()

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.server_address[1]}"


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Stub

    def setup(self) -> None:
        super().setup()
        self.server.connections += 1

    def _answer(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.server.go_on.wait(30)
        self.send_response(self.server.status)
        self.send_header("Content-Length", str(len(self.server.body)))
        self.end_headers()
        self.wfile.write(self.server.body)
        self.close_connection = self.server.hang_up

    def do_GET(self) -> None:
        self._answer()

    def do_POST(self) -> None:
        self._answer()

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def stub() -> Iterator[Stub]:
    """A server that answers what the test says."""
    with Stub() as made:
        thread = threading.Thread(target=made.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield made
        made.go_on.set()
        made.shutdown()
        thread.join()


def test_a_prediction_comes_with_model_and_warnings(client: Client) -> None:
    """A mapping and a frame give float32 predictions, the model's name and what was imputed."""
    for rows in (ROWS, pd.DataFrame(ROWS)):
        got = client.predict(rows)
        assert isinstance(got, Prediction)
        assert got.predictions.dtype == np.float32
        assert got.predictions.tolist() == [3.5, 20.0]
        assert (got.model, got.version) == ("colours", "0.1.0")
        assert got.warnings == ("colour: 1 unknown category imputed",)


def test_a_refusal_raises_the_typed_problems(client: Client) -> None:
    """The server's 422 is the InvalidInputError of a prediction in this process."""
    with pytest.raises(errors.InvalidInputError) as raised:
        client.predict({**ROWS, "count": [3, True], "more": [1, 2]}, on_unknown="error")
    unknown, rest = raised.value.split(errors.UnknownCategoryError)
    assert unknown is not None
    assert rest is not None
    assert {type(problem) for problem in rest.exceptions} == {
        errors.WrongTypeError,
        errors.ExtraColumnError,
    }
    assert "must be a whole number, got True (row 1)" in str(raised.value)


def test_no_rows_are_refused(client: Client) -> None:
    """The wire has no empty request: the server says so."""
    with pytest.raises(errors.InvalidInputError) as raised:
        client.predict({name: [] for name in ROWS})
    assert [type(problem) for problem in raised.value.exceptions] == [errors.EmptyInputError]


def test_health_and_model_are_objects(client: Client, colours: Artifact) -> None:
    """What the server tells of itself comes as it is."""
    assert client.health() == {"status": "ok", "model": {"name": "colours", "version": "0.1.0"}}
    assert client.model()["digest"] == colours.digest


def test_nobody_there_is_told_with_the_address() -> None:
    """A refused connection names the URL and what to do."""
    with process.bind("127.0.0.1", 0) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    with (
        Client(url) as client,
        pytest.raises(errors.EndpointUnreachableError, match=f"{url} does not answer .*check"),
    ):
        client.predict(ROWS)


def test_a_server_that_takes_too_long_is_unreachable(stub: Stub) -> None:
    """No answer within the limit is told with the limit."""
    stub.go_on.clear()
    with (
        Client(stub.url, timeout_s=0.1) as client,
        pytest.raises(errors.EndpointUnreachableError, match=r"no answer within 0\.1 s"),
    ):
        client.health()


@pytest.mark.parametrize(
    ("status", "body"),
    [(500, b"it broke"), (503, b"{}"), (404, b""), (422, b"not ours"), (422, b'{"problems": 1}')],
)
def test_another_status_is_an_error_with_status_and_text(
    stub: Stub, status: int, body: bytes
) -> None:
    """A server's failure, and refusals that are not mlref's, are told as they are."""
    stub.status, stub.body = status, body
    with (
        Client(stub.url) as client,
        pytest.raises(errors.EndpointError, match=f"answered {status}: {body.decode()}"),
    ):
        client.predict(ROWS)


@pytest.mark.parametrize("body", [b"<html>", b"[]", b"{}", b'{"predictions": ["x"]}'])
def test_an_answer_that_is_none_is_an_error(stub: Stub, body: bytes) -> None:
    """200 with something else than predictions is no prediction."""
    stub.body = body
    with Client(stub.url) as client, pytest.raises(errors.EndpointError, match="answered 200"):
        client.predict(ROWS)


@pytest.mark.parametrize(("hang_up", "connections"), [(False, 1), (True, 5)])
def test_a_connection_is_kept_as_long_as_the_server_keeps_it(
    stub: Stub, *, hang_up: bool, connections: int
) -> None:
    """Five requests need one connection; a server that hangs up each time gets five."""
    stub.hang_up = hang_up
    with Client(stub.url) as client:
        for _ in range(5):
            assert client.health() == {}
    assert stub.connections == connections


def test_a_proxy_is_not_asked_about_loopback(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A proxy of the environment would never find this machine's own server."""
    monkeypatch.setenv("HTTP_PROXY", "http://192.0.2.1:9")
    monkeypatch.setenv("ALL_PROXY", "http://192.0.2.1:9")
    with Client(client.base_url, timeout_s=5) as other:
        assert other.health()["status"] == "ok"


def test_a_closed_client_says_so(stub: Stub) -> None:
    """After close() a request is an error of its own; closing again is fine."""
    client = Client(stub.url)
    client.close()
    client.close()
    with pytest.raises(errors.EndpointClosedError, match="make a new one"):
        client.health()


@pytest.mark.parametrize("url", ["127.0.0.1:8000", "ftp://127.0.0.1", "http://", ""])
def test_an_address_that_is_none_is_refused_at_once(url: str) -> None:
    """A URL needs http or https and a host."""
    with pytest.raises(ValueError, match="base_url must look like"):
        Client(url)
