"""`mlref containers`: images and containers of a model in the terminal."""

from __future__ import annotations

import json
import shlex
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer
from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from mlref.cli._group import group
from mlref.errors import ArtifactMissingFileError, ContainerError

if TYPE_CHECKING:
    from mlref.artifact import Artifact
    from mlref.containers import Finding, Image, ScanReport

__all__ = ["add_to"]

_MANIFEST = "manifest.json"
_SHORT_ID = 12
_COLUMNS = 78
_FLAVOURS = ("service", "minimal")
_KINDS = {
    "file": "shared objects",
    "library": "libraries",
    "machine-learning-model": "model",
    "operating-system": "distribution",
    "platform": "interpreter",
}
_STYLES = {"error": "bold red", "warning": "yellow", "note": "cyan"}

_containers = group(
    "Images and containers of a model; they need Docker.",
    "Example: mlref containers run build/runs/01/champion",
)

_Artifact = Annotated[
    Path, typer.Argument(metavar="ARTIFACT", help="The folder of a packed model.")
]
_Either = Annotated[
    str, typer.Argument(metavar="ARTIFACT|IMAGE", help="A packed model's folder, or an image.")
]


def _flavour(given: str) -> str:
    """A flavour as it was typed; typer's own words for any other begin with "Value error"."""
    if given not in _FLAVOURS:
        raise typer.BadParameter(f"{given!r} is none of {', '.join(_FLAVOURS)}")
    return given


_Flavour = Annotated[
    Literal["service", "minimal"] | None,
    typer.Option(
        parser=_flavour,
        metavar=f"[{'|'.join(_FLAVOURS)}]",
        help="service (the default), or minimal: smaller, no shell.",
    ),
]


def add_to(app: typer.Typer) -> None:
    """Give an application the command `containers`."""
    app.add_typer(_containers, name="containers")


@_containers.command("build", epilog="Example: mlref containers build flights-1.0.0")
def _build(
    artifact: _Artifact,
    flavour: _Flavour = None,
    base: Annotated[
        str | None, typer.Option(metavar="IMAGE", help="What to start from; else found or made.")
    ] = None,
    name: Annotated[
        str | None, typer.Option(metavar="NAME:TAG", help="Its name; else of the model's name.")
    ] = None,
) -> None:
    """Build the image that serves a model, and show what each layer adds."""
    console = Console(highlight=False)
    image = _built(console, artifact, flavour, base=base, name=name)
    console.print(Text(f"\n{image.table()}\n"))
    if image.note:
        console.print(Text(f"note: {image.note}"))
    console.print(Text(f"run it: mlref containers run {image.name}"), soft_wrap=True)


@_containers.command("run", epilog="Example: mlref containers run flights-1.0.0")
def _run(given: _Either, flavour: _Flavour = None) -> None:
    """Run a model in a container, read-only and limited, until Ctrl-C."""
    from mlref import containers

    console = Console(highlight=False)
    image = _image(console, given, flavour)
    with containers.run(image) as container:
        container.wait_ready()
        _tell_how_to_ask(console, container)
        try:
            _follow(container.id)
        except KeyboardInterrupt:
            console.print("\nstopping; requests that have begun are answered")
            return
        raise ContainerError(f"the container ended: {container.explain()}")


@_containers.command("scan", epilog="Example: mlref containers scan flights-1.0.0 --sbom bom.json")
def _scan(
    given: _Either,
    flavour: _Flavour = None,
    dockerfile: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Its recipe; else that of mlref's images.")
    ] = None,
    sbom: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write the bill of materials there.")
    ] = None,
) -> None:
    """Tell who is root in an image and what it is made of; status 1 if there is an error.

    The image is not run. Vulnerabilities are not looked up.
    """
    from mlref import containers
    from mlref.containers import engine, images
    from mlref.runtime import files

    console = Console(highlight=False)
    image = _image(console, given, flavour)
    if dockerfile is None and "mlref.inputs" in engine.find_image(engine.connect(), image).labels:
        dockerfile = images.dockerfile()
    report = containers.scan(image, dockerfile=dockerfile)
    if sbom is not None:
        files.write_json(sbom, report.sbom)
    _show(console, report, sbom)
    if any(finding.level == "error" for finding in report.findings):
        raise typer.Exit(1)


