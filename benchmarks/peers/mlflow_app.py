"""MLflow's scoring server around a Python model, with one worker."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import mlflow.pyfunc

if __name__ == "__main__":
    os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"
    code = Path(__file__).with_name("mlflow_model.py")
    mlflow.pyfunc.save_model("model", python_model=str(code), pip_requirements=[])
    program = str(Path(sys.executable).parent / "mlflow")
    command = [program, "models", "serve", "--model-uri=model", "--env-manager=local"]
    command += ["--host=127.0.0.1", f"--port={os.environ['BENCH_PORT']}", "--workers=1"]
    os.execv(program, command)  # noqa: S606 - there is no shell
