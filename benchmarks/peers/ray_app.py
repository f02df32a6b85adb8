"""Ray Serve: one replica behind its HTTP proxy, in a cluster of this one machine."""

from __future__ import annotations

import os
import signal
import threading

os.environ["RAY_USAGE_STATS_ENABLED"] = "0"

import peer_model
import ray
from ray import serve
from starlette.requests import Request

__all__ = ["Predictor"]


@serve.deployment(
    num_replicas=1, max_ongoing_requests=100, logging_config={"enable_access_log": False}
)
class Predictor:
    """The replica."""

    def __init__(self) -> None:
        self.model = peer_model.load()

    async def __call__(self, request: Request) -> dict[str, list[float]]:
        """A prediction for each row."""
        body = await request.json()
        return {"predictions": self.model.predict(body["columns"])}


if __name__ == "__main__":
    ended = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: ended.set())
    ray.init(
        num_cpus=2, include_dashboard=False, log_to_driver=False, _temp_dir=os.environ["TMPDIR"]
    )
    serve.start(http_options={"host": "127.0.0.1", "port": int(os.environ["BENCH_PORT"])})
    serve.run(Predictor.bind(), route_prefix="/predict")
    ended.wait()
    serve.shutdown()
    ray.shutdown()
