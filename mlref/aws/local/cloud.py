"""A local AWS beside this program: started, moved on in time, stopped."""

from __future__ import annotations

import ipaddress
import json
import os
import sys
import threading
import weakref
from collections.abc import Mapping
from datetime import timedelta
from types import TracebackType
from typing import Any, Self
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit
from urllib.request import Request, urlopen

from mlref.errors import CloudError
from mlref.runtime import process

__all__ = ["Cloud", "is_loopback", "shared", "start"]

_LIMITS = process.Limits(ready_timeout_s=60.0, drain_timeout_s=30.0)
_YEAR_S = 366 * 86400
_NOBODY = "what answers at {url} is no local AWS of mlref"
_TIMEOUT_S = 300.0  # that moving the clock may take: all that falls due runs meanwhile
_shared: dict[int, Cloud] = {}
_lock = threading.Lock()


class Cloud:
    """A local AWS that answers.

    Attributes:
        url: its address: what AWS_ENDPOINT_URL is to be.
    """

    def __init__(self, url: str, child: process.ManagedProcess | None = None) -> None:
        self.url = url
        self._child = child
        self._finalizer = weakref.finalize(self, _let_go, os.getpid(), child)

    def __repr__(self) -> str:
        return f"<Cloud {self.url}{'' if self._finalizer.alive else ', closed'}>"

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
    def pid(self) -> int | None:
        """Its process, or None if this program did not start it."""
        return None if self._child is None else self._child.pid

    def advance(self, seconds: float | timedelta) -> str:
        """Let time pass at once in it: alarms, autoscaling and schedules run as they fall due.

        Args:
            seconds: at least 0, and no more than a year.

        Returns:
            The moment that it is then, in ISO 8601.

        Raises:
            TypeError: `seconds` is neither a number nor a timedelta.
            ValueError: `seconds` is negative, or more than a year.
            CloudError: it does not answer.
        """
        if isinstance(seconds, timedelta):
            seconds = seconds.total_seconds()
        if not isinstance(seconds, (int, float)) or isinstance(seconds, bool):
            raise TypeError(f"seconds must be a number or a timedelta, got {seconds!r}")
        if not seconds >= 0:
            raise ValueError(f"seconds must be at least 0, got {seconds!r}; time does not go back")
        if seconds > _YEAR_S:
            raise ValueError(
                f"seconds must be at most {_YEAR_S}, a year, got {seconds!r}; advance in steps: "
                "everything that falls due meanwhile is done"
            )
        return str(self._asked("clock", {"advance_s": seconds})["now"])

    def status(self) -> dict[str, Any]:
        """Its version, process, time, the operations that it has, and its endpoints with workers.

        Raises:
            CloudError: it does not answer.
        """
        return self._asked("status", {})

    def log(self) -> str:
        """The last lines that it printed; "" if this program did not start it."""
        return "" if self._child is None else self._child.log_tail()

    def close(self) -> None:
        """Stop it, if this program started it, and all that runs in it. Nothing is kept."""
        self._finalizer()

    def _asked(self, what: str, given: Mapping[str, Any]) -> dict[str, Any]:
        body = json.dumps(given).encode()
        request = Request(f"{self.url}/_mlref/{what}", body)  # noqa: S310 - http by construction
        try:
            with urlopen(request, timeout=_TIMEOUT_S) as reply:  # noqa: S310 - as above
                return dict(json.load(reply))
        except HTTPError as error:
            with error:
                raise CloudError(_told(error, self.url)) from error
        except ValueError as error:
            raise CloudError(_NOBODY.format(url=self.url)) from error
        except (URLError, OSError) as error:
            text = f"no local AWS answers at {self.url}: {error}"
            raise CloudError(f"{text}; start one with `mlref cloud start`") from error


def _told(error: HTTPError, url: str) -> str:
    """What an answer that is an error says, if it is one of ours."""
    try:
        return str(json.load(error)["error"])
    except (ValueError, KeyError, TypeError):
        return _NOBODY.format(url=url)


def start(
    *, port: int = 0, seed: int | None = None, docker: bool = False, image: str | None = None
) -> Cloud:
    """A local AWS in a process of its own, which ends with this one. Use it in a `with` block.

    Args:
        port: on loopback; 0 takes any that is free.
        seed: of what decides between variants; None takes another each time.
        docker: whether workers are containers of the images that models name; if not, processes.
        image: of which all workers are containers, whatever the models name.

    Raises:
        MissingExtraError: the extras "aws" and "serve" are not installed.
        PortInUseError: somebody else listens on that port.
        ProcessError: it did not get ready; carries its log.
    """
    command = [sys.executable, "-m", "mlref.aws.local", "--port", str(port)]
    if seed is not None:
        command += ["--seed", str(seed)]
    command += ["--docker"] if docker else []
    command += [] if image is None else ["--docker-image", image]
    child = process.start(command, name="local AWS", limits=_LIMITS)
    try:
        told = child.wait_report()
    except BaseException:
        child.stop()
        raise
    return Cloud(f"http://127.0.0.1:{told['port']}", child)


def shared() -> Cloud:
    """The local AWS of this process: started when it is first asked for.

    Raises:
        ProcessError: it did not get ready; carries its log.
    """
    with _lock:
        found = _shared.get(os.getpid())
        if found is None or not found._finalizer.alive:  # noqa: SLF001 - of this module
            found = _shared[os.getpid()] = start()
        return found


def is_loopback(url: str) -> bool:
    """Whether an address is on this machine.

    >>> is_loopback("http://127.0.0.1:5620"), is_loopback("https://s3.amazonaws.com")
    (True, False)
    """
    try:
        host = urlsplit(url).hostname or ""
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _let_go(owner: int, child: process.ManagedProcess | None) -> None:
    """End the process; in a fork it is not ours to end."""
    if child is not None and os.getpid() == owner:
        child.stop()
