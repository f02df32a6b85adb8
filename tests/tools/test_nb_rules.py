"""The house rules for notebooks: each is kept, or told with its cell."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from nbformat import NotebookNode
from nbformat.v4 import new_output
from support.notebooks import (
    CELLS,
    PARAMETERS,
    PROSE,
    STEM,
    SUM,
    TITLE,
    change,
    execute,
    problems_of,
    result,
    stream,
    write_source,
)

import nb
import nb_files
import nb_rules
from mlref.study.percent import Cell


def test_good_notebook_has_no_problems(tmp_path: Path) -> None:
    """A notebook that keeps every rule is accepted, with outputs of each kind."""
    outputs = (
        stream("see http://127.0.0.1:0/usr/x, 0x3f800000 and 10:30\n"),
        result(text_plain="'A:\\n'", text_html="<b>/predict</b>", image_png="/usr/0x7f0000000000"),
    )
    execute(tmp_path, *CELLS, Cell("code", (), "await wait()\nx = 1; y = 2"), outputs=outputs)
    assert problems_of(tmp_path) == []
    assert list(nb_rules.check_files(tmp_path)) == []


@pytest.mark.parametrize(
    ("cells", "expected"),
    [
        ([PROSE, PARAMETERS], "cell 1: not a Markdown cell that begins with `# `"),
        ([SUM, PARAMETERS], "cell 1: not a Markdown cell that begins with `# `"),
        ([Cell("markdown", (), "# A"), PARAMETERS], "cell 1: below the title belongs"),
        ([Cell("markdown", (), "# A\n\n*Soon.*\n"), PARAMETERS], "cell 1: below the title belongs"),
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
    notebook = nb_files.build_notebook([SUM])
    notebook.cells[0].outputs = [stream("saved in /srv/book/build and /srv/bookshelf")]
    (problem,) = nb_rules.check_outputs(notebook, repository=Path("/srv/book"))
    assert problem.message.startswith("the repository's path in its output")
    assert list(nb_rules.check_outputs(notebook, repository=Path("/srv/boo"))) == []


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


def test_check_wants_the_figures_of_a_notebook_that_records(tmp_path: Path) -> None:
    """Code that has a Recorder needs its file in evidence/; prose about one does not."""
    code = 'figures = Recorder("07_topic", out=out)'
    execute(tmp_path, *CELLS, Cell("markdown", (), f"`{code}` records."), Cell("code", (), code))
    (problem,) = problems_of(tmp_path)
    assert problem.startswith("cell 6: it records figures, but there is no ")
    assert problem.endswith(f"evidence/{STEM}.json; execute it")
    nb_files.evidence_path(tmp_path, STEM).parent.mkdir()
    nb_files.evidence_path(tmp_path, STEM).write_text("{}", encoding="utf-8")
    assert problems_of(tmp_path) == []
    nb_files.evidence_path(tmp_path, STEM).unlink()
    execute(tmp_path, *CELLS, Cell("markdown", (), f"`{code}` records."))
    assert problems_of(tmp_path) == []


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
    assert list(nb_rules.check_size(299_999)) == []


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
    nb_files.source_path(tmp_path, STEM).write_text("# %%\nx\n\n# %% [raw]\ny\n", encoding="utf-8")
    (problem,) = nb_rules.check(tmp_path, STEM)
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
    problems = list(nb_rules.check_files(tmp_path))
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
