"""LitServe: one worker process behind its HTTP process."""

from __future__ import annotations

import os
from typing import Any

import litserve
import peer_model

__all__ = ["ModelAPI"]


class ModelAPI(litserve.LitAPI):
    """The steps that LitServe calls, in their order."""

    def setup(self, _device: str) -> None:
        """Load the model in the worker process."""
        self.model = peer_model.load()

    def decode_request(self, request) -> dict[str, list[Any]]:  # noqa: ANN001 - read by LitServe
        """The columns; LitServe wants the parameter to be called `request`, without a type."""
        return request["columns"]

    def predict(self, columns: dict[str, list[Any]]) -> list[float]:
        """A prediction for each row."""
        return self.model.predict(columns)

    def encode_response(self, predictions: list[float]) -> dict[str, list[float]]:
        """The body of the answer."""
        return {"predictions": predictions}


if __name__ == "__main__":
    server = litserve.LitServer(ModelAPI(), accelerator="cpu", workers_per_device=1)
    server.run(
        host="127.0.0.1",
        port=int(os.environ["BENCH_PORT"]),
        num_api_servers=1,
        log_level="warning",
        generate_client_file=False,
    )
