"""`mlref containers`, as a user types it."""

from __future__ import annotations

import itertools
import json
import os
import shlex
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import typer
from typer.testing import CliRunner

from mlref import containers
from mlref.artifact import Artifact
from mlref.cli import _containers
from mlref.cli._group import Group
from mlref.containers import engine

_ENVIRONMENT = {"COLUMNS": "80", "TERM": "dumb", "NO_COLOR": "1"}
_COMMANDS = ("build", "run", "scan", "context", "ls", "rm")


def _typed(*words: object, answer: str = "", **variables: str) -> tuple[int, str]:
    """The exit status and everything printed, in a terminal of 80 columns without colours."""
    app = typer.Typer(cls=Group)
    app.callback()(lambda: None)
    _containers.add_to(app)
    done = CliRunner().invoke(
        app, ["containers", *map(str, words)], env=_ENVIRONMENT | variables, input=answer
    )
    return done.exit_code, done.output


@pytest.fixture
def here(require: Callable[..., None]) -> None:
    """Docker, or the test is skipped."""
    require("docker", containers.available() is None, str(containers.available()))


@pytest.fixture
def name(here: None, colours: Artifact) -> Iterator[str]:
    """The name of an image of the hand-written graph; its name is taken away after the test."""
    assert here is None
    chosen = f"mlref-test-command-{os.getpid()}:1"
    status, text = _typed("build", colours.folder, "--name", chosen)
    assert status == 0, text
    yield chosen
    engine.connect().images.remove(chosen, force=True)


@pytest.fixture
def labelled(here: None, digits: Any, tmp_path: Path) -> Iterator[str]:
    """A tiny image that says that it serves the digits."""
    assert here is None
    (tmp_path / "Dockerfile").write_text(
        f"FROM scratch\nCOPY Dockerfile /\nLABEL {engine.LABEL}=mlref mlref.inputs=x "
        f"mlref.artifact.digest={digits.artifact.digest}\n"
    )
    tag = f"mlref-test-labelled-{os.getpid()}:1"
    command = [*engine.build_command(), "--quiet", "--tag", tag, str(tmp_path)]
    environment = engine.build_environment()
    subprocess.run(command, env=environment, capture_output=True, check=True)
    yield tag
    client = engine.connect()
    for image in client.images.list(name=tag):
        client.images.remove(image.id, force=True)


def _made_of(image: str | None) -> set[str]:
    """The containers of an image, or all, while others start and delete some."""
    filters = {"ancestor": image} if image else {}
    found = engine.connect().containers.list(all=True, ignore_removed=True, filters=filters)
    return {each.id for each in found}


def test_build_shows_the_layers(name: str, colours: Artifact) -> None:
    """Each step is told, then what each layer adds, then the next command."""
    status, text = _typed("build", colours.folder, "--name", name)
    assert status == 0
    assert f"building {name}" in text
    assert "libraries  " in text
    assert text.endswith(f"run it: mlref containers run {name}\n")


def test_a_name_that_is_taken_over_is_told(name: str, colours: Artifact) -> None:
    """The older image stays, without a name."""
    status, text = _typed("build", colours.folder, "--name", name, "--flavour", "minimal")
    assert status == 0
    assert f"{name} named another image until now" in " ".join(text.split())


def test_scan_writes_the_bill_of_materials(name: str, tmp_path: Path) -> None:
    """A shell is a note, and no reason to fail; the file is CycloneDX."""
    status, text = _typed("scan", name, "--sbom", tmp_path / "bom.json")
    assert status == 0
    assert "note  shell" in text
    assert "1 interpreter" in text
    assert json.loads((tmp_path / "bom.json").read_text())["specVersion"] == "1.6"


def test_scan_ends_with_status_1_if_there_is_an_error(here: None, labelled: str) -> None:
    """The tiny image has no user; so CI can stop there."""
    assert here is None
    status, text = _typed("scan", labelled)
    assert status == 1
    assert "error  root" in text
    assert "do: write `USER 10001:10001`" in text


def test_context_says_how_to_build_it(here: None, colours: Artifact, tmp_path: Path) -> None:
    """The folder has what the recipe asks for, and the command is one that builds."""
    assert here is None
    status, text = _typed("context", colours.folder, tmp_path / "context")
    assert status == 0
    assert (tmp_path / "context/requirements.txt").is_file()
    command = text.partition("\n\n")[2].replace("\\\n", " ")
    checked = subprocess.run(command, shell=True, capture_output=True, text=True, check=False)  # noqa: S602 - as a user pastes it
    assert checked.returncode == 0, checked.stderr
    engine.connect().images.remove(
        f"{colours.manifest.name}:{colours.manifest.version}", force=True
    )


def test_a_folder_that_is_not_empty_is_refused(colours: Artifact, tmp_path: Path) -> None:
    """Nothing is written among files of others."""
    (tmp_path / "file").write_text("")
    status, text = _typed("context", colours.folder, tmp_path)
    assert status == 2
    assert "Invalid value for FOLDER" in text
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_a_context_that_cannot_be_written_is_told(
    here: None, colours: Artifact, tmp_path: Path
) -> None:
    """A file has the name of one of the folders; one line says what to do."""
    assert here is None
    (tmp_path / "file").write_text("")
    status, text = _typed("context", colours.folder, tmp_path / "file/context")
    assert status == 1
    assert "cannot be filled (Not a directory); name an empty folder" in text


def test_without_its_base_no_context_is_written(
    here: None, colours: Artifact, tmp_path: Path
) -> None:
    """Whoever corrects the variable can type the same command again."""
    assert here is None
    folder = tmp_path / "context"
    status, text = _typed("context", colours.folder, folder, MLREF_BASE_IMAGE="mlref-none:1")
    assert status == 1
    assert "there is no image mlref-none:1" in text
    assert not folder.exists()


