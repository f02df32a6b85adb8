"""`python -m mlref.containers.kubernetes [FOLDER]`: write the example's manifests.

Without a folder they go to deploy/kubernetes, where the overlays use them.
"""

from __future__ import annotations

import argparse
import sys

from mlref import resources
from mlref.containers.kubernetes import EXAMPLE, write
from mlref.errors import MlrefError

__all__ = ["main"]


def main(arguments: list[str] | None = None) -> int:
    """The exit status: 0, or 1 with one line on stderr.

    Args:
        arguments: of the command line, without the program; None takes those of this process.
    """
    parser = argparse.ArgumentParser(
        prog="python -m mlref.containers.kubernetes", description="Write the example's manifests."
    )
    parser.add_argument("folder", nargs="?", help="where to (default: deploy/kubernetes)")
    folder = parser.parse_args(arguments).folder
    try:
        for path in write(EXAMPLE, folder or resources.folder("deploy") / "kubernetes"):
            print(path)  # noqa: T201 - a command
    except MlrefError as error:
        print(f"error: {error}", file=sys.stderr)  # noqa: T201 - a command
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
