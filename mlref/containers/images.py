"""Building the image of an artefact, and what came out of it.

    image = build(artifact.load("flights-1.0.0"))
    image.layers            # what each step added, in bytes
    image.digest            # "sha256:...", the name of exactly these bytes

One recipe, `deploy/Dockerfile`, has two targets: "service", and "minimal", which has no shell.
"""

from __future__ import annotations

import os
import re
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeAlias, get_args

from mlref import resources
from mlref.artifact import Artifact
from mlref.containers import engine
from mlref.containers.base import base_image
from mlref.containers.context import context_folder, inputs_digest, make_context
from mlref.containers.given import check_artifact
from mlref.containers.local_images import is_there
from mlref.errors import ContainerError, ImageBuildError
from mlref.tables import Table

__all__ = [
    "Flavour",
    "Image",
    "Layer",
    "build",
    "dockerfile",
    "layers_of",
    "reference_of",
    "remove_images",
    "tag_of",
]

Flavour: TypeAlias = Literal["service", "minimal"]

_TIMEOUT_S = 1800.0
_TAIL_LINES = 30


@dataclass(frozen=True)
class Layer:
    """What one step of a recipe added: the step in a word, its instruction, bytes."""

    name: str
    instruction: str
    size_bytes: int


@dataclass(frozen=True, kw_only=True)
class Image:
    """An image that the local daemon has.

    Attributes:
        name: repository and tag, for people; another build may take it over.
        digest: "sha256:..." of its configuration, and with it of every layer: the same digest is
            the same image.
        layers: the first is the base.
        seconds: how long the build took.
        inputs: SHA-256 of all that it was built from.
        note: where the same inputs gave another digest earlier, why; otherwise "".
    """

    name: str
    digest: str
    layers: tuple[Layer, ...]
    seconds: float
    inputs: str
    note: str = ""

    @property
    def size_bytes(self) -> int:
        """All layers together, unpacked, in bytes."""
        return sum(layer.size_bytes for layer in self.layers)

    def table(self) -> Table:
        """What each step added."""
        rows = [(layer.name, round(layer.size_bytes / 1e6, 1)) for layer in self.layers]
        return Table(("layer", "MB"), (*rows, ("all", round(self.size_bytes / 1e6, 1))))

    def _repr_html_(self) -> str:
        return self.table()._repr_html_()


def dockerfile() -> Path:
    """The recipe: `deploy/Dockerfile`.

    Raises:
        ResourceNotFoundError: the deploy files are not installed.
    """
    return resources.folder("deploy") / "Dockerfile"


def reference_of(image: Image | str) -> str:
    """What the daemon calls an image.

    Args:
        image: its name, its digest, or the result of `build`.

    Raises:
        TypeError: it is none; says how to get one.
    """
    given: object = image
    if isinstance(given, Artifact):
        text = f"an image is needed, got the artefact {given.manifest.name}"
        raise TypeError(f"{text}; build it first: containers.build(artifact)")
    if not isinstance(given, Image | str):
        got = type(given).__name__
        raise TypeError(f"an image is needed, got {got}; give a name or the result of build")
    return given if isinstance(given, str) else given.digest


def build(
    artifact: Artifact,
    *,
    flavour: Flavour = "service",
    name: str | None = None,
    base: str | None = None,
    versions: Mapping[str, str] | None = None,
    package: str | os.PathLike[str] | None = None,
    cached: bool = True,
    tell: Callable[[str], object] | None = None,
) -> Image:
    """The image that serves an artefact.

    The builder remembers each step: after a change of code only the last layer is built, and
    without a change nothing, which gives the same digest.

    Args:
        artifact: what to serve.
        flavour: "service", or "minimal", which is smaller and holds no shell.
        name: repository and tag; None means mlref-NAME:VERSION-FLAVOUR, see `tag_of`.
        base: the image to start from; None means whatever `base_image` finds.
        versions: name -> version of each library; None means those that are installed here.
        package: the folder `mlref` with the server's code; None means the one that runs.
        cached: False builds every step anew.
        tell: called with lines that say what is done; None for nobody.

    Raises:
        DockerUnavailableError: there is no daemon, or no builder.
        ImageBuildError: a step failed; carries the builder's last lines.
        ContainerError: no base image or no wheel can be had.
        TypeError: no artefact.
        ValueError: no such flavour, or a name without a letter.
    """
    check_artifact(artifact)
    if name is not None and not name.strip():
        raise ValueError(f"name must be like mlref-flights:1.0.0, or None, got {name!r}")
    if flavour not in get_args(Flavour):
        allowed = ", ".join(get_args(Flavour))
        raise ValueError(f"flavour must be one of {allowed}, got {flavour!r}")
    client = engine.connect()
    begin = time.perf_counter()
    found = base_image(base, tell=tell)
    tag = name or f"mlref-{tag_of(artifact)}-{flavour}"
    with context_folder() as context:
        make_context(artifact, context, versions=versions, package=package)
        base_digest = client.images.get(found).id
        inputs = inputs_digest(context, dockerfile(), {"base": base_digest, "target": flavour})
        before = set(_digests(client, [f"mlref.inputs={inputs}"]))
        old = client.images.get(tag).id if is_there(client, tag) else None
        if tell is not None:
            tell(f"building {tag}")
        _run_builder(tag, context, flavour, found, _labels(artifact, inputs), cached=cached)
        seconds = time.perf_counter() - begin
        # Before the next build takes its turn, which may give the name to another image.
        built = _described(client, tag, seconds, inputs, before)
    if tell is not None and old not in {None, built.digest}:
        tell(f"{tag} named another image until now; that one stays, without a name")
    return built


