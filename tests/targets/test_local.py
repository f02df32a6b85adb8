"""The server process behind a local endpoint: how it dies, and that it never outlives us."""

from __future__ import annotations

import gc
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest

from mlref import artifact, errors
from mlref.schema import Column, Schema
from mlref.serving import wire
from mlref.targets import Local, local

ROWS = {"colour": ["red"], "count": [3], "extra": [0.5]}
OWNER = """
import signal, sys
from mlref import artifact, targets
endpoint = targets.Local().deploy(artifact.load(sys.argv[1]))
print(endpoint.describe().pid, flush=True)
sys.stdin.read()
"""


def _gone(pid: int, timeout_s: float = 20) -> bool:
    """Whether a process, whosoever child it is, ends within the limit."""
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        try:
            if psutil.Process(pid).status() == psutil.STATUS_ZOMBIE:
                return True
        except psutil.NoSuchProcess:
            return True
        threading.Event().wait(0.02)
    return False


def test_a_killed_server_is_unreachable_and_its_log_is_shown(colours: artifact.Artifact) -> None:
    """After `kill -9` of the server, predict says what happened and what the log said."""
    with Local().deploy(colours) as endpoint:
        assert endpoint.predict(ROWS).tolist() == [3.5]
        told = endpoint.describe()
        assert told.pid is not None
        os.kill(told.pid, signal.SIGKILL)
        for _ in range(2):
            with pytest.raises(errors.EndpointUnreachableError) as raised:
                endpoint.predict(ROWS)
            assert f"server of colours 0.1.0 (pid {told.pid}) has ended (status -9)" in str(
                raised.value
            )
            assert f"last lines of its log:\nserving on {told.url}" in str(raised.value)
        with pytest.raises(errors.ProcessExitedError):
            endpoint.wait_ready(timeout_s=5)


@pytest.mark.parametrize("how", ["killed", "ended"])
def test_a_server_ends_with_the_process_that_deployed_it(
    colours: artifact.Artifact, how: str
) -> None:
    """The owner is killed by `kill -9`, or ends without closing: the server is gone, too."""
    with subprocess.Popen(
        [sys.executable, "-c", OWNER, str(colours.folder)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as owner:
        assert owner.stdout is not None
        pid = int(owner.stdout.readline())
        assert psutil.pid_exists(pid)
        if how == "killed":
            owner.kill()
    assert owner.returncode == (-signal.SIGKILL if how == "killed" else 0)
    assert _gone(pid)


def test_a_forgotten_endpoint_is_closed(colours: artifact.Artifact) -> None:
    """An endpoint that nobody holds any more takes its server with it."""
    pid = Local().deploy(colours).describe().pid
    gc.collect()
    assert pid is not None
    assert _gone(pid)


def test_threads_share_an_endpoint(digits: Any) -> None:
    """Eight threads at once each get the predictions of their own rows."""
    with Local().deploy(digits.artifact) as endpoint, ThreadPoolExecutor(8) as pool:

        def wrong_rows(start: int) -> int:
            rows = slice(start, start + 25)
            got = endpoint.predict({"pixels": digits.rows["pixels"][rows]})
            return int((np.abs(got - digits.expected[rows]) > artifact.TOLERANCE).sum())

        assert list(pool.map(wrong_rows, range(0, 2000, 25))) == [0] * 80


def test_close_from_another_thread_is_told_to_who_still_asks(digits: Any) -> None:
    """A thread that goes on asking gets answers, then EndpointClosedError, and nothing else."""
    endpoint = Local().deploy(digits.artifact)
    asked = threading.Event()

    def ask_on() -> None:
        while True:
            endpoint.predict(digits.head(5))
            asked.set()

    with ThreadPoolExecutor(1) as pool:
        asking = pool.submit(ask_on)
        assert asked.wait(30)
        endpoint.close()
        assert isinstance(asking.exception(timeout=30), errors.EndpointClosedError)


def test_an_artefact_that_changed_since_it_was_loaded_is_not_served(
    colours: artifact.Artifact, damaged: Path, tmp_path: Path
) -> None:
    """The server loads the same bytes or none; the error carries its log, nothing is left."""
    folder = tmp_path / "copy"
    shutil.copytree(colours.folder, folder)
    loaded = artifact.load(folder)
    shutil.copy(damaged / "model.onnx", folder)
    before = psutil.Process().children(recursive=True)
    with pytest.raises(errors.ProcessExitedError, match=r"model\.onnx was changed"):
        Local().deploy(loaded)
    assert psutil.Process().children(recursive=True) == before


def test_it_says_what_is_missing(
    colours: artifact.Artifact, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without its libraries the target tells what to install, beforehand and on deploy."""
    assert Local().available() is None
    monkeypatch.setattr(local, "installed", lambda module: module == "httpx")
    reason = 'fastapi, uvicorn not installed: pip install "mlref[serve]"'
    assert Local().available() == reason
    with pytest.raises(errors.MissingExtraError) as raised:
        Local().deploy(colours)
    assert str(raised.value) == reason


def test_whole_predictions_come_over_the_wire_as_they_are(tmp_path: Path) -> None:
    """A graph of int64 gives int64 here and there, with digits that no float holds."""
    from onnx import TensorProto, helper

    kind = (TensorProto.INT64, [None])
    graph = helper.make_graph(
        [helper.make_node("Identity", ["x"], ["label"])],
        "labels",
        [helper.make_tensor_value_info("x", *kind)],
        [helper.make_tensor_value_info("label", *kind)],
    )
    opsets = [helper.make_opsetid("", 18)]
    values = [2**53 + 1, -3, 0]
    packed = artifact.pack(
        tmp_path / "labels",
        model=helper.make_model(graph, opset_imports=opsets, ir_version=9),
        name="labels",
        version="1.0.0",
        inputs=Schema((Column("x", "int64"),)),
        golden={"x": values},
        expected=values,
    )
    schema = wire.describe_predict(packed)["responses"]["200"]["content"]["application/json"]
    assert schema["schema"]["properties"]["predictions"]["items"] == {"type": "integer"}
    with Local().deploy(packed) as endpoint:
        for rows in (values, []):
            got, here = endpoint.predict({"x": rows}), packed.predict({"x": rows})
            assert (got.dtype, got.tolist()) == (here.dtype, rows) == (np.int64, rows)
