"""A real control plane of Kubernetes 1.20.2: build it, send it our objects, record its autoscaler.

    python tools/k8s_real.py build            the programs, below build/kubernetes: minutes, once
    python tools/k8s_real.py apply            is what mlref renders accepted, what is wrong refused?
    python tools/k8s_real.py apply FOLDER     the same for the manifests in a folder
    python tools/k8s_real.py check            record the autoscaler's answers, compare with the file
    python tools/k8s_real.py record           write tests/scaling/data/hpa-1.20.2.json anew
    python tools/k8s_real.py all              build, apply, check

Each builds first if need be. Only the build needs a network: Debian's mirror. Nothing listens but
on 127.0.0.1, no container runs, and every process has ended when the command has. What is wrong is
printed one problem a line, and the exit status is then 1.
"""

from __future__ import annotations

import argparse
import json
import sys
import textwrap
from pathlib import Path
from typing import Any

from kubernetes_real import applying, building, parts, vectors
from mlref.errors import MlrefError
from mlref.runtime.clock import SystemClock

ROOT = Path(__file__).resolve().parents[1]
CACHE = ROOT / "build" / "kubernetes"
VECTORS = ROOT / "tests" / "scaling" / "data" / f"hpa-{parts.VERSION}.json"
_API = parts.VERSION.rpartition(".")[0]
_WIDTH = 80
_LONGEST = 300  # characters of a reason


def main() -> int:
    """The exit status of the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("command", choices=["all", "apply", "build", "check", "record"])
    parser.add_argument("folder", nargs="?", type=Path, help="manifests for apply")
    arguments = parser.parse_args()
    if arguments.folder and arguments.command not in {"all", "apply"}:
        parser.error(f"{arguments.command} takes no folder")
    try:
        problems = _carry_out(arguments.command, arguments.folder)
    except MlrefError as error:
        problems = [str(error)]
    for problem in problems:
        print(problem, file=sys.stderr)
    return 1 if problems else 0


def _carry_out(command: str, folder: Path | None) -> list[str]:
    """What is wrong after a command."""
    programs = building.ensure(CACHE, _say)
    problems: list[str] = []
    if command in {"all", "apply"}:
        problems += _apply(programs, _read(folder) if folder else _rendered())
    if command in {"all", "check", "record"}:
        recorded = vectors.record(programs, SystemClock(), _say)
        if command == "record":
            VECTORS.parent.mkdir(parents=True, exist_ok=True)
            vectors.write(VECTORS, recorded)
            _say(f"wrote {VECTORS.relative_to(ROOT)}")
        else:
            known = json.loads(VECTORS.read_text(encoding="utf-8"))
            problems += vectors.differences(known, recorded)
    return problems


def _apply(programs: Path, objects: list[dict[str, Any]]) -> list[str]:
    """Send the objects and tell what happened; what went wrong is returned."""
    problems = []
    for finding in applying.try_out(programs, SystemClock(), objects):
        words = textwrap.shorten(finding.words, _LONGEST)
        line = f"{'as it must' if finding.good else 'WRONG':10}  {finding.what}: {words}"
        _say(textwrap.fill(line, _WIDTH, subsequent_indent=" " * 12))
        if not finding.good:
            problems.append(f"{finding.what}: {words}")
    return problems


def _rendered() -> list[dict[str, Any]]:
    """What mlref renders for this version, of a service with a canary."""
    from mlref.containers.kubernetes import Canary, Settings, parse, render

    image = "registry.example/flights"
    canary = Canary(image=f"{image}:1.1.0", version="1.1.0")
    settings = Settings(name="flights", image=f"{image}:1.0.0", version="1.0.0", canary=canary)
    return _known(parse(render(settings, api=_API)))


def _read(folder: Path) -> list[dict[str, Any]]:
    """The objects in the YAML files of a folder."""
    from mlref.containers.kubernetes import parse

    files = sorted(folder.glob("*.yaml"))
    if not files:
        raise MlrefError(f"there is no *.yaml in {folder}; name a folder with manifests")
    return _known(parse({file.name: file.read_text(encoding="utf-8") for file in files}))


def _known(objects: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Those that a cluster without custom resources has."""
    foreign = ("serving.kserve.io/", "ray.io/")
    return [each for each in objects if not str(each.get("apiVersion")).startswith(foreign)]


def _say(line: str) -> None:
    print(line, flush=True)


if __name__ == "__main__":
    sys.exit(main())
