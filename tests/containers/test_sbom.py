"""The bill of materials of an image."""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Callable
from importlib import metadata
from typing import Any

import pytest

from mlref import artifact, containers

_PACKAGE = "Metadata-Version: 2.4\nName: Some_Package\nVersion: 1.2\n"


def _components(document: dict[str, Any], kind: str = "library") -> dict[str, dict[str, Any]]:
    return {each["name"]: each for each in document["components"] if each["type"] == kind}


@pytest.fixture(scope="module", params=["service", "minimal"])
def document(request: pytest.FixtureRequest) -> dict[str, Any]:
    """The bill of materials of each flavour."""
    return containers.sbom(request.getfixturevalue(request.param))


def test_it_keeps_the_schema(document: dict[str, Any]) -> None:
    """CycloneDX 1.6, by the standard's own JSON schema."""
    from cyclonedx.schema import SchemaVersion
    from cyclonedx.validation.json import JsonStrictValidator

    validator = JsonStrictValidator(SchemaVersion.V1_6)
    assert validator.validate_str(json.dumps(document)) is None
    assert validator.validate_str(json.dumps({**document, "stray": 1})) is not None


def test_packages_have_their_exact_versions(document: dict[str, Any]) -> None:
    """What serves is there, with its URL and licence; what built the image is not."""
    libraries = _components(document)
    version = metadata.version("onnxruntime")
    assert libraries["onnxruntime"]["purl"] == f"pkg:pypi/onnxruntime@{version}"
    assert libraries["onnxruntime"]["version"] == version
    assert libraries["fastapi"]["licenses"] == [{"license": {"id": "MIT"}}]
    assert not {"pip", "setuptools", "wheel", "pandas", "scikit-learn"} & set(libraries)


def test_the_interpreter_has_its_exact_version(document: dict[str, Any]) -> None:
    """It stands in no file's name, so it is read out of the binary."""
    python = _components(document, "platform")["cpython"]
    assert python["version"] == ".".join(map(str, sys.version_info[:3]))


def test_shared_objects_have_their_digest(document: dict[str, Any]) -> None:
    """Those of the system, not those that a package brings."""
    objects = _components(document, "file")
    assert objects["libc.so.6"]["hashes"][0]["alg"] == "SHA-256"
    assert not [name for name in objects if "openblas" in name or "onnxruntime" in name]


def test_the_model_is_named(document: dict[str, Any], colours: artifact.Artifact) -> None:
    """By the digest of its artefact."""
    model = _components(document, "machine-learning-model")[colours.manifest.name]
    assert model["version"] == colours.manifest.version
    assert model["properties"] == [{"name": "mlref:artifact.digest", "value": colours.digest}]


def test_the_same_image_gives_the_same_document(minimal: containers.Image) -> None:
    """Also its serial number and its time."""
    assert containers.sbom(minimal) == containers.sbom(minimal)


def test_debian_packages_are_named_as_advisories_name_them(planted: Callable[..., str]) -> None:
    """From dpkg's database, those that are removed apart; shared objects are then not listed."""
    status = (
        "Package: libssl3\nStatus: install ok installed\nArchitecture: amd64\nVersion: 3.0.11-1\n\n"
        "Package: old\nStatus: deinstall ok config-files\nArchitecture: all\nVersion: 1\n\n"
    )
    files = {
        "/var/lib/dpkg/status": (status, 0o644, 0),
        "/etc/os-release": ('ID=debian\nVERSION_ID="12"\n', 0o644, 0),
        "/usr/lib/libssl.so.3": ("x", 0o644, 0),
    }
    document = containers.sbom(planted(files))
    assert _components(document, "operating-system")["debian"]["version"] == "12"
    libraries = _components(document)
    assert list(libraries) == ["libssl3"]
    url = "pkg:deb/debian/libssl3@3.0.11-1?arch=amd64&distro=debian-12"
    assert libraries["libssl3"]["purl"] == url
    assert _components(document, "file") == {}


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ("License-Expression: MIT OR Apache-2.0\n", [{"expression": "MIT OR Apache-2.0"}]),
        ("License: MIT\n", [{"license": {"id": "MIT"}}]),
        (
            "License: The whole text\n of it\nClassifier: License :: OSI Approved :: BSD License\n",
            [{"license": {"name": "BSD License"}}],
        ),
        ("", None),
    ],
)
def test_licences_are_found(
    planted: Callable[..., str], lines: str, expected: list[Any] | None
) -> None:
    """An SPDX expression, a name, a classifier instead of a whole text, or nothing."""
    files = {"/opt/Some_Package-1.2.dist-info/METADATA": (_PACKAGE + lines, 0o644, 0)}
    library = _components(containers.sbom(planted(files)))["some-package"]
    assert library.get("licenses") == expected


def test_two_copies_of_a_package_are_two_parts(planted: Callable[..., str]) -> None:
    """One that hides in another folder is not lost."""
    name = "Some_Package-1.2.dist-info/METADATA"
    files = {f"/{folder}/{name}": (_PACKAGE, 0o644, 0) for folder in ("one", "two")}
    document = containers.sbom(planted(files))
    assert [each["name"] for each in document["components"]] == ["some-package"] * 2


def test_objects_beside_packages_are_theirs(planted: Callable[..., str]) -> None:
    """A package's own shared objects are not listed again; another folder's are, with SHA-256."""
    files = {
        "/opt/Some_Package-1.2.dist-info/METADATA": (_PACKAGE, 0o644, 0),
        "/opt/some_package/fast.so": ("x", 0o644, 0),
        "/optional/other.so.1": ("content", 0o644, 0),
    }
    objects = _components(containers.sbom(planted(files)), "file")
    assert list(objects) == ["other.so.1"]
    expected = hashlib.sha256(b"content").hexdigest()
    assert objects["other.so.1"]["hashes"] == [{"alg": "SHA-256", "content": expected}]
