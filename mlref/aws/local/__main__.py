"""`python -m mlref.aws.local`: the local AWS as a process of its own, on loopback only."""

from __future__ import annotations

import argparse
import logging
import os
import sys
from collections.abc import Callable, Sequence
from contextlib import nullcontext, suppress
from socket import IPPROTO_TCP, TCP_NODELAY, socket

from mlref.aws.local import background
from mlref.aws.local.hosting.workers import Launcher
from mlref.errors import DockerUnavailableError, MlrefError
from mlref.runtime import process
from mlref.runtime.lazy import extra, installed
from mlref.runtime.signals import sigterm_as_ctrl_c

__all__ = ["main", "serve"]

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
    parser.add_argument(
        "--docker", action="store_true", help="workers are containers of the models' images"
    )
    parser.add_argument("--docker-image", metavar="IMAGE", help="they are all of this image")
    parser.add_argument("--alone", action="store_true", help="let `mlref cloud` find it")
    given = parser.parse_args(arguments)
    logging.basicConfig(format="%(levelname)s %(name)s: %(message)s", level=logging.WARNING)
    process.die_with_parent()
    try:
        serve(
            port=given.port,
            seed=given.seed,
            docker=given.docker,
            image=given.docker_image,
            alone=given.alone,
            ready=_announce,
        )
    except (MlrefError, OSError, ValueError) as error:
        print(f"error: {error}", file=sys.stderr)  # noqa: T201 - a command
        return 1
    return 0


def serve(
    *,
    port: int = 0,
    seed: int | None = None,
    docker: bool = False,
    image: str | None = None,
    alone: bool = False,
    ready: Callable[[str], object] = lambda _: None,
) -> None:
    """Be a local AWS until SIGTERM or Ctrl-C.

    Args:
        port: on loopback; 0 takes any that is free.
        seed: of what decides between variants; None takes another each time.
        docker: whether workers are containers of the images that models name.
        image: of which all workers are containers, whatever the models name.
        alone: whether it is the user's one, which `mlref cloud` finds.
        ready: called with the address, once it answers.

    Raises:
        CloudError: it is to be the only one, and there is one.
        PortInUseError: somebody else listens on that port.
        MissingExtraError: the extras "aws" and "serve" are not installed.
        DockerUnavailableError: workers are to be containers, and there is no Docker daemon.
    """
    launcher = _launcher(image) if docker or image is not None else None

    def tell(url: str) -> None:
        found(background.this_process(url, seed=seed))
        ready(url)

    with (
        background.alone() if alone else nullcontext(lambda _: None) as found,
        sigterm_as_ctrl_c(),
        suppress(KeyboardInterrupt),
        process.bind(_LOOPBACK, port) as listener,
    ):
        _serve(listener, seed, launcher, tell)


def _launcher(image: str | None) -> Launcher:
    """What starts containers."""
    from mlref import containers
    from mlref.aws.local.hosting.docker_workers import DockerLauncher

    reason = containers.available()
    if reason is not None:
        raise DockerUnavailableError(reason)
    return DockerLauncher(image)


def _announce(url: str) -> None:
    port = int(url.rpartition(":")[2])
    process.report(port=port, pid=os.getpid())
    print(f"a local AWS answers on {url}", flush=True)  # noqa: T201 - a command


def _serve(
    listener: socket, seed: int | None, launcher: Launcher | None, ready: Callable[[str], object]
) -> None:
    with extra("serve"):
        import uvicorn
    from mlref.aws.local.assembly import LocalAws

    listener.setsockopt(IPPROTO_TCP, TCP_NODELAY, 1)
    url = f"http://{_LOOPBACK}:{listener.getsockname()[1]}"
    cloud = LocalAws(seed=seed, url=url, launcher=launcher)
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
                ready(url)

    try:
        Server(config).run(sockets=[listener])
    finally:
        cloud.close()


if __name__ == "__main__":
    sys.exit(main())
