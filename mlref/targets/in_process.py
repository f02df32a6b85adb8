"""The model in this very process: the reference that every other target is compared with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from mlref.artifact import Artifact
from mlref.errors import EndpointClosedError
from mlref.schema import OnUnknown, Rows
from mlref.targets.base import Description, Endpoint, shown

__all__ = ["InProcess", "InProcessEndpoint"]


@dataclass(frozen=True)
class InProcess:
    """ONNX Runtime in this process: the fastest place for one program, and no place for two."""

    name: ClassVar[str] = "in_process"

    def available(self) -> str | None:
        """None: what it needs comes with mlref itself."""
        return None

    def deploy(self, artifact: Artifact) -> InProcessEndpoint:
        """An endpoint that answers with the artefact's own graph; ready at once."""
        return InProcessEndpoint(artifact)


class InProcessEndpoint(Endpoint):
    """An artefact behind the contract of `mlref.targets.base`."""

    def __init__(self, artifact: Artifact) -> None:
        self._artifact: Artifact | None = artifact
        self._description = Description(
            target=InProcess.name,
            model=artifact.manifest.name,
            version=artifact.manifest.version,
            size_bytes=artifact.size_bytes,
        )

    def __repr__(self) -> str:
        return shown(self, closed=self._artifact is None)

    def predict(self, rows: Rows, *, on_unknown: OnUnknown = "impute") -> np.ndarray:
        """The model's answer for each row; see `Endpoint.predict`."""
        return self._open().predict(rows, on_unknown=on_unknown)

    def wait_ready(self, timeout_s: float) -> None:  # noqa: ARG002 - the contract's argument
        """Return at once: it is ready from the start."""
        self._open()

    def describe(self) -> Description:
        """What runs where; also after `close()`."""
        return self._description

    def close(self) -> None:
        """Let go of the model. Calling it again does nothing."""
        self._artifact = None

    def _open(self) -> Artifact:
        artifact = self._artifact
        if artifact is None:
            text = f"the endpoint of {self._description.model} is closed; deploy it again"
            raise EndpointClosedError(text)
        return artifact
