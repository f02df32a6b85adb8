"""A real JupyterLab for a test: on this machine alone, with settings that are nobody's."""

from __future__ import annotations

import json
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mlref.runtime import process

__all__ = ["TOKEN", "jupyterlab"]

TOKEN = "only-for-this-test"  # noqa: S105 - it opens a server that lives as long as a test
_READY_S = 120.0  # a busy machine needs long to import it all
_OFF = {
    "notebook-extension/tracker": {"windowingMode": "none"},  # all cells are in the page
    "apputils-extension/notification": {"fetchNews": "false", "checkForUpdates": False},
}


@contextmanager
def jupyterlab(folder: Path, scratch: Path, *, theme: str = "JupyterLab Light") -> Iterator[str]:
    """The address of a JupyterLab that shows a folder; it is stopped at the end.

    Args:
        folder: what it shows.
        scratch: where its settings and its runtime files go.
        theme: the name of its theme.
    """
    settings = {**_OFF, "apputils-extension/themes": {"theme": theme}}
    for name, values in settings.items():
        path = scratch / "settings" / "@jupyterlab" / f"{name}.jupyterlab-settings"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(values))
    env = {
        "JUPYTER_CONFIG_DIR": str(scratch / "config"),
        "JUPYTER_DATA_DIR": str(scratch / "data"),
        "JUPYTER_RUNTIME_DIR": str(scratch / "runtime"),
        "IPYTHONDIR": str(scratch / "ipython"),
        "JUPYTERLAB_SETTINGS_DIR": str(scratch / "settings"),
        "JUPYTERLAB_WORKSPACES_DIR": str(scratch / "workspaces"),
    }
    command = [
        sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root",
        "--ServerApp.ip=127.0.0.1", "--ServerApp.port=0",
        f"--IdentityProvider.token={TOKEN}", f"--ServerApp.root_dir={folder}",
        "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate", "--LabApp.news_url=None",
    ]  # fmt: skip
    with process.start(command, name="JupyterLab", env=env, cwd=folder) as server:
        server.wait_ready(lambda: _answers(scratch / "runtime"), timeout_s=_READY_S)
        yield _address(scratch / "runtime")


def _address(runtime: Path) -> str:
    """What the server wrote down about itself; "" if it has not yet."""
    for path in runtime.glob("jpserver-*.json"):
        try:
            return str(json.loads(path.read_text())["url"])
        except ValueError:  # half written
            return ""
    return ""


def _answers(runtime: Path) -> bool:
    address = _address(runtime)
    if not address:
        return False
    try:
        with urllib.request.urlopen(f"{address}api?token={TOKEN}", timeout=5):  # noqa: S310 - http
            return True
    except (urllib.error.URLError, OSError):
        return False
