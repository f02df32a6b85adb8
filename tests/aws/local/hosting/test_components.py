"""Where copies of inference components find room, and what an instance has."""

from __future__ import annotations

import asyncio

import pytest

from mlref.aws.local.errors import AwsError
from mlref.aws.local.hosting.components import Instances, Resources, resources_of
from mlref.aws.local.hosting.workers import WorkerError

GIB = 1024
SMALL = Resources(1, 1 * GIB)


@pytest.mark.parametrize(
    ("kind", "cores", "memory_gib", "accelerators"),
    [  # Amazon EC2's list of instance types
        ("ml.m5.large", 2, 8, 0),
        ("ml.m5.xlarge", 4, 16, 0),
        ("ml.m4.10xlarge", 40, 160, 0),
        ("ml.c5.18xlarge", 72, 144, 0),
        ("ml.c5d.9xlarge", 36, 72, 0),
        ("ml.r5.24xlarge", 96, 768, 0),
        ("ml.r8g.medium", 1, 8, 0),
        ("ml.m7i.48xlarge", 192, 768, 0),
        ("ml.t2.large", 2, 8, 0),
        ("ml.g4dn.xlarge", 4, 16, 1),
        ("ml.g5.12xlarge", 48, 192, 4),
        ("ml.g5.48xlarge", 192, 768, 8),
        ("ml.g6e.xlarge", 4, 32, 1),
        ("ml.p4d.24xlarge", 96, 1152, 8),
    ],
)
def test_what_an_instance_has(kind: str, cores: int, memory_gib: int, accelerators: int) -> None:
    """Cores, memory and accelerators by its type."""
    assert resources_of(kind) == Resources(cores, memory_gib * GIB, accelerators)


@pytest.mark.parametrize("kind", ["ml.inf2.xlarge", "ml.c4.large", "ml.trn1.2xlarge", "none"])
def test_of_some_types_nothing_is_known(kind: str) -> None:
    """Then everything has room."""
    assert resources_of(kind) is None
    instances = Instances("e/A", kind)
    instances.resize(1)
    instances.place("c", Resources(1000, 1000 * GIB), 10)


def _instances(count: int, **scaling: int) -> Instances:
    given = {"Status": "ENABLED", **scaling} if scaling else None
    found = Instances("e/A", "ml.m5.large", given)  # 2 cores, 8 GiB
    found.resize(count)
    return found


@pytest.mark.parametrize(
    ("needed", "copies"),
    [(SMALL, 2), (Resources(0.25, 4 * GIB), 2), (Resources(2, 128), 1), (Resources(0, 8 * GIB), 1)],
)
def test_as_many_copies_as_fit(needed: Resources, copies: int) -> None:
    """Whatever runs out first: one copy more has no room, on one instance and on two."""
    for count in (1, 2):
        instances = _instances(count)
        instances.place("c", needed, copies * count)
        with pytest.raises(WorkerError, match="not enough hardware resources"):
            instances.place("c", needed, copies * count + 1)


def test_a_copy_does_not_lie_across_instances() -> None:
    """Two cores are left, but on two instances."""
    instances = _instances(2)
    instances.place("a", Resources(1.5, GIB), 2)
    with pytest.raises(WorkerError):
        instances.place("b", SMALL, 1)


def test_an_accelerator_needs_an_instance_with_one() -> None:
    """A GPU does not fit on an instance without."""
    with pytest.raises(WorkerError):
        _instances(1).place("c", Resources(1, GIB, 1), 1)


def test_what_has_no_room_changes_nothing() -> None:
    """The component keeps what it had, and so do others."""
    instances = _instances(1)
    instances.place("a", SMALL, 1)
    with pytest.raises(WorkerError):
        instances.place("a", SMALL, 3)
    instances.place("b", SMALL, 1)
    with pytest.raises(WorkerError):
        instances.place("b", SMALL, 2)


def test_what_is_released_has_room_for_others() -> None:
    """Copies that are gone, and those of a smaller size."""
    instances = _instances(1)
    instances.place("a", SMALL, 2)
    instances.place("a", Resources(0.5, GIB), 2)
    instances.place("b", SMALL, 1)
    instances.release("a")
    instances.place("b", SMALL, 2)


def test_instances_that_hold_copies_stay() -> None:
    """Fewer instances than are needed are refused."""
    instances = _instances(2)
    instances.place("a", SMALL, 3)
    with pytest.raises(WorkerError, match="2 instances hold copies"):
        instances.resize(1)
    instances.place("a", SMALL, 2)
    instances.resize(1)
    assert len(instances) == 1


def test_managed_instances_come_and_go_with_the_copies() -> None:
    """Between the two bounds of ManagedInstanceScaling."""
    instances = _instances(1, MinInstanceCount=1, MaxInstanceCount=3)
    for copies, count in ((2, 1), (3, 2), (6, 3), (1, 1)):
        instances.place("a", SMALL, copies)
        assert len(instances) == count, copies
    with pytest.raises(WorkerError):
        instances.place("a", SMALL, 7)
    instances.release("a")
    assert len(instances) == 1


def test_an_instance_alone_answers_nothing() -> None:
    """Only components do."""
    with pytest.raises(AwsError, match="Inference Component Name header is required"):
        asyncio.run(_instances(1).take())
