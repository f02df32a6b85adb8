"""The entry point of the image, as a process: what it serves, where, and how it says no."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import numpy as np
import pytest

from mlref.artifact import Artifact
from mlref.runtime import process
from mlref.serving import Client
from mlref.serving.probes import send_raw
from mlref.serving.raw_http import request_bytes

COMMAND = [sys.executable, "-W", "error", "-m", "mlref.serving.container"]
LOOPBACK = ["--host", "127.0.0.1", "--port", "0"]
SET_ELSEWHERE = ("AIP_HTTP_PORT", "MLREF_MODEL_DIR", "PORT", "SM_MODEL_DIR", "STORAGE_URI")


@pytest.fixture(autouse=True)
def _no_platform(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in SET_ELSEWHERE:
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def image(colours: Artifact, tmp_path: Path) -> Path:
    """What /opt/ml/model is in the image: the artefact lies one level down, beside other files."""
    shutil.copytree(colours.folder, tmp_path / "model" / "colours")
    (tmp_path / "model" / "notes.txt").write_text("not the model")
    return tmp_path / "model"


@pytest.fixture
def start(image: Path) -> Iterator[Callable[..., tuple[process.ManagedProcess, str]]]:
    """A function that starts the entry point; it gives the process and its URL."""
    running: list[process.ManagedProcess] = []

    def started(*words: str, **env: str) -> tuple[process.ManagedProcess, str]:
        variables = {"MLREF_MODEL_DIR": str(image), **env}
        running.append(process.start([*COMMAND, *words], name="image", env=variables))
        port = running[-1].wait_report()["port"]
        return running[-1], f"http://127.0.0.1:{port}"

    yield started
    for each in running:
        each.stop()


def _done(*words: str, env: Mapping[str, str] | None = None) -> tuple[int, str]:
    """The exit status and what stands on stderr."""
    done = subprocess.run(
        [*COMMAND, *words],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        env={**os.environ, **(env or {})},
    )
    assert done.stdout == ""
    return done.returncode, done.stderr.strip()


@pytest.mark.parametrize("words", [["serve"], []], ids=["serve", "no command"])
def test_it_serves_the_artefact_in_the_image_and_drains(
    start: Callable[..., tuple[process.ManagedProcess, str]], colours: Artifact, words: list[str]
) -> None:
    """The golden rows get their predictions; SIGTERM ends it with status 0."""
    server, url = start(*words, *LOOPBACK)
    with Client(url) as client:
        predictions = client.predict(colours.golden.instances).predictions
        np.testing.assert_allclose(predictions, colours.golden.predictions, atol=1e-5)
        assert server.stop() == 0


def test_platforms_say_the_port_and_come_from_outside(image: Path) -> None:
    """It takes the port of PORT on all addresses; where it is taken, the line says just that."""
    with process.bind("0.0.0.0", 0) as other:
        port = str(other.getsockname()[1])
        status, line = _done("serve", env={"MLREF_MODEL_DIR": str(image), "PORT": port})
    assert status == 1
    assert line.startswith(f"error: port {port} on 0.0.0.0 is in use")


def test_vertex_ai_gets_its_routes_from_the_artefact_in_the_image(
    start: Callable[..., tuple[process.ManagedProcess, str]], colours: Artifact
) -> None:
    """Without AIP_STORAGE_URI its variables are followed all the same; an option wins over one."""
    routes = {"AIP_HEALTH_ROUTE": "/alive", "AIP_PREDICT_ROUTE": "/ask", "AIP_HTTP_PORT": "1"}
    _, url = start("serve", *LOOPBACK, **routes)
    assert send_raw(url, request_bytes("/alive", method="GET")).status == 200
    body = json.dumps({"instances": colours.golden.instances}).encode()
    answer = send_raw(url, request_bytes("/ask", body))
    np.testing.assert_allclose(
        json.loads(answer.body)["predictions"], colours.golden.predictions, atol=1e-5
    )


def test_an_artefact_on_the_command_line_wins(
    start: Callable[..., tuple[process.ManagedProcess, str]], colours: Artifact
) -> None:
    """A folder that is named is served, whatever the variables say."""
    words = [str(colours.folder), "--digest", colours.digest]
    _, url = start("serve", *LOOPBACK, *words, MLREF_MODEL_DIR="/nowhere")
    with Client(url) as client:
        assert client.model()["digest"] == colours.digest


def test_no_artefact_is_told_in_one_line(tmp_path: Path) -> None:
    """The line names the folder that was looked at."""
    status, line = _done("serve", env={"MLREF_MODEL_DIR": str(tmp_path)})
    assert (status, len(line.splitlines())) == (1, 1)
    assert f"no artefact in {tmp_path}" in line


def test_an_unknown_command_is_told_in_one_line() -> None:
    """It says what was got and what there is; the status is that of wrong usage."""
    status, line = _done("sevre")
    assert status == 2
    assert (
        line == "error: no command 'sevre'; there are serve, lambda, health, and none means serve"
    )


def test_help_tells_the_commands_and_the_options_of_serve() -> None:
    """`--help` lists the commands, `serve --help` the options with the image's own name."""
    told = {
        words: subprocess.run(
            [*COMMAND, *words], capture_output=True, text=True, check=True, timeout=60
        ).stdout
        for words in (("--help",), ("serve", "--help"), ("health", "--help"))
    }
    assert "serve [options]" in told["--help",]
    assert "mlref.serving.container serve" in told["serve", "--help"]
    assert "--drain-delay-s" in told["serve", "--help"]
    assert "--port" in told["health", "--help"]


