"""Processes, endpoints, servers and containers."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any

from mlref.errors._root import MlrefError

__all__ = [
    "AddressError",
    "ContainerError",
    "DockerUnavailableError",
    "EndpointClosedError",
    "EndpointError",
    "EndpointUnreachableError",
    "ImageBuildError",
    "ManifestError",
    "PortInUseError",
    "ProcessError",
    "ProcessExitedError",
    "ProcessNotReadyError",
    "RequestRefusedError",
    "UnknownModelError",
]


class ProcessError(MlrefError, RuntimeError):
    """A child process failed. `log_tail` holds the last lines that it printed."""

    def __init__(self, message: str, *, log_tail: str = "") -> None:
        super().__init__(f"{message}\nlast lines of its log:\n{log_tail}" if log_tail else message)
        self.log_tail = log_tail


class ProcessExitedError(ProcessError):
    """The process ended before it was ready, or while it was in use."""


class ProcessNotReadyError(ProcessError, TimeoutError):
    """The process was not ready within the limit."""


class AddressError(MlrefError, OSError):
    """No server can listen there: not an address of this machine, or the privilege is missing."""


class PortInUseError(AddressError):
    """An explicitly chosen port is taken by somebody else."""


class EndpointError(MlrefError, RuntimeError):
    """A deployed model could not answer."""


class EndpointUnreachableError(EndpointError, ConnectionError):
    """Nobody listens at the address, or the connection broke."""


class EndpointClosedError(EndpointError):
    """The endpoint was used after `close()`."""


class RequestRefusedError(MlrefError):
    """A request that a server does not answer: 404, 406, 413, 415, 503 ...

    Attributes:
        status: the HTTP status.
        headers: more headers of the reply, names in lower case.
    """

    def __init__(
        self, message: str, *, status: int = 400, headers: Sequence[tuple[bytes, bytes]] = ()
    ) -> None:
        super().__init__(message)
        self.status = status
        self.headers = tuple(headers)

    def __reduce__(self) -> Any:
        """As keyword arguments are not part of `args`."""
        build = functools.partial(type(self), status=self.status, headers=self.headers)
        return (build, (str(self),))


class UnknownModelError(MlrefError, LookupError):
    """A model, or a version of it, that a server does not have."""


class ContainerError(MlrefError, RuntimeError):
    """Something is wrong with an image or a container."""


class DockerUnavailableError(ContainerError):
    """No Docker daemon answers, or this user may not talk to it; the message says what to do."""


class ImageBuildError(ContainerError):
    """An image could not be built. `log_tail` holds the last lines of the builder."""

    def __init__(self, message: str, *, log_tail: str = "") -> None:
        text = f"{message}\nlast lines of the build:\n{log_tail}" if log_tail else message
        super().__init__(text)
        self.log_tail = log_tail


class ManifestError(ContainerError, ValueError):
    """Settings that no Kubernetes object can be made of; the message lists every problem."""
