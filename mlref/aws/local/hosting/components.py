"""Inference components on the data plane: where their copies find room, and which one is asked.

An endpoint for inference components has instances and no model. Each component says what a copy of
it needs: processor cores, memory, accelerators. A copy goes to the first instance that has so much
left, and is a worker of its own. Nothing is set aside for the platform here, whereas AWS keeps some
of an instance's memory for itself, so what just fits here may not fit there.

Source: the Amazon SageMaker Developer Guide, "Deploy models for real-time inference"; the API
reference of CreateInferenceComponent; Amazon EC2's list of instance types.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mlref.aws.local.errors import AwsError
from mlref.aws.local.hosting.fleet import Fleet, Slot
from mlref.aws.local.hosting.workers import Worker, WorkerError
from mlref.aws.local.world import ACCOUNT

if TYPE_CHECKING:
    from mlref.aws.local.hosting.live import Group, Variant

__all__ = ["COMPONENT", "Instances", "Resources", "asked_component", "resources_of"]

COMPONENT = "x-amzn-sagemaker-inference-component"
"""The header with a request's InferenceComponentName."""

_VARIANT = "x-amzn-sagemaker-target-variant"
_TYPE = re.compile(r"ml\.([a-z]+)(\d+)([a-z]*)\.(medium|large|(\d*)xlarge)")
_MEMORY_GIB = {"c": 2, "m": 4, "r": 8, "g": 4}  # for each core
_ACCELERATORS = {"4": 1, "8": 1, "12": 4, "16": 1, "24": 4, "48": 8}  # of g4dn, g5 and g6, by size
_ODD = {"c4", "g7"}  # generations that follow no such rule
_OTHERS = {  # cores, GiB, accelerators
    "ml.t2.medium": (2, 4, 0),
    "ml.t2.large": (2, 8, 0),
    "ml.t2.xlarge": (4, 16, 0),
    "ml.t2.2xlarge": (8, 32, 0),
    "ml.p3.2xlarge": (8, 61, 1),
    "ml.p3.8xlarge": (32, 244, 4),
    "ml.p3.16xlarge": (64, 488, 8),
    "ml.p4d.24xlarge": (96, 1152, 8),
    "ml.p5.48xlarge": (192, 2048, 8),
}
_NO_ROOM = (
    "There is not enough hardware resources on the instances for this endpoint to create a copy of "
    "the inference component."
)


@dataclass(frozen=True)
class Resources:
    """What an instance has, or a copy needs.

    Attributes:
        cores: of the processor.
        memory_mb: in MiB.
        accelerators: for instance GPUs.
    """

    cores: float = 0.0
    memory_mb: float = 0.0
    accelerators: float = 0.0

    @classmethod
    def needed(cls, requirements: Mapping[str, Any]) -> Resources:
        """What ComputeResourceRequirements asks for.

        Args:
            requirements: of an inference component's specification.
        """
        return cls(
            float(requirements.get("NumberOfCpuCoresRequired", 0)),
            float(requirements["MinMemoryRequiredInMb"]),
            float(requirements.get("NumberOfAcceleratorDevicesRequired", 0)),
        )

    def without(self, other: Resources) -> Resources:
        """What is left.

        Args:
            other: is taken away.
        """
        return Resources(
            self.cores - other.cores,
            self.memory_mb - other.memory_mb,
            self.accelerators - other.accelerators,
        )

    def holds(self, other: Resources) -> bool:
        """Whether there is room for something."""
        left = self.without(other)
        return min(left.cores, left.memory_mb, left.accelerators) >= 0


def resources_of(instance_type: str) -> Resources | None:
    """What an instance of a type has, or None if that is not known here.

    >>> resources_of("ml.m5.xlarge")
    Resources(cores=4.0, memory_mb=16384.0, accelerators=0.0)
    """
    if instance_type in _OTHERS:
        cores, memory_gib, accelerators = _OTHERS[instance_type]
        return Resources(float(cores), memory_gib * 1024.0, float(accelerators))
    found = _TYPE.fullmatch(instance_type)
    if found is None or found[1] not in _MEMORY_GIB or found[1] + found[2] in _ODD:
        return None
    family, _, suffix, size, times = found.groups()
    count = {"medium": 1, "large": 2}.get(size) or 4 * int(times or 1)
    each = 8 if (family, suffix) == ("g", "e") else _MEMORY_GIB[family]
    accelerators = 0 if family != "g" else _ACCELERATORS.get(times or "", 1)
    return Resources(float(count), each * count * 1024.0, float(accelerators))


