"""Why a container is not ready, told at once where waiting would not help."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from mlref import containers, errors
from mlref.containers.waiting import Question

_WAIT = ["python3", "-c", "import signal; signal.pause()"]
_NOWHERE = "http://127.0.0.1:9"
_WELL = 'HEALTHCHECK --interval=100ms --retries=1 CMD ["python3", "--version"]'


@pytest.mark.parametrize("published", [True, False])
def test_without_a_network_it_is_told_at_once(base: str, published: bool) -> None:  # noqa: FBT001
    """There is no URL; programs can still be run inside."""
    begin = time.monotonic()
    run = containers.run(base, _WAIT, network="none", published=published, drain_timeout_s=0)
    with run as container:
        with pytest.raises(errors.ContainerError, match=r"no network .*no URL; `execute\(\)`"):
            container.wait_ready(60)
        with pytest.raises(errors.ContainerError, match="has no network"):
            assert container.url
        container.wait_ready(5, check=lambda: True)
        assert container.execute("python3", "--version")[0] == 0
    assert time.monotonic() - begin < 30


def test_a_wrong_port_is_told_at_once_where_it_is_well(built: Callable[[str], str]) -> None:
    """Its own health check is content, and its log says where it listens."""
    code = "import signal; print('serving on http://0.0.0.0:8080'); signal.pause()"
    image, begin = built(_WELL), time.monotonic()
    match = r"not ready: it runs.*its port 9999, and its log says serving on .*with port=8080"
    raising = pytest.raises(errors.ProcessNotReadyError, match=match)
    command = ["python3", "-uc", code]
    with containers.run(image, command, port=9999, drain_timeout_s=0) as container, raising:
        container.wait_ready(60)
    assert time.monotonic() - begin < 30


@pytest.mark.parametrize(
    ("log", "elsewhere"),
    [
        ("Listening at: http://0.0.0.0:8000", "Listening at: http://0.0.0.0:8000"),
        ("INFO: Uvicorn running on http://[::]:8000 (Press", "running on http://[::]:8000"),
        ("listening on port 8000", "listening on port 8000"),
        ("serving on http://0.0.0.0:8080", None),
        ("serving 3 models", None),
        ("", None),
    ],
)
def test_the_log_is_asked_where_it_listens(log: str, elsewhere: str | None) -> None:
    """The address of another port is told; the same port, or none, is no news."""
    question = Question(_NOWHERE, "/", 8080, lambda: log)
    assert not question()
    assert question.is_misplaced() == (elsewhere is not None)
    said = f"and its log says {elsewhere}: run it with port=8000" if elsewhere else "; run it with"
    assert said in question.told()
