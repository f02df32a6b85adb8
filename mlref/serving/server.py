"""A model server in the foreground of this process.

The order of things: tie this process to its parent, verify the artefacts, take the port, answer,
tell the parent and the user, and at SIGTERM or Ctrl-C finish what has begun (see `watch`). A second
signal ends it at once.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
from collections.abc import Callable, Sequence
from contextlib import suppress
from socket import IPPROTO_TCP, TCP_NODELAY, socket
from typing import TYPE_CHECKING, Any

from mlref.runtime import process
from mlref.runtime.lazy import extra, installed
from mlref.runtime.signals import sigterm_as_ctrl_c
from mlref.serving.app import create_app
from mlref.serving.lane import lane_for, why_not
from mlref.serving.protocols.handlers import load_handlers
from mlref.serving.settings import DEFAULT_SETTINGS, Settings
from mlref.serving.sources import Sources
from mlref.serving.watch import Watch

if TYPE_CHECKING:
    import uvicorn

__all__ = ["serve"]

logger = logging.getLogger(__name__)

_BACKLOG = 4096


def serve(
    artifact_folders: str | os.PathLike[str] | Sequence[str | os.PathLike[str]] = (),
    *,
    host: str = "127.0.0.1",
    port: int = 8000,
    digest: str | None = None,
    settings: Settings = DEFAULT_SETTINGS,
    cache: str | None = None,
    handlers: str | os.PathLike[str] | None = None,
    repository: str | os.PathLike[str] | None = None,
    admin: bool = False,
    multi_model: str | os.PathLike[str] | None = None,
    announce: Callable[[str], None] | None = None,
    log_level: str = "warning",
    **options: Any,
) -> None:
    """Serve artefacts until SIGTERM or Ctrl-C; returns when every request begun is answered.

    A process that was started by `mlref.runtime.process.start` reports {"port", "pid"} to its
    parent once it listens, and ends when the parent is gone.

    Args:
        artifact_folders: as `mlref.artifact.pack` wrote it; or several. The first is the model of
            requests that name none; of several versions of a model the last is the current one.
        host: the address to listen on; "127.0.0.1" unless others may connect.
        port: 0 takes any that is free.
        digest: the digest that the artefact must have, when you know it; for a single one.
        settings: limits and time-outs.
        cache: "memory", or the URL of a Redis, keeps predictions; None keeps none.
        handlers: a script with functions of SageMaker's handler contract, which then answer
            /invocations for the first artefact.
        repository: a folder of artefacts to serve as well; SIGHUP reads all folders again.
        admin: lets callers reload and unload models; see `protocols.admin`.
        multi_model: instead of artefacts, a folder below which SageMaker puts models, and asks for
            them to be loaded; see `protocols.multi_model`.
        announce: called with the server's URL once it listens.
        log_level: least level of uvicorn's messages; they go to the loggers `uvicorn.*`.
        options: more for `create_app`.

    Raises:
        ArtifactError: an artefact is not to be trusted.
        PortInUseError: somebody else listens on that port.
        MissingExtraError: FastAPI or uvicorn is not installed.
        AddressError: the address is not one of this machine, or the port needs privileges.
        ValueError: no artefact, a digest for several, or no such cache; or something that does not
            go together with `multi_model`.
    """
    process.die_with_parent()
    given: Any = artifact_folders
    folders = [given] if isinstance(given, (str, os.PathLike)) else list(given)
    sources = None
    if multi_model is None:
        sources = Sources(folders, repository=repository, digest=digest)
    elif folders or repository is not None or digest is not None or admin or handlers is not None:
        text = "a multi-model server is told later which models to load"
        raise ValueError(f"{text}; give no artefact, repository, digest, handlers or admin")
    with extra("serve"):
        import uvicorn
    loaded = sources.load() if sources else []
    if handlers is not None:
        options["handlers"] = load_handlers(handlers).bind(loaded[0].folder)
    options |= {"admin": sources if admin else None, "multi_model": multi_model}
    app = create_app(*loaded, settings=settings, cache=cache, **options)
    config = uvicorn.Config(
        app,
        http=_protocol(app.engine),
        loop="uvloop" if installed("uvloop") else "auto",
        backlog=_BACKLOG,
        access_log=False,
        lifespan="off",
        proxy_headers=False,
        log_config=None,
        log_level=log_level,
        timeout_keep_alive=max(1, int(settings.keep_alive_s)),
        timeout_graceful_shutdown=max(1, int(settings.drain_timeout_s)),
        ws="none",
    )
    with sigterm_as_ctrl_c(), suppress(KeyboardInterrupt), process.bind(host, port) as listener:
        # Connections inherit it. asyncio sets it only for sockets made with an explicit protocol
        # number, which this is not, and each small answer would wait 40 ms for the client's ACK.
        listener.setsockopt(IPPROTO_TCP, TCP_NODELAY, 1)
        _server(config, app.engine, sources, listener, announce).run(sockets=[listener])
    app.engine.close()


def _protocol(engine: Any) -> Any:
    """The protocol of the connections."""
    if not engine.settings.lane:
        return "auto"
    reason = why_not()
    if reason is None:
        return lane_for(engine)
    logger.warning("no fast lane and no time limit on headers: %s", reason)
    return "auto"


def _server(  # noqa: C901 - one class of small methods; uvicorn is imported late
    config: uvicorn.Config,
    engine: Any,
    sources: Sources | None,
    listener: socket,
    announce: Callable[[str], None] | None,
) -> uvicorn.Server:
    """A server that tells who waits for it, and that drains."""
    import uvicorn

    class Server(uvicorn.Server):
        """Uvicorn's server, with another beginning and another end."""

        watch: Watch | None = None

        async def startup(self, sockets: list[socket] | None = None) -> None:
            await super().startup(sockets=sockets)
            if self.started:
                self.watch = Watch(
                    engine,
                    self.server_state.connections,
                    listener,
                    stop_listening=self._stop_listening,
                    end=self._end,
                )
                with suppress(RuntimeError):  # not in the main thread
                    asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, self._reload)
                process.report(port=listener.getsockname()[1], pid=os.getpid())
                if announce is not None:
                    announce(_url(listener))

        def handle_exit(self, sig: int, frame: Any) -> None:
            if self.watch is None or engine.draining:
                super().handle_exit(sig, frame)
                self.force_exit = True
            else:
                self._captured_signals.append(sig)
                self.watch.drain()

        async def shutdown(self, sockets: list[socket] | None = None) -> None:
            await super().shutdown(sockets=sockets)
            if engine.cache is not None:
                await engine.cache.close()

        def _reload(self) -> None:
            loop = asyncio.get_running_loop()
            if sources is not None:
                loop.run_in_executor(None, _reload, sources, engine)

        def _stop_listening(self) -> None:
            for each in self.servers:
                each.close()

        def _end(self) -> None:
            self.should_exit = True

    return Server(config)


def _reload(sources: Sources, engine: Any) -> None:
    """Read the folders again; what goes wrong is only logged, and changes nothing."""
    try:
        changes = sources.reload(engine)
    except Exception:
        logger.exception("the models are served as before: a folder could not be loaded")
    else:
        logger.warning("reloaded: %s", "; ".join(changes) or "nothing has changed")


def _url(listener: socket) -> str:
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
