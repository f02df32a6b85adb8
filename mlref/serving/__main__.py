"""`python -m mlref.serving ARTIFACT`: the server as a process of its own."""

from __future__ import annotations

import argparse
import logging
import sys
from collections.abc import Sequence

from mlref.errors import MlrefError
from mlref.serving.server import serve

__all__ = ["main"]


def main(arguments: Sequence[str] | None = None) -> int:
    """The exit status: 0 after SIGTERM or Ctrl-C, 1 with one line on stderr if it cannot serve."""
    parser = argparse.ArgumentParser(
        prog="python -m mlref.serving",
        description="Serve an artefact over HTTP until SIGTERM or Ctrl-C.",
    )
    parser.add_argument("artifact", help="folder that mlref.artifact.pack wrote")
    parser.add_argument("--host", default="127.0.0.1", help="address (default: loopback only)")
    parser.add_argument("--port", type=int, default=0, help="port (default: any that is free)")
    parser.add_argument("--digest", help="digest that the artefact must have")
    given = parser.parse_args(arguments)
    logging.basicConfig(format="%(levelname)s %(name)s: %(message)s", level=logging.WARNING)
    try:
        serve(
            given.artifact,
            host=given.host,
            port=given.port,
            digest=given.digest,
            announce=lambda url: print(f"serving on {url}", flush=True),  # noqa: T201 - a command
        )
    except (MlrefError, OSError, ValueError) as error:
        text = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        print(f"error: {' '.join(text.split())}", file=sys.stderr)  # noqa: T201 - a command
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
