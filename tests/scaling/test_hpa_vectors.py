"""The recorded answers of a real autoscaler: whole, consistent, and as the written rules say."""

from __future__ import annotations

import json
import math
from collections import Counter
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

VECTORS = json.loads((Path(__file__).parent / "data" / "hpa-1.20.2.json").read_text())
CASES = {case["name"]: case for case in VECTORS["cases"]}
TRACES = {trace["name"]: trace for trace in VECTORS["traces"]}
BY_ABOUT = {case["about"]: case for case in VECTORS["cases"]}
FEWEST = {
    "bounds": 20, "legacy": 6, "missing": 26, "other-metrics": 20, "policies": 60, "random": 100,
    "readiness": 60, "several": 11, "stabilization": 10, "tolerance": 33, "unreadable": 9,
    "zero": 9,
}  # fmt: skip
REASONS = {
    "AbleToScale": {
        "ReadyForNewScale", "ScaleDownStabilized", "ScaleUpStabilized", "SucceededGetScale",
        "SucceededRescale",
    },
    "ScalingActive": {
        "FailedGetExternalMetric", "FailedGetObjectMetric", "FailedGetPodsMetric",
        "FailedGetResourceMetric", "ScalingDisabled", "ValidMetricFound",
    },
    "ScalingLimited": {
        "DesiredWithinRange", "ScaleDownLimit", "ScaleUpLimit", "TooFewReplicas",
        "TooManyReplicas",
    },
}  # fmt: skip


def _answers() -> list[dict[str, Any]]:
    steps = [step for trace in TRACES.values() for step in trace["steps"]]
    return [item["expected"] for item in [*CASES.values(), *steps]]


def test_the_file_says_what_answered_and_how() -> None:
    """Version, source and the controller's options stand in the file."""
    assert (VECTORS["format"], VECTORS["kubernetes"]) == (1, "1.20.2")
    assert "really1.20.2" in VECTORS["source"]
    flags = VECTORS["flags"]["cases"]
    assert flags["horizontal-pod-autoscaler-tolerance"] == "0.1"
    assert flags["horizontal-pod-autoscaler-cpu-initialization-period"] == "300s"
    assert flags["horizontal-pod-autoscaler-initial-readiness-delay"] == "30s"
    assert VECTORS["flags"]["traces"]["horizontal-pod-autoscaler-sync-period"] == "2s"


def test_there_are_enough_cases_of_each_kind() -> None:
    """No kind of case gets lost when the file is written anew, and names are unique."""
    assert Counter(case["kind"] for case in VECTORS["cases"]) >= Counter(FEWEST)
    assert len(CASES) == len(VECTORS["cases"])
    assert len(TRACES) == len(VECTORS["traces"]) >= 37


@pytest.mark.parametrize("name", CASES)
def test_a_case_has_the_fields_that_the_readme_tells(name: str) -> None:
    """Neither more fields nor fewer; pods and samples only with the fields of the usual ones."""
    case = CASES[name]
    assert case.keys() == {
        "about", "expected", "kind", "name", "pods", "readings", "replicas", "spec",
        "status_replicas",
    }  # fmt: skip
    assert case["spec"].keys() - {"behavior"} == {"maxReplicas", "metrics", "minReplicas"}
    assert all(pod.keys() <= VECTORS["usual"]["pod"].keys() for pod in case["pods"].values())
    usual = VECTORS["usual"]["sample"].keys() | {"usage_milli"}
    assert all(sample.keys() <= usual for sample in case["readings"].get("samples", {}).values())


def test_answers_have_known_conditions_and_all_of_them_occur() -> None:
    """Each reason that the controller can give for such inputs is in the file."""
    seen: dict[str, set[str]] = {kind: set() for kind in REASONS}
    for answer in _answers():
        for kind, (status, reason) in answer["conditions"].items():
            assert status in {"True", "False"}
            seen[kind].add(reason)
    assert seen == REASONS


@pytest.mark.parametrize("name", TRACES)
def test_the_steps_of_a_trace_follow_each_other(name: str) -> None:
    """A sync finds what the one before left, unless somebody else changed it; two seconds apart."""
    trace = TRACES[name]
    others = {
        item["after_syncs"]: item["replicas"] for item in trace["changes"] if "replicas" in item
    }
    steps = trace["steps"]
    assert len(steps) == 24
    for number in range(1, len(steps)):
        before, step = steps[number - 1], steps[number]
        left = before["expected"]["target_replicas"]
        assert step["replicas"] == others.get(number, left)
        assert 1.8 < step["at_s"] - before["at_s"] < 2.4


def _plain(case: dict[str, Any]) -> bool:
    """Whether there is one target of CPU, and nothing special about pods, samples and limits."""
    samples = case["readings"].get("samples", {})
    return (
        case["pods"].keys() == samples.keys()
        and len(case["pods"]) == case["replicas"] > 0
        and not any(case["pods"].values())
        and all(sample.keys() == {"usage_milli"} for sample in samples.values())
        and [metric["type"] for metric in case["spec"]["metrics"]] == ["Resource"]
        and case["spec"].get("behavior") == {"scaleDown": {"stabilizationWindowSeconds": 0}}
        and case["spec"]["minReplicas"] <= case["replicas"] <= case["spec"]["maxReplicas"]
    )


