"""Flask, the peer that most tutorials begin with, behind the same model."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

PEERS = Path(__file__).resolve().parents[2] / "benchmarks" / "peers"


def test_flask_serves_the_same_model(champion: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Golden rows are answered as by every other target."""
    monkeypatch.setenv("BENCH_ARTIFACT", str(champion.artifact.folder))
    monkeypatch.syspath_prepend(str(PEERS))
    app = importlib.import_module("flask_app").app
    golden = champion.artifact.golden
    try:
        reply = app.test_client().post("/predict", json={"columns": golden.columns})
    finally:
        for name in ("flask_app", "peer_model"):
            sys.modules.pop(name, None)
    assert reply.status_code == 200
    assert golden.matched(np.float32(reply.get_json()["predictions"])) == len(golden.instances)
