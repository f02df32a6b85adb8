"""AWS, real and local: sessions, strict validation, file formats, and a local AWS that serves.

    from mlref.aws import session

    aws = session()                                   # a local AWS, started on first use
    aws.client("sagemaker").list_endpoints()

- `session` gives a boto3 session for the local AWS or for a real account; only endpoint and
  credentials differ.
- `start` and `shared` give a local AWS without a session; see `mlref.aws.local`.
- `leftovers` and `nuke` list and delete what sessions have created, on either cloud.

They need the extra "aws", which is imported on first use.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mlref.aws.client import Session, session
    from mlref.aws.local.cloud import Cloud, shared, start
    from mlref.aws.sweep import leftovers, nuke

__all__ = ["Cloud", "Session", "leftovers", "nuke", "session", "shared", "start"]

_MODULES = {
    "Cloud": "local.cloud",
    "Session": "client",
    "leftovers": "sweep",
    "nuke": "sweep",
    "session": "client",
    "shared": "local.cloud",
    "start": "local.cloud",
}


def __getattr__(name: str) -> Any:
    """A name of this package, imported on first use."""
    if name not in _MODULES:
        raise AttributeError(f"mlref.aws has no {name!r}; it has {', '.join(__all__)}")
    found = getattr(importlib.import_module(f"mlref.aws.{_MODULES[name]}"), name)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    """The names that there are, for completion."""
    return sorted({*globals(), *__all__})
