"""How slow this machine is now, beside the one that the budgets of CPU time were set on.

CPU seconds say how much is done only on one machine at one time: a busy or an older one needs twice
as many for the same work. What is held to a budget is therefore first divided by `slowness`.
"""

from __future__ import annotations

import resource
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

__all__ = ["UNIT_S", "children_cpu_s", "slowness"]

UNIT_S = 0.45
"""CPU seconds of `_WORK` when two of them ran at a time on the machine of the budgets."""
_WORK = "import pandas"  # to start and import is most of a small answer


def children_cpu_s() -> float:
    """CPU seconds of all children of this process that have ended so far."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def slowness(*, workers: int = 2, rounds: int = 2) -> float:
    """CPU seconds of known work, over those of the machine of the budgets; 1 if it is faster.

    Args:
        workers: how many do the work at a time; as many as do what is held to the budget.
        rounds: how often each does it; once more before, which is not counted, so that files and
            caches are warm.

    Raises:
        subprocess.CalledProcessError: the work failed.
    """
    with ThreadPoolExecutor(workers) as pool:
        list(pool.map(_work, range(workers)))
        before_s = children_cpu_s()
        list(pool.map(_work, range(workers * rounds)))
    return max(1.0, (children_cpu_s() - before_s) / (workers * rounds) / UNIT_S)


def _work(_: int) -> None:
    subprocess.run([sys.executable, "-c", _WORK], check=True)
