"""Workers: one for each instance of a variant, a process that keeps SageMaker's container contract.

A worker is `python -m mlref.serving` on a port of its own, with the container's environment. It
gets the folder that a container would have at /opt/ml/model, and is ready when GET /ping says 200.
Its log goes where SageMaker's would: to CloudWatch Logs.
"""

from __future__ import annotations

import itertools
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol
from urllib.error import URLError
from urllib.request import urlopen

from mlref.errors import ArtifactError, ProcessError, ProcessNotReadyError
from mlref.runtime import process
from mlref.serving.environment import find_artifact

__all__ = ["Container", "Launcher", "ProcessLauncher", "Worker", "WorkerError"]

_HANDLERS = ("code/inference.py", "inference.py")
_OWN = (
    "SAGEMAKER_",
    "SM_",
    "MLREF_",
    "AIP_",
    "AWS_",
)  # variables that a container sees only if given


class WorkerError(Exception):
    """A worker that did not get ready. The text becomes a FailureReason.

    Attributes:
        log: the last lines that it printed.
    """

    def __init__(self, message: str, *, log: str = "") -> None:
        super().__init__(message)
        self.log = log


@dataclass(frozen=True)
class Container:
    """What a worker runs.

    Attributes:
        image: of the container; a process runs our own server whatever it says.
        folder: as /opt/ml/model, or None without model data.
        environment: the container's variables.
        ready_timeout_s: seconds until /ping must say 200.
        models: below which models will lie that are loaded later, or None without such.
    """

    image: str
    folder: Path | None
    environment: Mapping[str, str] = field(default_factory=dict)
    ready_timeout_s: float = 240.0
    models: Path | None = None


class Worker(Protocol):
    """A worker that is ready."""

    @property
    def name(self) -> str:
        """What the log stream is called."""
        ...

    @property
    def port(self) -> int:
        """Where it listens, on loopback."""
        ...

    @property
    def alive(self) -> bool:
        """Whether it has not ended."""
        ...

    def seen(self, folder: Path) -> str:
        """The path by which it sees a folder of this machine.

        Args:
            folder: directly below `Container.models`.
        """
        ...

    def log(self) -> str:
        """The last lines that it printed."""
        ...

    def stop(self) -> None:
        """End it: what it has begun is answered. Calling it again does nothing."""
        ...


class Launcher(Protocol):
    """What starts workers."""

    def launch(self, container: Container) -> Worker:
        """A worker that is ready.

        Raises:
            WorkerError: it did not get ready.
        """
        ...


class ProcessLauncher:
    """Starts workers as processes of this machine."""

    def __init__(self) -> None:
        self._number = itertools.count(1)

    def launch(self, container: Container) -> Worker:
        """A worker that is ready; see `Launcher.launch`.

        Raises:
            WorkerError: it did not get ready.
        """
        name = f"i-{next(self._number):017x}"
        command = [sys.executable, "-m", "mlref.serving", "--port", "0", "--host", "127.0.0.1"]
        command += _served(container)
        kept = {name: value for name, value in os.environ.items() if not name.startswith(_OWN)}
        given = dict.fromkeys(set(os.environ) - set(kept), "") | dict(container.environment)
        limits = process.Limits(ready_timeout_s=container.ready_timeout_s)
        child = process.start(command, name=f"worker {name}", env=given, limits=limits)
        try:
            port = int(child.wait_report()["port"])
            child.wait_ready(lambda: _pings(port))
        except ProcessNotReadyError as error:
            child.stop()
            raise WorkerError(_no_ping(), log=error.log_tail) from error
        except ProcessError as error:
            child.stop()
            raise WorkerError(_no_ping(), log=error.log_tail) from error
        except BaseException:
            child.stop()
            raise
        return _Process(name, port, child)


class _Process:
    """A worker that is a process."""

    def __init__(self, name: str, port: int, child: process.ManagedProcess) -> None:
        self.name = name
        self.port = port
        self._child = child

    @property
    def alive(self) -> bool:
        """See `Worker.alive`."""
        return self._child.running

    @property
    def pid(self) -> int:
        """The process."""
        return self._child.pid

    def seen(self, folder: Path) -> str:
        """See `Worker.seen`."""
        return str(folder)

    def log(self) -> str:
        """See `Worker.log`."""
        return self._child.log_tail()

    def stop(self) -> None:
        """See `Worker.stop`."""
        self._child.stop()


def _served(container: Container) -> list[str]:
    """The arguments that tell the server which models it has.

    Raises:
        WorkerError: there is none.
    """
    if container.models is not None:
        most = container.environment.get("MLREF_MAX_MODELS")
        return [f"--multi-model={container.models}", *([f"--max-models={most}"] if most else [])]
    if container.folder is None:
        raise WorkerError("the model has no ModelDataUrl, and a process needs a model to serve")
    handlers = _handlers(container)
    found = [] if handlers is None else ["--handlers", str(handlers)]
    try:
        return [*found, str(find_artifact(container.folder))]
    except ArtifactError as error:
        raise WorkerError(_no_ping(), log=str(error)) from error


def _handlers(container: Container) -> Path | None:
    """The user's inference.py, if the model brings one."""
    if container.folder is None:
        return None
    program = container.environment.get("SAGEMAKER_PROGRAM")
    names = (f"code/{program}", program) if program else _HANDLERS
    for name in names:
        if (container.folder / name).is_file():
            return container.folder / name
    if program:
        text = f"SAGEMAKER_PROGRAM is {program}, but model data holds no code/{program}"
        raise WorkerError(f"could not be started: {text}")
    return None


def _no_ping() -> str:
    return "did not pass the ping health check"


def _pings(port: int) -> bool:
    try:
        with urlopen(f"http://127.0.0.1:{port}/ping", timeout=2) as reply:
            return bool(reply.status == 200)  # noqa: PLR2004 - HTTP's OK
    except (TimeoutError, URLError, OSError):
        return False
