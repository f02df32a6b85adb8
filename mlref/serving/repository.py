"""The models that a server has: names, versions, and which of them is asked.

A model is swapped by swapping a reference: requests that have begun keep the version that they were
given, and end with it. So a reload loses none.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from typing import Any

from mlref import errors
from mlref.artifact import Artifact
from mlref.serving.batching import Batcher
from mlref.serving.cache import CacheKeys
from mlref.serving.exchange import Codec, Request
from mlref.serving.routing import Router, Shadow

__all__ = ["Repository", "Served"]

logger = logging.getLogger(__name__)


class Served:
    """One version of a model, ready to answer.

    Attributes:
        artifact: the model.
        name: it is asked by.
        version: its version.
        batcher: the queue before it.
        keys: gives the cache's key of some rows.
        columns: the schema as text, to compare it quickly.
    """

    def __init__(self, artifact: Artifact, batcher: Batcher, name: str | None = None) -> None:
        self.artifact = artifact
        self.name = artifact.manifest.name if name is None else name
        self.version = artifact.manifest.version
        self.batcher = batcher
        self.keys = CacheKeys(artifact.digest, artifact.inputs)
        self.columns = repr(artifact.inputs)
        self._codecs: dict[type[Codec], Codec] = {}

    def codec(self, kind: type[Codec]) -> Codec:
        """The codec of that kind for this model."""
        try:
            return self._codecs[kind]
        except KeyError:
            return self._codecs.setdefault(kind, kind(self.artifact))


class _Model:
    """The versions of one model."""

    def __init__(self) -> None:
        self.versions: dict[str, Served] = {}
        self.current: Served | None = None
        self.router: Router | None = None
        self.shadow: Shadow | None = None
        self.missed: set[str] = set()


class Repository:
    """The models of one server, by name and version. Safe to change by threads while it serves.

    Args:
        batcher: makes the queue before a model.
    """

    def __init__(self, batcher: Callable[[Artifact], Batcher]) -> None:
        self._make = batcher
        self._lock = threading.Lock()
        self._models: dict[str, _Model] = {}

    def __len__(self) -> int:
        return len(self._models)

    def add(self, artifact: Artifact, *, name: str | None = None) -> Served:
        """The model, ready; requests that name no version get it from now on.

        An artefact of the same name and version takes the place of the one before.

        Args:
            artifact: the model.
            name: that it is asked by; None is the one in its manifest.
        """
        batcher = self._make(artifact)
        batcher.warm_up()
        served = Served(artifact, batcher, name)
        with self._lock:  # what others read is never changed, but replaced
            model = self._models.get(served.name) or _Model()
            model.versions = {**model.versions, served.version: served}
            model.current = served
            self._models = {**self._models, served.name: model}
        return served

    def remove(self, name: str, version: str | None = None) -> None:
        """Take a model, or one version of it, out of service. Requests in it are still answered.

        Raises:
            UnknownModelError: there is none.
        """
        self.find(name, version)
        with self._lock:
            model = self._models.get(name)
            if model is None:
                return
            left = {key: each for key, each in model.versions.items() if key != version}
            if version is None or not left:
                self._models = {key: each for key, each in self._models.items() if key != name}
                return
            if model.current is not None and model.current.version == version:
                model.current = next(reversed(left.values()))
            model.versions = left

    def route(
        self, name: str, *, router: Router | None = None, shadow: Shadow | None = None
    ) -> None:
        """Set who answers requests that name no version, and who answers in their shadow.

        Args:
            name: of the model.
            router: gives a version for each request; None asks the one that was added last.
            shadow: a version that answers as well; None is nobody.

        Raises:
            UnknownModelError: no such model, or a version that it does not have.
            ValueError: the shadow takes other columns.
        """
        current = self.find(name)
        for version in getattr(router, "weights", ()):
            self.find(name, version)
        if shadow is not None:
            other = self.find(name, shadow.version).artifact.inputs
            if other != current.artifact.inputs:
                text = f"{name} {shadow.version} takes other columns than {current.version}"
                raise ValueError(f"{text}, so it cannot answer in its shadow")
        model = self._models[name]
        model.router, model.shadow = router, shadow

    def find(self, name: str | None = None, version: str | None = None) -> Served:
        """A model.

        Args:
            name: None is the first that was added.
            version: None is the one that was added last.

        Raises:
            UnknownModelError: there is none.
        """
        if name is None:
            name = next(iter(self._models), None)
            if name is None:
                raise errors.UnknownModelError("this server has no model; load one")
        model = self._models.get(name)
        if model is None:
            there = ", ".join(self._models) or "none"
            raise errors.UnknownModelError(f"no model {name!r} here; there are: {there}")
        served = model.current if version is None else model.versions.get(version)
        if served is None:
            there = ", ".join(model.versions)
            raise errors.UnknownModelError(f"{name} has no version {version!r}; it has: {there}")
        return served

    def choose(self, name: str | None, version: str | None, request: Request) -> Served:
        """The version that answers a request.

        Where a router names a version that is gone, the current one answers, and the log says so.

        Args:
            name: of the model, or None.
            version: that the request asks for, or None.
            request: what a router looks at.

        Raises:
            UnknownModelError: there is none.
        """
        served = self.find(name, version)
        model = self._models.get(served.name)
        if version is not None or model is None or model.router is None:
            return served
        chosen = model.router(request)
        if chosen not in model.versions and chosen not in model.missed:
            model.missed.add(chosen)
            logger.warning("the router of %s names version %r, which is not here", name, chosen)
        return model.versions.get(chosen, served)

    def shadow_of(self, served: Served) -> tuple[Shadow, Served] | None:
        """Who answers in the shadow of a version, or None."""
        model = self._models.get(served.name)
        if model is None or model.shadow is None or model.shadow.version == served.version:
            return None
        other = model.versions.get(model.shadow.version)
        if other is None or other.columns != served.columns:
            return None
        return model.shadow, other

    def names(self) -> tuple[str, ...]:
        """The models' names, in the order in which they were added."""
        return tuple(self._models)

    def versions(self, name: str) -> tuple[str, ...]:
        """The versions of a model, in the order in which they were added.

        Raises:
            UnknownModelError: no such model.
        """
        self.find(name)
        model = self._models.get(name)
        return () if model is None else tuple(model.versions)

    def served(self) -> tuple[Served, ...]:
        """All versions of all models."""
        found: list[Any] = []
        for model in tuple(self._models.values()):
            found += model.versions.values()
        return tuple(found)
