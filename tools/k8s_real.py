"""A real control plane of Kubernetes 1.20.2: build it, send it our objects, record its autoscaler.

    python tools/k8s_real.py build    the programs, below build/kubernetes: minutes, once
    python tools/k8s_real.py record   write tests/scaling/data/hpa-1.20.2.json anew: two minutes
    python tools/k8s_real.py check    record again and compare with the committed file

`record` and `check` build first if need be. Only the build needs a network: Debian's mirror.
Nothing listens but on 127.0.0.1, no container runs, and every process has ended when the command
has. What is wrong is printed one problem a line, and the exit status is then 1.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from kubernetes_real import building, parts, vectors

from mlref.errors import MlrefError
from mlref.runtime.clock import SystemClock

ROOT = Path(__file__).resolve().parents[1]
CACHE = ROOT / "build" / "kubernetes"
VECTORS = ROOT / "tests" / "scaling" / "data" / f"hpa-{parts.VERSION}.json"


def main() -> int:
    """The exit status of the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("command", choices=["build", "record", "check"])
    command = parser.parse_args().command
    try:
        problems = _carry_out(command)
    except MlrefError as error:
        problems = [str(error)]
    for problem in problems:
        print(problem, file=sys.stderr)
    return 1 if problems else 0


def _carry_out(command: str) -> list[str]:
    """What is wrong after a command."""
    programs = building.ensure(CACHE, _say)
    if command == "build":
        return []
    recorded = vectors.record(programs, SystemClock(), _say)
    if command == "check":
        return vectors.differences(json.loads(VECTORS.read_text(encoding="utf-8")), recorded)
    VECTORS.parent.mkdir(parents=True, exist_ok=True)
    vectors.write(VECTORS, recorded)
    _say(f"wrote {VECTORS.relative_to(ROOT)}")
    return []


def _say(line: str) -> None:
    print(line, flush=True)


if __name__ == "__main__":
    sys.exit(main())
