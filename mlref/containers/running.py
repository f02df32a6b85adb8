"""A container that runs: how to ask it, what became of it, and its end.

    with run(image) as container:
        container.wait_ready(30)
        Client(container.url).predict(rows)

It is ready when it answers, and not when it has started. If it dies, the error says of what: the
limit that it overran, its exit status, its last lines. It is deleted at the end of the block, when
this program ends, and also when this program is killed (see `guard`).
"""

from __future__ import annotations

import os
import secrets
import sys
import threading
import time
import weakref
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from types import TracebackType
from typing import Any, Self

from mlref.containers import engine, guard
from mlref.containers.given import check_port, check_run
from mlref.containers.images import Image, reference_of
from mlref.containers.isolation import DEFAULT_ISOLATION, Isolation, bind_mounts
from mlref.containers.removal import labelled, remove_quietly
from mlref.containers.state import State
from mlref.containers.waiting import Question, url_of, why_no_url
from mlref.errors import ContainerError, ProcessExitedError, ProcessNotReadyError
from mlref.runtime import process

__all__ = ["RUN_LABEL", "Container", "run"]

RUN_LABEL = "mlref.run"
"""The label by which a guard finds its container."""

_PORT = 8080
_POLL_S = 0.02
_STATE_S = 0.2  # between two looks at the container's state
_TAIL_LINES = 20


def run(
    image: Image | str,
    command: Sequence[str] = (),
    *,
    entrypoint: Sequence[str] | None = None,
    isolation: Isolation = DEFAULT_ISOLATION,
    environment: Mapping[str, str] | None = None,
    mounts: Mapping[str | os.PathLike[str], str] | None = None,
    port: int = _PORT,
    network: str | None = None,
    published: bool | None = None,
    drain_timeout_s: float = 10.0,
) -> Container:
    """A container of an image, started but perhaps not ready yet; use it in a `with` block.

    Args:
        image: what to run; a name, or the result of `build`.
        command: arguments for the image's entry point; none means its own.
        entrypoint: another program than the image's own.
        isolation: what it may do.
        environment: variables.
        mounts: file or folder of this machine -> where it appears in the container, read-only.
        port: where it listens inside.
        network: the Docker network that it joins; None means Docker's own.
        published: whether the port is reached through one of 127.0.0.1; False uses the container's
            own address, which saves a hop and exists on Linux only; None finds out.
        drain_timeout_s: seconds between SIGTERM and SIGKILL when it is stopped.

    Raises:
        DockerUnavailableError: there is no daemon.
        ContainerError: no such image, nothing to mount, or the daemon refuses.
        TypeError: an artefact instead of its image, or a line instead of words.
        ValueError: no such port, or a time below 0.
    """
    name = reference_of(image)
    check_run(
        command=command,
        entrypoint=entrypoint,
        isolation=isolation,
        environment=environment,
        drain_timeout_s=drain_timeout_s,
    )
    check_port("port", port)
    client = engine.connect()
    import docker

    volumes = bind_mounts(mounts or {})
    token = secrets.token_hex(8)
    public = engine.needs_published_ports(client) if published is None else published
    watcher = _guard(token)
    try:
        found = client.containers.create(
            name,
            list(command) or None,
            entrypoint=list(entrypoint) if entrypoint else None,
            environment=dict(environment or {}),
            labels=engine.labels({RUN_LABEL: token}),
            ports={f"{port}/tcp": ("127.0.0.1", None)} if public else None,
            network=network,
            volumes=volumes,
            **isolation.options(),
        )
        found.start()
        found.reload()
        url = url_of(found, port, public=public)
    except docker.errors.DockerException as error:
        remove_quietly(*labelled(client, f"{RUN_LABEL}={token}"))
        watcher.stop()
        explanation = getattr(error, "explanation", None) or str(error)
        raise ContainerError(f"{name} could not be run: {explanation}") from error
    except BaseException:  # also when Ctrl-C breaks it off
        remove_quietly(*labelled(client, f"{RUN_LABEL}={token}"))
        watcher.stop()
        raise
    return Container(
        found,
        watcher,
        url=url,
        port=port,
        isolation=isolation,
        drain_timeout_s=drain_timeout_s,
    )


