"""What is said of a container that has ended, or runs."""

from __future__ import annotations

import pytest

from mlref.containers import State


@pytest.mark.parametrize(
    ("state", "words"),
    [
        (State(status="running"), "it runs"),
        (State(status="running", health="unhealthy", health_log="refused"),
         "it runs; its health check says unhealthy: refused"),
        (State(status="exited", exit_code=0), "it ended with exit status 0"),
        (State(status="exited", exit_code=1), "it ended with exit status 1"),
        (State(status="exited", exit_code=143), "it ended with exit status 143, SIGTERM"),
        (State(status="exited", exit_code=137), "it ended with exit status 137, SIGKILL"),
        (State(status="exited", exit_code=255), "it ended with exit status 255"),
        (State(status="exited", exit_code=137, out_of_memory=True),
         "it was killed because it needed more memory than its limit of 128 MiB; allow it more"),
        (State(status="removed"), "it is deleted"),
    ],
)  # fmt: skip
def test_the_end_is_told_in_words(state: State, words: str) -> None:
    """An exit status is told with its signal; the memory limit is named; 137 alone is not OOM."""
    assert state.told(128 * 2**20) == words


def test_without_a_limit_of_its_own_the_machines_is_meant() -> None:
    """A container without a limit may be killed, too: when the machine has no memory left."""
    assert "than the memory limit" in State(status="exited", out_of_memory=True).told(None)
