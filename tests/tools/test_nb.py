"""The notebooks' command: build, execute, check and pull, each in a folder of its own."""

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
from nbformat.v4 import new_output

import nb
from mlref.errors import NotebookError
from percent import Cell, parse, write

STEM = "07_topic"
TITLE = Cell("markdown", (), "# A title")
PARAMETERS = Cell(
    "code",
    ("parameters",),
    'cloud = "local"\nquick = True\nseed = 0\nmax_spend_usd = 0.0\nout = "build/runs"',
)
PROSE = Cell("markdown", ("note",), "Prose.\n\n> A note.")
SUM = Cell("code", (), "1 + 1")
CELLS = [TITLE, PARAMETERS, PROSE, SUM]


def write_source(root: Path, *cells: Cell, stem: str = STEM) -> Path:
    """Write a source with some cells."""
    path = nb.source_path(root, stem)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(write(cells), encoding="utf-8")
    return path


def pretend(*outputs: NotebookNode, cpu_s: float = 1.0) -> nb.Runner:
    """A runner without a kernel: it counts the code cells and gives the last one some outputs."""

    def run(notebook: NotebookNode, _folder: Path) -> float:
        cells = nb.code_cells(notebook)
        for count, (_, cell) in enumerate(cells, 1):
            cell.execution_count = count
            cell.metadata["execution"] = {"iopub.status.busy": "2001-01-01T00:00:00Z"}
        cells[-1][1].outputs = list(outputs)
        notebook.metadata["language_info"] = {"name": "python"}
        return cpu_s

    return run


def refuse(_notebook: NotebookNode, _folder: Path) -> float:
    """A runner that must not be called."""
    raise AssertionError("executed")


def stream(text: str) -> NotebookNode:
    """What a cell printed."""
    return new_output("stream", name="stdout", text=text)


def result(**data: Any) -> NotebookNode:
    """The value of a cell; `text_html` stands for text/html."""
    formats = {mime.replace("_", "/"): value for mime, value in data.items()}
    return new_output("execute_result", data=formats, execution_count=2)


def execute(root: Path, *cells: Cell, outputs: tuple[NotebookNode, ...] = ()) -> Path:
    """Write a source and execute it without a kernel."""
    write_source(root, *cells)
    nb.execute(root, STEM, runner=pretend(*outputs))
    return nb.notebook_path(root, STEM)


def change(path: Path, edit: Callable[[dict[str, Any]], object]) -> None:
    """Edit the JSON of a notebook in place, in the layout that build writes."""
    content = json.loads(path.read_text(encoding="utf-8"))
    edit(content)
    text = json.dumps(content, indent=1, ensure_ascii=False, sort_keys=True)
    path.write_text(text + "\n", encoding="utf-8")


# Build


def test_build_writes_a_notebook_of_format_4_5(tmp_path: Path) -> None:
    """The notebook is valid, has only kernelspec and tags as metadata, and indent 1."""
    write_source(tmp_path, *CELLS)
    assert "written, new, not executed" in nb.build(tmp_path, STEM)
    text = nb.notebook_path(tmp_path, STEM).read_text(encoding="utf-8")
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
    before = [cell.id for cell in nb.build_notebook(CELLS).cells]
    after = [cell.id for cell in nb.build_notebook([TITLE, SUM, *CELLS[1:]]).cells]
    assert after[:1] + after[2:-1] == before[:-1]
    assert after[1] == before[-1]
    assert after[-1] == f"{before[-1]}-2"
    assert all(re.fullmatch(r"[a-zA-Z0-9-_]{1,64}", id_) for id_ in after)
    retagged = nb.build_notebook([*CELLS[:3], Cell("code", ("slow",), SUM.source)])
    assert [cell.id for cell in retagged.cells] == before


