"""Cases from a seeded generator: many pods, states and limits at once."""

from __future__ import annotations

import random
from typing import Any

from kubernetes_real.data import Case, Pod, Readings, Sample
from kubernetes_real.wording import (
    AT_ONCE,
    MODEL,
    STATES,
    cpu,
    external,
    limits,
    per_pod,
    spec,
)

__all__ = ["random_cases"]

_PLAIN = 0.55  # of the pods have been ready for long


def random_cases(seed: int, count: int) -> list[Case]:
    """So many cases; the same seed gives the same ones.

    Args:
        seed: of the generator.
        count: how many.
    """
    generator = random.Random(seed)  # noqa: S311 - inputs of a test, no secret
    return [_case(generator, number) for number in range(count)]


def _case(generator: random.Random, number: int) -> Case:
    pods: dict[str, Pod] = {}
    samples: dict[str, Sample] = {}
    level = generator.choice([100, 300, 450, 500, 560, 700, 900, 1500])
    states = []
    for index in range(generator.randint(1, 9)):
        plain = generator.random() < _PLAIN
        state = "ready" if plain else generator.choice(sorted(STATES))
        states.append(state)
        pod, special = STATES[state]
        name = f"pod-{index}"
        pods[name] = pod
        if generator.random() < 0.85:  # noqa: PLR2004 - the others have no sample
            used = max(0, round(generator.gauss(level, level / 4)))
            samples[name] = Sample(usage_milli={MODEL: {"cpu": used}}, **special)
    counts = [f"{states.count(state)} {state}" for state in sorted(set(states))]
    metrics = _metrics(generator)
    replicas = max(1, len(pods) + generator.choice([-1, 0, 0, 0, 0, 1]))
    each = {name: sample.usage_milli[MODEL]["cpu"] for name, sample in samples.items()}
    return Case(
        name=f"random-{number:03d}",
        kind="random",
        about=f"number {number}: {', '.join(counts)}",
        replicas=replicas,
        spec=spec(
            *metrics,
            low=generator.choice([1, 1, 2, 3]),
            high=generator.choice([6, 10, 30]),
            behavior=_behavior(generator),
        ),
        pods=pods,
        readings=Readings(
            samples=samples,
            pods_milli={"requests": each} if each else {},
            external_milli={"queue": [generator.randrange(0, 12000, 250)]},
        ),
    )


def _metrics(generator: random.Random) -> list[dict[str, Any]]:
    """One metric, or two."""
    choices = [
        cpu(generator.choice([20, 50, 70, 90])),
        per_pod(generator.choice([300, 500, 1000])),
        external(generator.choice([500, 1000, 3000]), average=generator.random() < 0.5),  # noqa: PLR2004 - half of them
    ]
    return generator.choice([choices[:1], choices[:1], choices[1:2], choices[2:], choices[::2]])


def _behavior(generator: random.Random) -> dict[str, Any] | None:
    """Mostly one that lets the replicas change at once."""
    kind = generator.choice(["none", "at once", "at once", "up", "down"])
    if kind == "none":
        return None
    if kind == "at once":
        return dict(AT_ONCE)
    policies = [
        (generator.choice(["Pods", "Percent"]), generator.choice([1, 2, 25, 50, 120]), 60)
        for _ in range(generator.randint(1, 2))
    ]
    direction = "scaleUp" if kind == "up" else "scaleDown"
    return limits(direction, generator.choice([None, "Max", "Min"]), *policies)
