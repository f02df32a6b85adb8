"""The model server: one artefact behind HTTP, and the client that asks it.

- `serve` answers in the foreground, until SIGTERM or Ctrl-C; `python -m mlref.serving ARTIFACT` is
  the same as a process. To have a server beside your program, use `mlref.targets.Local`.
- `create_app` is the application alone, for an ASGI server of your own.
- `Client` asks a server from Python. `mlref.serving.wire` tells what goes over the wire.

They need the extra "serve", which is imported on first use. So are the parts themselves: a health
check that only asks a port (`python -m mlref.serving.container health`) does not wait for numpy.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mlref.serving.app import create_app
    from mlref.serving.client import Client, Prediction
    from mlref.serving.server import serve

__all__ = ["Client", "Prediction", "create_app", "serve"]

_MODULES = {"Client": "client", "Prediction": "client", "create_app": "app", "serve": "server"}


def __getattr__(name: str) -> Any:
    """A name of this package, imported on first use."""
    if name not in _MODULES:
        raise AttributeError(f"mlref.serving has no {name!r}; it has {', '.join(__all__)}")
    found = getattr(importlib.import_module(f"mlref.serving.{_MODULES[name]}"), name)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    """The names that there are, for completion."""
    return sorted({*globals(), *__all__})
