"""Workers that die, models that do not start, and what is left when all is over."""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
import tarfile
import threading
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil
import pytest
from botocore.exceptions import ClientError
from support.waiting import until

import mlref
from mlref.aws.local.cloud import start


def _workers(pid: int) -> list[psutil.Process]:
    """The model servers among a process's children."""
    found = []
    for each in psutil.Process(pid).children(recursive=True):
        with suppress(psutil.NoSuchProcess):  # it has just ended
            if "mlref.serving" in " ".join(each.cmdline()):
                found.append(each)
    return found


@pytest.fixture
def body(diabetes: Any) -> str:
    """A golden row of the model, as the body of a request."""
    golden = json.loads((diabetes.artifact.folder / "golden.json").read_text())
    return json.dumps({"instances": golden["instances"][:1]})


def test_a_worker_killed_under_load_is_replaced(
    account: Any, diabetes: Any, endpoint_of: Callable[..., str], body: str
) -> None:
    """Of two one is killed: only what it had in hand fails, and can be tried again."""
    before = {each.pid for each in _workers(account.cloud.pid)}
    two = {"A": {"InitialInstanceCount": 2}}
    name = endpoint_of(account.config(account.model(diabetes.artifact), variants=two))
    mine = [each for each in _workers(account.cloud.pid) if each.pid not in before]
    assert len(mine) == 2
    once = account.client("sagemaker-runtime", retries=0)
    killed = threading.Event()

    def ask(number: int) -> str:
        if number == 100:
            mine[0].kill()
            killed.set()
        try:
            once.invoke_endpoint(EndpointName=name, ContentType="application/json", Body=body)
        except ClientError as error:
            return str(error.response["Error"]["Code"])
        return "answered"

    with ThreadPoolExecutor(8) as pool:
        found = Counter(pool.map(ask, range(400)))
    assert killed.is_set()
    assert set(found) <= {"answered", "ServiceUnavailable"}
    assert found["ServiceUnavailable"] <= 8

    def replaced() -> bool:
        return len([each for each in _workers(account.cloud.pid) if each.pid not in before]) == 2

    until(replaced)
    told = account.sagemaker.describe_endpoint(EndpointName=name)["ProductionVariants"][0]
    assert told["DesiredInstanceCount"] == 2


def test_boto3_tries_again_when_the_only_worker_is_gone(
    account: Any, diabetes: Any, endpoint_of: Callable[..., str], body: str
) -> None:
    """503 ServiceUnavailable is one of those that a client tries again."""
    before = {each.pid for each in _workers(account.cloud.pid)}
    name = endpoint_of(account.config(account.model(diabetes.artifact)))
    (mine,) = [each for each in _workers(account.cloud.pid) if each.pid not in before]
    mine.kill()
    patient = account.client("sagemaker-runtime", retries=10)
    reply = patient.invoke_endpoint(EndpointName=name, ContentType="application/json", Body=body)
    assert reply["ResponseMetadata"]["HTTPStatusCode"] == 200


def _archive_of(name: str, content: bytes) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        member = tarfile.TarInfo(name)
        member.size = len(content)
        archive.addfile(member, io.BytesIO(content))
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("content", "reason", "log"),
    [
        (
            _archive_of("readme.txt", b"no model"),
            "did not pass the ping health check",
            "no artefact",
        ),
        (_archive_of("m/manifest.json", b"{"), "did not pass the ping health check", "manifest"),
        (b"not an archive", "valid tar.gz archive", ""),
    ],
)
def test_a_model_that_does_not_start_fails_its_endpoint(
    account: Any, content: bytes, reason: str, log: str
) -> None:
    """With AWS's reason, the cause in CloudWatch Logs, and nothing that answers."""
    key = f"{account.name('broken')}.tar.gz"
    account.s3.put_object(Bucket=account.bucket, Key=key, Body=content)
    model = account.model_at(f"s3://{account.bucket}/{key}")
    name = account.endpoint(account.config(model), wait=False)
    told = account.settled(name)
    assert told["EndpointStatus"] == "Failed"
    assert "production variant A" in told["FailureReason"]
    assert reason in told["FailureReason"]
    with pytest.raises(ClientError, match="not found"):
        account.sagemaker_runtime.invoke_endpoint(EndpointName=name, Body=b"{}")
    if log:
        group = f"/aws/sagemaker/Endpoints/{name}"
        events = account.logs.filter_log_events(logGroupName=group)["events"]
        assert any(log in event["message"] for event in events)
    account.remove(name)


def test_a_program_that_the_model_does_not_bring_is_named(account: Any, diabetes: Any) -> None:
    """SAGEMAKER_PROGRAM says which file of the archive serves."""
    model = account.model(diabetes.artifact, Environment={"SAGEMAKER_PROGRAM": "serve.py"})
    told = account.settled(account.endpoint(account.config(model), wait=False))
    assert told["EndpointStatus"] == "Failed"
    assert (
        "production variant A could not be started: SAGEMAKER_PROGRAM is serve.py, but model data "
        "holds no code/serve.py"
    ) in told["FailureReason"]


def test_a_deleted_endpoint_leaves_no_process(account: Any, diabetes: Any) -> None:
    """And does not answer from the moment on in which the call returns."""
    before = {each.pid for each in _workers(account.cloud.pid)}
    name = account.endpoint(account.config(account.model(diabetes.artifact)))
    account.remove(name)
    with pytest.raises(ClientError, match="not found"):
        account.sagemaker_runtime.invoke_endpoint(EndpointName=name, Body=b"{}")
    with pytest.raises(ClientError, match="Could not find endpoint"):
        account.sagemaker.describe_endpoint(EndpointName=name)
    until(lambda: {each.pid for each in _workers(account.cloud.pid)} <= before)


HOLD = """
import sys, threading
sys.path[:0] = sys.argv[3:]
from pathlib import Path
from types import SimpleNamespace
from aws.conftest import Account
from mlref.artifact import load
from mlref.aws.local.cloud import start
cloud = start()
account = Account(cloud).furnished()
account.endpoint(account.config(account.model(load(sys.argv[1]))))
Path(sys.argv[2]).write_text(str(cloud.pid))
threading.Event().wait()
"""


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_nothing_is_left_when_the_client_is_killed(
    diabetes: Any, tmp_path: Path, how: signal.Signals
) -> None:
    """No server, no worker, no folder: also after kill -9 of whoever started it all."""
    tests = Path(__file__).parents[3]
    told = tmp_path / "pid"
    arguments = [str(diabetes.artifact.folder), str(told), str(tests)]
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    environment = {
        **os.environ,
        "TMPDIR": str(temporary),
        "PYTHONPATH": str(Path(mlref.__file__).parents[1]),
    }
    with subprocess.Popen([sys.executable, "-c", HOLD, *arguments], env=environment) as client:
        until(lambda: told.exists() and told.read_text())
        cloud = psutil.Process(int(told.read_text()))
        family = [cloud, *cloud.children(recursive=True)]
        assert len(family) == 2
        client.send_signal(how)
        client.wait()
    _, alive = psutil.wait_procs(family, timeout=60)
    assert not alive
    until(lambda: not list(temporary.glob("mlref-*")))


def test_nothing_is_left_after_close(diabetes: Any) -> None:
    """Closed while an endpoint is being created."""
    with start() as cloud:
        from aws.conftest import Account

        account = Account(cloud).furnished()
        config = account.config(account.model(diabetes.artifact))
        account.endpoint(config, wait=False)
        main = psutil.Process(cloud.pid)
    assert not main.is_running()
    assert not [each for each in psutil.process_iter(["ppid"]) if each.info["ppid"] == main.pid]
