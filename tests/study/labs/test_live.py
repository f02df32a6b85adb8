"""Grading in a running notebook, driven by a real kernel."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest
from support.kernels import execute, shown

from mlref.errors import LabError
from mlref.study.labs import find_lab, live
from mlref.study.labs.live import ShownHints, check, executed_answers, hint
from mlref.study.learner.folder import make_folder
from mlref.study.learner.results import record_hint
from mlref.study.learner.state import Store

RIGHT = """# answer: diagnose
culprits = {"humid", "wind_gust"}
worst = float(np.abs(asked - expected).max())"""
WRONG = '# answer: diagnose\nculprits = {"humid"}\nworst = 1'
SCRIPT = "<script>alert(1)</script>"
RAISING = f'# answer: diagnose\nraise ValueError("{SCRIPT}")'
NEWER = """from pathlib import Path
progress = Path("../../.mlref/progress.json")
kept = progress.read_text()
progress.write_text('{"format": "mlref-progress/99"}')"""
HINTS = find_lab("01").exercise("leaks").hints
CHECK = 'from mlref.study.labs import check\nresult = check("01", "diagnose")\nprint(result)'


@pytest.fixture(scope="module")
def learner(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A learner's folder."""
    return make_folder(tmp_path_factory.mktemp("learner") / "study").folder


@pytest.fixture(scope="module")
def cells(learner: Path) -> list[str]:
    """What some cells showed, executed in order in the folder of lab 01."""
    sources = [
        CHECK,  # nothing is answered
        WRONG,
        CHECK,
        RIGHT,  # the names that it uses are not there: in this kernel it raises
        CHECK,
        "# %%time\n" + WRONG,  # does not begin with the answer's name
        CHECK,
        'check("01", "no_such")',
        RAISING,
        'check("01", "diagnose")',
        NEWER,
        'check("01", "diagnose")',
        "progress.write_text(kept)",
        'from mlref.study.labs import hint\nhint("01", "leaks")',
        'hint("1", "leaks")',
    ]
    return [shown(cell) for cell in execute(learner / "labs" / "01_deployment_steps", sources)]


def test_a_cell_that_was_not_run_is_missing(cells: list[str]) -> None:
    """The result says which cell to run."""
    assert "no answer  diagnose" in cells[0]
    assert "run that cell first" in cells[0]


def test_the_cell_that_was_run_is_graded_not_the_saved_file(cells: list[str]) -> None:
    """The file on the disk is untouched; the kernel has a wrong answer."""
    assert "0 of 1 solved" in cells[2]
    assert "a calm day that never was" in cells[2]


def test_the_last_run_counts_also_when_it_raised(cells: list[str]) -> None:
    """The grader runs the answer with the given cells, whatever this kernel lacks."""
    assert "NameError" in cells[3]
    assert "1 of 1 solved" in cells[4]


def test_a_cell_that_does_not_begin_with_a_name_is_no_answer(cells: list[str]) -> None:
    """What was answered before still counts."""
    assert "1 of 1 solved" in cells[6]


def test_an_unknown_exercise_is_refused_in_words(cells: list[str]) -> None:
    """The error lists those that there are."""
    assert "LabError" in cells[7]
    assert "it has: leaks" in cells[7]


def test_the_progress_is_gone_when_the_result_is_there(cells: list[str]) -> None:
    """The bar is replaced by nothing."""
    assert "graded <progress" not in cells[4]


def test_results_are_kept_in_the_learners_folder(cells: list[str], learner: Path) -> None:
    """The first pass with its moment, every attempt counted."""
    assert cells
    progress = Store(learner).read().labs["01_deployment_steps"]["diagnose"]
    assert progress.passed is not None
    assert progress.attempts == 4


def test_what_an_answer_raised_is_no_tag(cells: list[str]) -> None:
    """The notebook shows the message as it is, and runs nothing of it."""
    page, _, text = cells[9].rpartition("</div>")
    assert "&lt;script&gt;alert(1)" in page
    assert SCRIPT not in page
    assert SCRIPT in text


def test_a_failed_check_says_where_a_hint_is(cells: list[str]) -> None:
    """With the call to be copied."""
    assert "Stuck? <code>hint(&quot;01&quot;, &quot;diagnose&quot;)</code>" in cells[9]


