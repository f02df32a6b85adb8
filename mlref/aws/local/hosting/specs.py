"""What endpoints are made of: variants with their containers, and groups of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

__all__ = ["GroupSpec", "VariantSpec"]


@dataclass(frozen=True)
class VariantSpec:
    """What a variant of a group is made of.

    Attributes:
        settings: the variant as the configuration has it.
        container: that its workers run; empty if there are only inference components.
        role: the ARN of the one in which model data is read; None may read everything.
    """

    settings: Mapping[str, Any]
    container: Mapping[str, Any]
    role: str | None = None

    @property
    def name(self) -> str:
        """Of the variant."""
        return str(self.settings["VariantName"])

    @property
    def several(self) -> bool:
        """Whether it has many models, each of which is loaded when it is asked for."""
        return self.container.get("Mode") == "MultiModel"


@dataclass(frozen=True)
class GroupSpec:
    """What a group is made of.

    Attributes:
        config: the name of the endpoint's configuration.
        variants: of it.
        capture: its DataCaptureConfig, or None.
        shadow: its shadow variant, or None.
        asynchronous: its AsyncInferenceConfig, or None.
    """

    config: str
    variants: Sequence[VariantSpec]
    capture: Mapping[str, Any] | None
    shadow: VariantSpec | None = None
    asynchronous: Mapping[str, Any] | None = None

    @property
    def all_variants(self) -> Sequence[VariantSpec]:
        """The variants, and the shadow if there is one."""
        return self.variants if self.shadow is None else [*self.variants, self.shadow]
