"""BentoML: one service with one worker, without its batching.

Its batching answers most requests with an error under this load, so the plain service is measured.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

if __name__ == "__main__":
    folder = Path(__file__).parent
    os.environ |= {"BENTOML_HOME": str(Path.cwd()), "BENTOML_DO_NOT_TRACK": "true"}
    command = [str(Path(sys.executable).parent / "bentoml"), "serve", "bentoml_app:Predictor"]
    command += [f"--working-dir={folder}", "--host=127.0.0.1", f"--port={os.environ['BENCH_PORT']}"]
    os.execv(command[0], command)  # noqa: S606 - there is no shell

import bentoml
import peer_model

__all__ = ["Predictor"]


@bentoml.service(workers=1, logging={"access": {"enabled": False}})
class Predictor:
    """The service."""

    def __init__(self) -> None:
        self.model = peer_model.load()

    @bentoml.api
    def predict(self, columns: dict[str, list]) -> dict[str, list[float]]:
        """A prediction for each row."""
        return {"predictions": self.model.predict(columns)}
