"""IAM of the local AWS: what policies allow, who may act in a role, and the policy simulator."""

from __future__ import annotations

__all__: list[str] = []
