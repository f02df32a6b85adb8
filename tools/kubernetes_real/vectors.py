"""The file of vectors: recorded, written and compared. The README beside it tells its format."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from kubernetes_real.edges import edges
from kubernetes_real.parts import DEBIAN_VERSION, VERSION
from kubernetes_real.random_cases import random_cases
from kubernetes_real.recording import FLAGS, GATES, POD, SAMPLE, record_cases
from kubernetes_real.recording_traces import TRACE_FLAGS, record_traces
from kubernetes_real.traces import traces
from mlref.runtime.clock import Clock
from mlref.runtime.files import write_text

__all__ = ["FORMAT", "differences", "record", "write"]

FORMAT = 1
"""Rises when a field changes its meaning."""

_SEED = 20210113
_RANDOM_CASES = 100


def record(programs: Path, clock: Clock, say: Callable[[str], None]) -> dict[str, Any]:
    """The content of the file, asked from a controller that runs now.

    Args:
        programs: the folder with the programs.
        clock: tells the moments.
        say: told each step, one line.
    """
    cases = [*edges(), *random_cases(_SEED, _RANDOM_CASES)]
    several = traces(_SEED)
    say(f"recording {len(cases)} answers of the autoscaler of Kubernetes {VERSION}")
    answered = record_cases(programs, clock, cases)
    say(f"recording {len(several)} traces: a minute")
    return {
        "format": FORMAT,
        "kubernetes": VERSION,
        "source": f"Debian source package kubernetes {DEBIAN_VERSION}, without its patches",
        "seed": _SEED,
        "feature_gates": GATES,
        "flags": {"cases": FLAGS, "traces": TRACE_FLAGS},
        "usual": {"pod": POD, "sample": SAMPLE},
        "cases": answered,
        "traces": record_traces(programs, clock, several),
    }


def write(path: Path, content: Mapping[str, Any]) -> None:
    """Save the vectors: keys sorted, one case or trace a line.

    Args:
        path: the file; its folder must exist.
        content: what `record` returned.
    """
    lines = []
    for name in sorted(content):
        value = content[name]
        if isinstance(value, Sequence) and not isinstance(value, str):
            rows = ",\n".join(_line(item) for item in value)
            lines.append(f"{_line(name)}:[\n{rows}\n]")
        else:
            lines.append(f"{_line(name)}:{_line(value)}")
    write_text(path, "{\n" + ",\n".join(lines) + "\n}\n")


def differences(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    """What differs, one line each; the moments of syncs may.

    Args:
        old: the content of the file.
        new: what was recorded.
    """
    lines = [
        f"{name}: {old.get(name)!r} in the file, {new.get(name)!r} recorded"
        for name in sorted((old.keys() | new.keys()) - {"cases", "traces"})
        if _line(old.get(name)) != _line(new.get(name))
    ]
    return lines + [line for part in ("cases", "traces") for line in _changed(old, new, part)]


def _changed(old: Mapping[str, Any], new: Mapping[str, Any], part: str) -> Iterator[str]:
    """The cases or traces that differ."""
    before = {item["name"]: _line(_timeless(item)) for item in old.get(part, ())}
    after = {item["name"]: _line(_timeless(item)) for item in new.get(part, ())}
    for name in sorted(before.keys() | after.keys()):
        if name not in after:
            yield f"{name}: in the file, not recorded"
        elif name not in before:
            yield f"{name}: recorded, not in the file"
        elif before[name] != after[name]:
            yield f"{name}: another answer or input than in the file"


def _timeless(item: Mapping[str, Any]) -> dict[str, Any]:
    """A case or trace without the moments of its syncs."""
    steps = [
        {name: value for name, value in step.items() if name != "at_s"}
        for step in item.get("steps", ())
    ]
    return {**item, "steps": steps}


def _line(value: Any) -> str:
    """A value as one line of JSON."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"))
