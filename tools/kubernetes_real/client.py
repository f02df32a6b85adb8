"""A small client of the API server: JSON in, JSON out, and a watch."""

from __future__ import annotations

import json
import ssl
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Self

import httpx

from mlref.errors import MlrefError

__all__ = ["Api", "RefusedError"]

_TIMEOUT_S = 60.0
_SLICE_S = "2"  # a server does not end while somebody watches
_MERGE = "application/merge-patch+json"


class RefusedError(MlrefError):
    """The API server did not do what it was asked; `code` is its HTTP status."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code


class Api:
    """A client of one API server, for a `with` block; several threads may share it.

    Args:
        url: https://host:port.
        token: what tells the server who asks.
        certificate: the file that the server's certificate is checked with.
    """

    def __init__(self, url: str, token: str, certificate: Path) -> None:
        self._client = httpx.Client(
            base_url=url,
            headers={"Authorization": f"Bearer {token}"},
            verify=ssl.create_default_context(cafile=str(certificate)),
            timeout=_TIMEOUT_S,
            trust_env=False,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._client.close()

    def ready(self) -> bool:
        """Whether the server says that it is ready."""
        try:
            return self._client.get("/readyz").status_code == httpx.codes.OK
        except httpx.TransportError:
            return False

    def get(self, path: str) -> dict[str, Any]:
        """The object or list at a path."""
        return self._ask("GET", path)

    def post(self, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """The object as the server keeps it, after it was created."""
        return self._ask("POST", path, body)

    def put(self, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """The object as the server keeps it, after it was replaced."""
        return self._ask("PUT", path, body)

    def patch(self, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """The object as the server keeps it, after the given fields were merged into it."""
        return self._ask("PATCH", path, body, _MERGE)

    def delete(self, path: str) -> dict[str, Any]:
        """The object, or the server's status."""
        return self._ask("DELETE", path)

    def watch(self, path: str, stopped: threading.Event) -> Iterator[dict[str, Any]]:
        """The objects of a list, each as it is at first and after every change.

        Args:
            path: of the list.
            stopped: ends the watch, within seconds.
        """
        listed = self.get(path)
        yield from listed["items"]
        version = listed["metadata"]["resourceVersion"]
        while not stopped.is_set():
            query = {"watch": "true", "timeoutSeconds": _SLICE_S, "resourceVersion": version}
            with self._client.stream("GET", path, params=query) as response:
                for line in response.iter_lines():
                    changed = json.loads(line)["object"]
                    version = changed["metadata"]["resourceVersion"]
                    yield changed

    def _ask(
        self, method: str, path: str, body: Mapping[str, Any] | None = None, kind: str | None = None
    ) -> dict[str, Any]:
        content = None if body is None else json.dumps(body)
        headers = {"Content-Type": kind or "application/json"}
        response = self._client.request(method, path, content=content, headers=headers)
        answer: dict[str, Any] = response.json()
        if response.is_error:
            raise RefusedError(response.status_code, str(answer.get("message", answer)))
        return answer
