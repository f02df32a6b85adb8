"""Reading what a learner has written, whatever an editor has done to it."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from mlref.errors import LabError
from mlref.study.labs.answers import answers_in, read_answers
from mlref.study.labs.cutting import exercise_text, starting_code
from mlref.study.labs.lab import Lab

ANSWER = "# answer: total\ntotal = 6"


def _notebook(path: Path, *sources: Any, kind: str = "code") -> Path:
    cells = [{"cell_type": kind, "source": source} for source in sources]
    path.write_text(json.dumps({"cells": cells, "nbformat": 4}))
    return path


def _saved(path: Path, text: str, *, at: int) -> None:
    """Write a file as if it had been saved at a moment."""
    path.write_text(text)
    os.utime(path, (at, at))


@pytest.mark.parametrize("source", [ANSWER, ["# answer: total\n", "total = 6"]])
def test_a_notebook_may_hold_texts_or_lists_of_lines(tmp_path: Path, source: Any) -> None:
    """Both are right by the notebook format."""
    assert read_answers(_notebook(tmp_path / "a.ipynb", "x = 1", source)) == {"total": ANSWER}


def test_markdown_that_looks_like_an_answer_is_none(tmp_path: Path) -> None:
    """Only code cells answer."""
    assert read_answers(_notebook(tmp_path / "a.ipynb", ANSWER, kind="markdown")) == {}
    path = tmp_path / "a.py"
    path.write_text("# %% [markdown]\n# # answer: total\n\n\n\n\n# %%\nx = 1")
    assert read_answers(path) == {}


@pytest.mark.parametrize(
    "text",
    [
        f"# %%\n{ANSWER}\n",
        f"# %%\n{ANSWER}",
        f"# %%\n\n\n{ANSWER}\n\n\n\n\n\n# %%\n",
        f"# my notes\n# %%\n{ANSWER}\n#%% other\n",
        f"# %% my title\n{ANSWER}\n",
        f"\ufeff# %%\n{ANSWER}\n",
        f"# %%\n{ANSWER}\n".replace("\n", "\r\n"),
        f"# %%\n{ANSWER}\n".replace("\n", "\r"),
        f"{ANSWER}\n# %%\nx = 1\n",
        f"#%%\n{ANSWER}\n\n#%%\nx = 1\n",
        f"# %% [md]\n# text\n# %%time\n{ANSWER}\n",
    ],
    ids=[
        "tidy",
        "no-end",
        "blank",
        "notes",
        "title",
        "bom",
        "crlf",
        "cr",
        "none",
        "short",
        "magic",
    ],
)
def test_an_untidy_file_is_read(tmp_path: Path, text: str) -> None:
    """Blank lines, line ends, byte order marks and missing ends of file do not matter."""
    path = tmp_path / "a.py"
    path.write_bytes(text.encode())
    (answer,) = read_answers(path).values()
    assert answer == ANSWER


def test_a_notebook_of_another_system_is_read(tmp_path: Path) -> None:
    """A byte order mark and carriage returns do not matter."""
    path = _notebook(tmp_path / "a.ipynb", f"\r\n{ANSWER}".replace("\n", "\r\n"))
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    assert read_answers(path)["total"].strip() == ANSWER


def test_magic_commands_are_kept(tmp_path: Path) -> None:
    """The grader says what is wrong with them."""
    source = f"{ANSWER}\n%timeit total"
    assert read_answers(_notebook(tmp_path / "a.ipynb", source)) == {"total": source}


def test_the_last_of_two_cells_counts(tmp_path: Path) -> None:
    """As in a notebook that is run from top to bottom."""
    path = _notebook(tmp_path / "a.ipynb", ANSWER, "# answer: total\ntotal = 7")
    assert read_answers(path) == {"total": "# answer: total\ntotal = 7"}


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"[]",
        b"{}",
        b'{"cells": 1}',
        b'{"cells": [1]}',
        b'{"cells": [{"cell_type": "code", "source": [1]}]}',
        b'{"cells": [{"cell_type": "code", "source": null}]}',
        b"\xff\xfe",
        b"[" * 100_000,
        b"<<<<<<< HEAD\n{}",
    ],
)
def test_what_is_no_notebook_is_refused(tmp_path: Path, content: bytes) -> None:
    """The message names the file and the way to a fresh one."""
    path = tmp_path / "exercise.ipynb"
    path.write_bytes(content)
    with pytest.raises(LabError, match=r"exercise\.ipynb cannot be read: .*mlref labs reset"):
        read_answers(path)


def test_a_huge_notebook_is_read(tmp_path: Path) -> None:
    """Outputs of many megabytes do not matter."""
    cell = {"cell_type": "code", "source": ANSWER, "outputs": ["x" * 20_000_000]}
    (tmp_path / "a.ipynb").write_text(json.dumps({"cells": [cell]}))
    assert read_answers(tmp_path / "a.ipynb") == {"total": ANSWER}


def test_an_untouched_exercise_is_not_begun(lab: Lab, tmp_path: Path) -> None:
    """Every answer is found as the exercise gave it."""
    (tmp_path / "exercise.py").write_text(exercise_text(lab))
    found = answers_in(tmp_path, lab)
    assert [(name, each.begun) for name, each in found.items()] == [
        ("total", False),
        ("double", False),
        ("mend", False),
    ]


def test_an_untouched_exercise_with_other_line_ends_is_not_begun(lab: Lab, tmp_path: Path) -> None:
    """An editor that changes line ends has not answered anything."""
    (tmp_path / "exercise.py").write_bytes(exercise_text(lab).replace("\n", "\r\n").encode())
    assert not any(each.begun for each in answers_in(tmp_path, lab).values())


def test_an_answer_that_was_begun_counts_before_one_that_was_not(lab: Lab, tmp_path: Path) -> None:
    """Whichever file was saved last."""
    _saved(tmp_path / "exercise.py", f"# %%\n{ANSWER}\n", at=1)
    start = starting_code(lab, "total")
    _notebook(tmp_path / "exercise.ipynb", start)
    answer = answers_in(tmp_path, lab)["total"]
    assert (answer.code, answer.file.name, answer.begun) == (ANSWER, "exercise.py", True)


@pytest.mark.parametrize(("script", "notebook", "winner"), [(1, 2, "7"), (2, 1, "6")])
def test_of_two_answers_the_one_saved_last_counts(
    lab: Lab, tmp_path: Path, script: int, notebook: int, winner: str
) -> None:
    """Both were begun: the later save wins."""
    _saved(tmp_path / "exercise.py", f"# %%\n{ANSWER}\n", at=script)
    path = _notebook(tmp_path / "exercise.ipynb", "# answer: total\ntotal = 7")
    os.utime(path, (notebook, notebook))
    assert answers_in(tmp_path, lab)["total"].code.endswith(winner)


def test_a_cell_that_was_deleted_is_no_answer(lab: Lab, tmp_path: Path) -> None:
    """The others are read all the same."""
    _notebook(tmp_path / "exercise.ipynb", ANSWER)
    assert list(answers_in(tmp_path, lab)) == ["total"]


def test_answers_to_nothing_are_passed_over(lab: Lab, tmp_path: Path) -> None:
    """Answers to exercises that the lab does not have, beside all that it has, do no harm."""
    own = [starting_code(lab, each.name) for each in lab.exercises]
    _notebook(tmp_path / "exercise.ipynb", *own, "# answer: other\nx = 1")
    assert list(answers_in(tmp_path, lab)) == [each.name for each in lab.exercises]


def test_an_answer_whose_name_was_mistyped_is_told(lab: Lab, tmp_path: Path) -> None:
    """It would be passed over, and the exercise look untouched."""
    text = exercise_text(lab).replace("# answer: total", "# answer: totla")
    (tmp_path / "exercise.py").write_text(text)
    with pytest.raises(LabError, match=r"answers totla, which is no exercise .*; call it total"):
        answers_in(tmp_path, lab)


def test_a_cell_that_was_tried_out_below_is_not_part_of_the_answer(
    lab: Lab, tmp_path: Path
) -> None:
    """Also when its marker is written in the short form of some editors."""
    text = exercise_text(lab).replace(
        "\n\n# %%\n# answer: double", "\n\n#%%\nprint(total)\n\n# %%\n# answer: double"
    )
    (tmp_path / "exercise.py").write_text(text)
    assert "print" in text
    assert not answers_in(tmp_path, lab)["total"].begun


def test_a_link_to_nothing_is_no_exercise(lab: Lab, tmp_path: Path) -> None:
    """The other file counts."""
    (tmp_path / "exercise.ipynb").symlink_to(tmp_path / "gone")
    (tmp_path / "exercise.py").write_text(f"# %%\n{ANSWER}\n")
    assert answers_in(tmp_path, lab)["total"].file.name == "exercise.py"


def test_a_file_that_cannot_be_read_is_named_with_its_lab(lab: Lab, tmp_path: Path) -> None:
    """Whoever checks all labs sees which one it is."""
    folder = tmp_path / "09_sums"
    folder.mkdir()
    (folder / "exercise.ipynb").write_text("{}")
    with pytest.raises(LabError, match=r"^09_sums/exercise\.ipynb cannot be read"):
        answers_in(folder, lab)


def test_an_empty_folder_is_refused(lab: Lab, tmp_path: Path) -> None:
    """The message says how to get an exercise."""
    with pytest.raises(LabError, match="mlref labs reset 09"):
        answers_in(tmp_path, lab)
