"""A real control plane of Kubernetes 1.20.2: build it, send it our objects, record its autoscaler.

    python tools/k8s_real.py build    the programs, below build/kubernetes: minutes, once
    python tools/k8s_real.py apply    is what mlref renders accepted, and what is wrong refused?
    python tools/k8s_real.py record   write tests/scaling/data/hpa-1.20.2.json anew
    python tools/k8s_real.py check    record again and compare with the committed file

`build` needs Debian's mirror; nothing else needs a network. Nothing listens but on 127.0.0.1, no
container runs, and every process has ended when the command has. What is wrong is printed one
problem a line, and the exit status is then 1.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from kubernetes_real import building

from mlref.errors import MlrefError

ROOT = Path(__file__).resolve().parents[1]
CACHE = ROOT / "build" / "kubernetes"


def main() -> int:
    """The exit status of the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("command", choices=["build"])
    parser.parse_args()
    try:
        building.ensure(CACHE, lambda line: print(line, flush=True))
    except MlrefError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
