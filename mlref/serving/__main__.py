"""`python -m mlref.serving ARTIFACT ...`: the server as a process of its own.

Without an artefact, the variables of a cloud say which model to serve and where to listen: that is
how SageMaker and Vertex AI start a container. See `mlref.serving.environment`, and
`mlref.serving.container` for the entry point of our own image. --host and --port win over both.
"""

from __future__ import annotations

import argparse
import dataclasses
import logging
import os
import sys
from collections.abc import Callable, Sequence
from typing import Any

from mlref.errors import MlrefError
from mlref.serving.access import print_access_log
from mlref.serving.environment import MODELS_DIR, Start, from_environment, locate
from mlref.serving.server import serve
from mlref.serving.settings import Settings

__all__ = ["main"]

_LOOPBACK = "127.0.0.1"


def main(
    arguments: Sequence[str] | None = None,
    *,
    program: str = "python -m mlref.serving",
    start: Callable[[], Start] | None = None,
) -> int:
    """The exit status: 0 after SIGTERM or Ctrl-C, 1 with one line on stderr if it cannot serve.

    Args:
        arguments: of the command line, without the program; None takes those of this process.
        program: what the help calls it.
        start: tells how to start where the arguments do not say; None follows the variables of a
            cloud, where the arguments name no artefact.
    """
    given = vars(_parser(program).parse_args(arguments))
    tuned = {field.name: given.pop(field.name) for field in dataclasses.fields(Settings)}
    logging.basicConfig(format="%(levelname)s %(name)s: %(message)s", level=logging.WARNING)
    try:
        settings = Settings(**tuned)
        completed = _completed(given, start)
        most = completed.pop("max_models")
        if most is not None and settings.max_models == Settings.max_models:
            settings = dataclasses.replace(settings, max_models=most)
        if settings.access_log:
            print_access_log()
        serve(
            settings=settings,
            announce=lambda url: print(f"serving on {url}", flush=True),  # noqa: T201 - a command
            **completed,
        )
    except (MlrefError, OSError, ValueError) as error:
        text = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        print(f"error: {' '.join(text.split())}", file=sys.stderr)  # noqa: T201 - a command
        return 1
    return 0


def _parser(program: str) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog=program,
        description="Serve artefacts over HTTP until SIGTERM or Ctrl-C.",
    )
    parser.add_argument(
        "artifact_folders", nargs="*", metavar="artifact", help="folder that pack wrote"
    )
    parser.add_argument("--host", help="address (default: the cloud's, else loopback only)")
    parser.add_argument("--port", type=int, help="port (default: the cloud's, else any free one)")
    parser.add_argument("--digest", help="digest that the artefact must have")
    parser.add_argument("--cache", help="keep predictions: memory, or the URL of a Redis")
    parser.add_argument("--repository", help="folder of artefacts; SIGHUP reads it again")
    parser.add_argument("--admin", action="store_true", help="let callers load and unload models")
    parser.add_argument("--handlers", help="inference.py that answers SageMaker's /invocations")
    parser.add_argument(
        "--multi-model",
        nargs="?",
        const=MODELS_DIR,
        metavar="FOLDER",
        help=f"let SageMaker load models from below this folder (default: {MODELS_DIR})",
    )
    for field in dataclasses.fields(Settings):
        flag, default = f"--{field.name.replace('_', '-')}", field.default
        if isinstance(default, bool):
            parser.add_argument(flag, action=argparse.BooleanOptionalAction, default=default)
        else:
            parser.add_argument(flag, type=type(default), default=default, metavar=str(default))
    return parser


def _completed(given: dict[str, Any], asked: Callable[[], Start] | None) -> dict[str, Any]:
    """The arguments of `serve`: what was given, and for the rest what the variables say.

    Raises:
        ValueError: they say nothing, or what cannot be followed.
    """
    named = given["artifact_folders"] or given["repository"] or given["multi_model"]
    if asked is None:
        asked = Start if named else lambda: from_environment(os.environ)
    start = asked()
    found = {**given, "host": given["host"] or start.host or _LOOPBACK}
    found["max_models"] = start.max_models
    if given["port"] is None:
        found["port"] = start.port or 0
    if start.health_route and start.predict_route:
        found["vertex"] = (start.health_route, start.predict_route)
    if not named and start.models is not None:
        found["multi_model"] = start.models
    elif not named:
        if start.artifact is None:
            raise ValueError("name an artefact's folder: python -m mlref.serving ARTIFACT")
        found["artifact_folders"] = [locate(start)]
    return found


if __name__ == "__main__":
    sys.exit(main())
