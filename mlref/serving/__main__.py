"""`python -m mlref.serving ARTIFACT ...`: the server as a process of its own.

Without an artefact, the variables of a cloud say which model to serve and where to listen: that is
how SageMaker and Vertex AI start a container. See `mlref.serving.environment`.
"""

from __future__ import annotations

import argparse
import dataclasses
import logging
import os
import sys
import tempfile
from collections.abc import Mapping, Sequence
from typing import Any

from mlref.errors import MlrefError
from mlref.serving.access import print_access_log
from mlref.serving.environment import fetch_storage, find_artifact, from_environment
from mlref.serving.server import serve
from mlref.serving.settings import Settings

__all__ = ["main"]


def main(arguments: Sequence[str] | None = None) -> int:
    """The exit status: 0 after SIGTERM or Ctrl-C, 1 with one line on stderr if it cannot serve."""
    given = vars(_parser().parse_args(arguments))
    tuned = {field.name: given.pop(field.name) for field in dataclasses.fields(Settings)}
    logging.basicConfig(format="%(levelname)s %(name)s: %(message)s", level=logging.WARNING)
    try:
        settings = Settings(**tuned)
        if settings.access_log:
            print_access_log()
        serve(
            settings=settings,
            announce=lambda url: print(f"serving on {url}", flush=True),  # noqa: T201 - a command
            **(given if given["artifact_folders"] or given["repository"] else _from_cloud(given)),
        )
    except (MlrefError, OSError, ValueError) as error:
        text = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        print(f"error: {' '.join(text.split())}", file=sys.stderr)  # noqa: T201 - a command
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m mlref.serving",
        description="Serve artefacts over HTTP until SIGTERM or Ctrl-C.",
    )
    parser.add_argument(
        "artifact_folders", nargs="*", metavar="artifact", help="folder that pack wrote"
    )
    parser.add_argument("--host", default="127.0.0.1", help="address (default: loopback only)")
    parser.add_argument("--port", type=int, default=0, help="port (default: any that is free)")
    parser.add_argument("--digest", help="digest that the artefact must have")
    parser.add_argument("--cache", help="keep predictions: memory, or the URL of a Redis")
    parser.add_argument("--repository", help="folder of artefacts; SIGHUP reads it again")
    parser.add_argument("--admin", action="store_true", help="let callers load and unload models")
    parser.add_argument("--handlers", help="inference.py that answers SageMaker's /invocations")
    for field in dataclasses.fields(Settings):
        flag, default = f"--{field.name.replace('_', '-')}", field.default
        if isinstance(default, bool):
            parser.add_argument(flag, action=argparse.BooleanOptionalAction, default=default)
        else:
            parser.add_argument(flag, type=type(default), default=default, metavar=str(default))
    return parser


def _from_cloud(given: Mapping[str, Any]) -> dict[str, Any]:
    """The same arguments with what the variables of a cloud say.

    Raises:
        ValueError: they say nothing, or what cannot be followed.
    """
    start = from_environment(os.environ)
    if start.artifact is None:
        raise ValueError("name an artefact's folder: python -m mlref.serving ARTIFACT")
    folder = fetch_storage(start.artifact, tempfile.mkdtemp(prefix="mlref-model-"))
    found: dict[str, Any] = {**given, "artifact_folders": [find_artifact(folder)]}
    if start.host is not None and start.port is not None:
        found |= {"host": start.host, "port": start.port}
    if start.health_route and start.predict_route:
        found["vertex"] = (start.health_route, start.predict_route)
    return found


if __name__ == "__main__":
    sys.exit(main())
