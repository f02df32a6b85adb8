"""The commands, as a user types them."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

import mlref
from mlref import resources
from mlref.artifact import Artifact
from mlref.cli import app
from mlref.study.selection import parameters_of


def _commands(group: Any, before: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """The words of every command, those of groups too."""
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from _commands(command, (*before, name))
        else:
            yield (*before, name)


COMMANDS = sorted(_commands(typer.main.get_command(app)))


def _mlref(*words: str) -> tuple[int, str]:
    """The exit status and everything printed."""
    done = CliRunner().invoke(app, words, env={"COLUMNS": "80", "TERM": "dumb"})
    return done.exit_code, done.output


def _notebook(folder: Path, name: str, source: str) -> None:
    folder.mkdir(exist_ok=True)
    cells = [
        {
            "id": f"cell-{number}",
            "cell_type": "code",
            "metadata": {"tags": tags},
            "source": text,
            "outputs": [],
            "execution_count": None,
        }
        for number, (text, tags) in enumerate([("seed = 0", ["parameters"]), (source, [])])
    ]
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    content = {"cells": cells, "metadata": {"kernelspec": kernel}}
    content |= {"nbformat": 4, "nbformat_minor": 5}
    (folder / name).write_text(json.dumps(content))


def test_version() -> None:
    """The version is the package's."""
    assert _mlref("--version") == (0, f"mlref {mlref.__version__}\n")


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_each_command_has_help_with_an_example(command: tuple[str, ...]) -> None:
    """The help shows how the command is typed, within 80 columns."""
    status, text = _mlref(*command, "--help")
    assert status == 0
    assert f"Example: mlref {' '.join(command)}" in text
    assert max(len(line) for line in text.splitlines()) <= 80


def test_help_lists_every_command() -> None:
    """Without a command, the commands are listed."""
    _, text = _mlref("--help")
    assert {"run", "serve", "doctor", "init", "labs", "watch", "drill"} <= {c[0] for c in COMMANDS}
    assert all(command[0] in text for command in COMMANDS)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["run", "77"], "error: no notebook is called '77'; there are:"),
        (["run", "-p", "sed", "3"], "error: 00_a has no parameter 'sed'; it has: seed"),
        (["run", "-p", "sed=3"], "error: 00_a has no parameter 'sed'; it has: seed"),
        (["run", "-p", "seed", "-5x"], "error: seed must be an integer, got '-5x'"),
        (["run", "-p", "seed=abc"], "error: seed must be an integer, got 'abc'"),
    ],
)
def test_mistakes_are_told_without_a_traceback(
    tmp_path: Path, words: Sequence[str], message: str
) -> None:
    """What mlref refuses is one clear message and exit status 1; nothing is written."""
    _notebook(tmp_path / "nb", "00_a.ipynb", "1")
    where = ["--notebooks", str(tmp_path / "nb"), "--out", str(tmp_path / "out")]
    status, text = _mlref(*words, *where)
    assert status == 1
    assert text.startswith(message)
    assert "Traceback" not in text
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("words", "near", "others"),
    [
        (("serv",), "serve", ("run", "doctor", "labs", "cloud")),
        (("cloud", "lst"), "ls", ("start", "status", "nuke")),
        (("containers", "buidl"), "build", ("run", "scan")),
        (("labs", "chekc"), "check", ("list", "hint")),
        (("cards", "exprt"), "export", ()),
    ],
)
def test_a_command_that_is_none_is_told_which_there_are(
    words: tuple[str, ...], near: str, others: tuple[str, ...]
) -> None:
    """The one that may be meant, and all the others of its group."""
    code, printed = _mlref(*words)
    told = " ".join(printed.replace("│", " ").split())
    assert code == 2
    assert f"No such command '{words[-1]}'. Did you mean {near}? There are: " in told
    listed = told.split("There are: ")[1].split(".")[0].split(", ")
    assert {near, *others} <= set(listed)


def test_half_a_parameter_is_a_usage_error() -> None:
    """A name without a value is told as such."""
    status, text = _mlref("run", "-p", "seed")
    assert status != 0
    assert "takes a name and a value" in text


def test_serving_what_is_not_an_artefact_is_one_message(tmp_path: Path) -> None:
    """An empty folder is refused by the artefact's own error."""
    status, text = _mlref("serve", str(tmp_path), "--port", "0")
    assert status == 1
    assert text.startswith("error: ")
    assert "Traceback" not in text


@pytest.mark.parametrize("host", ["192.0.2.1", "nosuch.invalid"])
def test_serving_where_nobody_can_listen_is_one_message(colours: Artifact, host: str) -> None:
    """The address of another machine (RFC 5737) and no name at all (RFC 6761) are refused."""
    status, text = _mlref("serve", str(colours.folder), "--host", host)
    assert status == 1
    assert text.startswith(f"error: cannot listen on port 8000 of {host} (")
    assert text.count("\n") == 1
    assert "Traceback" not in text