def test_a_result_that_cannot_be_kept_is_shown(cells: list[str]) -> None:
    """A newer mlref has written the progress: it stays as it is, and the result is there."""
    assert "This result is not kept" in cells[11]
    assert "mlref-progress/99" in cells[11]
    assert "0 of 1 solved" in cells[11]


def test_hints_come_one_after_the_other_and_are_kept(cells: list[str], learner: Path) -> None:
    """The one before stays in sight; the progress says how many were seen."""
    assert "Hint 1 of 3" in cells[13]
    assert "Hint 2 of 3" not in cells[13]
    assert "Hint 1 of 3" in cells[14]
    assert "Hint 2 of 3" in cells[14]
    assert Store(learner).read().labs["01_deployment_steps"]["leaks"].hints == 2


def test_without_a_notebook_it_is_refused() -> None:
    """The error names the command for a terminal."""
    with pytest.raises(LabError, match="mlref labs check"):
        check("01")


def test_of_two_executions_the_last_counts() -> None:
    """In the order of the history."""
    history = ["", "# answer: a\nx = 1", "x = 5", "# answer: b\n", "# answer: a\nx = 2"]
    shell = SimpleNamespace(history_manager=SimpleNamespace(input_hist_raw=history))
    assert executed_answers(shell) == {"a": "# answer: a\nx = 2", "b": "# answer: b\n"}


@pytest.fixture
def nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, which is no learner's; no hint was asked for in this process."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MLREF_FOLDER", raising=False)
    monkeypatch.setattr(live, "_seen", {})
    return tmp_path


@pytest.fixture
def store(nowhere: Path) -> Store:
    """The progress of a learner in whose folder we are."""
    (nowhere / ".mlref").mkdir()
    return Store(nowhere)


@pytest.mark.usefixtures("nowhere")
def test_without_a_folder_hints_come_one_after_the_other() -> None:
    """As long as the process lives; each exercise begins with its first."""
    assert [hint("01", "leaks").hints for _ in range(3)] == [HINTS[:1], HINTS[:2], HINTS]
    assert len(hint("01", "repair").hints) == 1


@pytest.mark.usefixtures("nowhere")
def test_after_the_last_hint_comes_the_solution() -> None:
    """All three stay; what to do next is another command."""
    for _ in range(4):
        shown_hints = hint("01", "leaks")
    assert shown_hints.hints == HINTS
    assert "mlref labs solution 01 leaks --give-up" in repr(shown_hints)
    assert "For the next one" not in repr(shown_hints)


def test_a_hint_seen_in_the_terminal_is_not_repeated(store: Store) -> None:
    """Notebook and terminal count together."""
    record_hint(store, "01_deployment_steps", "leaks", number=1)
    assert hint("01", "leaks").hints == HINTS[:2]
    assert store.read().labs["01_deployment_steps"]["leaks"].hints == 2


def test_a_hint_that_cannot_be_kept_is_shown(store: Store) -> None:
    """It says so; the next call shows the next one all the same."""
    store.path.write_text('{"format": "mlref-progress/99"}')
    assert "It is not kept that you saw this hint" in repr(hint("01", "leaks"))
    assert hint("01", "leaks").hints == HINTS[:2]


def test_a_damaged_progress_is_set_aside_and_the_hint_says_so(store: Store) -> None:
    """Nothing is lost without a word."""
    store.path.write_text("{")
    shown_hints = hint("01", "leaks")
    assert shown_hints.hints == HINTS[:1]
    assert "progress.json.corrupt-" in str(shown_hints.notices)


@pytest.mark.usefixtures("nowhere")
def test_a_hint_to_no_exercise_is_refused() -> None:
    """The error names the one that was meant."""
    with pytest.raises(LabError, match="did you mean leaks"):
        hint("01", "leak")


def test_hints_as_html_are_escaped_and_show_code() -> None:
    """Backquotes become code; no tag comes through."""
    page = ShownHints("01", "leaks", ("use `a < b`", SCRIPT), 3)._repr_html_()
    assert "<code>a &lt; b</code>" in page
    assert SCRIPT not in page
    assert "<code>hint(&quot;01&quot;, &quot;leaks&quot;)</code>" in page
