"""The notebooks' command: build, execute and pull, each in a folder of its own."""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbformat import NotebookNode
from support.notebooks import (
    CELLS,
    PARAMETERS,
    PROSE,
    STEM,
    SUM,
    TITLE,
    change,
    execute,
    pretend,
    refuse,
    result,
    stream,
    write_source,
)

import nb
import nb_files
from mlref.errors import NotebookError
from mlref.study.percent import Cell, parse

# Build


def test_build_writes_a_notebook_of_format_4_5(tmp_path: Path) -> None:
    """The notebook is valid, has only kernelspec and tags as metadata, and indent 1."""
    write_source(tmp_path, *CELLS)
    assert "written, new, not executed" in nb.build(tmp_path, STEM)
    text = nb_files.notebook_path(tmp_path, STEM).read_text(encoding="utf-8")
    notebook = nbformat.reads(text, as_version=4)
    nbformat.validate(notebook)
    content = json.loads(text)
    assert (content["nbformat"], content["nbformat_minor"]) == (4, 5)
    assert list(content["metadata"]) == ["kernelspec"]
    assert content["metadata"]["kernelspec"]["name"] == "python3"
    assert [cell["metadata"] for cell in content["cells"]] == [
        {},
        {"tags": ["parameters"]},
        {"tags": ["note"]},
        {},
    ]
    assert content["cells"][2]["source"] == ["Prose.\n", "\n", "> A note."]
    assert text.startswith('{\n "cells"')
    assert text.endswith("}\n")


def test_ids_come_from_the_content() -> None:
    """A new cell leaves the ids of the others alone; equal cells get different ids."""
    before = [cell.id for cell in nb_files.build_notebook(CELLS).cells]
    after = [cell.id for cell in nb_files.build_notebook([TITLE, SUM, *CELLS[1:]]).cells]
    assert after[:1] + after[2:-1] == before[:-1]
    assert after[1] == before[-1]
    assert after[-1] == f"{before[-1]}-2"
    assert all(re.fullmatch(r"[a-zA-Z0-9-_]{1,64}", id_) for id_ in after)
    retagged = nb_files.build_notebook([*CELLS[:3], Cell("code", ("slow",), SUM.source)])
    assert [cell.id for cell in retagged.cells] == before


def test_build_keeps_outputs_while_the_code_is_the_same(tmp_path: Path) -> None:
    """New prose does not cost a run; new code or another order drops every output."""
    path = execute(tmp_path, *CELLS, outputs=(stream("2\n"),))
    write_source(tmp_path, TITLE, PARAMETERS, Cell("markdown", (), "Better prose."), SUM)
    assert nb.build(tmp_path, STEM).endswith("written, outputs kept")
    assert nb_files.load_notebook(path).cells[-1].outputs == [stream("2\n")]
    write_source(tmp_path, TITLE, PARAMETERS, PROSE, Cell("code", (), "1 + 2"))
    assert "outputs dropped" in nb.build(tmp_path, STEM)
    assert nb_files.load_notebook(path).cells[-1].outputs == []
    assert not nb_files.is_executed(nb_files.load_notebook(path))
    assert nb.build(tmp_path, STEM).endswith("unchanged, not executed")


def test_build_of_an_unchanged_source_writes_nothing(tmp_path: Path) -> None:
    """The same source gives the same bytes, and the file is not touched."""
    path = execute(tmp_path, *CELLS)
    before = path.stat().st_mtime_ns
    assert nb.build(tmp_path, STEM).endswith("unchanged, outputs kept")
    assert path.stat().st_mtime_ns == before


# Execute


