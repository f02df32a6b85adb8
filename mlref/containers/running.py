"""A container that runs: how to ask it, what became of it, and its end.

    with run(image) as container:
        container.wait_ready(30)
        Client(container.url).predict(rows)

It is ready when it answers, and not when it has started. If it dies, the error says of what: the
limit that it overran, its exit status, its last lines. It is deleted at the end of the block, when
this program ends, and also when this program is killed (see `guard`).
"""

from __future__ import annotations

import http.client
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
from urllib.parse import urlsplit

from mlref.containers import engine, guard
from mlref.containers.images import Image
from mlref.containers.isolation import DEFAULT_ISOLATION, Isolation, bind_mounts
from mlref.containers.state import State
from mlref.errors import ContainerError, ProcessExitedError, ProcessNotReadyError
from mlref.runtime import process

__all__ = ["RUN_LABEL", "Container", "remove_containers", "run"]

RUN_LABEL = "mlref.run"
"""The label by which a guard finds its container."""

_PORT = 8080
_POLL_S = 0.02
_STATE_S = 0.2  # between two looks at the container's state
_CONNECT_S = 0.5
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
    """
    client = engine.connect()
    import docker

    volumes = bind_mounts(mounts or {})
    name = image if isinstance(image, str) else image.digest
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
        url = _url(found, port, public=public)
    except docker.errors.DockerException as error:
        _remove(client, token)
        watcher.stop()
        explanation = getattr(error, "explanation", None) or str(error)
        raise ContainerError(f"{name} could not be run: {explanation}") from error
    except BaseException:  # also when Ctrl-C breaks it off
        _remove(client, token)
        watcher.stop()
        raise
    return Container(found, watcher, url, isolation, drain_timeout_s)


def remove_containers(label: str = engine.LABEL) -> int:
    """Delete every container with a label, running or not; returns how many.

    Args:
        label: "name" or "name=value"; by default all that mlref started, also for others who use
            mlref with the same daemon.

    Raises:
        DockerUnavailableError: there is no daemon.
    """
    found = engine.connect().containers.list(
        all=True, ignore_removed=True, filters={"label": label}
    )
    for container in found:
        _remove_one(container)
    return len(found)


class Container:
    """A container and what can be asked of it. Close it, or use it in a `with` block."""

    def __init__(
        self,
        container: Any,
        watcher: process.ManagedProcess,
        url: str | None,
        isolation: Isolation,
        drain_timeout_s: float,
    ) -> None:
        self._container = container
        self._url = url
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
            ContainerError: it has ended so early that it never had an address.
        """
        if self._url is None:
            raise ContainerError(self._said("has no address"))
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
            ProcessNotReadyError: it was not ready within the limit, or its health check failed.
        """
        ready = check or (lambda: self._answers(path))
        event, begin, look_again = threading.Event(), time.monotonic(), 0.0
        while True:
            if time.monotonic() >= look_again:
                state, look_again = self.state(), time.monotonic() + _STATE_S
            if not state.running:
                text = self._said("was never ready", state)
                raise ProcessExitedError(text, log_tail=self.log_tail())
            if ready():
                return
            if state.health == "unhealthy":
                text = "fails its health check"
                raise ProcessNotReadyError(self._said(text, state), log_tail=self.log_tail())
            if time.monotonic() - begin >= timeout_s:
                text = f"was not ready within {timeout_s:g} s"
                raise ProcessNotReadyError(self._said(text, state), log_tail=self.log_tail())
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

    def _answers(self, path: str) -> bool:
        if self._url is None:
            return False
        parts = urlsplit(self._url)
        connection = http.client.HTTPConnection(
            parts.hostname or "", parts.port, timeout=_CONNECT_S
        )
        try:
            connection.request("GET", path)
            return connection.getresponse().status == http.client.OK
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()

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


def _url(container: Any, port: int, *, public: bool) -> str | None:
    """Where it answers; None if it has ended already."""
    told = container.attrs["NetworkSettings"]
    if public:
        found = (told["Ports"] or {}).get(f"{port}/tcp") or []
        return f"http://127.0.0.1:{found[0]['HostPort']}" if found else None
    networks = told["Networks"].values()  # the one that it joined, by whichever name it was given
    address = next((each["IPAddress"] for each in networks if each["IPAddress"]), None)
    return f"http://{address}:{port}" if address else None


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
        _remove_one(container)
        watcher.stop()


def _remove(client: Any, token: str) -> None:
    for container in client.containers.list(
        all=True, ignore_removed=True, filters={"label": f"{RUN_LABEL}={token}"}
    ):
        _remove_one(container)


def _remove_one(container: Any) -> None:
    import docker

    with suppress(docker.errors.APIError):
        container.remove(force=True, v=True)