def _by_the_rules(case: dict[str, Any]) -> int:
    """Mean use by target, rounded up to pods; at most four more or double; within the bounds.

    The tolerance is compared in floating point, which decides at 0.9 and at 1.1.
    """
    spec, count = case["spec"], case["replicas"]
    used = sum(
        sample["usage_milli"]["model"]["cpu"] for sample in case["readings"]["samples"].values()
    )
    percent = 100 * used // (1000 * count)
    ratio = Fraction(percent, spec["metrics"][0]["resource"]["target"]["averageUtilization"])
    proposed = count if abs(1 - float(ratio)) <= 0.1 else math.ceil(ratio * count)
    allowed = min(proposed, max(count + 4, count * 2)) if proposed > count else proposed
    return max(spec["minReplicas"], min(spec["maxReplicas"], allowed))


def test_plain_cases_are_as_the_rules_say() -> None:
    """Where nothing is special, the ratio times the pods, rounded up, is the answer."""
    plain = [case for case in CASES.values() if _plain(case)]
    assert len(plain) >= 25
    expected = {case["name"]: _by_the_rules(case) for case in plain}
    assert {case["name"]: case["expected"]["target_replicas"] for case in plain} == expected


# Each derived by hand from the rules: ratio = use / target; unready and missing pods count as 0
# where the rest would scale up; missing ones as their whole request where it would scale down.
BY_HAND = [
    # 0.45/0.5 = 0.9 and 0.55/0.5 = 1.1: floating point puts the one inside and the other outside.
    ("45 % of the request used, target 50 %", 10),
    ("55 % of the request used, target 50 %", 11),
    ("54.9 % of the request used, target 50 %", 10),  # counted as 54 %
    ("44.9 % of the request used, target 50 %", 9),  # 44 %: 0.88 x 10 = 8.8
    ("900 of a target of 1000, measured outside", 10),
    ("899 of a target of 1000, measured outside", 9),  # 8.99
    ("1100 of a target of 1000, measured by each pod", 11),
    ("1101 of a target of 1000, measured by an object", 12),  # 11.01
    # (3 x 900 + 0) / 4 = 675: 1.34 x 4 = 5.4 (67 % of 50 %)
    ("3 of 4 pods have CPU: 900 m, target 500", 6),
    # (3 x 200 + 1000) / 4 = 400: 0.8 x 4 = 3.2
    ("3 of 4 pods have CPU: 200 m, target 500", 4),
    # the missing one counts as the target: (3 x 200 + 500) / 4 = 275: 0.55 x 4 = 2.2
    ("3 of 4 pods have a metric of their own: 200 m, target 500", 3),
    # (2 x 540 + 0) / 4 = 270: below the target although 540 is above, so nothing changes
    ("2 of 4 pods have CPU: 540 m, target 500", 4),
    # two failed pods do not count at all: 0.4 x 2 = 0.8
    ("two pods are failed and use 200 m, the others 200 m of 1000", 1),
    # two starting pods count as 0: (2 x 900) / 4 = 450: 0.9, within the tolerance
    ("two pods are starting and use 900 m, the others 900 m of 1000", 4),
    # they had been ready before, so they count: 1.8 x 4 = 7.2
    ("two pods are was-ready and use 900 m, the others 900 m of 1000", 8),
    # the largest proposal of 1.8 x 4 = 7.2 and 2
    ("CPU 900 m, target 500; queue [2000], target 1000 each", 8),
    ("3 replicas use 5000 m each, target 500; no behaviour given", 6),  # double
    ("1 replicas use 5000 m each, target 500; no behaviour given", 4),  # four are always allowed
    ("scaleUp from 5: Min of Pods 2 and Percent 50", 7),  # 5 + 2 and 7.5
    ("scaleDown from 5: Max of Pods 2 and Percent 50", 2),  # 3 and 2.5, cut
    ("scaleUp from 5: Disabled of Pods 2", 5),
    ("0 replicas, queue 500, target 1000; for each pod: False", 1),  # no tolerance from nothing
    ("0 replicas, bounds 1 and 10, 500 m used, target 500", 0),  # switched off
]


@pytest.mark.parametrize(("about", "replicas"), BY_HAND)
def test_a_case_is_as_derived_by_hand(about: str, replicas: int) -> None:
    """The controller's answer is the one that the written rules give."""
    assert BY_ABOUT[about]["expected"]["target_replicas"] == replicas


def test_a_policy_lets_two_pods_in_every_five_seconds() -> None:
    """Two more at once; the next two when five seconds have passed, so at the third sync."""
    counts = [step["expected"]["target_replicas"] for step in TRACES["up-pods"]["steps"]]
    assert counts[:12] == [2, 2, 4, 4, 4, 6, 6, 6, 8, 8, 8, 10]


def test_the_replicas_stay_until_the_window_has_passed() -> None:
    """After the last high recommendation eleven seconds pass, six syncs, before the count falls."""
    steps = TRACES["cpu-none-given"]["steps"]
    last_high = max(n for n, step in enumerate(steps) if step["load_milli"] == 4300)
    counts = [step["expected"]["target_replicas"] for step in steps[last_high:]]
    assert counts[:7] == [8, 8, 8, 8, 8, 8, 2]
