"""What a learner's folder is made of."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from mlref import resources
from mlref.study.labs import all_labs, answers_in, exercise_text
from mlref.study.learner.folder import make_folder
from mlref.study.learner.shipped import digest, shipped_files


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder made of what mlref ships."""
    return make_folder(tmp_path_factory.mktemp("mine")).folder


def _prose(path: Path) -> str:
    if path.suffix == ".md":
        return path.read_text()
    cells = json.loads(path.read_text())["cells"]
    return "\n".join("".join(c["source"]) for c in cells if c["cell_type"] == "markdown")


def test_every_link_leads_somewhere(made: Path) -> None:
    """Notebooks and labs link to each other as they do in a checkout."""
    broken = [
        (path.name, link)
        for path in [*made.rglob("*.ipynb"), *made.rglob("*.md")]
        for link in re.findall(r"\]\(([^)#\s]+)", _prose(path))
        if "://" not in link and not (path.parent / link).exists()
    ]
    assert broken == []


def test_every_notebook_is_there(made: Path) -> None:
    """Each is a copy of the original."""
    for path in resources.notebooks():
        assert (made / "notebooks" / path.name).read_bytes() == path.read_bytes()


def test_every_lab_can_be_begun_in_both_files(made: Path) -> None:
    """The notebook and the Python file hold each exercise, as it is at the start."""
    for lab in all_labs():
        folder = made / "labs" / lab.name
        assert (folder / "exercise.py").read_text() == exercise_text(lab)
        answers = answers_in(folder, lab)
        assert set(answers) == {each.name for each in lab.exercises}
        assert not any(answer.begun for answer in answers.values())


def test_solutions_are_not_shipped(made: Path) -> None:
    """Nothing of a lab but the two files is copied."""
    assert {path.name for path in made.glob("labs/*/*")} <= {"exercise.ipynb", "exercise.py"}


def test_the_drill_is_a_notebook() -> None:
    """It has the format's version, fixed ids, and code that is Python."""
    content = json.loads(shipped_files()["drill.ipynb"])
    assert (content["nbformat"], content["nbformat_minor"]) == (4, 5)
    assert [cell["id"] for cell in content["cells"]] == ["drill-1", "drill-2"]
    for cell in content["cells"]:
        compile(cell["source"], cell["id"], "exec")


def test_the_readme_is_short() -> None:
    """It is read, so it has about fifteen lines of at most 100 characters."""
    lines = shipped_files()["README.md"].decode().splitlines()
    assert len(lines) <= 16
    assert max(map(len, lines)) <= 100


def test_a_digest_is_sha_256() -> None:
    """The digest of "abc" is the one that FIPS 180-2, appendix B.1, gives."""
    assert digest(b"abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
