"""The bill of materials of an image: what it is made of, in CycloneDX 1.6.

    document = sbom("mlref-flights:1.0.0-minimal")
    Path("flights.cdx.json").write_text(json.dumps(document))

It lists what lies in the image, not what was asked for: Python packages by their metadata, the
interpreter, Debian packages where the image has their database, else each shared object with its
SHA-256, and the model. It finds no vulnerability. Scanners read it and look each component up, for
instance `trivy sbom flights.cdx.json`; they need a database that is brought up to date daily.

Source: ECMA-424 (CycloneDX 1.6).
"""

from __future__ import annotations

import hashlib
import json
import posixpath
import re
import uuid
from collections.abc import Iterator
from datetime import datetime
from email.message import Message
from email.parser import HeaderParser
from typing import TYPE_CHECKING, Any

from mlref.containers.image_files import ImageFiles, open_image
from mlref.containers.images import Image
from mlref.errors import ContainerError
from mlref.runtime.lazy import extra

if TYPE_CHECKING:
    from cyclonedx.model.component import Component
    from packageurl import PackageURL

__all__ = ["sbom", "sbom_of"]

_SHARED_OBJECT = re.compile(r"\.so(\.\d+)*$")
_METADATA = re.compile(r"/([^/]+)-([^/]+)\.dist-info/METADATA$")
_INTERPRETER = re.compile(r"/(?:bin/|lib)python(3\.\d+)(?:\.so\.[\d.]+)?$")
_STANDARD_LIBRARY = re.compile(r"/lib/python3\.\d+/lib-dynload$")
_DPKG, _RELEASE = "/var/lib/dpkg/status", "/etc/os-release"
_LONGEST_LICENCE = 100  # characters; some packages put the whole text where its name belongs


def sbom(image: Image | str) -> dict[str, Any]:
    """The bill of materials of an image, as a CycloneDX document, checked against its schema.

    The same image gives the same document: its serial number and its time are the image's.

    Args:
        image: its name, its digest, or the result of `build`.

    Raises:
        DockerUnavailableError: there is no daemon.
        MissingExtraError: the extra "cluster" is not installed.
        ContainerError: the daemon has no such image.
    """
    with open_image(image) as files:
        return sbom_of(files)


def sbom_of(files: ImageFiles) -> dict[str, Any]:
    """The same of an image whose files have been read.

    Args:
        files: not closed yet.

    Raises:
        MissingExtraError: the extra "cluster" is not installed.
        ContainerError: the document does not keep the schema, which would be a mistake of mlref.
    """
    with extra("cluster"):
        from cyclonedx.model.bom import Bom, BomMetaData
        from cyclonedx.model.component import Component, ComponentType
        from cyclonedx.output.json import JsonV1Dot6
        from cyclonedx.schema import SchemaVersion
        from cyclonedx.validation.json import JsonStrictValidator
    described = Component(
        type=ComponentType.CONTAINER, name=files.name, version=files.digest, bom_ref=files.digest
    )
    found = [*_packages(files), *_interpreter(files), *_system(files), *_model(files)]
    document = Bom(
        serial_number=uuid.uuid5(uuid.NAMESPACE_URL, files.digest),
        metadata=BomMetaData(component=described, timestamp=datetime.fromisoformat(files.created)),
        components=found,
    )
    document.register_dependency(described, found)
    text = JsonV1Dot6(document).output_as_string()
    wrong = JsonStrictValidator(SchemaVersion.V1_6).validate_str(text)
    if wrong is not None:
        raise ContainerError(f"the bill of materials of {files.name} breaks the schema: {wrong}")
    made: dict[str, Any] = json.loads(text)
    return made


def _packages(files: ImageFiles) -> Iterator[Component]:
    """Python packages, by the metadata that their installer left."""
    from packageurl import PackageURL

    for path in files.members:
        if match := _METADATA.search(path):
            name = re.sub(r"[-_.]+", "-", match[1]).lower()
            url = PackageURL("pypi", None, name, match[2])
            yield _library(url, path, _licence(_headers(files.read(path))))


def _interpreter(files: ImageFiles) -> Iterator[Component]:
    """Python itself; its exact version stands in its library, or in its program."""
    from cyclonedx.model.component import Component, ComponentType

    found = {path: _INTERPRETER.search(path) for path in sorted(files.members, reverse=True)}
    for path, match in found.items():
        if match is None or not files.members[path].isfile():
            continue
        content = files.read(path)
        minor = re.escape(match[1].encode())
        # "/" where a linker keeps it as the end of a longer text, a path
        version = re.search(rb"[\0/](" + minor + rb"\.\d+[0-9abrc+]*)\0", content)
        if version is not None:
            yield Component(
                type=ComponentType.PLATFORM,
                name="cpython",
                version=version[1].decode(),
                bom_ref="cpython",
                licenses=[_known_licence("PSF-2.0")],
                hashes=[_sha256(content)],
                properties=[_property("path", path)],
            )
            return


