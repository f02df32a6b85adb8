"""What an endpoint is at a moment, as the data plane sees it: nothing in it changes.

A deployment replaces it by another one in a single step, so a request is answered by one state of
the endpoint and never by a mixture. While traffic is shifted there are two groups of variants: the
one that was (blue) and the one that will be (green), each with its share.
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from mlref.aws.local.errors import AwsError
from mlref.aws.local.hosting.capture import Capture
from mlref.aws.local.hosting.fleet import Fleet
from mlref.aws.local.hosting.meter import Meter
from mlref.aws.local.hosting.multi_model import MultiModel

__all__ = ["Group", "Live", "Variant"]


@dataclass(frozen=True)
class Variant:
    """A production variant.

    Attributes:
        name: as the configuration has it.
        weight: its part of the requests that name no variant, relative to the others'.
        fleet: its workers.
        meter: what is measured of it.
        settings: the variant as the configuration has it.
        models: that it loads when they are asked for, or None if it always has the same one.
        components: the inference components on its instances, each as a variant; or None if it has
            a model of its own.
        role: the ARN of the one in which SageMaker acts for its model; None may do everything.
    """

    name: str
    weight: float
    fleet: Fleet
    meter: Meter
    settings: Mapping[str, Any] = field(default_factory=dict)
    models: MultiModel | None = None
    components: dict[str, Variant] | None = None
    role: str | None = None


@dataclass(frozen=True)
class Group:
    """The variants of one configuration.

    Attributes:
        config: the configuration's name.
        variants: that share the requests.
        share: of the endpoint's requests, from 0 to 1.
        capture: what is kept of requests and responses, or None for nothing.
        shadow: a variant that gets copies of requests, and whose answers nobody sees; or None.
        shadow_share: of the requests that are copied, from 0 to 1.
        asynchronous: its AsyncInferenceConfig, or None.
    """

    config: str
    variants: tuple[Variant, ...]
    share: float = 1.0
    capture: Capture | None = None
    shadow: Variant | None = None
    shadow_share: float = 0.0
    asynchronous: Mapping[str, Any] | None = None

    @property
    def all_variants(self) -> tuple[Variant, ...]:
        """The variants, the shadow if there is one, and all inference components."""
        hosts = self.variants if self.shadow is None else (*self.variants, self.shadow)
        placed = [each for host in hosts for each in (host.components or {}).copy().values()]
        return (*hosts, *placed)

    def named(self, name: str) -> Variant | None:
        """The variant of that name, if there is one."""
        return next((each for each in self.variants if each.name == name), None)


@dataclass(frozen=True)
class Live:
    """An endpoint that answers.

    Attributes:
        endpoint: its name.
        groups: one, or two while traffic is shifted.
    """

    endpoint: str
    groups: tuple[Group, ...]

    def choose(self, target: str | None, chance: random.Random) -> tuple[Group, Variant]:
        """The variant that answers a request.

        Args:
            target: the variant that the caller asks for, or None.
            chance: decides.

        Raises:
            AwsError: there is no such variant.
        """
        if target is not None:
            return self._named(target)
        group = self.groups[0]
        if len(self.groups) > 1:
            group = chance.choices(self.groups, [each.share for each in self.groups])[0]
        if len(group.variants) == 1:
            return group, group.variants[0]
        weights = [each.weight for each in group.variants]
        if not any(weights):
            raise AwsError(
                "ValidationError",
                f"all variants of endpoint {self.endpoint} have a weight of 0; name one with "
                f"TargetVariant, or give one a weight",
            )
        return group, chance.choices(group.variants, weights)[0]

    def _named(self, target: str) -> tuple[Group, Variant]:
        """The variant of that name, wherever it is; the new one first while traffic is shifted."""
        for group in reversed(self.groups):
            found = group.named(target)
            if found is not None:
                return group, found
        names = ", ".join(each.name for group in self.groups for each in group.variants)
        text = f"Variant {target} not found for endpoint {self.endpoint}: it has {names}"
        raise AwsError("ValidationError", text)