class Instances(Fleet):
    """The instances of a variant that has no model of its own: they hold copies of components.

    Args:
        name: what errors call it.
        instance_type: of all of them.
        scaling: ManagedInstanceScaling of the variant: whether instances come and go with what is
            placed on them.
    """

    def __init__(
        self, name: str, instance_type: str, scaling: Mapping[str, Any] | None = None
    ) -> None:
        super().__init__(name, _no_worker, 0)
        self._each = resources_of(instance_type)
        given = scaling if scaling and scaling.get("Status") == "ENABLED" else {}
        self._least: int | None = given.get("MinInstanceCount", 1) if given else None
        self._most: int | None = given.get("MaxInstanceCount")
        self._taken: dict[str, list[tuple[int, Resources]]] = {}
        self._placing = threading.Lock()

    def __len__(self) -> int:
        return self.desired

    def place(self, component: str, needed: Resources, copies: int) -> None:
        """Find room for the copies of a component, which gives up what it had before.

        Args:
            component: its name.
            needed: by each copy.
            copies: of it.

        Raises:
            WorkerError: there is no room; the component keeps what it had.
        """
        with self._placing:
            others = {name: each for name, each in self._taken.items() if name != component}
            kept = [each for each in self._taken.get(component, ()) if each[1] == needed][:copies]
            found, count = self._found(others, kept, needed, copies)
            self._taken = {**others, component: found}
            self.desired = count
            self._shrink()

    def release(self, component: str) -> None:
        """Give up what a component has.

        Args:
            component: its name.
        """
        with self._placing:
            self._taken.pop(component, None)
            self._shrink()

    def resize(self, desired: int) -> None:
        """Have so many instances.

        Args:
            desired: how many.

        Raises:
            WorkerError: one that would go holds a copy.
        """
        with self._placing:
            needed = self._needed()
            if desired < needed:
                text = f"{needed} instances hold copies of inference components; scale those in"
                raise WorkerError(f"{text} or delete them first")
            self.desired = desired

    async def take(self) -> Slot:
        """Nothing.

        Raises:
            AwsError: always; only the copies of a component answer.
        """
        raise _missing()

    def settle(self) -> None:
        """Nothing: an instance alone runs no worker."""

    def lost(self) -> bool:
        """False: an instance alone runs no worker."""
        return False

    def stop(self, *, drain: bool = False) -> None:  # noqa: ARG002 - as Fleet
        """Let the instances go.

        Args:
            drain: changes nothing: an instance alone answers nothing.
        """
        self.desired = 0

    def _found(
        self,
        others: Mapping[str, Sequence[tuple[int, Resources]]],
        kept: list[tuple[int, Resources]],
        needed: Resources,
        copies: int,
    ) -> tuple[list[tuple[int, Resources]], int]:
        """Where the copies go, and how many instances there are then.

        Raises:
            WorkerError: there is no room.
        """
        found, count = list(kept), self.desired
        used = [each for several in (*others.values(), kept) for each in several]
        most = max(self._most or 0, count)
        while len(found) < copies:
            place = next((n for n in range(most) if self._fits(n, used, needed)), None)
            if place is None:
                raise WorkerError(_NO_ROOM)
            count = max(count, place + 1)
            found.append((place, needed))
            used.append((place, needed))
        return found, count

    def _fits(self, place: int, used: Sequence[tuple[int, Resources]], needed: Resources) -> bool:
        if self._each is None:
            return True
        left = self._each
        for instance, taken in used:
            if instance == place:
                left = left.without(taken)
        return left.holds(needed)

    def _needed(self) -> int:
        places = [place for several in self._taken.values() for place, _ in several]
        return max(places, default=-1) + 1

    def _shrink(self) -> None:
        """Let instances go that hold nothing, where the configuration says so."""
        if self._least is not None:
            self.desired = min(self.desired, max(self._needed(), self._least))


def asked_component(
    endpoint: str, group: Group, variant: Variant, headers: Mapping[str, str]
) -> Variant:
    """The component that answers a request, as a variant.

    Args:
        endpoint: its name.
        group: whose variants hold the components.
        variant: that was chosen.
        headers: of the request, names in lower case.

    Raises:
        AwsError: the request names none where it must, or one that is not there or has no copies;
            or it names one where it must not.
    """
    name = headers.get(COMPONENT)
    if variant.components is None:
        raise AwsError(
            "ValidationError",
            "Inference Component Name header is not allowed for endpoints to which you dont plan "
            "to deploy inference components. Please remove the Inference Component Name header and "
            "try again.",
        )
    if not name:
        raise _missing()
    hosts = [variant] if _VARIANT in headers else group.variants
    for host in hosts:
        found = (host.components or {}).get(name)
        if found is not None:
            break
    else:
        text = f"Inference Component {name} of account {ACCOUNT} not found on endpoint {endpoint}."
        raise AwsError("ValidationError", text)
    if not found.fleet.desired:
        found.meter.observe("NoCapacityInvocationFailures", 1.0, "Count")
        raise AwsError(
            "ValidationError",
            "Inference Component has no capacity to process this request. ApplicationAutoScaling "
            "may be in-progress (if configured) or try to increase the capacity by invoking "
            "UpdateInferenceComponentRuntimeConfig API.",
        )
    return found


def _missing() -> AwsError:
    return AwsError(
        "ValidationError",
        "Inference Component Name header is required for endpoints to which you plan to deploy "
        "inference components. Please include Inference Component Name header or consider using "
        "SageMaker models.",
        ErrorCode="INFERENCE_COMPONENT_NAME_MISSING",
    )


def _no_worker() -> Worker:
    raise WorkerError("an instance for inference components has no model of its own")