def test_build_keeps_outputs_while_the_code_is_the_same(tmp_path: Path) -> None:
    """New prose does not cost a run; new code or another order drops every output."""
    path = execute(tmp_path, *CELLS, outputs=(stream("2\n"),))
    write_source(tmp_path, TITLE, PARAMETERS, Cell("markdown", (), "Better prose."), SUM)
    assert nb.build(tmp_path, STEM).endswith("written, outputs kept")
    assert nb.load_notebook(path).cells[-1].outputs == [stream("2\n")]
    write_source(tmp_path, TITLE, PARAMETERS, PROSE, Cell("code", (), "1 + 2"))
    assert "outputs dropped" in nb.build(tmp_path, STEM)
    assert nb.load_notebook(path).cells[-1].outputs == []
    assert not nb.is_executed(nb.load_notebook(path))
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
    cells = nb.load_notebook(nb.notebook_path(executed, STEM)).cells
    assert [(out.name, out.text) for out in cells[3].outputs] == [
        ("stdout", "notebooks\nb\n"),
        ("stderr", "warned\n"),
    ]
    assert cells[4].outputs[0].data["text/plain"] == "'0'"
    error = cells[5].outputs[0]
    frames = [nb.ANSI.sub("", part) for part in error.traceback]
    assert error.ename == "JSONDecodeError"
    assert [frame for frame in frames if frame.startswith("Cell In[5], line 3")]
    assert not [frame for frame in frames if "json/" in frame]
    assert all(set(cell.metadata) <= {"tags"} for cell in cells)


def test_executed_notebook_passes_strict_nbval(executed: Path) -> None:
    """A second run gives the same outputs, compared one by one."""
    command = [sys.executable, "-m", "pytest", "-q", "-c", os.devnull, "--rootdir", str(executed)]
    command += ["-p", "no:cacheprovider", "--nbval", str(nb.notebook_path(executed, STEM))]
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
    assert nb.load_notebook(path).cells[2].source == "Better prose."
    nb.execute(tmp_path, STEM, force=True, runner=pretend(stream("3\n")))
    assert nb.load_notebook(path).cells[-1].outputs == [stream("3\n")]


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
    assert nb.is_executed(nb.load_notebook(path))


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


# Check


def problems_of(root: Path) -> list[str]:
    """The problems of the one notebook, without its name."""
    prefix = f"{nb.display(nb.notebook_path(root, STEM))}: "
    lines = nb.check(root, STEM)
    assert all(line.startswith(prefix) for line in lines)
    return [line.removeprefix(prefix) for line in lines]


def test_good_notebook_has_no_problems(tmp_path: Path) -> None:
    """A notebook that keeps every rule is accepted, with outputs of each kind."""
    outputs = (
        stream("see http://127.0.0.1:0/usr/x, 0x3f800000 and 10:30\n"),
        result(text_plain="'A:\\n'", text_html="<b>/predict</b>", image_png="/usr/0x7f0000000000"),
    )
    execute(tmp_path, *CELLS, Cell("code", (), "await wait()\nx = 1; y = 2"), outputs=outputs)
    assert problems_of(tmp_path) == []
    assert list(nb.check_files(tmp_path)) == []


