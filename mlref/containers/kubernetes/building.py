"""What kustomize makes of a folder, by the kubectl that is installed beside this Python."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

from mlref.errors import ManifestError, MissingExtraError
from mlref.runtime.lazy import extra

__all__ = ["build", "find_kubectl"]

_TIMEOUT_S = 60.0


def find_kubectl() -> Path:
    """The kubectl beside this Python, else the one on PATH.

    Raises:
        MissingExtraError: there is none.
    """
    beside = Path(sys.executable).parent
    found = shutil.which("kubectl", path=beside) or shutil.which("kubectl")
    if found is None:
        text = (
            "kubectl is neither beside this Python nor on PATH; it comes with the extra 'cluster'"
        )
        raise MissingExtraError(f'{text}: pip install "mlref[cluster]"', name="kubectl")
    return Path(found)


def build(folder: str | os.PathLike[str]) -> list[dict[str, Any]]:
    """The objects that a folder with a kustomization.yaml stands for, in kustomize's order.

    No cluster is asked.

    Raises:
        ManifestError: kustomize refuses the folder; the message is its own.
        MissingExtraError: kubectl or PyYAML is not installed.
    """
    with extra("cluster"):
        import yaml

    command = [str(find_kubectl()), "kustomize", os.fspath(folder)]
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=_TIMEOUT_S, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise ManifestError(f"kubectl could not build {os.fspath(folder)}: {error}") from error
    if done.returncode != 0:
        told = done.stderr.strip().removeprefix("error: ")
        raise ManifestError(f"{os.fspath(folder)} cannot be built: {told}")
    return [each for each in yaml.safe_load_all(done.stdout) if each is not None]
