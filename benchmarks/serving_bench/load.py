"""The load generator: wrk, with whole requests that a small script rotates through.

wrk takes whole seconds only, so it is given many and interrupted in time: it then ends as usual and
prints its summary over the time that it really ran.
"""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Load", "LoadError", "missing", "parse", "run", "write_requests"]

_SCRIPT = Path(__file__).with_name("rotate.lua")
_AT_MOST_S = 600  # beyond any duration asked for
_END_S = 10.0  # for wrk to end after it was interrupted
_TIMEOUT_S = 60  # after which wrk counts a request as timed out


class LoadError(RuntimeError):
    """wrk did not do its work."""


@dataclass(frozen=True)
class Load:
    """What wrk saw.

    Attributes:
        seconds: how long it ran.
        answered: answers with a status below 400.
        refused: answers with another status.
        broken: connections refused or broken, and requests without an answer in time.
        p50_ms: median time to an answer, in milliseconds.
        p99_ms: its 99th percentile, as wrk corrects it for coordinated omission.
    """

    seconds: float
    answered: int
    refused: int
    broken: int
    p50_ms: float
    p99_ms: float


def missing() -> str | None:
    """None if wrk is installed; otherwise how to get it."""
    if shutil.which("wrk"):
        return None
    return "wrk is not installed; get it with: apt-get install wrk, or: brew install wrk"


def write_requests(path: Path, requests: Sequence[bytes]) -> None:
    """Save requests as the script reads them: for each its length, a newline, its bytes."""
    path.write_bytes(b"".join(b"%d\n%b" % (len(request), request) for request in requests))


def run(port: int, requests: Path, *, concurrency: int, seconds: float) -> Load:
    """Load a server on this machine.

    Args:
        port: where it listens.
        requests: as `write_requests` saved them.
        concurrency: connections, each with one request at a time.
        seconds: how long.

    Raises:
        LoadError: wrk failed, or did not end.
    """
    command = ["wrk", "-t1", f"-c{concurrency}", f"-d{_AT_MOST_S}s", f"--timeout={_TIMEOUT_S}s"]
    command += [f"-s{_SCRIPT}", f"http://127.0.0.1:{port}", "--", str(requests)]
    wrk = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    try:
        wrk.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
        wrk.send_signal(signal.SIGINT)
    try:
        output, _ = wrk.communicate(timeout=_END_S)
    except subprocess.TimeoutExpired as error:
        raise LoadError(f"wrk did not end within {_END_S:g} s after it was interrupted") from error
    finally:
        wrk.kill()
    return parse(output)


def parse(output: str) -> Load:
    """The summary that the script printed, found in all of wrk's output.

    Raises:
        LoadError: there is none.
    """
    lines = [line for line in output.splitlines() if line.startswith('{"duration_us"')]
    if not lines:
        raise LoadError(f"wrk printed no summary; it said: {output.strip()[-500:]}")
    told = json.loads(lines[-1])
    return Load(
        seconds=told["duration_us"] / 1e6,
        answered=told["requests"] - told["status"],
        refused=told["status"],
        broken=told["connect"] + told["read"] + told["write"] + told["timeout"],
        p50_ms=told["p50_us"] / 1e3,
        p99_ms=told["p99_us"] / 1e3,
    )
