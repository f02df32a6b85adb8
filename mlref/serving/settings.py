"""Every number of the model server that may be tuned, with its unit."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

__all__ = ["DEFAULT_SETTINGS", "Settings", "parse_settings"]

_TRUTH = {"true": True, "1": True, "false": False, "0": False}


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What the server allows, and how long it waits. The defaults suit a small model on one core.

    Attributes:
        max_body_bytes: a larger body is refused with 413, at the latest when that many have come.
        max_in_flight: requests between their last byte and their reply; one more gets 503.
        max_lag_s: how late the event loop may be before new requests get 503.
        retry_after_s: what a 503 tells the client to wait.
        refusal_delay_s: a 503 is sent so much later, so that clients that ask again at once cannot
            take the time of those that were accepted.
        max_models: models that callers may load at a time; one more gets 507.
        max_batch_rows: rows of different requests that go through the model together.
        inline_ms: a batch that should take longer runs in a thread, so that health never waits.
        inline_bytes: a body that is larger is read in that thread, too.
        header_timeout_s: from a request's first byte to the end of its headers.
        body_timeout_s: from the end of the headers to the last byte of the body.
        keep_alive_s: how long a connection may be silent between requests.
        drain_delay_s: at SIGTERM, how long to go on as before, with /health/ready false.
        drain_timeout_s: at SIGTERM, how long requests and open connections get after that.
        idle_grace_s: at SIGTERM, how long a silent connection is kept for a request that may be on
            its way.
        lane: answer predictions before they become ASGI messages, where uvicorn allows it.
        access_log: write a line of JSON for each request to the logger `mlref.access`.
    """

    max_body_bytes: int = 16 * 2**20
    max_in_flight: int = 128
    max_lag_s: float = 0.5
    retry_after_s: int = 1
    refusal_delay_s: float = 0.1
    max_models: int = 100
    max_batch_rows: int = 256
    inline_ms: float = 2.0
    inline_bytes: int = 256 * 2**10
    header_timeout_s: float = 10.0
    body_timeout_s: float = 30.0
    keep_alive_s: float = 75.0
    drain_delay_s: float = 0.0
    drain_timeout_s: float = 8.0
    idle_grace_s: float = 1.0
    lane: bool = True
    access_log: bool = False

    def __post_init__(self) -> None:
        """Refuse what no server could keep to.

        Raises:
            ValueError: a number that is negative, not finite, or 0 where there must be some.
        """
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            least = 1 if field.type == "int" else 0
            if isinstance(value, bool) != (field.type == "bool"):
                kind = "true or false" if field.type == "bool" else "a number"
                raise ValueError(f"{field.name} must be {kind}, got {value!r}")
            if not least <= value < math.inf:
                raise ValueError(f"{field.name} must be a number of at least {least}, got {value}")


DEFAULT_SETTINGS = Settings()


def parse_settings(words: Iterable[str], **others: Any) -> Settings:
    """The settings in words like "max_in_flight=64"; the rest as by default.

    Args:
        words: a name, an equals sign and a value each.
        others: more settings, by name.

    Raises:
        ValueError: no such setting, or a value that it cannot have.

    >>> parse_settings(["max_in_flight=64"]).max_in_flight
    64
    """
    fields = {field.name: field for field in dataclasses.fields(Settings)}
    given: dict[str, Any] = {}
    for word in words:
        name, equals, text = word.partition("=")
        if name not in fields or not equals:
            known = ", ".join(fields)
            text = f"a setting looks like max_in_flight=64, got {word!r}"
            raise ValueError(f"{text}; there are {known}")
        kind: Any = type(fields[name].default)
        try:
            given[name] = _TRUTH[text.lower()] if kind is bool else kind(text)
        except (KeyError, ValueError):
            wanted = {bool: "true or false", int: "a whole number"}.get(kind, "a number")
            raise ValueError(f"{name} must be {wanted}, got {text!r}") from None
    return Settings(**{**given, **others})