@pytest.mark.parametrize(
    ("cells", "expected"),
    [
        ([PROSE, PARAMETERS], "cell 1: not a Markdown cell that begins with `# `"),
        ([SUM, PARAMETERS], "cell 1: not a Markdown cell that begins with `# `"),
        ([TITLE, SUM], "0 cells are tagged parameters"),
        ([TITLE, PARAMETERS, PARAMETERS], "2 cells are tagged parameters"),
        ([TITLE, PROSE, PARAMETERS], "cell 3: tagged parameters; it must be a code cell right"),
        (
            [TITLE, Cell("markdown", ("parameters",), "Text."), SUM],
            "cell 2: tagged parameters; it must be a code cell right",
        ),
        (
            [TITLE, Cell("code", ("parameters",), f"{PARAMETERS.source}\nn = seed + 1")],
            "cell 2: `n = seed + 1` does not assign a literal",
        ),
        (
            [TITLE, Cell("code", ("parameters",), f"import os\n{PARAMETERS.source}")],
            "cell 2: `import os` does not assign a literal",
        ),
        (
            [TITLE, Cell("code", ("parameters",), PARAMETERS.source.replace("seed = 0", "k = 0"))],
            "cell 2: seed is not 0",
        ),
        (
            [TITLE, Cell("code", ("parameters",), PARAMETERS.source.replace("True", "1"))],
            "cell 2: quick is not True",
        ),
        (
            [TITLE, Cell("code", ("parameters",), PARAMETERS.source.replace("local", "aws"))],
            'cell 2: cloud is not "local"',
        ),
        ([*CELLS, Cell("markdown", (), "Text.\n\n:::{tip}\nx\n:::")], "cell 5: MyST syntax ':::'"),
        ([*CELLS, Cell("markdown", (), "```{mermaid}\nx\n```")], "cell 5: MyST syntax '```{'"),
        ([*CELLS, Cell("markdown", (), "> ~~~ {note}")], "cell 5: MyST syntax '> ~~~ {'"),
        ([*CELLS, *[SUM] * 24], "26 code cells, at most 25"),
        ([*CELLS, Cell("code", (), "\n".join(["x = 1"] * 26))], "cell 5: 26 lines, at most 25"),
        ([*CELLS, Cell("code", (), "x = 1\n%time x")], "cell 5: not plain Python (line 2"),
        ([*CELLS, Cell("code", (), "x = 1\nx;")], "cell 5: line 2 ends with `;`"),
        ([*CELLS, Cell("code", (), "x;  # hidden")], "cell 5: line 1 ends with `;`"),
        ([*CELLS, Cell("code", (), "class A:\n    pass")], "cell 5: it defines class A"),
        (
            [*CELLS, *(Cell("code", (), f"def f{n}():\n    pass") for n in range(3))],
            "cell 7: f2 is function 3 of the notebook, at most 2",
        ),
    ],
)
def test_check_refuses_a_bad_shape(tmp_path: Path, cells: list[Cell], expected: str) -> None:
    """Each rule for the source has its message, with the cell and what to do."""
    execute(tmp_path, *cells)
    (problem,) = problems_of(tmp_path)
    assert problem.startswith(expected)
    assert "; " in problem


def test_the_largest_allowed_notebook_is_accepted(tmp_path: Path) -> None:
    """25 code cells, 25 lines in a cell and two functions are not too many."""
    functions = [Cell("code", (), f"def f{n}():\n    return ';'") for n in range(2)]
    longest = Cell("code", (), "\n".join(["x = 1"] * 25))
    execute(tmp_path, *CELLS, *functions, longest, *[SUM] * 20)
    assert problems_of(tmp_path) == []


@pytest.mark.parametrize(
    ("output", "expected"),
    [
        (stream("<object at 0x10>"), "an object address in its output"),
        (result(text_plain="[0x7f12ab34cd56]"), "an object address in its output"),
        (stream("\x1b[31mFile \x1b[39m\x1b[32m/home/x/a.py"), "an absolute path in its output"),
        (result(text_html="<b>/root/a</b>"), "an absolute path in its output"),
        (stream("file:///var/folders/x"), "an absolute path in its output"),
        (stream("saved in /tmp/x"), "an absolute path in its output"),
        (stream("'/usr/lib'"), "an absolute path in its output"),
        (stream("C:\\Users"), "an absolute path in its output"),
        (result(application_json={"at": "/usr/x"}), "an absolute path in its output"),
        (stream("http://127.0.0.1:54321/"), "a port in its output"),
        (stream("localhost:8080"), "a port in its output"),
        (new_output("display_data", data={"text/plain": "[::1]:5000"}), "a port in its output"),
        (
            new_output("error", ename="OSError", evalue="no /usr/x", traceback=[]),
            "an absolute path in its output",
        ),
        (
            new_output("error", ename="OSError", evalue="", traceback=["in /usr/x"]),
            "an absolute path in its output",
        ),
    ],
)
@pytest.mark.parametrize("tag", ["raises-exception", "nbval-ignore-output"])
def test_check_refuses_what_differs_elsewhere(
    tmp_path: Path, output: NotebookNode, expected: str, tag: str
) -> None:
    """Addresses, absolute paths and ports are refused in every output, also in ignored ones."""
    tags = ("raises-exception", tag) if tag != "raises-exception" else (tag,)
    execute(tmp_path, *CELLS[:3], Cell("code", tags, SUM.source), outputs=(output,))
    (problem,) = problems_of(tmp_path)
    assert problem.startswith(f"cell 4: {expected}")


