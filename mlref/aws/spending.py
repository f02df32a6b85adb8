"""Money: real AWS is refused until somebody says how much it may cost.

    allow(estimate, max_spend_usd=2.0)

returns only if the environment has MLREF_ALLOW_AWS=1 and the cap covers the estimate. Both are
needed: the variable is set by a person, once, for a shell; the cap stands beside the code that
spends. A notebook that is run by chance, or in CI, has neither.

AWS knows no cap: what is allowed here is what the estimate says, not what the bill says. So each
request is held against the estimate (`mlref.aws.guard`), and what is created carries the moment
when it expires (`mlref.aws.tagging`), and can be swept (`mlref.aws.sweep`).
"""

from __future__ import annotations

import math
import os
from collections.abc import Mapping

from mlref.cost import Estimate
from mlref.errors import SpendingRefusedError

__all__ = ["ALLOW", "allow"]

ALLOW = "MLREF_ALLOW_AWS"
"""The variable that allows real AWS; its value is then "1"."""


def allow(
    estimate: Estimate | None,
    *,
    max_spend_usd: float,
    environ: Mapping[str, str] | None = None,
) -> None:
    """Return if what an estimate says may be spent on real AWS.

    Args:
        estimate: of all that will be created, for as long as it may stand. `Estimate()` is nothing
            that costs: for a session that only reads or deletes.
        max_spend_usd: the cap, in US dollars, at least 0.
        environ: where the variable is looked up; None is this process's environment.

    Raises:
        SpendingRefusedError: it may not; says the estimate, the cap, and what to set.
        ValueError: the cap is negative or no number.
    """
    if not 0 <= max_spend_usd < math.inf:
        raise ValueError(f"max_spend_usd must be a number of at least 0, got {max_spend_usd!r}")
    allowed = (os.environ if environ is None else environ).get(ALLOW, "")
    todo = []
    if allowed != "1":
        got = f"it is {allowed!r}" if allowed else "it is not set"
        todo.append(f"set {ALLOW}=1 in the environment ({got})")
    if estimate is None:
        todo.append("pass estimate=, of what will be created; Estimate() if nothing will")
    elif estimate.usd > max_spend_usd:
        enough = math.ceil(estimate.usd * 100) / 100
        todo.append(f"pass max_spend_usd={enough:.2f} or more (it is {max_spend_usd:g})")
    if todo:
        raise SpendingRefusedError(_refusal(estimate, max_spend_usd, todo))


def _refusal(estimate: Estimate | None, cap: float, todo: list[str]) -> str:
    """What is said when money may not be spent."""
    if estimate is None:
        cost = "no estimate was given"
    elif estimate.items:
        cost = f"the estimate is {estimate.usd:.2f} USD for {estimate.hours:g} h"
    else:
        cost = "nothing is to be created"
    lines = [f"real AWS is refused: {cost}, the cap {cap:g} USD. To allow it:"]
    lines += [f"  - {each}" for each in todo]
    lines.append('cloud="local" costs nothing and needs none of it.')
    if estimate is not None and estimate.items:
        lines.append(str(estimate))
    return "\n".join(lines)
