"""The limit: an ASGI application that reads the body and does nothing with it."""

from __future__ import annotations

from typing import Any

__all__ = ["app"]

_BODY = b'{"predictions":[0.5]}'
_START = {
    "type": "http.response.start",
    "status": 200,
    "headers": [
        (b"content-type", b"application/json"),
        (b"content-length", b"%d" % len(_BODY)),
    ],
}


async def app(_scope: Any, receive: Any, send: Any) -> None:
    """The same answer to every request, once its body has arrived."""
    while (await receive()).get("more_body"):
        pass
    await send(_START)
    await send({"type": "http.response.body", "body": _BODY})