def tag_of(artifact: Artifact) -> str:
    """Repository and tag of an artefact: its name as a repository may be written, and its version.

    A repository has small letters, and no two of ".", "_" and "-" beside each other.

    Args:
        artifact: the name "Flights--EU" gives "flights-eu".

    Source: the Distribution Reference grammar (distribution/reference).
    """
    name = re.sub(r"[._-]{2,}", "-", artifact.manifest.name.lower()).rstrip("._-")
    return f"{name}:{artifact.manifest.version}"


def remove_images(artifact: Artifact | None = None, *, name: str | None = None) -> int:
    """Delete the images that mlref built, bases apart; returns how many.

    Args:
        artifact: delete only those of this artefact.
        name: delete only names such as this one with any tag, for instance "mlref-02", and no other
            name that the same image has.

    Raises:
        DockerUnavailableError: there is no daemon.
        ContainerError: some are in use; all others are deleted.
    """
    client = engine.connect()
    import docker

    wanted = ["mlref.inputs", engine.LABEL]
    if artifact is not None:
        wanted.append(f"mlref.artifact.digest={artifact.digest}")
    found = _digests(client, wanted) if name is None else _tags(client, wanted, name)
    removed, kept = 0, []
    for each in found:
        try:
            client.images.remove(each, force=True)
            removed += 1
        except docker.errors.ImageNotFound:  # somebody else was faster
            continue
        except docker.errors.APIError as error:
            kept.append(str(error.explanation))
    if kept:
        text = f"{removed} images were deleted, and {len(kept)} not: {'; '.join(kept)}"
        raise ContainerError(f"{text}; delete what uses them first: mlref containers rm")
    return removed


def _labels(artifact: Artifact, inputs: str) -> dict[str, str]:
    manifest = artifact.manifest
    return engine.labels(
        {
            "org.opencontainers.image.title": manifest.name,
            "org.opencontainers.image.version": manifest.version,
            "org.opencontainers.image.licenses": manifest.licence,
            "mlref.artifact.digest": artifact.digest,
            "mlref.inputs": inputs,
        }
    )


def _run_builder(
    tag: str,
    context: Path,
    flavour: str,
    base: str,
    labels: Mapping[str, str],
    *,
    cached: bool,
) -> None:
    command = [
        *engine.build_command(), "--progress=plain", "--network=none", "--file", str(dockerfile()),
        "--target", flavour, "--tag", tag, "--build-arg", f"BASE_IMAGE={base}",
        *(f"--label={key}={value}" for key, value in labels.items()),
        *([] if cached else ["--no-cache"]), str(context),
    ]  # fmt: skip
    try:
        done = subprocess.run(
            command,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=engine.build_environment(),
            text=True,
            errors="replace",
            timeout=_TIMEOUT_S,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise ImageBuildError(f"{tag} was not built within {_TIMEOUT_S:.0f} s") from error
    if done.returncode != 0:
        tail = "\n".join(done.stdout.strip().splitlines()[-_TAIL_LINES:])
        raise ImageBuildError(f"{tag} could not be built (status {done.returncode})", log_tail=tail)


def _digests(client: Any, labels: list[str]) -> list[str]:
    """The images with these labels, the newest first; others may delete some at any time."""
    return [each["Id"] for each in client.api.images(filters={"label": labels})]


def _tags(client: Any, labels: list[str], name: str) -> list[str]:
    """What the images with these labels are called, as far as it is this name with some tag."""
    images = client.api.images(name=name, filters={"label": labels})
    tags = [tag for each in images for tag in each["RepoTags"] or ()]
    return [tag for tag in tags if tag.rpartition(":")[0] == name]


def _layer_digests(client: Any, digest: str) -> tuple[str, ...]:
    """Of an image; none if others have deleted it meanwhile."""
    import docker

    try:
        return tuple(client.images.get(digest).attrs["RootFS"]["Layers"])
    except docker.errors.ImageNotFound:
        return ()


def _described(client: Any, tag: str, seconds: float, inputs: str, before: set[str]) -> Image:
    image = client.images.get(tag)
    note = ""
    if before and image.id not in before:
        known = {_layer_digests(client, digest) for digest in before}
        if _layer_digests(client, image.id) in known:
            note = "every layer is as before; the digest differs as it covers the time of the build"
        else:
            note = "the same inputs gave other layers before: a step is not reproducible"
    return Image(
        name=tag,
        digest=image.id,
        layers=layers_of(image.history()),
        seconds=seconds,
        inputs=inputs,
        note=note,
    )


_STEPS = (  # in the instruction -> what it is
    (r"COPY /tree ", "libraries"),
    (r"ADD model.tar ", "model"),
    (r"ADD code.tar ", "code"),
    (r"COPY /rootfs ", "all files"),
)


def layers_of(history: Sequence[Mapping[str, Any]]) -> tuple[Layer, ...]:
    """The steps that added files, the base's as one.

    Args:
        history: of an image, as the SDK gives it: the last step first.
    """
    base, ours = 0, []
    for step in reversed(history):
        if not step["Size"]:
            continue
        instruction = " ".join(step["CreatedBy"].split())
        name = next((name for text, name in _STEPS if re.search(text, instruction)), None)
        if name is None:
            base += step["Size"]
        else:
            ours.append(Layer(name, instruction.removesuffix(" # buildkit"), step["Size"]))
    return (Layer("base", "FROM", base), *ours) if base else tuple(ours)
