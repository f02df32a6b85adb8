"""What a container may do, as the daemon is told."""

from __future__ import annotations

from typing import Any

import pytest

from mlref.containers import OPEN, Isolation


def test_by_default_a_container_may_hardly_do_more_than_answer() -> None:
    """Read-only, no capabilities, no new privileges, limits on memory, CPU and processes."""
    assert Isolation().options() == {
        "read_only": True,
        "tmpfs": {"/tmp": "rw,noexec,nosuid,nodev,size=67108864"},  # noqa: S108 - inside
        "cap_drop": ["ALL"],
        "cap_add": [],
        "security_opt": ["no-new-privileges"],
        "mem_limit": 512 * 2**20,
        "memswap_limit": 512 * 2**20,
        "cpu_period": 100_000,
        "cpu_quota": 200_000,
        "pids_limit": 128,
    }


def test_open_leaves_dockers_own_defaults() -> None:
    """Nothing is limited that Docker does not limit itself."""
    assert OPEN.options() == {"read_only": False}


@pytest.mark.parametrize(
    ("limits", "message"),
    [
        ({"memory_bytes": 1000}, "memory_bytes must be at least 6291456 .6 MiB., got 1000"),
        ({"memory_bytes": "512m"}, "memory_bytes must be a number, such as .*, got '512m'"),
        ({"cpus": "2"}, "cpus must be a number, .*, got '2'"),
        ({"cpus": 0}, "cpus must be a positive number, got 0"),
        ({"cpus": float("nan")}, "cpus must be a positive number, got nan"),
        ({"processes": -1}, "processes must be a positive number, got -1"),
        ({"temporary_bytes": 0}, "temporary_bytes must be a positive number, got 0"),
        ({"capabilities": "CHOWN"}, "capabilities must be a tuple like .*, got 'CHOWN'"),
    ],
)
def test_a_limit_that_none_can_keep_is_refused(limits: dict[str, Any], message: str) -> None:
    """The message says what was got and what is allowed."""
    with pytest.raises(ValueError, match=message):
        Isolation(**limits)
