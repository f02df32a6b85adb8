"""The typed way to ask a model server: rows in, an array of predictions out, our errors on the way.

    with Client("http://127.0.0.1:8000") as client:
        client.predict({"temp": [71.1, None], "carrier": ["UA", "B6"]}).predictions

A refusal raises the same `InvalidInputError`, with the same typed problems, that the model would
have raised in this process.
"""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit

import numpy as np

from mlref import errors
from mlref.runtime.lazy import extra
from mlref.schema import OnUnknown, Rows
from mlref.serving.encoding import encode
from mlref.serving.wire import predictions_of, problems_of

__all__ = ["Client", "Prediction"]

_SHOWN = 300  # characters of an answer that an error shows
_HTTP_OK, _HTTP_REFUSED = 200, 422


@dataclass(frozen=True, eq=False)
class Prediction:
    """What a server answered.

    Attributes:
        predictions: float32 array of shape (n,) or (n, classes), in the order of the rows; int64
            where the model gives whole numbers.
        model: name of the model that answered.
        version: its version.
        warnings: one sentence for each column that held unknown categories.
    """

    predictions: np.ndarray
    model: str
    version: str
    warnings: tuple[str, ...] = ()


class Client:
    """A connection to one server; safe to share by threads. Use it in a `with` block.

    Connections are kept open between requests. To loopback they never go through a proxy.

    Args:
        base_url: where the server is, for instance "http://127.0.0.1:8000".
        timeout_s: seconds to wait for a connection, and for each part of an answer.

    Raises:
        ValueError: `base_url` is not an http or https URL.
        MissingExtraError: httpx is not installed.
    """

    def __init__(self, base_url: str, *, timeout_s: float = 30.0) -> None:
        with extra("serve"):
            import httpx
        parts = urlsplit(base_url)
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            raise ValueError(f"base_url must look like http://127.0.0.1:8000, got {base_url!r}")
        self.base_url = base_url.rstrip("/")
        self.timeout_s = timeout_s
        self._http = httpx.Client(
            base_url=self.base_url, timeout=timeout_s, trust_env=not _is_loopback(parts.hostname)
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Give the connections back. Calling it again does nothing."""
        self._http.close()

    def health(self) -> dict[str, Any]:
        """What the server says of its state: {"status": "ok", "model": {"name", "version"}}.

        Raises:
            EndpointUnreachableError: nobody answers.
            EndpointError: an answer that is not one.
        """
        return self._ask("GET", "/health")

    def model(self) -> dict[str, Any]:
        """What the model takes and gives: name, version, created, digest, inputs, outputs.

        Raises:
            EndpointUnreachableError: nobody answers.
            EndpointError: an answer that is not one.
        """
        return self._ask("GET", "/v1/model")

    def predict(self, rows: Rows, *, on_unknown: OnUnknown = "impute") -> Prediction:
        """The model's answer for each row.

        Args:
            rows: column name -> n >= 1 values each (mapping or DataFrame), or a list of n rows,
                each a mapping of column name -> value; raw: no preprocessing. None, NaN and
                pandas.NA are sent as null.
            on_unknown: "impute" lets the model handle an unknown category, "error" refuses it.

        Raises:
            InvalidInputError: the rows do not fit the schema; it lists every problem.
            EndpointUnreachableError: nobody answers.
            EndpointClosedError: the client is closed.
            EndpointError: the server failed, or the answer is not one.
        """
        body = encode(rows, on_unknown=on_unknown)
        values = self._ask("POST", "/v1/predict", body)
        try:
            return Prediction(
                predictions_of(values),
                values["model"]["name"],
                values["model"]["version"],
                tuple(values["warnings"]),
            )
        except (KeyError, TypeError, ValueError) as error:
            raise errors.EndpointError(
                f"{self.base_url} answered 200, but not with predictions: {error!r}; "
                f"is it a server of mlref?"
            ) from error

    def _ask(self, method: str, path: str, body: bytes | None = None) -> dict[str, Any]:
        """The JSON object that the server answers with."""
        response = self._send(method, path, body)
        try:
            values = response.json()
        except ValueError:
            values = None
        if response.status_code == _HTTP_OK and isinstance(values, dict):
            return values
        if response.status_code == _HTTP_REFUSED and isinstance(values, dict):
            problems = problems_of(values)
            if problems:
                raise errors.InvalidInputError(problems)
        text = response.text[:_SHOWN]
        raise errors.EndpointError(
            f"{method} {self.base_url}{path} answered {response.status_code}: {text}"
        )

    def _send(self, method: str, path: str, body: bytes | None) -> Any:
        import httpx

        headers = {"Content-Type": "application/json"} if body is not None else {}
        for last in (False, True):
            try:
                return self._http.request(method, path, content=body, headers=headers)
            except httpx.RemoteProtocolError as error:
                # A kept connection that the server gave up in this moment. A prediction changes
                # nothing, so it is safe to ask once more on a new connection.
                if last:
                    raise self._unreachable(error) from error
            except httpx.TimeoutException as error:
                raise self._unreachable(f"no answer within {self.timeout_s:g} s") from error
            except httpx.TransportError as error:
                raise self._unreachable(error) from error
            except RuntimeError as error:
                if not self._http.is_closed:
                    raise
                text = f"the client of {self.base_url} is closed; make a new one"
                raise errors.EndpointClosedError(text) from error
        return None

    def _unreachable(self, reason: object) -> errors.EndpointUnreachableError:
        return errors.EndpointUnreachableError(
            f"{self.base_url} does not answer ({reason}); check the address, and that the server "
            f"runs: python -m mlref.serving ARTIFACT"
        )


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
