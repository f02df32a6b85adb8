"""Where a container answers, whether it does, and why not."""

from __future__ import annotations

import http.client
import re
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

__all__ = ["Question", "url_of", "why_no_url"]

_CONNECT_S = 0.5
_LISTENS = re.compile(  # "serving on http://0.0.0.0:8080", "Listening at port 80"
    r"\b(?:listen|serv|runn)ing (?:at|on):? (?:port |\S*:)(?P<port>\d{1,5})\b", re.IGNORECASE
)


class Question:
    """A GET that is asked until it gives 200, and what came of it the last time."""

    def __init__(self, url: str, path: str, port: int, log: Callable[[], str]) -> None:
        """Nothing is asked yet.

        Args:
            url: where the container answers from outside.
            path: what is asked for.
            port: where it should listen inside.
            log: gives what it has printed.
        """
        self._url, self._path, self._port, self._log = url, path, port, log
        self._status: int | None = None

    def __call__(self) -> bool:
        """Ask; whether it gave 200."""
        parts = urlsplit(self._url)
        connection = http.client.HTTPConnection(
            parts.hostname or "", parts.port, timeout=_CONNECT_S
        )
        try:
            connection.request("GET", self._path)
            self._status = connection.getresponse().status
        except (OSError, http.client.HTTPException):
            self._status = None
        finally:
            connection.close()
        return self._status == http.client.OK

    def is_misplaced(self) -> bool:
        """Whether nothing answered, and its log names another port."""
        return self._status is None and bool(self._elsewhere())

    def told(self) -> str:
        """What came of it the last time, in words."""
        if self._status is not None:
            return f"GET {self._path} gave {self._status}"
        text, elsewhere = f"nothing answers on its port {self._port}", self._elsewhere()
        if elsewhere:
            return f"{text}, and its log says {elsewhere[0]}: run it with port={elsewhere[1]}"
        return f"{text}; run it with the port= on which it listens"

    def _elsewhere(self) -> tuple[str, str] | None:
        """The last address of its log and the port in it; None if it tells none or this port."""
        found = [*_LISTENS.finditer(self._log())]
        if not found or int(found[-1]["port"]) == self._port:
            return None
        return found[-1][0].strip(), found[-1]["port"]


def url_of(container: Any, port: int, *, public: bool) -> str | None:
    """Where it answers; None if it has ended already, or has no address.

    Args:
        container: the SDK's object for it.
        port: where it listens inside.
        public: whether it is reached through a port of 127.0.0.1.
    """
    told = container.attrs["NetworkSettings"]
    if public:
        found = (told["Ports"] or {}).get(f"{port}/tcp") or []
        return f"http://127.0.0.1:{found[0]['HostPort']}" if found else None
    networks = told["Networks"].values()  # the one that it joined, by whichever name it was given
    address = next((each["IPAddress"] for each in networks if each["IPAddress"]), None)
    return f"http://{address}:{port}" if address else None


def why_no_url(container: Any) -> str:
    """Why one that runs has no URL, and what reaches it.

    Args:
        container: the SDK's object for it.
    """
    network = container.attrs["HostConfig"]["NetworkMode"]
    why = "has no network" if network == "none" else "has no address of its own"
    return f"{why} (network={network!r}) and so no URL; `execute()` reaches it"
