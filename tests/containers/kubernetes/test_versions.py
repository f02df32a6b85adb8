"""Versions of Kubernetes."""

from __future__ import annotations

import pytest

from mlref.containers.kubernetes.versions import at_least, require_api
from mlref.errors import ManifestError


@pytest.mark.parametrize(
    ("version", "least", "newer"),
    [("1.9", "1.20", "no"), ("1.20", "1.20", "yes"), ("2.0", "1.33", "yes")],
)
def test_versions_compare_as_numbers(version: str, least: str, newer: str) -> None:
    """1.9 is older than 1.20."""
    assert at_least(version, least) is (newer == "yes")


@pytest.mark.parametrize("version", ["1.19", "v1.33", "1", "latest", "", "1.33.1"])
def test_what_nothing_can_be_rendered_for_is_refused(version: str) -> None:
    """Too old, or no version at all."""
    with pytest.raises(ManifestError, match=r'"1\.20" or newer'):
        require_api(version)
