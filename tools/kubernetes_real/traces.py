"""Inputs over many syncs: a load that changes, and rules that remember.

Every window and period is an odd number of seconds and the controller syncs every second second,
so no moment comes near the end of a window: a little delay never changes an answer.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from kubernetes_real.wording import AT_ONCE, cpu, external, limits, spec

__all__ = ["DOWN_WINDOW_S", "PERIOD_S", "Trace", "traces"]

PERIOD_S = 2
"""Seconds between two syncs, given to the controller."""

DOWN_WINDOW_S = 11
"""The default window before scaling down, given to the controller."""

_STEPS = 24


@dataclass(frozen=True, kw_only=True)
class Trace:
    """One autoscaler over many syncs.

    Attributes:
        name: unique; also the name of its namespace.
        about: what happens, in words.
        replicas: what the target asks for at first.
        spec: of the autoscaler, with one metric.
        loads_milli: at each sync: of all pods together (CPU) or the queue; None: not known.
        changes: after so many syncs: what somebody else changes. "replicas" of the target, or a
            field of the autoscaler's spec.
    """

    name: str
    about: str
    replicas: int
    spec: Mapping[str, Any]
    loads_milli: Sequence[int | None]
    changes: Mapping[int, Mapping[str, int]] = field(default_factory=dict)

    @property
    def of_pods(self) -> bool:
        """Whether the load is CPU of pods; otherwise it is a queue."""
        return bool(self.spec["metrics"][0]["type"] == "Resource")


def traces(seed: int) -> list[Trace]:
    """All of them; the same seed gives the same ones."""
    generator = random.Random(seed)  # noqa: S311 - inputs of a test, no secret
    made = [*_policies(), *_windows(), *_cpu(), *_events()]
    return made + [_random(generator, number) for number in range(10)]


def _queue(behavior: Mapping[str, Any] | None, *, low: int = 1, high: int = 60) -> dict[str, Any]:
    return spec(external(1000, average=True), low=low, high=high, behavior=behavior)


def _step(before: int, after: int, at: int = 2) -> list[int]:
    """A load in pods that jumps once."""
    return [1000 * before] * at + [1000 * after] * (_STEPS - at)


def _policies() -> list[Trace]:
    """How fast: policies with periods, upwards and downwards."""
    pods, percent = ("Pods", 2, 5), ("Percent", 50, 7)
    up = {
        "default": {**AT_ONCE, "scaleUp": {}},
        "pods": limits("scaleUp", None, pods),
        "percent": limits("scaleUp", None, percent),
        "max": limits("scaleUp", "Max", pods, percent),
        "min": limits("scaleUp", "Min", pods, percent),
    }
    down = {
        "default": {"scaleDown": {"stabilizationWindowSeconds": 0}},
        "pods": limits("scaleDown", None, pods),
        "percent": limits("scaleDown", None, percent),
        "max": limits("scaleDown", "Max", pods, percent),
        "min": limits("scaleDown", "Min", pods, percent),
    }
    made = [
        Trace(
            name=f"up-{name}",
            about="the load jumps from 2 pods to 50",
            replicas=2,
            spec=_queue(behavior),
            loads_milli=_step(2, 50),
        )
        for name, behavior in up.items()
    ]
    return made + [
        Trace(
            name=f"down-{name}",
            about="the load falls from 40 pods to 3",
            replicas=40,
            spec=_queue(behavior),
            loads_milli=_step(40, 3),
        )
        for name, behavior in down.items()
    ]


def _windows() -> list[Trace]:
    """How long: stabilisation in both directions, against a load that comes and goes."""
    waves = [1000 * (12 if number % 6 < 3 else 4) for number in range(_STEPS)]  # noqa: PLR2004 - half of the time
    spikes = [1000 * (15 if number % 5 == 0 else 5) for number in range(_STEPS)]
    both = limits("scaleUp", None, window_s=5) | {"scaleDown": {"stabilizationWindowSeconds": 9}}
    choices = {
        "down-9": limits("scaleDown", None, window_s=9),
        "down-default": {"scaleUp": {}},
        "up-7": limits("scaleUp", None, window_s=7),
        "both": both,
        "none-given": None,
    }
    return [
        Trace(
            name=f"{shape}-{name}",
            about=f"the load comes in {shape}",
            replicas=5,
            spec=_queue(behavior),
            loads_milli=loads,
        )
        for shape, loads in (("waves", waves), ("spikes", spikes))
        for name, behavior in choices.items()
    ]


def _cpu() -> list[Trace]:
    """A load that all pods share, so each replica more makes each pod use less."""
    rise = [500] * 2 + [4000] * 8 + [4300] * 3 + [600] * (_STEPS - 13)
    slow = limits("scaleDown", None, ("Percent", 50, 5), window_s=7)
    return [
        Trace(
            name=f"cpu-{name}",
            about="CPU of all pods rises, changes a little, falls",
            replicas=1,
            spec=spec(cpu(50), high=12, behavior=behavior),
            loads_milli=rise,
        )
        for name, behavior in (("none-given", None), ("slow-down", slow), ("at-once", AT_ONCE))
    ]


def _events() -> list[Trace]:
    """What else happens: no values for a while, somebody scales, the bounds change."""
    gap: list[int | None] = [*_step(4, 10)]
    gap[6:9] = [None] * 3
    pods = limits("scaleUp", None, ("Pods", 3, 9))
    back = [4000] * 2 + [20000] * 3 + [6000] * 3 + [20000] * (_STEPS - 8)
    down = {"scaleDown": {"stabilizationWindowSeconds": 0, "policies": [_policy("Pods", 4, 9)]}}
    return [
        Trace(
            name="gap",
            about="the queue's length is not known for three syncs",
            replicas=4,
            spec=_queue(pods),
            loads_milli=gap,
        ),
        Trace(
            name="up-and-down",
            about="up, down and up again within the periods of both policies",
            replicas=4,
            spec=_queue(pods | down),
            loads_milli=back,
        ),
        Trace(
            name="somebody-scales",
            about="somebody else sets the replicas to 12 after 8 syncs and to 2 after 15",
            replicas=5,
            spec=_queue(pods | down),
            loads_milli=[5000] * _STEPS,
            changes={8: {"replicas": 12}, 15: {"replicas": 2}},
        ),
        Trace(
            name="bounds-change",
            about="maxReplicas rises to 9 after 6 syncs, minReplicas falls to 2 after 16",
            replicas=5,
            spec=_queue(AT_ONCE, low=4, high=6),
            loads_milli=[20000] * 10 + [1000] * (_STEPS - 10),
            changes={6: {"maxReplicas": 9}, 16: {"minReplicas": 2}},
        ),
    ]


def _random(generator: random.Random, number: int) -> Trace:
    """A load that wanders, under rules that were drawn."""
    load = generator.randint(3, 20)
    loads = []
    for _ in range(_STEPS):
        if generator.random() < 0.4:  # noqa: PLR2004 - often enough to see rules at work
            load = max(1, min(50, load + generator.choice([-12, -5, -2, -1, 1, 2, 5, 12])))
        loads.append(load * 1000)
    behavior = {direction: _rules(generator) for direction in ("scaleUp", "scaleDown")}
    return Trace(
        name=f"random-{number}",
        about="a load that wanders",
        replicas=generator.randint(2, 15),
        spec=_queue(behavior, low=generator.choice([1, 2]), high=generator.choice([15, 30, 60])),
        loads_milli=loads,
    )


def _rules(generator: random.Random) -> dict[str, Any]:
    policies = [
        _policy("Pods", generator.randint(1, 6), generator.choice([3, 5, 7, 9])),
        _policy("Percent", generator.choice([10, 30, 60, 100]), generator.choice([3, 5, 7, 9])),
    ]
    return {
        "stabilizationWindowSeconds": generator.choice([0, 0, 5, 9]),
        "policies": generator.choice([policies[:1], policies[1:], policies]),
        "selectPolicy": generator.choice(["Max", "Max", "Min"]),
    }


def _policy(kind: str, value: int, period_s: int) -> dict[str, Any]:
    return {"type": kind, "value": value, "periodSeconds": period_s}
