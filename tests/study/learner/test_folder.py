"""A learner's folder is made, brought up to date and put back, and no work is lost."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import mlref
from mlref import resources
from mlref.errors import FileWriteError, LabError, LearnerError
from mlref.runtime.clock import ManualClock
from mlref.study.labs.cutting import starting_code
from mlref.study.labs.lab import Lab
from mlref.study.learner.folder import find_folder, make_folder, open_store, reset
from mlref.study.learner.shipped import digest, lab_files
from mlref.study.learner.state import Store

OLD = {"README.md": b"old", "notebooks/01.ipynb": b"{}", "labs/01/exercise.py": b"todo"}
NEW = {**OLD, "README.md": b"new", "labs/01/exercise.py": b"another"}
NOTEBOOK = "labs/01_adding/exercise.ipynb"
SCRIPT = "labs/01_adding/exercise.py"


def test_a_new_folder_holds_what_is_shipped(tmp_path: Path, clock: ManualClock) -> None:
    """Folders above it are made, too; the progress remembers what was written."""
    made = make_folder(tmp_path / "a" / "b", clock=clock, shipped=OLD)
    assert (made.written, made.kept, made.updated) == (tuple(OLD), (), ())
    assert {name: (made.folder / name).read_bytes() for name in OLD} == OLD
    shipped = Store(made.folder).read().shipped
    assert shipped == {name: digest(content) for name, content in OLD.items()}


def test_a_folder_in_a_learners_folder_is_refused(tmp_path: Path) -> None:
    """`mlref init NAME` typed once more inside NAME: nothing is made, the right command is told."""
    make_folder(tmp_path / "mine", shipped=OLD)
    with pytest.raises(LearnerError, match=f"mlref init {tmp_path / 'mine'};"):
        make_folder(tmp_path / "mine" / "mine", shipped=OLD)
    assert not (tmp_path / "mine" / "mine").exists()


def test_the_folder_is_told_without_detours(tmp_path: Path) -> None:
    """`mlref init ../mine` names it plainly."""
    made = make_folder(tmp_path / "other" / ".." / "mine", shipped=OLD)
    assert made.folder == tmp_path / "mine"


def test_again_changes_nothing(tmp_path: Path) -> None:
    """A second run finds all as it is."""
    make_folder(tmp_path, shipped=OLD)
    made = make_folder(tmp_path, shipped=OLD)
    assert (made.written, made.kept, made.updated) == ((), (), ())


def test_what_nobody_changed_is_updated(tmp_path: Path) -> None:
    """A file as `init` wrote it is replaced by what is shipped now."""
    make_folder(tmp_path, shipped=OLD)
    made = make_folder(tmp_path, shipped=NEW)
    assert (made.written, made.kept) == ((), ())
    assert made.updated == ("README.md", "labs/01/exercise.py")
    assert (tmp_path / "README.md").read_bytes() == b"new"


def test_what_the_learner_changed_is_kept(tmp_path: Path) -> None:
    """It is listed and stays as it is, also when it is run a third time."""
    make_folder(tmp_path, shipped=OLD)
    (tmp_path / "labs/01/exercise.py").write_text("mine")
    for _ in range(2):
        made = make_folder(tmp_path, shipped=NEW)
        assert made.kept == ("labs/01/exercise.py",)
        assert (tmp_path / "labs/01/exercise.py").read_text() == "mine"


def test_what_was_there_before_is_kept(tmp_path: Path) -> None:
    """A file, or a folder, that `init` did not write is the learner's."""
    (tmp_path / "README.md").write_text("of another project")
    (tmp_path / "notebooks/01.ipynb").mkdir(parents=True)
    made = make_folder(tmp_path, shipped=OLD)
    assert set(made.kept) == {"README.md", "notebooks/01.ipynb"}
    assert (tmp_path / "README.md").read_text() == "of another project"


def test_a_file_that_was_deleted_comes_again(tmp_path: Path) -> None:
    """Running it again brings back what is lost, and nothing else."""
    make_folder(tmp_path, shipped=OLD)
    (tmp_path / "README.md").unlink()
    assert make_folder(tmp_path, shipped=OLD).written == ("README.md",)


def test_damaged_progress_costs_no_work(tmp_path: Path) -> None:
    """Without knowing what was shipped, every file that differs is kept; a notice says why."""
    make_folder(tmp_path, shipped=OLD)
    (tmp_path / ".mlref/progress.json").write_text("{")
    made = make_folder(tmp_path, shipped=NEW)
    assert set(made.kept) == {"README.md", "labs/01/exercise.py"}
    assert len(made.notices) == 1


