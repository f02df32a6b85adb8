"""Tags: what a resource carries so that it can be found, billed and swept."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping

from mlref.aws.local.errors import validation

__all__ = ["MOST", "Tags", "pairs_of"]

MOST = 50
"""Tags that a resource may have."""

_RESERVED = "aws:"


class Tags:
    """The tags of everything in the local AWS, by ARN."""

    def __init__(self) -> None:
        self._tags: dict[str, dict[str, str]] = {}
        self._lock = threading.Lock()

    def put(self, arn: str, tags: Mapping[str, str]) -> None:
        """Add tags; one with the same key is replaced.

        Raises:
            AwsError: the resource would have more than AWS allows.
        """
        with self._lock:
            found = {**self._tags.get(arn, {}), **tags}
            if len(found) > MOST:
                raise validation(f"a resource has at most {MOST} tags, got {len(found)}")
            self._tags[arn] = found

    def drop(self, arn: str, keys: Iterable[str]) -> None:
        """Take tags away; one that is not there is none to take."""
        with self._lock:
            found = self._tags.get(arn, {})
            for key in keys:
                found.pop(key, None)

    def of(self, arn: str) -> dict[str, str]:
        """The tags of a resource; none if it has none."""
        with self._lock:
            return dict(self._tags.get(arn, {}))

    def is_known(self, arn: str) -> bool:
        """Whether a resource is there that can have tags."""
        with self._lock:
            return arn in self._tags

    def forget(self, arn: str) -> None:
        """Take all away, as the resource is gone."""
        with self._lock:
            self._tags.pop(arn, None)

    def all(self) -> dict[str, dict[str, str]]:
        """The tags of all resources that have some."""
        with self._lock:
            return {arn: dict(tags) for arn, tags in sorted(self._tags.items()) if tags}


def pairs_of(tags: Mapping[str, str] | Iterable[Mapping[str, str]]) -> dict[str, str]:
    """The tags of a request, by their keys.

    Args:
        tags: key -> value, or a list of objects with Key and Value.

    Raises:
        AwsError: a key is there twice, or is one that AWS keeps for itself.

    >>> pairs_of([{"Key": "team", "Value": "ml"}])
    {'team': 'ml'}
    """
    listed = (
        list(tags.items())
        if isinstance(tags, Mapping)
        else [(each["Key"], each["Value"]) for each in tags]
    )
    found: dict[str, str] = {}
    for key, value in listed:
        if key.lower().startswith(_RESERVED):
            raise validation(f"the keys of tags must not begin with {_RESERVED}, got {key!r}")
        if key in found:
            raise validation(f"tag keys must be unique per resource, and {key!r} is given twice")
        found[key] = value
    return found