def test_serving_another_path_tells_what_it_is(colours: Artifact) -> None:
    """Nothing, a file and a folder of artefacts are each told as such, in one line."""
    folder = colours.folder
    for path, message in [
        (folder / "none", "no such folder; mlref run 01 packs models"),
        (folder / "manifest.json", "that is a file, an artefact is a folder"),
        (folder.parent, f"no artefact itself; the artefacts below it are {folder.name}"),
    ]:
        status, text = _mlref("serve", str(path))
        assert status == 1
        assert text.startswith(f"error: {path}: {message}")
        assert text.count("\n") == 1


def test_the_example_of_serve_is_what_the_notebook_packs() -> None:
    """The folder in the help is one that notebook 01 makes."""
    _, text = _mlref("serve", "--help")
    assert "mlref serve build/runs/01/champion" in text
    notebook = resources.folder("notebooks") / "01_deployment_steps.ipynb"
    assert parameters_of(notebook)["out"] == "build/runs"
    cells = json.loads(notebook.read_text("utf-8"))["cells"]
    source = "\n".join("".join(cell["source"]) for cell in cells)
    assert '"champion": (' in source
    assert "{out}/01/{name}" in source


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ((), "name an artefact's folder"),
        (("FOLDER", "--set", "foo=1"), "a setting looks like max_in_flight=64, got 'foo=1'"),
        (("FOLDER", "--set", "max_in_flight=many"), "must be a whole number, got 'many'"),
        (("FOLDER", "--set", "max_in_flight=0"), "must be a number of at least 1, got 0"),
        (("FOLDER", "--cache", "foo"), "the cache must be none, memory, redis://"),
        (("--repository", "nowhere"), "is no folder; a repository is a folder of artefacts"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_serve_says_what_is_wrong_with_its_options(
    colours: Artifact, words: tuple[str, ...], told: str
) -> None:
    """What was got and what is allowed, without a traceback."""
    given = [str(colours.folder) if word == "FOLDER" else word for word in words]
    status, text = _mlref("serve", *given)
    assert status != 0
    assert told in " ".join(text.replace("│", " ").split())


def test_run_documents_both_forms_of_a_parameter() -> None:
    """The help names two words and NAME=VALUE."""
    _, text = _mlref("run", "--help")
    assert "NAME VALUE" in text
    assert "NAME=VALUE" in text


def test_a_folder_that_cannot_be_made_is_one_message(tmp_path: Path) -> None:
    """Where nothing can be written, nothing runs."""
    _notebook(tmp_path / "nb", "00_a.ipynb", "1")
    (tmp_path / "file").touch()
    out = tmp_path / "file" / "x"
    status, text = _mlref("run", "--notebooks", str(tmp_path / "nb"), "--out", str(out))
    assert status == 1
    assert text.startswith(f"error: {out}/notebooks: the folder cannot be made (")
    assert text.endswith("choose another with --out\n")


def test_python_m_mlref_is_the_command(tmp_path: Path) -> None:
    """`python -m mlref` does what `mlref` does."""
    command = [sys.executable, "-m", "mlref", "--version"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stdout == f"mlref {mlref.__version__}\n"


def test_run_shows_and_saves_what_happened(tmp_path: Path) -> None:
    """A good run ends with status 0, two plain lines a notebook, and its reports."""
    _notebook(tmp_path / "nb", "00_a.ipynb", "assert seed == 3")
    where = ["--notebooks", str(tmp_path / "nb"), "--out", str(tmp_path / "out")]
    status, text = _mlref("run", "0", "-p", "seed", "3", *where)
    assert status == 0
    lines = text.splitlines()
    assert lines[0] == "[1/1] 00_a"
    assert lines[1].startswith("✓ passed  00_a  3/3 cells")
    assert lines[2].startswith("1 of 1 notebook passed in ")
    assert "\x1b" not in text
    assert json.loads((tmp_path / "out" / "summary.json").read_text())["passed"] is True
    assert (tmp_path / "out" / "junit.xml").is_file()


def test_doctor_prints_json() -> None:
    """The JSON says whether the core works."""
    status, text = _mlref("doctor", "--json")
    assert status == 0
    assert json.loads(text)["healthy"] is True


def test_importing_the_commands_is_light() -> None:
    """Neither the notebook tools nor the data tools are loaded until a command needs them."""
    code = (
        "import sys, mlref.cli, mlref.study.runner, mlref.study.report; "
        "heavy = {'papermill', 'nbconvert', 'nbformat', 'pandas', 'onnxruntime', 'psutil'}; "
        "print(sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