@pytest.fixture(scope="module")
def executed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with one notebook that was executed in a real kernel."""
    root = tmp_path_factory.mktemp("repository") / "notebooks"
    write_source(
        root,
        TITLE,
        PARAMETERS,
        Cell("code", (), "import os\nimport sys\nfrom pathlib import Path"),
        Cell("code", (), 'print(Path.cwd().name)\nprint("warned", file=sys.stderr)\nprint("b")'),
        Cell("code", ("nbval-ignore-output",), 'os.environ["PYTHONHASHSEED"]'),
        Cell("code", ("raises-exception",), 'import json\n\njson.loads("{")'),
        Cell("code", (), "_ = sum(i * i for i in range(1_000_000))"),
    )
    message = nb.execute(root, STEM)
    assert re.search(r"written, executed in \d+\.\d CPU-s$", message)
    assert float(message.split()[-2]) > 0
    return root


def test_executed_notebook_passes_check(executed: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What a kernel wrote is in order, with nothing in it of this machine or this run."""
    assert nb.main(["check", "--root", str(executed)]) == 0
    assert capsys.readouterr().out == "1 notebooks checked, 0 problems\n"


def test_executed_outputs_are_those_of_the_kernel(executed: Path) -> None:
    """The run has the notebooks' folder, a fixed hash seed, joined streams, no foreign frames."""
    cells = nb_files.load_notebook(nb_files.notebook_path(executed, STEM)).cells
    assert [(out.name, out.text) for out in cells[3].outputs] == [
        ("stdout", "notebooks\nb\n"),
        ("stderr", "warned\n"),
    ]
    assert cells[4].outputs[0].data["text/plain"] == "'0'"
    error = cells[5].outputs[0]
    frames = [nb_files.ANSI.sub("", part) for part in error.traceback]
    assert error.ename == "JSONDecodeError"
    assert [frame for frame in frames if frame.startswith("Cell In[5], line 3")]
    assert not [frame for frame in frames if "json/" in frame]
    assert all(set(cell.metadata) <= {"tags"} for cell in cells)