def test_run_says_how_to_ask_and_ends_with_ctrl_c(name: str) -> None:
    """The command that it prints gives a prediction; after Ctrl-C the container is gone."""
    command = [sys.executable, "-m", "mlref.cli", "containers", "run", name]
    environment = os.environ | _ENVIRONMENT
    with subprocess.Popen(command, stdout=subprocess.PIPE, env=environment, text=True) as process:
        assert process.stdout is not None
        ready, told = ("".join(itertools.takewhile("\n".__ne__, process.stdout)) for _ in range(2))
        words = shlex.split(told.replace("\\\n", " "))
        assert words[:2] == ["curl", "-s"]
        answer = httpx.post(words[2], content=words[-1], headers=dict([words[4].split(": ")]))
        process.send_signal(signal.SIGINT)
        rest = process.stdout.read()
    assert ready.startswith("ready at http://")
    assert len(answer.json()["predictions"]) == 1
    assert process.returncode == 0
    assert rest.endswith("stopping; requests that have begun are answered\n")
    assert _made_of(name) == set()


def test_ls_names_images_and_containers(name: str) -> None:
    """The image with its size, and a container of it, also where that was told a digest."""
    image = engine.find_image(engine.connect(), name)
    with containers.run(image.id, drain_timeout_s=0) as container:
        status, text = _typed("ls")
    assert status == 0
    assert name in text
    (row,) = (line for line in text.splitlines() if line.startswith(container.id[:12]))
    assert row.split()[1] in image.tags


def test_rm_asks_first(here: None, labelled: str) -> None:
    """Whoever does not say yes keeps everything."""
    assert here is None
    status, text = _typed("rm", "--images", answer="n\n")
    assert status == 1
    assert "of mlref? [y/N]" in text
    assert engine.connect().images.get(labelled)


def test_rm_deletes_what_serves_one_model(name: str, labelled: str, digits: Any) -> None:
    """Its containers and images, and nobody else's."""
    client = engine.connect()
    made = client.containers.create(labelled, ["never-run"], labels=engine.labels())
    with containers.run(name, drain_timeout_s=0) as other:
        status, text = _typed("rm", digits.artifact.folder, "--images", "--yes")
        assert other.state().running
    assert status == 0
    assert text.startswith("deleted 1 container and ")
    assert client.images.list(name=labelled) == []
    assert made.id not in _made_of(None)
    assert client.images.get(name)


def test_rm_of_an_image_says_how_to_delete_it(name: str) -> None:
    """The command takes a model's folder; the message has the one for an image."""
    status, text = _typed("rm", name, "--yes")
    assert status == 2
    assert "is an image, and rm takes the folder" in " ".join(text.replace("│", "").split())
    assert "docker image rm mlref-test-command" in " ".join(text.replace("│", "").split())
    assert engine.find_image(engine.connect(), name)


def test_ls_says_how_to_delete_images_without_a_name(name: str, colours: Artifact) -> None:
    """Another build took the name over."""
    assert _typed("build", colours.folder, "--name", name, "--flavour", "minimal")[0] == 0
    status, text = _typed("ls")
    assert status == 0
    if "older ones" in text:  # the image may have another name, too
        assert "to delete those: docker image prune --filter label=mlref.inputs" in text


@pytest.mark.parametrize("words", [("ls",), ("scan", "x"), ("run", "x"), ("rm", "--yes")])
def test_without_docker_one_line_says_what_to_do(words: tuple[str, ...]) -> None:
    """No traceback, status 1."""
    status, text = _typed(*words, DOCKER_HOST="unix:///nowhere.sock")
    assert status == 1
    assert text.startswith("error: ")
    assert len(text.splitlines()) == 1


@pytest.mark.parametrize(
    ("words", "status", "said"),
    [
        (("scan", "mlref-none:1"), 1, "there is no image mlref-none:1 here"),
        (("run", "No Name"), 1, "'No Name' is no name of an image"),
        (("run", "./none"), 1, "none: no such folder"),
        (("run", "runs/none"), 1, "and there is no folder 'runs/none'"),
        (("run", "x" * 300), 1, "error: "),
        (("run", "~nobody-of-that-name/x"), 1, "no such folder"),
        (("run", ""), 1, "'' is no name of an image"),
        (("build", "/"), 1, "/"),
        (("run", "nosuch"), 1, "no folder 'nosuch', which could be a packed model's"),
        (("build", Path(__file__).parent), 1, "is no packed model: it has no manifest.json"),
        (("build", ".", "--flavour", "tiny"), 2, "'--flavour': 'tiny' is none of service"),
        (("rm", "mlref-none:1"), 1, "mlref-none:1: no such folder"),
        (("build", __file__), 1, "that is a file, an artefact is a folder"),
    ],
)
def test_wrong_input_is_told(here: None, words: tuple[str, ...], status: int, said: str) -> None:
    """An image that is not there, a name that none can have, and folders that are no artefact."""
    assert here is None
    found, text = _typed(*words)
    assert (found, said in text) == (status, True), text


def test_a_flavour_goes_with_an_artefact(name: str) -> None:
    """An image has one already."""
    status, text = _typed("scan", name, "--flavour", "minimal")
    assert status == 2
    assert "goes with an artefact's folder" in " ".join(text.split())


@pytest.mark.parametrize("command", _COMMANDS)
def test_help_has_an_example_and_fits_80_columns(command: str) -> None:
    """The help shows how the command is typed."""
    status, text = _typed(command, "--help")
    assert status == 0
    assert f"Example: mlref containers {command}" in text
    assert max(len(line) for line in text.splitlines()) <= 80