def test_check_refuses_the_repository_in_outputs() -> None:
    """The folder of the checkout is refused wherever it is, and not the beginning of another."""
    notebook = nb.build_notebook([SUM])
    notebook.cells[0].outputs = [stream("saved in /srv/book/build and /srv/bookshelf")]
    (problem,) = nb.check_outputs(notebook, repository=Path("/srv/book"))
    assert problem.message.startswith("the repository's path in its output")
    assert list(nb.check_outputs(notebook, repository=Path("/srv/boo"))) == []


@pytest.mark.parametrize(
    ("edit", "expected"),
    [
        (lambda c: c["cells"][2].update(source=["Other."]), "cell 3: its source differs"),
        (lambda c: c["cells"][2].update(metadata={}), "cell 3: its metadata differs"),
        (lambda c: c["cells"][2].update(id="abc"), "cell 3: its id differs"),
        (lambda c: c["cells"].pop(2), "3 cells, its source has 4"),
        (lambda c: c["metadata"].update(language_info={"name": "python"}), "its metadata or"),
        (lambda c: c.update(nbformat_minor=6), "its metadata or layout"),
        (lambda c: c["cells"][3].update(source="1 + 1"), "its metadata or layout"),
    ],
)
def test_check_compares_with_the_source(
    tmp_path: Path, edit: Callable[[dict[str, Any]], object], expected: str
) -> None:
    """Sources, tags, ids and layout must be those that build writes, byte for byte."""
    path = execute(tmp_path, *CELLS)
    change(path, edit)
    problems = problems_of(tmp_path)
    assert problems[0].startswith(expected)
    assert problems[0].endswith("build it, or pull it first if you edited the notebook")


@pytest.mark.parametrize(
    ("count", "expected"),
    [
        (None, "cell 4: its run is not executed, should be [2]"),
        (3, "cell 4: its run is [3], should be [2]"),
    ],
)
def test_check_wants_a_run_in_order(tmp_path: Path, count: int | None, expected: str) -> None:
    """Code cells must have been executed from 1 to n, without a gap."""
    change(execute(tmp_path, *CELLS), lambda c: c["cells"][3].update(execution_count=count))
    (problem,) = problems_of(tmp_path)
    assert problem.startswith(expected)


def test_check_refuses_an_error_that_is_not_announced(tmp_path: Path) -> None:
    """An error among the outputs needs the tag raises-exception."""
    error = new_output("error", ename="KeyError", evalue="'a'", traceback=[])
    execute(tmp_path, *CELLS, outputs=(error,))
    (problem,) = problems_of(tmp_path)
    assert problem.startswith("cell 4: it ended in KeyError; repair it")


def test_check_refuses_a_large_file(tmp_path: Path) -> None:
    """A notebook of 300 kB is too large."""
    execute(tmp_path, *CELLS, outputs=(stream("." * 300_000),))
    (problem,) = problems_of(tmp_path)
    assert problem.startswith("301 kB, should be under 300; ")
    assert list(nb.check_size(299_999)) == []