def test_executed_notebook_passes_strict_nbval(executed: Path) -> None:
    """A second run gives the same outputs, compared one by one."""
    command = [sys.executable, "-m", "pytest", "-q", "-c", os.devnull, "--rootdir", str(executed)]
    command += ["-p", "no:cacheprovider", "--nbval", str(nb_files.notebook_path(executed, STEM))]
    environment = {**os.environ, "PYTHONHASHSEED": "0"}
    run = subprocess.run(
        command, cwd=executed, env=environment, capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, run.stdout
    assert "6 passed" in run.stdout


def test_failed_cell_leaves_the_notebook_untouched(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A failing cell is printed with its error, the status is 1, the old file stays."""
    path = execute(tmp_path, *CELLS)
    before = path.read_bytes()
    write_source(tmp_path, *CELLS, Cell("code", (), 'price = 3\nraise ValueError("too dear")'))
    assert nb.main(["execute", "--root", str(tmp_path)]) == 1
    error = capsys.readouterr().err
    assert f"{STEM}.ipynb: cell 5 failed" in error
    assert "price = 3\nraise ValueError" in error
    assert "ValueError: too dear" in error
    assert path.read_bytes() == before


def test_execute_runs_only_what_changed(tmp_path: Path) -> None:
    """Unchanged code is not run again, new prose is taken over; force runs in any case."""
    path = execute(tmp_path, *CELLS, outputs=(stream("2\n"),))
    write_source(tmp_path, TITLE, PARAMETERS, Cell("markdown", (), "Better prose."), SUM)
    assert nb.execute(tmp_path, STEM, runner=refuse).endswith("its code is as last executed")
    assert nb_files.load_notebook(path).cells[2].source == "Better prose."
    nb.execute(tmp_path, STEM, force=True, runner=pretend(stream("3\n")))
    assert nb_files.load_notebook(path).cells[-1].outputs == [stream("3\n")]


@pytest.mark.parametrize(
    "edit",
    [
        lambda content: content["cells"][1].update(execution_count=None),
        lambda content: content["cells"][3].update(execution_count=9),
        lambda content: content["cells"][3].update(
            outputs=[{"output_type": "error", "ename": "E", "evalue": "", "traceback": []}]
        ),
        lambda content: content["cells"][3].update(source=["1 + 3"]),
    ],
)
def test_execute_runs_what_was_not_executed_well(
    tmp_path: Path, edit: Callable[[dict[str, Any]], object]
) -> None:
    """Code of the source that has no run in order and without error is run."""
    path = execute(tmp_path, *CELLS)
    change(path, edit)
    assert "executed in 2.5 CPU-s" in nb.execute(tmp_path, STEM, runner=pretend(cpu_s=2.5))
    assert nb_files.is_executed(nb_files.load_notebook(path))


def test_execute_refuses_a_run_over_its_budget(tmp_path: Path) -> None:
    """A run that takes too many CPU seconds is an error, is not saved, and names the option."""
    path = execute(tmp_path, *CELLS)
    before = path.read_bytes()
    write_source(tmp_path, *CELLS, SUM)
    with pytest.raises(NotebookError, match=r"25\.1 CPU-s, over the budget of 25, .*--budget-s"):
        nb.execute(tmp_path, STEM, runner=pretend(cpu_s=25.1))
    assert path.read_bytes() == before
    nb.execute(tmp_path, STEM, runner=pretend(cpu_s=25.1), budget_s=26)
    assert path.read_bytes() != before


def test_execute_drops_what_belongs_to_one_run(tmp_path: Path) -> None:
    """Timing, language, transient fields and widget views do not reach the file."""
    output = result(text_plain="a picture", image_png="aaaa")
    output.data["application/vnd.jupyter.widget-view+json"] = {"model_id": "1f"}
    output.metadata = NotebookNode({"image/png": {"width": 3}, "started": "now"})
    output.transient = {"display_id": "1f"}
    path = execute(tmp_path, *CELLS, outputs=(output,))
    content = json.loads(path.read_text(encoding="utf-8"))
    assert content["cells"][3]["outputs"] == [
        {
            "data": {"image/png": "aaaa", "text/plain": ["a picture"]},
            "execution_count": 2,
            "metadata": {"image/png": {"width": 3}},
            "output_type": "execute_result",
        }
    ]
    assert content["cells"][3]["metadata"] == {}
    assert list(content["metadata"]) == ["kernelspec"]


def test_force_can_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """FORCE=1 means the same as --force; FORCE=0 and an empty FORCE do not."""
    for value, expected in {"1": True, "0": False, "": False}.items():
        monkeypatch.setenv("FORCE", value)
        assert nb._parser().parse_args(["execute"]).force is expected


# Pull


def test_pull_after_build_changes_nothing(tmp_path: Path) -> None:
    """Cells and blank lines come back byte for byte, and the file is not touched."""
    function = Cell("code", (), "def f():\n\n    return 1", gap=2)
    source = write_source(tmp_path, TITLE, PARAMETERS, function, PROSE, SUM)
    before = source.read_bytes(), source.stat().st_mtime_ns
    nb.build(tmp_path, STEM)
    assert nb.pull(tmp_path, STEM).endswith("unchanged, 5 cells")
    assert (source.read_bytes(), source.stat().st_mtime_ns) == before


def test_pull_brings_an_edit_back(tmp_path: Path) -> None:
    """An edited, a new and an empty cell become source; other cells keep their layout."""
    function = Cell("code", (), "def f():\n    return 1", gap=2)
    source = write_source(tmp_path, TITLE, PARAMETERS, function, PROSE, SUM)
    nb.build(tmp_path, STEM)
    path = nb_files.notebook_path(tmp_path, STEM)
    notebook = nb_files.load_notebook(path)
    notebook.cells[4].source = "1 + 2\n"
    notebook.cells[4].metadata = NotebookNode(tags=["slow"], scrolled=True)
    notebook.cells += [
        nbformat.v4.new_markdown_cell("A hard break  \n\nand more"),
        nbformat.v4.new_code_cell(""),
    ]
    notebook.metadata.language_info = {"name": "python", "version": "3.11.0"}
    nbformat.write(notebook, path)
    assert "written, 6 cells" in nb.pull(tmp_path, STEM)
    cells = parse(source.read_text(encoding="utf-8"))
    assert cells == [
        *(TITLE, PARAMETERS, function, PROSE),
        Cell("code", ("slow",), "1 + 2"),
        Cell("markdown", (), "A hard break\n\nand more"),
    ]
    assert [cell.gap for cell in cells] == [1, 1, 2, 1, 1, 1]
    nb.build(tmp_path, STEM)
    assert nb.pull(tmp_path, STEM).endswith("unchanged, 6 cells")


def test_pull_makes_the_source_of_a_new_notebook(tmp_path: Path) -> None:
    """A notebook that was begun in JupyterLab gets its source."""
    nbformat.write(nb_files.build_notebook(CELLS), nb_files.notebook_path(tmp_path, STEM))
    assert nb.main(["pull", "--root", str(tmp_path), "7"]) == 0
    assert parse(nb_files.source_path(tmp_path, STEM).read_text(encoding="utf-8")) == CELLS


@pytest.mark.parametrize(
    ("cell", "expected"),
    [
        (nbformat.v4.new_raw_cell("x"), "cell 5: a raw cell"),
        (
            nbformat.v4.new_markdown_cell("x", attachments={"a.png": {"image/png": "aaaa"}}),
            r"cell 5: attachments \(a.png\)",
        ),
        (nbformat.v4.new_code_cell("x = 1\n# %% part two"), "cell 5 has a line that reads as"),
    ],
)
def test_pull_refuses_what_the_source_cannot_hold(
    tmp_path: Path, cell: NotebookNode, expected: str
) -> None:
    """Raw cells, attachments and markers inside cells are named; the source stays as it is."""
    source = write_source(tmp_path, *CELLS)
    before = source.read_bytes()
    notebook = nb_files.build_notebook(CELLS)
    notebook.cells.append(cell)
    nbformat.write(notebook, nb_files.notebook_path(tmp_path, STEM))
    with pytest.raises(NotebookError, match=expected):
        nb.pull(tmp_path, STEM)
    assert source.read_bytes() == before


# Command line


@pytest.mark.parametrize("number", ["7", "07", "07_topic"])
def test_notebooks_are_chosen_by_number(tmp_path: Path, number: str) -> None:
    """A number with or without its zero, or the whole stem, means one notebook."""
    write_source(tmp_path, *CELLS)
    write_source(tmp_path, *CELLS, stem="08_other")
    assert nb_files.select(tmp_path, [number]) == ["07_topic"]
    assert nb_files.select(tmp_path) == ["07_topic", "08_other"]


@pytest.mark.parametrize("command", ["build", "execute", "check", "pull"])
def test_unknown_number_lists_what_exists(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], command: str
) -> None:
    """A number without a notebook is an error that names those which exist."""
    write_source(tmp_path, *CELLS)
    assert nb.main([command, "--root", str(tmp_path), "9"]) == 1
    assert "no notebook '9'" in (error := capsys.readouterr().err)
    assert "there are: 07_topic" in error


def test_missing_folder_is_an_error(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A mistyped --root does not pass for a folder without notebooks."""
    assert nb.main(["check", "--root", str(tmp_path / "notebook")]) == 1
    assert "notebook: no such folder" in capsys.readouterr().err


def test_one_bad_notebook_does_not_stop_the_others(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Each notebook is tried; the status is 1 when one failed."""
    write_source(tmp_path, *CELLS).write_text("x\n", encoding="utf-8")
    write_source(tmp_path, *CELLS, stem="08_other")
    assert nb.main(["build", "--root", str(tmp_path)]) == 1
    streams = capsys.readouterr()
    assert "07_topic.py: line 1: text before the first cell" in streams.err
    assert "08_other.ipynb: written" in streams.out


def test_script_runs_on_its_own(tmp_path: Path) -> None:
    """`python tools/nb.py build 07` works from another folder, and the help tells the commands."""
    write_source(tmp_path / "notebooks", *CELLS)
    shutil.copytree(Path(nb.__file__).parent, tmp_path / "tools")
    command = [sys.executable, "tools/nb.py", "build", "07"]
    run = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert run.stdout == "notebooks/07_topic.ipynb: written, new, not executed\n"