@_containers.command("context", epilog="Example: mlref containers context flights-1.0.0 context")
def _context(
    artifact: _Artifact,
    folder: Annotated[
        Path, typer.Argument(metavar="FOLDER", help="Where to write it; empty, or not there yet.")
    ],
) -> None:
    """Write the folder that an image is built from, to build it with your own tools."""
    from mlref.containers import engine, images
    from mlref.containers.base import base_image, python_tag
    from mlref.containers.context import make_context

    if folder.exists() and not (folder.is_dir() and not any(folder.iterdir())):
        text = "it must be an empty folder, or not there yet"
        raise typer.BadParameter(f"{folder}: {text}", param_hint="FOLDER")
    loaded = _loaded(artifact)
    command, base = ["docker", "build"], python_tag()
    if engine.available() is None:
        command, base = list(engine.build_command()), base_image(pull=False, tell=None)
    make_context(loaded, folder)
    lines = [
        f"DOCKER_BUILDKIT=1 {shlex.join(command)} --network=none",
        f"-f {shlex.quote(str(images.dockerfile()))} --target service",
        *([f"--build-arg BASE_IMAGE={base}"] if base != python_tag() else []),
        f"-t {images.tag_of(loaded)} {shlex.quote(str(folder))}",
    ]
    console = Console(highlight=False)
    console.print(Text(f"{folder} is written; build the image:\n"), soft_wrap=True)
    console.print(Text("  " + " \\\n    ".join(lines)), soft_wrap=True)


@_containers.command("ls", epilog="Example: mlref containers ls")
def _ls() -> None:
    """List the images and the containers of mlref."""
    from mlref.containers import engine

    client = engine.connect()
    ours = {"label": [engine.LABEL]}
    images = client.api.images(filters={"label": ["mlref.inputs", engine.LABEL]})
    named = [each for each in images if _names(each)]
    console = Console(highlight=False)
    table = _table("image", "MB", "digest")
    for each in named:
        for name in _names(each):
            table.add_row(name, f"{each['Size'] / 1e6:.0f}", _short(each["Id"]))
    running = _table("container", "image", "state")
    found = client.api.containers(all=True, filters=ours)
    names = {each["Id"]: _names(each)[0] for each in named}
    for each in found:
        image = names.get(each["ImageID"], _short(each["ImageID"]))
        running.add_row(each["Id"][:_SHORT_ID], image, each["Status"])
    console.print(table if named else "no image; build one: mlref containers build ARTIFACT")
    if len(images) > len(named):
        console.print(f"and {len(images) - len(named)} older ones, whose names others took over;")
        console.print("to delete those: docker image prune --filter label=mlref.inputs")
    console.print()
    console.print(running if found else "no container; run one: mlref containers run ARTIFACT")


