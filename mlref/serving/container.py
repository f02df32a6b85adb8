"""`python -m mlref.serving.container [serve|lambda|health]`: what our image runs.

    serve [options]   answer over HTTP until SIGTERM; this is also what no command means
    lambda            answer the events of AWS Lambda; see `mlref.serving.lambda_runtime`
    health [--port N] ask the server in this container whether it is ready: exit status 0 or 1

`serve` needs no option: `mlref.serving.environment.for_container` tells the model's folder, the
host and the port. Options are those of `python -m mlref.serving`; they win over the variables. One
image is so a container for SageMaker (which runs it with the argument `serve`), Vertex AI, Cloud
Run, KServe and plain Kubernetes, and with the argument `lambda` an image for AWS Lambda.

It runs as process 1 of a container, whose signals have no default action: until the server has
taken SIGTERM over (it drains), the handler of this module ends the process.

`health` is for HEALTHCHECK, in an image that may have neither a shell nor curl. It runs every few
seconds on the processor time of the server, so it imports next to nothing. Lambda does not look at
HEALTHCHECK; where `lambda` is tried out in Docker, its container counts as unhealthy.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Sequence
from typing import NoReturn

from mlref.serving.environment import for_container

__all__ = ["main"]

_PROGRAM = "python -m mlref.serving.container"
_USAGE, _FAILED = 2, 1
_OK = 200
_READY = "/health/ready"
_TIMEOUT_S = 2.0
_SHOWN = 200  # bytes of an answer that is not the one hoped for


def main(arguments: Sequence[str] | None = None) -> int:
    """The exit status: 0 if all went well, 1 with one line on stderr if not, 2 for wrong usage.

    Args:
        arguments: of the command line, without the program; None takes those of this process.
    """
    words = list(sys.argv[1:] if arguments is None else arguments)
    if words and words[0] in {"-h", "--help"}:
        print(__doc__)  # noqa: T201 - a command
        return 0
    if not words or words[0].startswith("-"):
        words.insert(0, "serve")
    command = _COMMANDS.get(words[0])
    if command is None:
        text = f"no command {words[0]!r}; there are {', '.join(_COMMANDS)}, and none means serve"
        return _told(text, _USAGE)
    return command(words[1:])


def _serve(options: list[str]) -> int:
    """Answer over HTTP."""
    signal.signal(signal.SIGTERM, _end)
    from mlref.serving.__main__ import main as serve

    return serve(options, program=f"{_PROGRAM} serve", start=lambda: for_container(os.environ))


def _lambda(options: list[str]) -> int:
    """Answer the events of AWS Lambda."""
    if options:
        return _told(f"lambda takes no options, got {' '.join(options)}", _USAGE)
    signal.signal(signal.SIGTERM, _end)
    from mlref.errors import MlrefError
    from mlref.serving.lambda_runtime import run

    try:
        run(os.environ)
    except (MlrefError, OSError, ValueError) as error:
        return _told(str(error), _FAILED)
    return 0


def _health(options: list[str]) -> int:
    """Ask the server in this container whether it is ready."""
    import argparse
    from http.client import HTTPConnection, HTTPException

    parser = argparse.ArgumentParser(
        prog=f"{_PROGRAM} health", description="Exit status 0 if the server is ready, otherwise 1."
    )
    parser.add_argument("--port", type=int, help="of the server (default: as `serve` finds it)")
    parser.add_argument("--timeout-s", type=float, default=_TIMEOUT_S, metavar=str(_TIMEOUT_S))
    given = parser.parse_args(options)
    if not given.timeout_s > 0:
        parser.error(f"--timeout-s must be more than 0, got {given.timeout_s:g}")
    try:
        port = for_container(os.environ).port if given.port is None else given.port
    except ValueError as error:
        return _told(str(error), _FAILED)
    connection = HTTPConnection("127.0.0.1", port, timeout=given.timeout_s)
    try:
        connection.request("GET", _READY)
        answer = connection.getresponse()
        body = answer.read(_SHOWN).decode("utf-8", "replace")
    except (HTTPException, OSError, OverflowError) as error:
        return _told(f"nobody answers {_READY} on port {port}: {error}", _FAILED)
    finally:
        connection.close()
    if answer.status == _OK:
        return 0
    return _told(f"not ready: {_READY} answered {answer.status} {body}", _FAILED)


def _told(text: str, status: int) -> int:
    """That status, and the reason on stderr."""
    print(f"error: {' '.join(text.split())}", file=sys.stderr)  # noqa: T201 - a command
    return status


def _end(number: int, _frame: object) -> NoReturn:
    """End at once: nothing has begun that could be finished."""
    os._exit(128 + number)


_COMMANDS: dict[str, Callable[[list[str]], int]] = {
    "serve": _serve,
    "lambda": _lambda,
    "health": _health,
}

if __name__ == "__main__":
    sys.exit(main())
