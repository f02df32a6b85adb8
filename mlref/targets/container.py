"""The model behind HTTP in a container of its own, which may do hardly more than answer."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from mlref import containers
from mlref.artifact import Artifact
from mlref.containers.isolation import DEFAULT_ISOLATION, Isolation
from mlref.errors import (
    EndpointClosedError,
    EndpointUnreachableError,
    ProcessNotReadyError,
)
from mlref.schema import OnUnknown, Rows
from mlref.serving import Client
from mlref.targets.base import Description, Endpoint, has_no_rows, shown

__all__ = ["Container", "ContainerEndpoint"]

_DEATH_TIMEOUT_S = 1.0  # between a broken connection and the end of the container that broke it


@dataclass(frozen=True, kw_only=True)
class Container:
    """A container for each deployment, from an image that holds server and model.

    The image stays after the end, as a cache: `containers.remove_images` deletes it.

    Attributes:
        flavour: "service", or "minimal", which holds no shell.
        base: the image to start from; None means whatever `containers.base_image` finds.
        isolation: what the container may do.
        timeout_s: seconds that a client waits for an answer.
        ready_timeout_s: seconds from the container's start to its first answer.
        drain_timeout_s: seconds between SIGTERM and SIGKILL when the endpoint is closed.
        tell: called with lines that say what is built; None for nobody.
    """

    name: ClassVar[str] = "container"

    flavour: containers.Flavour = "service"
    base: str | None = None
    isolation: Isolation = DEFAULT_ISOLATION
    timeout_s: float = 60.0
    ready_timeout_s: float = 60.0
    drain_timeout_s: float = 10.0
    tell: Callable[[str], object] | None = None

    def available(self) -> str | None:
        """None if there is a Docker daemon; otherwise what is missing and how to get it."""
        return containers.available()

    def deploy(self, artifact: Artifact) -> ContainerEndpoint:
        """An endpoint behind a container that has loaded the same bytes and answers.

        Raises:
            MissingExtraError: the extra "cluster" is not installed.
            DockerUnavailableError: there is no Docker daemon.
            ImageBuildError: the image could not be built; carries the builder's log.
            ContainerError: no base image or no wheel can be had, or the daemon refuses to run it.
            ProcessError: the container did not get ready; says of what, and carries its log.
        """
        image = containers.build(artifact, flavour=self.flavour, base=self.base, tell=self.tell)
        container = containers.run(
            image, isolation=self.isolation, drain_timeout_s=self.drain_timeout_s
        )
        try:
            container.wait_ready(self.ready_timeout_s)
            client = Client(container.url, timeout_s=self.timeout_s)
        except BaseException:  # also when Ctrl-C breaks the wait off
            container.close()
            raise
        return ContainerEndpoint(artifact, container, client)


class ContainerEndpoint(Endpoint):
    """A container and a client, behind the contract of `mlref.targets.base`."""

    def __init__(self, artifact: Artifact, container: containers.Container, client: Client) -> None:
        self._artifact = artifact
        self.container = container
        self._client = client
        self._description = Description(
            target=Container.name,
            model=artifact.manifest.name,
            version=artifact.manifest.version,
            size_bytes=artifact.size_bytes,
            url=client.base_url,
        )

    def __repr__(self) -> str:
        return shown(self, closed=self.container.closed)

    def predict(self, rows: Rows, *, on_unknown: OnUnknown = "impute") -> np.ndarray:
        """The model's answer for each row; see `Endpoint.predict`."""
        self._check_open()
        if has_no_rows(rows):
            return self._artifact.predict(rows, on_unknown=on_unknown)
        try:
            return self._client.predict(rows, on_unknown=on_unknown).predictions
        except EndpointUnreachableError as error:
            self._check_open()
            raise self._explained(error) from error
        except EndpointClosedError:
            self._check_open()
            raise

    def wait_ready(self, timeout_s: float) -> None:
        """Return as soon as the server answers; see `Endpoint.wait_ready`."""
        self._check_open()
        self.container.wait_ready(timeout_s)

    def describe(self) -> Description:
        """What runs where; also after `close()`."""
        return self._description

    def close(self) -> None:
        """Stop the container: requests in progress are answered, then it is deleted."""
        self._client.close()
        self.container.close()

    def _check_open(self) -> None:
        if self.container.closed:
            text = f"the endpoint of {self._description.model} is closed; deploy it again"
            raise EndpointClosedError(text)

    def _explained(self, error: EndpointUnreachableError) -> EndpointUnreachableError:
        """The same error with what became of the container."""
        with suppress(ProcessNotReadyError):
            self.container.wait(_DEATH_TIMEOUT_S)
        text = f"{error}\nthe container: {self.container.explain()}"
        tail = self.container.log_tail()
        return EndpointUnreachableError(f"{text}\nlast lines of its log:\n{tail}" if tail else text)