def test_the_progress_stays_out_of_git(tmp_path: Path) -> None:
    """The private folder ignores all that is in it, itself included."""
    make_folder(tmp_path, shipped=OLD)
    assert (tmp_path / ".mlref/.gitignore").read_text() == "*\n"


def test_a_file_in_the_way_is_refused(tmp_path: Path) -> None:
    """A target that is a file is told with what to do."""
    (tmp_path / "file").write_text("")
    with pytest.raises(LearnerError, match="is a file; name a folder"):
        make_folder(tmp_path / "file", shipped=OLD)


@pytest.mark.parametrize(
    "part", [".", "mlref", "mlref/study", "notebooks", "labs/01_deployment_steps"]
)
def test_mlref_itself_is_no_place_to_learn_in(part: str) -> None:
    """The checkout's root, the package and the originals are refused, and nothing is written."""
    root = Path(mlref.__file__).parents[1]
    assert root == resources.checkout()
    with pytest.raises(LearnerError, match="part of mlref itself"):
        make_folder(root / part, shipped={})
    assert not (root / part / ".mlref").exists()


def test_a_file_where_a_folder_belongs_is_told(tmp_path: Path) -> None:
    """It is the learner's, so it stays, and the message says that it is in the way."""
    (tmp_path / "notebooks").write_text("my list of notebooks")
    with pytest.raises(FileWriteError, match="move what is in its way"):
        make_folder(tmp_path, shipped=OLD)
    assert (tmp_path / "notebooks").read_text() == "my list of notebooks"


def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    """The message names it and what to do."""
    (tmp_path / "file").write_text("")
    with pytest.raises(FileWriteError, match="choose a "):
        make_folder(tmp_path / "file" / "below", shipped=OLD)


@pytest.fixture
def store(tmp_path: Path, clock: ManualClock, lab: Lab) -> Store:
    """A folder in which both answers of both files were begun."""
    folder = tmp_path / "mine"
    make_folder(folder, clock=clock, shipped=lab_files(lab))
    for name in (NOTEBOOK, SCRIPT):
        text = (folder / name).read_text()
        assert text.count("todo(") == 2
        (folder / name).write_text(text.replace("todo(", "solve("))
    return Store(folder, clock=clock)


def _contents(store: Store) -> dict[str, bytes]:
    return {name: (store.folder / name).read_bytes() for name in (NOTEBOOK, SCRIPT)}


def test_a_lab_is_put_back_with_a_backup(store: Store, lab: Lab) -> None:
    """Both files are as shipped; what was in them is found in the backup."""
    before = _contents(store)
    done = reset(store, lab)
    assert _contents(store) == lab_files(lab)
    assert done.files == (NOTEBOOK, SCRIPT)
    assert done.backup == store.private / "backups" / "20130101T000000Z"
    assert {name: (done.backup / name).read_bytes() for name in before} == before


def test_twice_in_a_second_makes_two_backups(store: Store, lab: Lab) -> None:
    """The second does not replace the first."""
    first = reset(store, lab).backup
    (store.folder / SCRIPT).write_text("again")
    second = reset(store, lab).backup
    assert first is not None
    assert second is not None
    assert (second / SCRIPT).read_text() == "again"
    assert b"solve" in (first / SCRIPT).read_bytes()


def test_a_lab_at_its_start_is_left_alone(store: Store, lab: Lab) -> None:
    """There is nothing to keep, so no backup is made."""
    reset(store, lab)
    done = reset(store, lab)
    assert (done.files, done.backup) == ((), None)


def test_a_lab_that_was_deleted_comes_back(store: Store, lab: Lab) -> None:
    """Without files there is no backup."""
    for name in (NOTEBOOK, SCRIPT):
        (store.folder / name).unlink()
    done = reset(store, lab)
    assert (done.files, done.backup) == ((NOTEBOOK, SCRIPT), None)
    assert _contents(store) == lab_files(lab)


def test_a_lab_put_back_can_be_updated_again(store: Store, lab: Lab) -> None:
    """After it, the files count as nobody's change."""
    reset(store, lab)
    newer = dict.fromkeys(lab_files(lab), b"newer")
    assert make_folder(store.folder, shipped=newer).updated == (NOTEBOOK, SCRIPT)


def test_a_lab_put_back_does_not_cost_the_progress(store: Store, lab: Lab) -> None:
    """What was solved stays solved."""
    with store.update() as state:
        state.exercise(lab.name, "first").passed = store.now()
    reset(store, lab)
    assert store.read().labs[lab.name]["first"].passed


