"""The endpoint of SageMaker behind the target: what it leaves on an account, and how it dies."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import psutil
import pytest
from support.waiting import until

from mlref import artifact, aws, errors
from mlref.aws.hosted import host
from mlref.aws.sweep import leftovers
from mlref.targets import SageMaker

ROWS = {"colour": ["red"], "count": [3], "extra": [0.5]}
OWNER = """
import sys
from mlref import artifact, targets
endpoint = targets.SageMaker().deploy(artifact.load(sys.argv[1]))
print(endpoint.describe().url, flush=True)
sys.stdin.read()
"""


@pytest.fixture(scope="module")
def session() -> Iterator[Any]:
    """A session on a local AWS that stays while endpoints come and go."""
    with aws.start(seed=0) as cloud:
        yield aws.session(at=cloud)


def _workers(cloud: aws.Cloud) -> list[psutil.Process]:
    assert cloud.pid is not None
    return psutil.Process(cloud.pid).children(recursive=True)


def _folders(root: Path) -> list[Path]:
    """What mlref has made there; onnxruntime keeps a small file, .ses, for all programs."""
    return [*root.glob("*mlref*")]


def _listening(port: int) -> bool:
    return any(each.laddr.port == port and each.status == psutil.CONN_LISTEN
               for each in psutil.net_connections("tcp"))  # fmt: skip


def test_closing_leaves_an_account_as_it_was(colours: artifact.Artifact, session: Any) -> None:
    """All that was made carries the session's tags and goes; the cloud is not ours to stop."""
    idle = len(_workers(session.local))
    with SageMaker(session=session).deploy(colours) as endpoint:
        assert endpoint.predict(ROWS).tolist() == [3.5]
        kinds = {each.arn.split(":")[2] for each in leftovers(session)}
        assert kinds == {"s3", "iam", "sagemaker"}
        assert len(_workers(session.local)) > idle
    assert until(lambda: leftovers(session) == [])
    assert until(lambda: len(_workers(session.local)) == idle)
    assert session.client("s3").list_buckets()["Buckets"] == []
    assert session.client("iam").list_roles()["Roles"] == []


def test_what_does_not_get_in_service_leaves_nothing(
    colours: artifact.Artifact, session: Any
) -> None:
    """Within no time it is not ready: the error tells its status, and nothing stays."""
    with pytest.raises(errors.ProcessNotReadyError, match="is Creating after 0 s"):
        SageMaker(session=session, ready_timeout_s=0.0).deploy(colours)
    assert until(lambda: leftovers(session) == [])


def test_an_endpoint_that_somebody_deleted_is_an_error(
    colours: artifact.Artifact, session: Any
) -> None:
    """AWS's own code and words reach whoever asks; closing it then does no harm."""
    with SageMaker(session=session).deploy(colours) as endpoint:
        name = endpoint.hosted.name
        session.client("sagemaker").delete_endpoint(EndpointName=name)
        with pytest.raises(errors.EndpointError, match=f"endpoint {name}: ValidationError"):
            until(lambda: endpoint.predict(ROWS) is None)
    assert until(lambda: leftovers(session) == [])


def test_many_bad_rows_are_all_named(colours: artifact.Artifact, session: Any) -> None:
    """AWS cuts a container's words off after 2048 characters; no problem is lost by it."""
    rows = {"colour": ["red"] * 500, "count": ["x"] * 500, "extra": [0.5] * 500}
    with pytest.raises(errors.InvalidInputError) as here:
        colours.predict(rows)
    raising = pytest.raises(errors.InvalidInputError)
    with SageMaker(session=session).deploy(colours) as endpoint, raising as there:
        endpoint.predict(rows)
    assert str(there.value) == str(here.value)


def test_real_aws_needs_an_image_and_a_role(colours: artifact.Artifact) -> None:
    """What only the local AWS can do without is asked for before anything is made."""
    real: Any = SimpleNamespace(cloud="aws")  # that it has no client shows that none is asked for
    with pytest.raises(
        errors.CloudError, match=r"give the image of a registry .* the ARN of a role"
    ):
        host(real, colours)


def test_a_killed_program_leaves_nothing(colours: artifact.Artifact, tmp_path: Path) -> None:
    """`kill -9` of the program that deployed it ends cloud and workers, ports and folders."""
    command = [sys.executable, "-c", OWNER, str(colours.folder)]
    environ = {**os.environ, "TMPDIR": str(tmp_path)}
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environ
    ) as owner:
        assert owner.stdout is not None
        port = int(owner.stdout.readline().split(":")[2].partition("/")[0])
        family = psutil.Process(owner.pid).children(recursive=True)
        assert len(family) > 1
        assert _listening(port)
        assert _folders(tmp_path)
        os.kill(owner.pid, signal.SIGKILL)
    until(lambda: not any(each.is_running() and each.status() != "zombie" for each in family))
    assert not _listening(port)
    assert until(lambda: not _folders(tmp_path))
