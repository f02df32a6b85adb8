"""robyn with a hand-written handler: orjson in, orjson out."""

from __future__ import annotations

import os

import orjson
import peer_model
from robyn import Headers, Request, Response, Robyn

__all__ = ["predict"]

app = Robyn(__file__)
model = peer_model.load()
headers = Headers({"content-type": "application/json"})


@app.post("/predict")
async def predict(request: Request) -> Response:
    """A prediction for each row."""
    answer = {"predictions": model.predict(orjson.loads(request.body)["columns"])}
    return Response(status_code=200, headers=headers, description=orjson.dumps(answer))


if __name__ == "__main__":
    app.start(host="127.0.0.1", port=int(os.environ["BENCH_PORT"]))
