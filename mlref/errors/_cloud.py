"""Clouds, real or local, and what they would cost."""

from __future__ import annotations

from mlref.errors._root import MlrefError

__all__ = [
    "CloudError",
    "CloudFileError",
    "PriceError",
    "SpendingRefusedError",
    "StrictError",
]


class CloudError(MlrefError, RuntimeError):
    """Something is wrong with a cloud, real or local, or with what lies in it."""


class SpendingRefusedError(CloudError, PermissionError):
    """What would cost money is not allowed, or costs more than the cap; says how to allow it."""


class StrictError(CloudError, ValueError):
    """A request that AWS would refuse. The message lists every problem; it was not sent."""


class CloudFileError(CloudError, ValueError):
    """A file in a cloud's format, of captures or constraints say, that cannot be read."""


class PriceError(MlrefError, LookupError):
    """No price is known for what is asked."""