def _system(files: ImageFiles) -> Iterator[Component]:
    """Debian packages; where there is no database of them, shared objects of no package."""
    if files.resolve(_DPKG) is not None:
        yield from _debian(files)
    else:
        yield from _shared_objects(files)


def _debian(files: ImageFiles) -> Iterator[Component]:
    """The distribution and its packages, named so that scanners find them in its advisories."""
    from cyclonedx.model.component import Component, ComponentType
    from packageurl import PackageURL

    release = files.read(_RELEASE).decode() if files.resolve(_RELEASE) is not None else ""
    told = dict(re.findall(r'^(ID|VERSION_ID)="?([^"\n]*)"?$', release, re.MULTILINE))
    system, version = told.get("ID", "debian"), told.get("VERSION_ID", "")
    yield Component(
        type=ComponentType.OPERATING_SYSTEM, name=system, version=version or None, bom_ref=system
    )
    for text in files.read(_DPKG).split(b"\n\n"):
        package = _headers(text)
        if "installed" in (package["Status"] or "").split():
            where = {"arch": package["Architecture"], "distro": f"{system}-{version}".rstrip("-")}
            url = PackageURL("deb", system, package["Package"], package["Version"], where)
            yield _library(url, _DPKG)


def _shared_objects(files: ImageFiles) -> Iterator[Component]:
    """Shared objects that belong neither to a Python package nor to Python."""
    from cyclonedx.model.component import Component, ComponentType

    homes = {
        posixpath.dirname(posixpath.dirname(each))
        for each in filter(_METADATA.search, files.members)
    }
    homes.update(filter(_STANDARD_LIBRARY.search, files.members))
    inside = tuple(f"{each}/" for each in homes)
    for path, member in files.members.items():
        if not member.isfile() or _INTERPRETER.search(path) or path.startswith(inside):
            continue
        if _SHARED_OBJECT.search(path):
            yield Component(
                type=ComponentType.FILE,
                name=posixpath.basename(path),
                bom_ref=path,
                hashes=[_sha256(files.read(path))],
                properties=[_property("path", path)],
            )


def _model(files: ImageFiles) -> Iterator[Component]:
    """The artefact that the image serves, if it is one of mlref."""
    from cyclonedx.model.component import Component, ComponentType

    labels = files.config.get("Labels") or {}
    digest = labels.get("mlref.artifact.digest")
    if digest is not None:
        yield Component(
            type=ComponentType.MACHINE_LEARNING_MODEL,
            name=labels.get("org.opencontainers.image.title", "model"),
            version=labels.get("org.opencontainers.image.version"),
            bom_ref=f"model@{digest}",
            properties=[_property("artifact.digest", digest)],
        )


def _library(url: PackageURL, where: str, licence: str | None = None) -> Component:
    """A package that scanners know by its URL; two copies of it are two components."""
    from cyclonedx.model.component import Component, ComponentType

    return Component(
        type=ComponentType.LIBRARY,
        name=url.name,
        version=url.version,
        purl=url,
        bom_ref=f"{url}#{where}",
        licenses=[_known_licence(licence)] if licence else [],
        properties=[_property("path", where)],
    )


def _licence(told: Message) -> str | None:
    """The package's licence: an SPDX expression, else a name."""
    named = told["License-Expression"] or told["License"]
    if named and len(named) <= _LONGEST_LICENCE and "\n" not in named.strip():
        return str(named).strip()
    classifiers = [each for each in told.get_all("Classifier", []) if each.startswith("License ::")]
    return str(classifiers[0]).rpartition(" :: ")[2] if classifiers else None


def _known_licence(name: str) -> Any:
    from cyclonedx.contrib.license.factories import LicenseFactory

    return LicenseFactory().make_from_string(name)


def _headers(content: bytes) -> Message:
    return HeaderParser().parsestr(content.decode("utf-8", "replace"))


def _sha256(content: bytes) -> Any:
    from cyclonedx.model import HashAlgorithm, HashType

    return HashType(alg=HashAlgorithm.SHA_256, content=hashlib.sha256(content).hexdigest())


def _property(name: str, value: str) -> Any:
    from cyclonedx.model import Property

    return Property(name=f"mlref:{name}", value=value)