class Container:
    """A container and what can be asked of it. Close it, or use it in a `with` block."""

    def __init__(
        self,
        container: Any,
        watcher: process.ManagedProcess,
        *,
        url: str | None,
        port: int,
        isolation: Isolation,
        drain_timeout_s: float,
    ) -> None:
        self._container = container
        self._url, self._port = url, port
        self.isolation = isolation
        self._drain_timeout_s = drain_timeout_s
        self._finalizer = weakref.finalize(
            self, _let_go, os.getpid(), container, watcher, drain_timeout_s
        )

    def __repr__(self) -> str:
        return f"<Container {self.id[:12]} of {self._container.attrs['Config']['Image']}>"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    @property
    def id(self) -> str:
        """The daemon's name for it."""
        return str(self._container.id)

    @property
    def url(self) -> str:
        """Where it answers, for instance "http://172.17.0.2:8080".

        Raises:
            ContainerError: it has no network, or ended so early that it never had an address.
        """
        if self._url is None:
            state = self.state()
            what = why_no_url(self._container) if state.running else "has no address"
            raise ContainerError(self._said(what, state))
        return self._url

    @property
    def pid(self) -> int | None:
        """Its first process as the daemon's machine numbers it; None if it has ended."""
        return int(self._container.attrs["State"]["Pid"]) if self.state().running else None

    def state(self) -> State:
        """What the daemon says of it now."""
        import docker

        try:
            self._container.reload()
        except docker.errors.NotFound:
            return State(status="removed")
        return State.of(self._container.attrs["State"])

    def wait_ready(
        self,
        timeout_s: float = 30.0,
        *,
        check: Callable[[], bool] | None = None,
        path: str = "/health/ready",
    ) -> None:
        """Return as soon as it answers.

        Args:
            timeout_s: seconds to wait.
            check: whether it is ready; None means that a GET gives 200.
            path: what is asked for then.

        Raises:
            ProcessExitedError: it has ended; says of what, with its last lines.
            ProcessNotReadyError: it was not ready within the limit, its health check failed, or it
                is well and listens on another port.
            ContainerError: it has no network, so nothing can be asked.
        """
        question = Question(self._url or "", path, self._port, self.log_tail)
        ask, event, begin, look_again = check or question, threading.Event(), time.monotonic(), 0.0
        while True:
            if time.monotonic() >= look_again:
                state, look_again = self.state(), time.monotonic() + _STATE_S
            if not state.running:
                text = self._said("was never ready", state)
                raise ProcessExitedError(text, log_tail=self.log_tail())
            if check is None and self._url is None:
                raise ContainerError(self._said(why_no_url(self._container), state))
            if ask():
                return
            if state.health == "unhealthy":
                text = self._said("fails its health check", state)
                raise ProcessNotReadyError(text, log_tail=self.log_tail())
            hopeless = check is None and state.health == "healthy" and question.is_misplaced()
            if hopeless or time.monotonic() - begin >= timeout_s:
                limit = "" if hopeless else f" within {timeout_s:g} s"
                text = self._said(f"was not ready{limit}", state)
                if check is None:
                    text += f"; {question.told()}"
                raise ProcessNotReadyError(text, log_tail=self.log_tail())
            event.wait(_POLL_S)

    def wait(self, timeout_s: float) -> State:
        """Its last state, once it has ended by itself.

        Args:
            timeout_s: seconds to wait.

        Raises:
            ProcessNotReadyError: it still runs after that time.
        """
        end, event = time.monotonic() + timeout_s, threading.Event()
        while (state := self.state()).running:
            if time.monotonic() >= end:
                raise ProcessNotReadyError(self._said(f"did not end within {timeout_s:g} s"))
            event.wait(_POLL_S)
        return state

    def log_tail(self, lines: int = _TAIL_LINES) -> str:
        """The last lines that it printed; "" once it is removed.

        Args:
            lines: how many.
        """
        import docker

        with suppress(docker.errors.APIError):
            return str(self._container.logs(tail=lines).decode("utf-8", "replace").rstrip())
        return ""

    def execute(self, *command: str) -> tuple[int, str]:
        """Run a program inside, as the container's user; its exit status and what it printed.

        Args:
            command: the program and its arguments.

        Raises:
            ContainerError: the container does not run.
        """
        with self._refusals("cannot run a program"):
            done = self._container.exec_run(list(command))
        return done.exit_code, done.output.decode("utf-8", "replace").strip()

    def memory_bytes(self) -> int:
        """What its processes hold in memory, page cache left out, in bytes.

        Raises:
            ContainerError: the container does not run.
        """
        with self._refusals("tells no memory use"):
            told = self._container.stats(stream=False)["memory_stats"].get("stats", {})
        for name in ("rss", "anon"):  # cgroups v1, v2
            if name in told:
                return int(told[name])
        raise ContainerError(self._said("tells no memory use"))

    def kill(self, signal: str = "SIGKILL") -> None:
        """Send a signal to its first process.

        Args:
            signal: its name.

        Raises:
            ContainerError: the container does not run, or there is no such signal.
        """
        with self._refusals(f"cannot be sent {signal}"):
            self._container.kill(signal)

    def stop(self, timeout_s: float | None = None) -> State:
        """Its last state, after SIGTERM and, if it takes too long, SIGKILL. It is not deleted yet.

        Args:
            timeout_s: seconds between the two; None means `drain_timeout_s` of `run`.

        Raises:
            ContainerError: it is deleted already.
        """
        limit_s = self._drain_timeout_s if timeout_s is None else timeout_s
        with self._refusals("cannot be stopped"):
            self._container.stop(timeout=round(limit_s))
        return self.state()

    def explain(self) -> str:
        """What became of it, in a sentence."""
        return self.state().told(self.isolation.memory_bytes)

    def close(self) -> None:
        """Stop and delete it. Calling it again does nothing."""
        self._finalizer()

    @property
    def closed(self) -> bool:
        """Whether `close` was called."""
        return not self._finalizer.alive

    @contextmanager
    def _refusals(self, what: str) -> Iterator[None]:
        """The daemon's refusal as an error of ours."""
        import docker

        try:
            yield
        except docker.errors.APIError as error:
            raise ContainerError(f"{self._said(what)}; Docker: {error.explanation}") from error

    def _said(self, what: str, state: State | None = None) -> str:
        became = (state or self.state()).told(self.isolation.memory_bytes)
        return f"{self!r} {what}: {became}"


def _guard(token: str) -> process.ManagedProcess:
    """What deletes a container when this program is killed."""
    command = [sys.executable, "-I", "-S", guard.__file__, f"{RUN_LABEL}={token}"]
    return process.start([*command, engine.build_command()[0]], name="guard of a container")


def _let_go(owner: int, container: Any, watcher: process.ManagedProcess, timeout_s: float) -> None:
    """End what belongs to a container; in a fork it is not ours to end."""
    if os.getpid() != owner:
        return
    import docker

    try:
        with suppress(docker.errors.APIError):  # it may have been deleted by others
            container.stop(timeout=round(timeout_s))
    finally:
        remove_quietly(container)
        watcher.stop()