def test_sigterm_before_the_server_is_ready_ends_it(image: Path, tmp_path: Path) -> None:
    """The kernel ignores a signal without a handler in process 1: there is one from the start."""
    script = tmp_path / "inference.py"
    script.write_text("import threading\nprint('loading')\nthreading.Event().wait()\n")
    words = ["serve", *LOOPBACK, "--handlers", str(script)]
    env = {"MLREF_MODEL_DIR": str(image)}
    with process.start([*COMMAND, *words], name="image", env=env) as server:
        server.wait_ready(lambda: "loading" in server.log_tail())
        assert server.stop() == 128 + signal.SIGTERM


def test_health_follows_the_state_of_the_server(
    start: Callable[..., tuple[process.ManagedProcess, str]],
) -> None:
    """Status 0 while requests are welcome; 1 and the reason while it drains."""
    server, url = start("serve", *LOOPBACK, "--drain-delay-s", "30")
    port = url.rpartition(":")[2]
    assert _done("health", env={"PORT": port}) == (0, "")
    os.kill(server.pid, signal.SIGTERM)
    server.wait_ready(lambda: _done("health", "--port", port)[0] != 0)
    assert "draining" in _done("health", "--port", port)[1]
    os.kill(server.pid, signal.SIGTERM)  # the second one ends it at once


@pytest.mark.parametrize("port", ["0", "70000"])
def test_health_without_a_server_says_so(port: str) -> None:
    """Status 1 and one line, also where no server can be."""
    status, line = _done("health", "--port", port)
    assert (status, len(line.splitlines())) == (1, 1)
    assert f"nobody answers /health/ready on port {port}" in line


@pytest.mark.parametrize("timeout_s", ["-1", "0", "nan"])
def test_health_refuses_a_time_that_is_none(timeout_s: str) -> None:
    """Wrong usage, in words."""
    status, text = _done("health", "--timeout-s", timeout_s)
    assert status == 2
    assert f"--timeout-s must be more than 0, got {timeout_s}" in text


def test_health_names_a_variable_that_it_cannot_follow() -> None:
    """A PORT that is none is told as `serve` tells it."""
    status, line = _done("health", env={"PORT": "http"})
    assert (status, line) == (1, "error: PORT must be a port from 1 to 65535, got 'http'")


def test_a_health_check_is_light() -> None:
    """It loads neither numpy nor a web framework: it runs again and again beside the server."""
    code = (
        "import sys; from mlref.serving.container import main; main(['health', '--port', '0']);"
        "print({'asyncio', 'fastapi', 'httpx', 'numpy', 'onnxruntime', 'orjson', 'uvicorn'}"
        " & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"
