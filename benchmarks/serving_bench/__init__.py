"""The parts of `benchmarks/serving.py`.

- `workload` makes the models and the rows.
- `wires` turns rows into requests and answers into numbers, for each server's protocol.
- `servers` lists the servers: how each is started, in which environment, what it speaks.
- `running` starts, checks, weighs and ends one of them.
- `load` is the load generator, wrk.
- `figures` turns samples into medians, ratios and verdicts; `report` writes them down.
"""

from __future__ import annotations

__all__ = ["figures", "load", "report", "running", "servers", "wires", "workload"]