def _code(content: bytes) -> dict[str, Any]:
    return {cell["id"]: "".join(cell["source"]) for cell in json.loads(content)["cells"]}


def test_one_exercise_is_put_back_in_both_files(store: Store, lab: Lab) -> None:
    """The other answer stays as the learner wrote it."""
    before = _contents(store)
    done = reset(store, lab, "first")
    after = _contents(store)
    start = starting_code(lab, "first")
    assert _code(after[NOTEBOOK]) == {**_code(before[NOTEBOOK]), "cell-1": start}
    assert after[SCRIPT].decode() == before[SCRIPT].decode().replace("solve(", "todo(", 1)
    assert done.backup is not None
    assert (done.backup / SCRIPT).read_bytes() == before[SCRIPT]


def test_outputs_of_the_exercise_go(store: Store, lab: Lab) -> None:
    """An error of the former code does not stand below the start; outputs elsewhere stay."""
    content = json.loads((store.folder / NOTEBOOK).read_text())
    for cell in content["cells"][1:]:
        cell.update(outputs=[{"output_type": "stream", "text": "x"}], execution_count=3)
    (store.folder / NOTEBOOK).write_text(json.dumps(content))
    reset(store, lab, "first")
    cells = json.loads((store.folder / NOTEBOOK).read_text())["cells"]
    assert [len(cell["outputs"]) for cell in cells[1:]] == [0, 1, 1]


def test_each_exercise_put_back_is_the_whole_lab_put_back(store: Store, lab: Lab) -> None:
    """The bytes are those that were shipped."""
    for exercise in ("first", "second"):
        reset(store, lab, exercise)
    assert _contents(store) == lab_files(lab)


def test_a_cell_that_was_lost_comes_at_the_end(store: Store, lab: Lab) -> None:
    """Deleting a cell is no dead end."""
    content = json.loads((store.folder / NOTEBOOK).read_text())
    del content["cells"][1]
    (store.folder / NOTEBOOK).write_text(json.dumps(content))
    (store.folder / SCRIPT).write_text("# %%\nprint()")
    reset(store, lab, "first")
    start = starting_code(lab, "first")
    last = json.loads((store.folder / NOTEBOOK).read_text())["cells"][-1]
    assert "".join(last["source"]) == start
    assert (store.folder / SCRIPT).read_text() == f"# %%\nprint()\n\n# %%\n{start}\n"


def test_line_ends_of_an_editor_stay(store: Store, lab: Lab) -> None:
    """A file saved with carriage returns has them afterwards, each once."""
    text = (store.folder / SCRIPT).read_bytes().replace(b"\n", b"\r\n")
    (store.folder / SCRIPT).write_bytes(text)
    reset(store, lab, "first")
    after = (store.folder / SCRIPT).read_bytes()
    assert after == text.replace(b"solve(", b"todo(", 1)


def test_a_cell_behind_a_short_marker_is_not_the_answers(store: Store, lab: Lab) -> None:
    """Some editors write `#%%`: there an answer is found, and what follows it stays."""
    path = store.folder / SCRIPT
    path.write_text("#%%\n# answer: first\ntotal = solve()\n\n#%%\nmine = 1\n")
    reset(store, lab, "first")
    start = starting_code(lab, "first")
    assert path.read_text() == f"#%%\n{start}\n\n#%%\nmine = 1\n"


def test_a_damaged_file_is_told_with_the_way_out(store: Store, lab: Lab) -> None:
    """One exercise of it cannot be put back; nothing was changed; the whole lab can be."""
    (store.folder / NOTEBOOK).write_text("{")
    before = _contents(store)
    with pytest.raises(LabError, match="mlref labs reset 01"):
        reset(store, lab, "first")
    assert _contents(store) == before
    reset(store, lab)
    assert _contents(store) == lab_files(lab)


def test_an_exercise_that_is_none_is_refused(store: Store, lab: Lab) -> None:
    """Also in a folder without the lab."""
    (store.folder / NOTEBOOK).unlink()
    (store.folder / SCRIPT).unlink()
    with pytest.raises(LabError, match="has no exercise 'thrid'"):
        reset(store, lab, "thrid")


def test_the_folder_is_found_after_it_was_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What `init` makes is what the other commands find."""
    monkeypatch.delenv("MLREF_FOLDER", raising=False)
    folder = make_folder(tmp_path / "mine", shipped=OLD).folder
    assert find_folder(folder / "labs/01") == folder
    assert open_store(folder).read().shipped.keys() == OLD.keys()
