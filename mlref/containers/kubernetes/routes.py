"""What the server answers to GET, asked of its application and of no list."""

from __future__ import annotations

import functools

__all__ = ["server_routes"]


@functools.cache
def server_routes() -> frozenset[str]:
    """The paths that the model server answers to GET, those with a parameter left out.

    Raises:
        MissingExtraError: FastAPI is not installed.
    """
    from mlref.serving.app import create_app

    found = set()
    for route in create_app().routes:
        if "GET" in (getattr(route, "methods", None) or ()) and "{" not in route.path:
            found.add(route.path)
    return frozenset(found)
