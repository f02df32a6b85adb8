"""The model server: one artefact behind HTTP, and the client that asks it.

- `serve` answers in the foreground, until SIGTERM or Ctrl-C; `python -m mlref.serving ARTIFACT` is
  the same as a process. To have a server beside your program, use `mlref.targets.Local`.
- `create_app` is the application alone, for an ASGI server of your own.
- `Client` asks a server from Python. `mlref.serving.wire` tells what goes over the wire.

They need the extra "serve", which is imported on first use.
"""

from mlref.serving.app import create_app
from mlref.serving.client import Client, Prediction
from mlref.serving.server import serve

__all__ = ["Client", "Prediction", "create_app", "serve"]
