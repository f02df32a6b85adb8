"""What runs in the local AWS, in short: each endpoint, and how many workers each part of it has."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterator
from typing import Any

from mlref.aws.local.hosting.hosting import Hosting
from mlref.aws.local.hosting.live import Group, Variant
from mlref.aws.local.sagemaker.endpoints import Endpoints

__all__ = ["overview"]


def overview(endpoints: Endpoints, hosting: Hosting) -> list[dict[str, Any]]:
    """Each endpoint with "name", "status" and "workers": variant or component -> how many answer.

    Args:
        endpoints: those that there are.
        hosting: what runs of them.
    """
    found = []
    for each in endpoints.list_endpoints({"MaxResults": sys.maxsize})["Endpoints"]:
        name = each["EndpointName"]
        live, workers = hosting.live(name), Counter[str]()
        for group in live.groups if live else ():  # two while traffic is shifted
            for part, variant in _parts(group):
                workers[part] += len(variant.fleet.slots)
        found.append({"name": name, "status": each["EndpointStatus"], "workers": dict(workers)})
    return sorted(found, key=lambda each: str(each["name"]))


def _parts(group: Group) -> Iterator[tuple[str, Variant]]:
    """What has workers, by its name: variants, and inference components in the place of theirs."""
    hosts = group.variants if group.shadow is None else (*group.variants, group.shadow)
    for host in hosts:
        if host.components is None:
            yield host.name, host
        else:
            yield from list(host.components.items())
