"""Flask, for one gunicorn worker with threads."""

from __future__ import annotations

from typing import Any

import peer_model
from flask import Flask, request

__all__ = ["app", "predict"]

app = Flask(__name__)
model = peer_model.load()


@app.post("/predict")
def predict() -> dict[str, Any]:
    """A prediction for each row."""
    return {"predictions": model.predict(request.get_json()["columns"])}
