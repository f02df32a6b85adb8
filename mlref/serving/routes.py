"""The paths whose requests are answered before FastAPI sees them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias
from urllib.parse import parse_qsl, unquote

from mlref.serving.exchange import Codec

__all__ = ["Resolver", "Route", "Routes"]

Resolver: TypeAlias = Callable[[str], tuple[str, str | None] | None]
"""From a path to the name and version of the model in it, or None if it is another path."""

_MOST_REMEMBERED = 1024  # targets; a model server has few
_LONGEST_REMEMBERED = 256  # bytes of one


@dataclass(frozen=True, slots=True)
class Route:
    """Where a request goes.

    Attributes:
        template: the path with names in braces, as metrics show it.
        kind: the codec that reads and writes.
        name: of the model that is asked for, or None.
        version: of the model that is asked for, or None.
    """

    template: str
    kind: type[Codec]
    name: str | None = None
    version: str | None = None


class Routes:
    """Hot paths, found by the target of a request as it stands in its first line.

    Attributes:
        summaries: what each is for, by template.
    """

    def __init__(self) -> None:
        self.summaries: dict[str, str] = {}
        self._exact: dict[str, Route] = {}
        self._resolvers: list[tuple[str, Resolver, type[Codec]]] = []
        self._known: dict[bytes, Route] = {}

    def add(self, path: str, kind: type[Codec], summary: str) -> None:
        """Answer POST requests for this path; `?model=` and `?version=` name a model.

        Args:
            path: from the slash on.
            kind: reads and writes.
            summary: what it is for, for people.

        Raises:
            ValueError: the path is taken, or does not begin with a slash.
        """
        if not path.startswith("/") or path in self._exact:
            raise ValueError(f"a route needs a path of its own, like /predict, got {path!r}")
        self._exact[path] = Route(path, kind)
        self.summaries[path] = summary
        self._known.clear()

    def add_resolver(
        self, template: str, resolve: Resolver, kind: type[Codec], summary: str
    ) -> None:
        """Answer POST requests for paths that hold the name of a model.

        Args:
            template: what metrics call them, for instance "/v2/models/{model}/infer".
            resolve: tells the model's name and version.
            kind: reads and writes.
            summary: what it is for, for people.
        """
        self.summaries[template] = summary
        self._resolvers.append((template, resolve, kind))

    def __contains__(self, path: str) -> bool:
        return self.find_path(path) is not None

    def find(self, target: bytes) -> Route | None:
        """The route of a request's target (path and query, as they came), or None."""
        route = self._known.get(target)
        if route is not None:
            return route
        path, _, query = target.partition(b"?")
        route = self.find_path(unquote(path.decode("latin-1")), query)
        short = len(target) <= _LONGEST_REMEMBERED
        if route is not None and short and len(self._known) < _MOST_REMEMBERED:
            self._known[target] = route
        return route

    def find_path(self, path: str, query: bytes = b"") -> Route | None:
        """The route of a decoded path, or None."""
        route = self._exact.get(path)
        if route is not None:
            return _asked_for(route, query) if query else route
        for template, resolve, kind in self._resolvers:
            found = resolve(path)
            if found is not None:
                return Route(template, kind, *found)
        return None


def _asked_for(route: Route, query: bytes) -> Route:
    """The route with the model that the query names."""
    given = dict(parse_qsl(query.decode("latin-1")))
    return Route(route.template, route.kind, given.get("model"), given.get("version"))
