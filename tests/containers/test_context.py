"""What an image is built from, and nothing else."""

from __future__ import annotations

import marshal
import shutil
import tarfile
import threading
from pathlib import Path
from typing import Any

import pytest

from mlref import artifact, errors
from mlref.containers import context


@pytest.fixture(autouse=True)
def _wheels(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two small wheels instead of forty megabytes: what is in them does not matter here."""
    folder = tmp_path_factory.mktemp("wheels")
    (folder / "demo-1.0-py3-none-any.whl").write_bytes(b"demo")
    monkeypatch.setattr(context, "fetch_wheels", lambda _: folder)


@pytest.fixture
def made(tmp_path: Path, colours: artifact.Artifact) -> Path:
    """A context."""
    context.make_context(colours, tmp_path / "context")
    return tmp_path / "context"


@pytest.fixture
def trees(made: Path, tmp_path: Path) -> Path:
    """What the archives of a context hold."""
    for name in ("model.tar", "code.tar"):
        with tarfile.open(made / name) as archive:
            archive.extractall(tmp_path / "trees", filter="data")
    return tmp_path / "trees"


def _times(folder: Path) -> dict[str, int]:
    return {str(p.relative_to(folder)): p.stat().st_mtime_ns for p in folder.rglob("*")}


def _digest(folder: Path, **arguments: str) -> str:
    recipe = folder.parent / "Dockerfile"
    recipe.write_text("FROM scratch\n")
    return context.inputs_digest(folder, recipe, arguments)


def test_it_holds_the_code_that_serves_and_no_other(trees: Path) -> None:
    """Server and artefact are there; training, notebooks, tests and cards are not."""
    package = trees / "opt/mlref/mlref"
    names = {path.name for path in package.iterdir()}
    assert {"serving", "artifact", "schema", "runtime", "errors", "__init__.py"} <= names
    assert not {"models", "flights.py", "study", "containers", "targets", "cli"} & names


def test_the_same_things_give_the_same_context(
    made: Path, tmp_path: Path, colours: artifact.Artifact
) -> None:
    """Made again elsewhere, every byte and every time is the same."""
    again = tmp_path / "elsewhere" / "context"
    context.make_context(colours, again)
    assert _digest(again) == _digest(made)
    assert _times(again) == _times(made)


def test_another_content_of_the_same_size_has_another_time(
    made: Path, tmp_path: Path, colours: artifact.Artifact
) -> None:
    """A builder fetches no file again whose size and time it knows: it would build the old code."""
    package = tmp_path / "mlref"
    shutil.copytree(Path(context.__file__).parents[1], package)
    text = (package / "schema/rows.py").read_text()
    (package / "schema/rows.py").write_text(text.replace("Rows", "Sowr"))
    again = tmp_path / "again" / "context"
    context.make_context(colours, again, package=package)
    assert (again / "code.tar").stat().st_size == (made / "code.tar").stat().st_size
    assert {name for name, time in _times(again).items() if _times(made)[name] != time} == {
        "code.tar"
    }


@pytest.mark.parametrize("name", ["model.tar", "code.tar", "requirements.txt", "rootfs.py"])
def test_a_change_of_any_input_is_another_digest(made: Path, name: str) -> None:
    """One byte more in a file of the context is seen."""
    before = _digest(made)
    with (made / name).open("ab") as file:
        file.write(b"#")
    assert _digest(made) != before


def test_the_recipe_and_the_arguments_are_inputs(made: Path) -> None:
    """Another base or target is another digest."""
    assert len({_digest(made), _digest(made, base="a"), _digest(made, base="b")}) == 3


def test_byte_code_tells_nothing_of_this_machine(trees: Path) -> None:
    """Tracebacks name the file as it lies in the image, and no folder of the builder's is left."""
    files = sorted((trees / "opt/bytecode").rglob("*.pyc"))
    sources = list((trees / "opt/mlref").rglob("*.py"))
    assert len(files) == len(sources) > 20
    for file in files:
        code: Any = marshal.loads(file.read_bytes()[16:])  # noqa: S302 - compiled a moment ago
        assert code.co_filename.startswith("/opt/mlref/mlref/")
        assert str(Path(context.__file__).parents[1]).encode() not in file.read_bytes()


def test_another_package_may_be_built_in(tmp_path: Path, colours: artifact.Artifact) -> None:
    """A changed copy of the server's code is what the context holds."""
    package = tmp_path / "mlref"
    shutil.copytree(Path(context.__file__).parents[1], package)
    (package / "__init__.py").write_text("CHANGED = True\n")
    context.make_context(colours, tmp_path / "context", package=str(package))
    with tarfile.open(tmp_path / "context/code.tar") as archive:
        changed = archive.extractfile("opt/mlref/mlref/__init__.py")
        assert changed is not None
        assert changed.read() == b"CHANGED = True\n"


def test_a_package_without_the_server_is_refused(
    tmp_path: Path, colours: artifact.Artifact
) -> None:
    """An image of it would be built, and could not start."""
    package = tmp_path / "mlref"
    shutil.copytree(Path(context.__file__).parents[1], package)
    shutil.rmtree(package / "serving")
    with pytest.raises(errors.ContainerError, match="mlref has no serving, which the server needs"):
        context.make_context(colours, tmp_path / "context", package=package)


def test_two_builds_take_turns(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The place of contexts is empty and belongs to one builder at a time."""
    monkeypatch.setenv("MLREF_CACHE", str(tmp_path))
    entered = threading.Event()

    def wait_for_my_turn() -> None:
        with context.context_folder() as folder:
            assert not folder.exists()
            entered.set()

    other = threading.Thread(target=wait_for_my_turn)
    with context.context_folder() as folder:
        folder.mkdir()
        (folder / "left").touch()
        other.start()
        assert not entered.wait(0.2)
    other.join(5)
    assert entered.is_set()


def test_a_cache_that_cannot_be_written_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The message names the variable that moves it."""
    (tmp_path / "file").touch()
    monkeypatch.setenv("MLREF_CACHE", str(tmp_path / "file"))
    with pytest.raises(errors.ContainerError, match="MLREF_CACHE"), context.context_folder():
        pass
