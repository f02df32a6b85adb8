"""MLServer with a custom runtime and adaptive batching, in one process."""

from __future__ import annotations

import asyncio
import os
import socket
from contextlib import ExitStack

import numpy as np
import peer_model
from mlserver import MLModel, MLServer, ModelSettings, Settings
from mlserver.codecs import NumpyCodec
from mlserver.types import InferenceRequest, InferenceResponse

__all__ = ["Runtime"]

_ROWS, _BATCH_S = 64, 0.002  # of a batch: the setting that was cheapest


class Runtime(MLModel):
    """The runtime that MLServer calls with what it has gathered."""

    async def load(self) -> bool:
        """Load the model."""
        self.model = peer_model.load()
        return True

    async def predict(self, payload: InferenceRequest) -> InferenceResponse:
        """A prediction for each row, as the protocol has it."""
        columns = {tensor.name: tensor.data.root for tensor in payload.inputs}
        predictions = np.array(self.model.predict(columns), np.float32)
        output = NumpyCodec.encode_output("prediction", predictions)
        return InferenceResponse(model_name=self.name, outputs=[output])


def _free_ports(count: int) -> list[int]:
    """Ports that nobody has now; MLServer wants its own beside that of HTTP."""
    with ExitStack() as stack:
        sockets = [
            stack.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(count)
        ]
        return [each.getsockname()[1] for each in sockets]


if __name__ == "__main__":
    grpc_port, metrics_port = _free_ports(2)
    settings = Settings(
        host="127.0.0.1",
        http_port=int(os.environ["BENCH_PORT"]),
        grpc_port=grpc_port,
        metrics_port=metrics_port,
        parallel_workers=0,
        debug=False,
    )
    model = ModelSettings(
        name=os.environ["BENCH_MODEL"],
        implementation=Runtime,
        max_batch_size=_ROWS,
        max_batch_time=_BATCH_S,
    )
    asyncio.run(MLServer(settings).start([model]))