def test_check_refuses_what_is_no_notebook(tmp_path: Path) -> None:
    """A damaged file is one problem, not a stack trace."""
    path = execute(tmp_path, *CELLS)
    path.write_text("{}", encoding="utf-8")
    (problem,) = problems_of(tmp_path)
    assert problem.startswith("not a notebook of format 4")
    path.write_text("<<<<<<< HEAD", encoding="utf-8")
    (problem,) = problems_of(tmp_path)
    assert problem.startswith("not a notebook of format 4")


def test_check_names_the_line_of_a_bad_source(tmp_path: Path) -> None:
    """A source that is not percent format is a problem of the source, with its line."""
    execute(tmp_path, *CELLS)
    nb.source_path(tmp_path, STEM).write_text("# %%\nx\n\n# %% [raw]\ny\n", encoding="utf-8")
    (problem,) = nb.check(tmp_path, STEM)
    assert f"{STEM}.py: line 4: cell markers are" in problem


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        (["08_alone.ipynb"], ["08_alone.ipynb: it has no source"]),
        (["src/08_alone.py"], ["src/08_alone.py: it has no notebook"]),
        (["08_a.ipynb", "src/08_a.py", "08_b.ipynb", "src/08_b.py"], [": number 08 stands for"]),
        (
            ["07_topic-v3.ipynb"],
            ["07_topic-v3.ipynb: not named NN_topic", "07_topic-v3.ipynb: it has no source"],
        ),
        ([".ipynb_checkpoints/07_topic-checkpoint.ipynb", "evidence/07.json"], []),
    ],
)
def test_check_refuses_files_that_do_not_belong(
    tmp_path: Path, files: list[str], expected: list[str]
) -> None:
    """Half a pair, two notebooks for one number and siblings are refused."""
    execute(tmp_path, *CELLS)
    for name in files:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    problems = list(nb.check_files(tmp_path))
    assert len(problems) == len(expected)
    assert all(part in problem for part, problem in zip(expected, problems, strict=True))


def test_check_lists_every_problem(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """All problems of all notebooks are printed in the order of cells, and the status is 1."""
    bad = [PARAMETERS, TITLE, Cell("code", (), "1 + 1;"), Cell("markdown", (), ":::")]
    execute(tmp_path, *bad, outputs=(stream("/usr/x"),))
    write_source(tmp_path, *CELLS, stem="08_new")
    assert nb.main(["check", "--root", str(tmp_path)]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert "08_new.py: it has no notebook" in lines[0]
    assert [re.search(r"cell \d", line)[0] for line in lines[1:-1]] == [
        "cell 1",
        "cell 1",
        "cell 3",
        "cell 3",
        "cell 4",
    ]
    assert lines[-1] == "2 notebooks checked, 6 problems"


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
    path = nb.notebook_path(tmp_path, STEM)
    notebook = nb.load_notebook(path)
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
    nbformat.write(nb.build_notebook(CELLS), nb.notebook_path(tmp_path, STEM))
    assert nb.main(["pull", "--root", str(tmp_path), "7"]) == 0
    assert parse(nb.source_path(tmp_path, STEM).read_text(encoding="utf-8")) == CELLS


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
    notebook = nb.build_notebook(CELLS)
    notebook.cells.append(cell)
    nbformat.write(notebook, nb.notebook_path(tmp_path, STEM))
    with pytest.raises(NotebookError, match=expected):
        nb.pull(tmp_path, STEM)
    assert source.read_bytes() == before


# Command line


@pytest.mark.parametrize("number", ["7", "07", "07_topic"])
def test_notebooks_are_chosen_by_number(tmp_path: Path, number: str) -> None:
    """A number with or without its zero, or the whole stem, means one notebook."""
    write_source(tmp_path, *CELLS)
    write_source(tmp_path, *CELLS, stem="08_other")
    assert nb.select(tmp_path, [number]) == ["07_topic"]
    assert nb.select(tmp_path) == ["07_topic", "08_other"]


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