@_containers.command("rm", epilog="Example: mlref containers rm flights-1.0.0 --images")
def _rm(
    artifact: Annotated[
        Path | None, typer.Argument(metavar="ARTIFACT", help="Only what serves this model.")
    ] = None,
    images: Annotated[  # noqa: FBT002 - typer's flag
        bool, typer.Option("--images", help="The images, too; their bases stay.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,  # noqa: FBT002
) -> None:
    """Delete the containers of mlref, also those that run; it asks first."""
    from mlref import containers
    from mlref.containers import engine

    only = None if artifact is None else _to_delete(artifact)
    label = engine.LABEL if only is None else f"mlref.artifact.digest={only.digest}"
    api = engine.connect().api
    what = [_count(len(api.containers(all=True, filters={"label": [label]})), "container")]
    if images:
        labels = ["mlref.inputs", engine.LABEL, label]
        what.append(_count(len(api.images(filters={"label": labels})), "image"))
    if not yes:
        whose = "of mlref" if only is None else f"of {only.manifest.name} {only.manifest.version}"
        typer.confirm(f"delete {' and '.join(what)} {whose}?", abort=True)
    done = [_count(containers.remove_containers(label), "container")]
    if images:
        done.append(_count(containers.remove_images(only), "image"))
    typer.echo(f"deleted {' and '.join(done)}")


def _to_delete(folder: Path) -> Artifact:
    """The artefact in a folder; of an image's name it is told how to delete that."""
    from mlref.containers import engine

    if not folder.exists():
        with suppress(ContainerError):  # no image either: what is wrong with the folder is told
            engine.find_image(engine.connect(), str(folder))
            text = f"{folder} is an image, and rm takes the folder of a packed model"
            hint = f"this image alone: docker image rm {shlex.quote(str(folder))}"
            raise typer.BadParameter(f"{text}; {hint}", param_hint="ARTIFACT")
    return _loaded(folder)


def _loaded(folder: Path) -> Artifact:
    """The artefact in a folder; the message for any other path says what it is instead."""
    from mlref import artifact
    from mlref.study import artifacts

    artifacts.refuse_others(folder)
    if not (folder / _MANIFEST).is_file():
        text = f"{folder} is no packed model: it has no {_MANIFEST}"
        raise ArtifactMissingFileError(
            f"{text}; mlref run 01 packs models, its last line names one", file=_MANIFEST
        )
    return artifact.load(folder)


def _built(
    console: Console,
    folder: Path,
    flavour: Literal["service", "minimal"] | None,
    *,
    base: str | None = None,
    name: str | None = None,
) -> Image:
    """The image of an artefact; each step is told."""
    from mlref import containers

    def tell(line: str) -> None:
        console.print(Text(line, style="dim"), soft_wrap=True)

    loaded = _loaded(folder)
    return containers.build(loaded, flavour=flavour or "service", base=base, name=name, tell=tell)


def _image(console: Console, given: str, flavour: Literal["service", "minimal"] | None) -> str:
    """The digest or name of an image: that of an artefact is built, any other must be there."""
    from mlref.containers import engine

    path, here = Path(given), False
    with suppress(OSError, RuntimeError):  # too long for a file; the home of nobody
        path = path.expanduser()
        here = bool(given) and path.exists()
    if here or given.startswith((".", "/", "~")):
        return _built(console, path, flavour).name
    try:
        engine.find_image(engine.connect(), given)
    except ContainerError as error:
        text = f"{error}; and there is no folder {given!r}, which could be a packed model's"
        raise ContainerError(text) from error
    if flavour is not None:
        text = "goes with an artefact's folder; an image has one already"
        raise typer.BadParameter(text, param_hint="--flavour")
    return given


def _tell_how_to_ask(console: Console, container: Any) -> None:
    """Where it answers, and a command that asks it for a golden row."""
    console.print(Text(f"ready at {container.url}; Ctrl-C stops it\n", style="bold"))
    row = _golden_row(container.id)
    if row is None:
        console.print(Text(f"  curl -s {container.url}/health/ready\n"), soft_wrap=True)
        return
    lines = ['{"instances": [{']
    cells = [f"{json.dumps(name)}: {json.dumps(value)}" for name, value in row.items()]
    for number, cell in enumerate(cells):
        text = cell + (", " if number < len(cells) - 1 else "}]}")
        if len(lines[-1]) + len(text) > _COLUMNS:
            lines.append("  ")
        lines[-1] += text
    body = shlex.quote("\n".join(line.rstrip() for line in lines))
    command = f"curl -s {container.url}/v1/predict -H 'content-type: application/json' -d"
    console.print(Text(f"{command} \\\n{body}\n"), soft_wrap=True)


def _golden_row(container: str) -> dict[str, Any] | None:
    """The first golden row of the artefact in a container; None if it holds none."""
    import io
    import tarfile

    import docker

    from mlref.containers import engine

    try:
        chunks, _ = engine.connect().api.get_archive(container, "/opt/ml/model/golden.json")
    except docker.errors.NotFound:
        return None
    with tarfile.open(fileobj=io.BytesIO(b"".join(chunks))) as archive:
        content = archive.extractfile("golden.json")
        row: dict[str, Any] | None = json.load(content)["instances"][0] if content else None
    return row


def _follow(container: str) -> None:
    """Print what a container prints from now on, until it ends."""
    from mlref.containers import engine

    for line in engine.connect().containers.get(container).logs(stream=True, follow=True, tail=0):
        typer.echo(line, nl=False)


def _show(console: Console, report: ScanReport, sbom: Path | None) -> None:
    """A report that 80 columns hold: each finding as a paragraph."""
    console.print(Text(f"{report.name}  {_short(report.digest)}", style="bold"), soft_wrap=True)
    for finding in report.findings:
        _show_finding(console, finding)
    if not report.findings:
        console.print("\nnothing was found")
    parts = [f"{count} {_KINDS.get(kind, kind)}" for kind, count in report.components.items()]
    console.print(Text(f"\nmade of {', '.join(parts)}"))
    if sbom is None:
        console.print("--sbom FILE writes what it is made of; no vulnerability was looked up")
    else:
        console.print(Text(f"written to {sbom} (CycloneDX 1.6); look up vulnerabilities:"))
        console.print(Text(f"  trivy sbom {shlex.quote(str(sbom))}"), soft_wrap=True)


def _show_finding(console: Console, finding: Finding) -> None:
    head = Text.assemble("\n", (finding.level, _STYLES[finding.level]), f"  {finding.rule}")
    console.print(head)
    console.print(Padding(Text(finding.found), (0, 0, 0, 2)))
    for word, text in (("why", finding.why), ("do", finding.advice)):
        console.print(Padding(Text(f"{word}: {text}", style="dim"), (0, 0, 0, 4)))


def _table(*columns: str) -> Table:
    table = Table(box=None, pad_edge=False)
    for name in columns:
        table.add_column(name, justify="right" if name == "MB" else "left", overflow="fold")
    return table


def _names(image: dict[str, Any]) -> list[str]:
    return [name for name in image["RepoTags"] or [] if name != "<none>:<none>"]


def _short(digest: str) -> str:
    return digest.removeprefix("sha256:")[:_SHORT_ID]


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
