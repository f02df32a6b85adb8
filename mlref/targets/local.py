"""The model behind HTTP in a process of its own, on this machine."""

from __future__ import annotations

import os
import sys
import weakref
from contextlib import suppress
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from mlref.artifact import Artifact
from mlref.errors import (
    EndpointClosedError,
    EndpointError,
    EndpointUnreachableError,
    MissingExtraError,
    ProcessNotReadyError,
)
from mlref.runtime import process
from mlref.runtime.lazy import installed
from mlref.schema import OnUnknown, Rows
from mlref.serving import Client
from mlref.targets.base import Description, Endpoint, has_no_rows, shown

__all__ = ["Local", "LocalEndpoint"]

_NEEDS = ("fastapi", "httpx", "uvicorn")
_DEATH_TIMEOUT_S = 1.0  # between a broken connection and the end of the process that broke it


@dataclass(frozen=True, kw_only=True)
class Local:
    """A server of `mlref.serving` for each deployment, on a free port of loopback.

    It ends when its endpoint is closed or forgotten, and when this process ends, even by `kill -9`.

    Attributes:
        timeout_s: seconds that a client waits for an answer.
        limits: how long starting and stopping may take.
    """

    name: ClassVar[str] = "local"

    timeout_s: float = 60.0
    limits: process.Limits = process.DEFAULT_LIMITS

    def available(self) -> str | None:
        """None if the extra "serve" is installed; otherwise what is missing and how to get it."""
        missing = [module for module in _NEEDS if not installed(module)]
        if not missing:
            return None
        return f'{", ".join(missing)} not installed: pip install "mlref[serve]"'

    def deploy(self, artifact: Artifact) -> LocalEndpoint:
        """An endpoint behind a server process that has loaded the same bytes and answers.

        Raises:
            MissingExtraError: the extra "serve" is not installed.
            ProcessError: the server did not get ready; carries its log.
        """
        reason = self.available()
        if reason is not None:
            raise MissingExtraError(reason)
        folder = artifact.folder.resolve()
        command = [sys.executable, "-m", "mlref.serving", str(folder), "--digest", artifact.digest]
        name = f"server of {artifact.manifest.name} {artifact.manifest.version}"
        server = process.start([*command, "--port", "0"], name=name, limits=self.limits)
        try:
            port = int(server.wait_report()["port"])
            client = Client(f"http://127.0.0.1:{port}", timeout_s=self.timeout_s)
            endpoint = LocalEndpoint(artifact, server, client)
            endpoint.wait_ready(self.limits.ready_timeout_s)
        except BaseException:  # also when Ctrl-C breaks the wait off
            server.stop()
            raise
        return endpoint


class LocalEndpoint(Endpoint):
    """A server process and a client, behind the contract of `mlref.targets.base`."""

    def __init__(self, artifact: Artifact, server: process.ManagedProcess, client: Client) -> None:
        self._artifact = artifact
        self._server = server
        self._client = client
        self._description = Description(
            target=Local.name,
            model=artifact.manifest.name,
            version=artifact.manifest.version,
            size_bytes=artifact.size_bytes,
            url=client.base_url,
            pid=server.pid,
        )
        self._finalizer = weakref.finalize(self, _let_go, os.getpid(), server, client)

    def __repr__(self) -> str:
        return shown(self, closed=not self._finalizer.alive)

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
        self._server.wait_ready(self._healthy, timeout_s)

    def describe(self) -> Description:
        """What runs where; also after `close()`."""
        return self._description

    def close(self) -> None:
        """Stop the server: requests in progress are answered, then it ends."""
        self._finalizer()

    def _healthy(self) -> bool:
        try:
            return self._client.health().get("status") == "ok"
        except EndpointError:
            return False

    def _check_open(self) -> None:
        if not self._finalizer.alive:
            text = f"the endpoint of {self._description.model} is closed; deploy it again"
            raise EndpointClosedError(text)

    def _explained(self, error: EndpointUnreachableError) -> EndpointUnreachableError:
        """The same error with what the server's process tells about it."""
        with suppress(ProcessNotReadyError):
            self._server.wait(_DEATH_TIMEOUT_S)
        code = self._server.returncode
        state = "still runs" if code is None else f"has ended (status {code}); deploy it again"
        text = f"{error}\nthe {self._server} {state}"
        tail = self._server.log_tail()
        return EndpointUnreachableError(f"{text}\nlast lines of its log:\n{tail}" if tail else text)


def _let_go(owner: int, server: process.ManagedProcess, client: Client) -> None:
    """End what belongs to an endpoint; in a fork it is not ours to end."""
    if os.getpid() == owner:
        client.close()
        server.stop()
