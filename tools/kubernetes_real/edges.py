"""Cases at the edges of the rules, each written by hand."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from kubernetes_real.data import Case, Pod, Readings, Sample
from kubernetes_real.wording import (
    MODEL,
    STATES,
    container_cpu,
    cpu,
    external,
    limits,
    memory,
    object_metric,
    per_pod,
    running,
    samples,
    spec,
)

__all__ = ["edges"]

_MIB = 2**20 * 1000  # thousandths of a byte


def edges() -> list[Case]:
    """All of them; a name is the kind and a number."""
    cases: list[Case] = []
    for kind, drafts in _KINDS.items():
        for number, draft in enumerate(drafts()):
            cases.append(Case(name=f"{kind}-{number:02d}", kind=kind, **draft))
    return cases


def _tolerance() -> Iterator[dict[str, Any]]:
    """Ratios around 0.9 and 1.1, in each of the ways in which a ratio is made."""
    pods = running(10)
    for milli in (100, 440, 449, 450, 459, 460, 500, 540, 549, 550, 559, 560, 700):
        about = f"{milli / 10:g} % of the request used, target 50 %"
        draft = {"spec": spec(cpu(50)), "readings": samples(pods, milli)}
        yield draft | {"about": about, "replicas": 10, "pods": pods}
    for milli in (899, 900, 1000, 1100, 1101):
        each = Readings(pods_milli={"requests": dict.fromkeys(pods, milli)})
        one = Readings(external_milli={"queue": [milli]})
        two = Readings(external_milli={"queue": [milli * 4, milli * 6]})
        hits = Readings(object_milli={"hits": milli})
        for how, metric, seen in (
            ("by each pod", per_pod(1000), each),
            ("outside", external(1000, average=False), one),
            ("outside, for each pod", external(1000, average=True), two),
            ("by an object", object_metric(1000, average=False), hits),
        ):
            about = f"{milli} of a target of 1000, measured {how}"
            draft = {"spec": spec(metric), "readings": seen, "about": about}
            yield draft | {"replicas": 10, "pods": pods}


def _readiness() -> Iterator[dict[str, Any]]:
    """Two plain pods and two in a special state, with high use, little use and a bit too much."""
    for state, (pod, sample) in STATES.items():
        for milli, special in ((900, 900), (900, 0), (200, 200), (560, 560)):
            pods = running(2) | {"special-0": pod, "special-1": pod}
            use = {name: special if name.startswith("special") else milli for name in pods}
            yield {
                "about": f"two pods are {state} and use {special} m, the others {milli} m of 1000",
                "replicas": 4,
                "pods": pods,
                "spec": spec(cpu(50)),
                "readings": Readings(
                    samples={
                        name: Sample(
                            usage_milli={MODEL: {"cpu": used}},
                            **(sample if name.startswith("special") else {}),
                        )
                        for name, used in use.items()
                    }
                ),
            }


def _missing() -> Iterator[dict[str, Any]]:
    """Some pods have no sample."""
    for count, seen, milli in (
        *((4, 3, 900), (4, 3, 200), (4, 2, 900), (4, 2, 200), (4, 1, 900), (4, 1, 200)),
        *((4, 2, 540), (4, 2, 460), (4, 3, 600), (4, 3, 400), (10, 9, 300), (4, 3, 500)),
    ):
        pods = running(count)
        known = list(pods)[:seen]
        each = Readings(pods_milli={"requests": dict.fromkeys(known, milli)})
        for what, metric, readings in (
            ("CPU", cpu(50), samples(known, milli)),
            ("a metric of their own", per_pod(500), each),
        ):
            about = f"{seen} of {count} pods have {what}: {milli} m, target 500"
            base = {"about": about, "replicas": count, "pods": pods}
            yield base | {"spec": spec(metric), "readings": readings}
    pods = running(3) | {"new": STATES["pending"][0]}
    for milli in (900, 200):
        about = f"one pod is pending, one has no sample, two use {milli} m"
        base = {"about": about, "replicas": 4, "pods": pods, "spec": spec(cpu(50))}
        yield base | {"readings": samples(list(pods)[:2], milli)}


def _bounds() -> Iterator[dict[str, Any]]:
    """The bounds of the autoscaler against what there is and what is proposed."""
    for replicas, low, high, milli in (
        *((12, 1, 10, 500), (2, 4, 10, 500), (0, 1, 10, 500), (6, 1, 10, 1000), (6, 5, 10, 200)),
        *((10, 1, 10, 900), (5, 5, 10, 100), (4, 4, 4, 900), (4, 4, 4, 100), (3, 1, 100, 5000)),
    ):
        pods = running(replicas)
        base = {"replicas": replicas, "pods": pods, "readings": samples(pods, milli)}
        about = f"{replicas} replicas, bounds {low} and {high}, {milli} m used, target 500"
        yield base | {"about": about, "spec": spec(cpu(50), low=low, high=high)}
        about += "; no behaviour given"
        yield base | {"about": about, "spec": spec(cpu(50), low=low, high=high, behavior=None)}


def _legacy() -> Iterator[dict[str, Any]]:
    """Without a behaviour: at most double, but four are always allowed; down after minutes."""
    for replicas, milli in ((1, 1500), (1, 5000), (2, 5000), (3, 5000), (7, 5000), (8, 100)):
        pods = running(replicas)
        yield {
            "about": f"{replicas} replicas use {milli} m each, target 500; no behaviour given",
            "replicas": replicas,
            "pods": pods,
            "spec": spec(cpu(50), high=100, behavior=None),
            "readings": samples(pods, milli),
        }


def _policies() -> Iterator[dict[str, Any]]:
    """How fast a behaviour lets the replicas change."""
    pods, percent = ("Pods", 2, 60), ("Percent", 50, 60)
    choices = (None, "Max", "Min", "Disabled")
    sets = [(pods,), (percent,), (pods, percent)]
    rules = [(select, policies) for select in choices for policies in sets]
    rules += [(None, (("Percent", value, 60),)) for value in (1, 10, 33, 100, 150)]
    rules += [(None, (("Pods", value, 60),)) for value in (1, 10)] + [("Min", ()), ("Max", ())]
    for direction, per_replica in (("scaleUp", 4000), ("scaleDown", 10)):
        for select, policies in rules:
            for replicas in (5,) if len(policies) > 1 or select else (3, 5):
                told = " and ".join(f"{kind} {value}" for kind, value, _ in policies)
                yield {
                    "about": f"{direction} from {replicas}: {select or 'default'} of {told or '-'}",
                    "replicas": replicas,
                    "spec": spec(
                        external(1000, average=True),
                        high=100,
                        behavior=limits(direction, select, *policies),
                    ),
                    "readings": Readings(external_milli={"queue": [per_replica * replicas]}),
                }


def _stabilization() -> Iterator[dict[str, Any]]:
    """The first sync of all compares with the replicas that it found."""
    for direction, total in (("scaleUp", 15000), ("scaleDown", 1000)):
        for window_s in (0, 1, 60, 3600):
            yield {
                "about": f"{direction} from 5 with a window of {window_s} s",
                "replicas": 5,
                "spec": spec(
                    external(1000, average=True),
                    behavior=limits(direction, None, window_s=window_s),
                ),
                "readings": Readings(external_milli={"queue": [total]}),
            }
    for total in (15000, 1000):
        yield {
            "about": f"an empty behaviour; {total} in total, target 1000 each",
            "replicas": 5,
            "spec": spec(external(1000, average=True), behavior={"scaleUp": {}}),
            "readings": Readings(external_milli={"queue": [total]}),
        }


def _several() -> Iterator[dict[str, Any]]:
    """Several metrics: the largest proposal, and what cannot be read."""
    pods = running(4)
    queue = external(1000, average=True)
    for milli, series in (
        *((900, [2000]), (200, [9000]), (200, [2000]), (500, [1000]), (200, [4000])),
        *((900, []), (200, []), (None, [9000]), (None, [1000]), (None, []), (500, [])),
    ):
        use = {} if milli is None else samples(pods, milli).samples
        yield {
            "about": f"CPU {milli} m, target 500; queue {series}, target 1000 each",
            "replicas": 4,
            "pods": pods,
            "spec": spec(cpu(50), queue),
            "readings": Readings(samples=use, external_milli={"queue": series} if series else {}),
        }


def _other_metrics() -> Iterator[dict[str, Any]]:
    """Memory, two containers, one container of two, uneven requests, values of objects."""
    base: dict[str, Any] = {"replicas": 4}
    asks = {MODEL: {"memory": 100 * _MIB}}
    for state, mib in (("ready", 150), ("ready", 40), ("starting", 150), ("pending", 150)):
        special = Pod(
            requests_milli=asks,
            phase=STATES[state][0].phase,
            ready=STATES[state][0].ready,
            started_age_s=STATES[state][0].started_age_s,
        )
        pods = running(3, asks) | {"special": special}
        about = f"memory: {mib} MiB each, target 100 MiB; one pod is {state}"
        told = {"about": about, "pods": pods, "spec": spec(memory(100 * _MIB))}
        yield base | told | {"readings": samples(pods, mib * _MIB, "memory")}
    two = {MODEL: {"cpu": 1000}, "proxy": {"cpu": 200}}
    pods = running(4, two)
    for model, proxy in ((900, 10), (200, 190)):
        use = {MODEL: {"cpu": model}, "proxy": {"cpu": proxy}}
        seen = Readings(samples={name: Sample(usage_milli=use) for name in pods})
        for whose, metric in (
            ("of the pod", cpu(50)),
            ("of the proxy", container_cpu("proxy", 50)),
            ("of the model", container_cpu(MODEL, 50)),
        ):
            about = f"model uses {model} of 1000 m, proxy {proxy} of 200 m: CPU {whose} counts"
            yield base | {"about": about, "pods": pods, "spec": spec(metric), "readings": seen}
    uneven = running(4) | {"pod-3": Pod(requests_milli={MODEL: {"cpu": 250}})}
    for values in ((900, 900, 900, 10), (100, 100, 100, 250), (601, 500, 500, 249)):
        about = f"requests 1000, 1000, 1000, 250 m; used {values}"
        told = {"about": about, "pods": uneven, "spec": spec(cpu(50))}
        yield base | told | {"readings": samples(uneven, values)}
    for value in (3000, 8500):
        hits = Readings(object_milli={"hits": value})
        about = f"an object's value {value}, target 1000 for each pod"
        yield base | {
            "about": about,
            "pods": running(4),
            "spec": spec(object_metric(1000, average=True)),
            "readings": hits,
        }
    for ready in (0, 1, 3):
        pods = running(ready) | {f"new-{n}": STATES["starting"][0] for n in range(4 - ready)}
        about = f"an object's value is double its target; {ready} of 4 pods are ready"
        yield base | {
            "about": about,
            "pods": pods,
            "spec": spec(object_metric(1000, average=False)),
            "readings": Readings(object_milli={"hits": 2000}),
        }
    for status in (2, 8):
        yield base | {
            "about": f"the target asks for 4 replicas and has {status}; queue 6, 1 for each pod",
            "status_replicas": status,
            "spec": spec(external(1000, average=True)),
            "readings": Readings(external_milli={"queue": [6000]}),
        }


def _zero() -> Iterator[dict[str, Any]]:
    """From nothing and to nothing."""
    for replicas, total, average in (
        *((0, 0, True), (0, 500, True), (0, 3500, True), (0, 500, False), (0, 3500, False)),
        *((0, 1050, False), (2, 0, True), (2, 0, False), (1, 950, False)),
    ):
        yield {
            "about": f"{replicas} replicas, queue {total}, target 1000; for each pod: {average}",
            "replicas": replicas,
            "pods": running(replicas),
            "spec": spec(external(1000, average=average), low=0),
            "readings": Readings(external_milli={"queue": [total]}),
        }


def _unreadable() -> Iterator[dict[str, Any]]:
    """Nothing to calculate with."""
    pods = running(2)
    asks_nothing = running(2, {MODEL: {}})
    base: dict[str, Any] = {"replicas": 2, "pods": pods}
    yield base | {"about": "no pod has a sample", "spec": spec(cpu(50))}
    yield {"about": "no pods", "replicas": 2, "spec": spec(cpu(50))} | {
        "readings": samples(pods, 900)
    }
    yield base | {"about": "the metric of the pods is unknown", "spec": spec(per_pod(1000))}
    for average in (False, True):
        told = {"about": f"an external metric is unknown; for each pod: {average}"}
        yield base | told | {"spec": spec(external(1000, average=average))}
        told = {"about": f"the metric of an object is unknown; for each pod: {average}"}
        yield base | told | {"spec": spec(object_metric(1000, average=average))}
    told = {"about": "the pods request no CPU", "pods": asks_nothing}
    yield base | told | {"spec": spec(cpu(50)), "readings": samples(pods, 900)}
    starting = {f"pod-{n}": STATES["starting"][0] for n in range(2)}
    told = {"about": "no pod is ready", "pods": starting, "spec": spec(cpu(50))}
    yield base | told | {"readings": samples(pods, 900)}


_KINDS = {
    "tolerance": _tolerance,
    "readiness": _readiness,
    "missing": _missing,
    "bounds": _bounds,
    "legacy": _legacy,
    "policies": _policies,
    "stabilization": _stabilization,
    "several": _several,
    "other-metrics": _other_metrics,
    "zero": _zero,
    "unreadable": _unreadable,
}
