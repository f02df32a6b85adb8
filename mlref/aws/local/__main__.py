"""`python -m mlref.aws.local`: the local AWS as a process of its own, on loopback only."""

from __future__ import annotations

import argparse
import logging
import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from socket import IPPROTO_TCP, TCP_NODELAY, socket

from mlref.errors import MlrefError
from mlref.runtime import process
from mlref.runtime.lazy import extra, installed
from mlref.runtime.signals import sigterm_as_ctrl_c

__all__ = ["main"]

_LOOPBACK = "127.0.0.1"
_DRAIN_S = 5


def main(arguments: Sequence[str] | None = None) -> int:
    """The exit status: 0 after SIGTERM or Ctrl-C, 1 with one line on stderr if it cannot serve.

    Args:
        arguments: of the command line, without the program; None takes those of this process.
    """
    parser = argparse.ArgumentParser(
        prog="python -m mlref.aws.local",
        description="A local AWS that really serves, on loopback, until SIGTERM or Ctrl-C.",
    )
    parser.add_argument("--port", type=int, default=0, help="port (default: any free one)")
    parser.add_argument("--seed", type=int, help="of what decides between variants")
    given = parser.parse_args(arguments)
    logging.basicConfig(format="%(levelname)s %(name)s: %(message)s", level=logging.WARNING)
    process.die_with_parent()
    try:
        with (
            sigterm_as_ctrl_c(),
            suppress(KeyboardInterrupt),
            process.bind(_LOOPBACK, given.port) as listener,
        ):
            _serve(listener, given.seed)
    except (MlrefError, OSError, ValueError) as error:
        print(f"error: {error}", file=sys.stderr)  # noqa: T201 - a command
        return 1
    return 0


def _serve(listener: socket, seed: int | None) -> None:
    with extra("serve"):
        import uvicorn
    from mlref.aws.local.assembly import LocalAws

    listener.setsockopt(IPPROTO_TCP, TCP_NODELAY, 1)
    cloud = LocalAws(seed=seed)
    config = uvicorn.Config(
        cloud.app,
        http="httptools",
        loop="uvloop" if installed("uvloop") else "auto",
        access_log=False,
        lifespan="off",
        proxy_headers=False,
        log_config=None,
        log_level="warning",
        timeout_keep_alive=60,
        timeout_graceful_shutdown=_DRAIN_S,
        ws="none",
    )

    class Server(uvicorn.Server):
        """Uvicorn's server, which tells who waits for it."""

        async def startup(self, sockets: list[socket] | None = None) -> None:
            await super().startup(sockets=sockets)
            if self.started:
                port = listener.getsockname()[1]
                process.report(port=port, pid=os.getpid())
                print(f"a local AWS answers on http://{_LOOPBACK}:{port}", flush=True)  # noqa: T201 - a command

    try:
        Server(config).run(sockets=[listener])
    finally:
        cloud.close()


if __name__ == "__main__":
    sys.exit(main())
