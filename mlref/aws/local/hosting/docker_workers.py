"""Workers that are containers: `docker run IMAGE serve`, as SageMaker starts a container.

    start(docker=True)                     # of the images that models name
    start(docker=True, image="mine:1")     # of this one, whatever the models name

The model's folder is mounted at /opt/ml/model, and those of a multi-model endpoint below
/opt/ml/models. The container answers on port 8080, and is ready when GET /ping says 200. An image
must be on this machine already: nothing is pulled. What a container may do is what Docker allows by
default, as on SageMaker. It is deleted when the worker ends, and also when the local AWS is killed.

Source: the Amazon SageMaker Developer Guide, "Use your own inference code with hosting services".
"""

from __future__ import annotations

import itertools
import os
from pathlib import Path
from urllib.parse import urlsplit

from mlref import containers
from mlref.aws.local.hosting.workers import Container, Worker, WorkerError
from mlref.errors import ContainerError, MlrefError, ProcessError

__all__ = ["DockerLauncher"]

_MODEL_DIR = "/opt/ml/model"
_MODELS_DIR = "/opt/ml/models"
_LOG_LINES = 200
_DRAIN_S = 10.0
_PASSABLE = 0o711  # for the container's user, who is another one


class DockerLauncher:
    """Starts workers as containers.

    Args:
        image: of which all workers are, whatever their models name; None takes what they name.
    """

    def __init__(self, image: str | None = None) -> None:
        self._image = image
        self._number = itertools.count(1)

    def launch(self, container: Container) -> Worker:
        """A worker that is ready; see `Launcher.launch`.

        Raises:
            WorkerError: it did not get ready.
        """
        name = f"i-{next(self._number):017x}"
        mounts: dict[str | os.PathLike[str], str] = {}
        variables = dict(container.environment)
        if container.models is not None:
            container.models.chmod(_PASSABLE)
            mounts[container.models] = _MODELS_DIR
            variables["SAGEMAKER_MULTI_MODEL"] = "true"
        if container.folder is not None:
            mounts[container.folder] = _MODEL_DIR
        try:
            found = containers.run(
                self._image or container.image,
                ["serve"],
                isolation=containers.OPEN,
                environment=variables,
                mounts=mounts,
                published=True,
                drain_timeout_s=_DRAIN_S,
            )
        except MlrefError as error:
            raise WorkerError(f"could not be started: {error}") from error
        try:
            found.wait_ready(container.ready_timeout_s, path="/ping")
            port = urlsplit(found.url).port
        except (ContainerError, ProcessError) as error:
            log = found.log_tail(_LOG_LINES)
            found.close()
            raise WorkerError(f"did not pass the ping health check ({error})", log=log) from error
        except BaseException:
            found.close()
            raise
        return _Contained(name, int(port or 0), found)


class _Contained:
    """A worker that is a container."""

    def __init__(self, name: str, port: int, container: containers.Container) -> None:
        self.name = name
        self.port = port
        self.container = container
        self._log = ""

    @property
    def alive(self) -> bool:
        """See `Worker.alive`."""
        return self.container.state().running

    def seen(self, folder: Path) -> str:
        """See `Worker.seen`."""
        return f"{_MODELS_DIR}/{folder.name}"

    def log(self) -> str:
        """See `Worker.log`."""
        return self._log if self.container.closed else self.container.log_tail(_LOG_LINES)

    def stop(self) -> None:
        """See `Worker.stop`."""
        if not self.container.closed:
            self._log = self.container.log_tail(_LOG_LINES)
        self.container.close()
