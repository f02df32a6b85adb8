"""The server's real routes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from mlref.containers.kubernetes.pods import LIVE, READY
from mlref.containers.kubernetes.routes import server_routes


def test_the_probes_ask_what_the_server_answers(ask: Callable[..., Any], colours_app: Any) -> None:
    """With a model loaded, each of both routes answers 200."""
    assert {LIVE, READY} <= server_routes()
    assert [ask(colours_app, "GET", path).status for path in (LIVE, READY)] == [200, 200]


def test_predictions_are_no_probe() -> None:
    """A route that only takes POST is not among them, nor one with a parameter."""
    assert not {path for path in server_routes() if "predict" in path or "{" in path}
