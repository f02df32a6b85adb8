"""The servers that are compared: how each is started, where it is installed, what it speaks.

Each has one worker and gives ONNX Runtime one thread. `{port}`, `{artifact}` and `{bin}` in a
command are filled in when it is started.
"""

from __future__ import annotations

import functools
import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from serving_bench import wires

__all__ = ["ROOT", "SERVERS", "Kind", "Server", "has_lane_switch"]

ROOT = Path(__file__).resolve().parents[2]

Kind = Literal["ours", "limit", "framework", "ml server"]

_PYTHON = "{bin}/python"
_UVICORN = (_PYTHON, "-m", "uvicorn", "--host=127.0.0.1", "--port={port}", "--no-access-log")
_UVLOOP = ("--loop=uvloop", "--http=httptools", "--log-level=warning")
_VERSIONS = """
import json, sys
from importlib import metadata
def version(name):
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None
print(json.dumps({name: version(name) for name in sys.argv[1:]}))
"""


@dataclass(frozen=True, kw_only=True)
class Server:
    """One server.

    Attributes:
        name: on the command line.
        title: in tables.
        kind: what it is compared as.
        packages: distributions that it needs, the most telling first; their versions are told.
        command: how it is started.
        path: where predictions are asked for; `{model}` is the model's name.
        wire: how.
        environment: folder of its own environment below build/envs; None means this Python's.
        reports: whether it tells its port on mlref's report pipe, as ours does.
        checked: whether it predicts at all; the limit does not.
        ready_s: seconds that it may take to answer.
    """

    name: str
    title: str
    kind: Kind
    packages: tuple[str, ...]
    command: tuple[str, ...]
    path: str = "/predict"
    wire: wires.Wire = wires.JSON
    environment: str | None = None
    reports: bool = False
    checked: bool = True
    ready_s: float = 60.0

    @property
    def bin(self) -> Path:
        """The folder of its Python and programs."""
        if self.environment is None:
            return Path(sys.executable).parent
        return ROOT / "build" / "envs" / self.environment / "bin"

    def versions(self) -> dict[str, str | None]:
        """Its packages' versions, None for one that is not installed."""
        python = self.bin / "python"
        if not python.exists():
            return dict.fromkeys(self.packages)
        command = [str(python), "-c", _VERSIONS, *self.packages]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        return dict(json.loads(done.stdout))

    def unavailable(self) -> str | None:
        """None if it can be started; otherwise why not and what to do."""
        if self.name == "ours-asgi" and not has_lane_switch():
            return "this mlref.serving has no --no-lane; it is measured as it is under ours-lane"
        absent = [name for name, version in self.versions().items() if version is None]
        if not absent:
            return None
        advice = 'pip install "mlref[all]"' if self.environment is None else "make bench-peers"
        return f"{', '.join(absent)} not installed; {advice}"


@functools.cache
def has_lane_switch() -> bool:
    """Whether our server can be told to do without its protocol lane."""
    command = [sys.executable, "-m", "mlref.serving", "--help"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return "--no-lane" in done.stdout


def _ours(name: str, title: str, *flags: str, **others: object) -> Server:
    given = {"path": "/v1/predict", **others}
    return Server(
        name=name,
        title=title,
        kind="ours",
        packages=("mlref", "uvicorn", "onnxruntime"),
        command=(_PYTHON, "-m", "mlref.serving", "{artifact}", "--port=0", *flags),
        reports=True,
        **given,  # type: ignore[arg-type]
    )


def _fastapi(kind: str) -> Server:
    return Server(
        name=f"fastapi-{kind}",
        title=f"FastAPI, {'async def' if kind == 'async' else 'def'}",
        kind="framework",
        packages=("fastapi", "starlette", "pydantic", "uvicorn", "uvloop", "httptools"),
        command=(*_UVICORN, *_UVLOOP, "fastapi_app:app"),
        path=f"/{kind}",
    )


def _script(name: str, title: str, kind: Kind, *packages: str, **others: object) -> Server:
    """A peer whose script takes its port from the variable BENCH_PORT."""
    return Server(
        name=name,
        title=title,
        kind=kind,
        packages=packages,
        command=(_PYTHON, "-m", f"{name}_app"),
        environment=name,
        **others,  # type: ignore[arg-type]
    )


SERVERS = (
    _ours("ours-lane", "mlref, protocol lane"),
    _ours("ours-asgi", "mlref, ASGI", "--no-lane"),
    _ours(
        "ours-binary",
        "mlref, binary tensors",
        path="/v2/models/{model}/infer",
        wire=wires.BINARY,
    ),
    Server(
        name="hello",
        title="uvicorn, hello world (limit)",
        kind="limit",
        packages=("uvicorn", "uvloop", "httptools"),
        command=(*_UVICORN, *_UVLOOP, "--lifespan=off", "hello_asgi:app"),
        checked=False,
    ),
    _fastapi("async"),
    _fastapi("def"),
    Server(
        name="flask",
        title="Flask, gunicorn gthread",
        kind="framework",
        packages=("flask", "gunicorn"),
        command=(
            "{bin}/gunicorn", "--workers=1", "--worker-class=gthread", "--threads=4",
            "--bind=127.0.0.1:{port}", "--log-level=warning", "flask_app:app",
        ),
    ),
    _script("robyn", "robyn, hand-written handler", "framework", "robyn", "orjson"),
    _script("litserve", "LitServe", "ml server", "litserve", "fastapi"),
    _script(
        "mlserver", "MLServer, adaptive batching", "ml server", "mlserver", "fastapi",
        path="/v2/models/{model}/infer", wire=wires.OIP,
    ),
    _script("bentoml", "BentoML", "ml server", "bentoml"),
    Server(
        name="mlflow",
        title="MLflow scoring server",
        kind="ml server",
        packages=("mlflow",),
        command=(_PYTHON, "-m", "mlflow_app"),
        path="/invocations",
        wire=wires.INVOCATIONS,
    ),
    _script("ray", "Ray Serve", "ml server", "ray", ready_s=120.0),
)  # fmt: skip
"""All of them; tables keep their own order."""
