"""`mlref watch`: what a save and each key do."""

from __future__ import annotations

from collections.abc import Iterator
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console
from support.watching import Watching, watching

from mlref.errors import LearnerError
from mlref.study._watch_events import Graded, Key
from mlref.study.labs import find_lab, solution, starting_code
from mlref.study.labs.results import ExerciseResult
from mlref.study.learner.state import Store
from mlref.study.watch import _own_grader, _Session


@pytest.fixture
def session(tmp_path: Path) -> Iterator[Watching]:
    """A session in a folder in which nothing is solved; each test begins it."""
    with watching(tmp_path) as found:
        yield found


def _begin(session: Watching) -> str:
    session.start()
    return session.wait_idle()


def test_it_begins_with_the_first_exercise_and_its_place(session: Watching) -> None:
    """The screen names the line of the first thing to write."""
    screen = _begin(session)
    assert "0/4 solved" in screen
    assert "Exercise 1 of 4" in screen
    line = int(screen.partition("exercise.py:")[2].split()[0])
    assert "todo(" in session.script.read_text().splitlines()[line - 1]


def test_it_fits_a_terminal_of_24_lines_and_80_columns(session: Watching) -> None:
    """Nothing scrolls away, whatever is shown."""
    _begin(session)
    for key, text in (("h", "Hint 1"), ("l", "All exercises"), ("s", "s again"), ("s", "solution")):
        session.press(key)
        lines = session.wait_for(text).splitlines()
        assert len(lines) < 24
        assert max(map(len, lines)) <= 80


def test_it_begins_where_one_was(session: Watching) -> None:
    """What is solved in the files is passed over, whatever was recorded."""
    text = session.script.read_text()
    first = session.names[0]
    solved = text.replace(starting_code(session.lab, first), solution(session.lab, first))
    session.script.write_text(solved)
    assert "Exercise 2 of 4" in _begin(session)
    assert "1/4 solved" in session.screen()


def test_a_save_is_graded_and_a_pass_recorded(session: Watching) -> None:
    """The bar moves, and the progress knows of it."""
    _begin(session)
    session.solve("leaks")
    assert "✓ solved  leaks" in session.wait_for("1/4 solved")
    progress = session.store.read().exercise(session.lab.name, "leaks")
    assert progress.passed is not None
    assert progress.attempts == 1


def test_looking_is_no_attempt(session: Watching) -> None:
    """Beginning a session counts nothing, and neither does a save without a change."""
    session.script.write_text(session.script.read_text().replace('todo("a set', 'set("a set'))
    _begin(session)
    session.tell_saved()
    session.wait_graded(5)
    assert session.store.read().labs == {}


def test_only_what_has_changed_is_graded_again(session: Watching) -> None:
    """The exercise at hand, and the one that was edited."""
    _begin(session)
    session.graded.clear()
    session.solve("repair")
    session.wait_graded(2)
    assert session.graded == ["leaks", "repair"]


def test_keys_are_answered_while_an_answer_runs(session: Watching) -> None:
    """A hint comes although the grader is busy."""
    session.gate.clear()
    session.start()
    session.wait_for("Checking leaks")
    session.press("h")
    session.wait_for("Hint 1 of 3")


def test_a_save_while_grading_is_graded_afterwards(session: Watching) -> None:
    """The grader finishes, then reads the file again."""
    session.gate.clear()
    session.start()
    session.wait_busy()
    session.solve("leaks")
    session.gate.set()
    session.wait_for("1/4 solved")
    assert session.graded.count("leaks") == 2


def test_a_damaged_file_is_told_and_recovered_from(session: Watching) -> None:
    """No traceback; the next save is graded."""
    _begin(session)
    text = session.script.read_text()
    session.script.write_bytes(b"# answer: leaks\n\xff\xfe")
    session.tell_saved()
    assert "mlref labs reset" in session.wait_for("cannot be read").replace("\n", " ")
    session.script.write_text(text)
    session.solve("leaks")
    session.wait_for("1/4 solved")


def test_n_goes_on_and_round(session: Watching) -> None:
    """After the last exercise comes the first."""
    _begin(session)
    for number in (2, 3, 4, 1):
        session.press("n")
        session.wait_for(f"Exercise {number} of 4")


def test_n_after_a_pass_goes_to_the_next_unsolved(session: Watching) -> None:
    """One that is solved already is passed over."""
    _begin(session)
    session.solve("refuse_tampering")
    session.wait_for("1/4 solved")
    session.solve("leaks")
    session.wait_for("2/4 solved")
    session.press("n")
    session.wait_for("Exercise 3 of 4")


def test_the_end_says_what_comes_next(session: Watching) -> None:
    """When all is solved, n shows what the lab names as next."""
    _begin(session)
    for name in session.names:
        session.solve(name)
    session.wait_for("4/4 solved")
    session.wait_idle()
    session.press("n")
    assert "Next: the drill" in session.wait_for("All 4 exercises of this lab are solved")


def test_n_shows_the_end_as_soon_as_the_last_result_is_there(tmp_path: Path) -> None:
    """Also before the grader has said that it has ended."""
    lab, store = find_lab("01"), Store(tmp_path)
    sitting = _Session(store, lab, Console(file=StringIO()), _own_grader, interactive=True)
    for each in lab.exercises:
        sitting._handle(Graded(each.name, "", ExerciseResult(lab.name, each.name, "passed")))
    sitting._handle(Key("n"))
    assert sitting._view.panel == "done"


def test_hints_come_one_by_one_and_are_recorded(session: Watching) -> None:
    """After the last comes the first, which costs nothing more."""
    _begin(session)
    for number in (1, 2, 3, 1):
        session.press("h")
        session.wait_for(f"Hint {number} of 3")
    assert session.store.read().exercise(session.lab.name, "leaks").hints == 3


def test_a_pass_puts_the_hint_away(session: Watching) -> None:
    """It has done its work."""
    _begin(session)
    session.press("h")
    session.wait_for("Hint 1 of 3")
    session.solve("leaks")
    assert "Hint" not in session.wait_for("1/4 solved")


def test_a_hint_to_a_solved_exercise_is_shown(session: Watching) -> None:
    """What is recorded as seen was on the screen, and stays there at the next save."""
    _begin(session)
    session.solve("leaks")
    session.wait_for("1/4 solved")
    session.wait_idle()
    session.press("h")
    session.wait_for("Hint 1 of 3")
    assert session.store.read().exercise(session.lab.name, "leaks").hints == 1
    session.graded.clear()
    session.tell_saved()
    session.wait_graded(1)
    assert "Hint 1 of 3" in session.screen()


def test_the_solution_is_shown_after_a_second_press(session: Watching) -> None:
    """The first asks; giving up is recorded."""
    _begin(session)
    session.press("s")
    session.wait_for("s again: give up")
    assert session.store.read().labs == {}
    session.press("s")
    session.wait_for("honest_auc = max(")
    session.press("x")
    session.wait_for("not written yet")
    assert session.store.read().exercise(session.lab.name, "leaks").solution_seen is not None


def test_another_key_keeps_the_solution_hidden(session: Watching) -> None:
    """After s and n, one s more asks again."""
    _begin(session)
    for key, text in (("s", "s again"), ("n", "Exercise 2"), ("s", "s again")):
        session.press(key)
        assert "The solution" not in session.wait_for(text)


def test_the_solution_of_a_solved_exercise_costs_nothing(session: Watching) -> None:
    """It is shown at once, and not recorded."""
    _begin(session)
    session.solve("leaks")
    session.wait_for("1/4 solved")
    session.press("s")
    session.wait_for("The solution")
    assert session.store.read().exercise(session.lab.name, "leaks").solution_seen is None


def test_the_list_shows_every_exercise(session: Watching) -> None:
    """With a word for its state."""
    _begin(session)
    session.solve("leaks")
    session.wait_for("1/4 solved")
    session.press("l")
    screen = session.wait_for("All exercises")
    assert "> ✓ solved" in screen
    assert all(name in screen for name in session.names)


def test_reset_asks_and_keeps_a_backup(session: Watching) -> None:
    """A y puts the exercise back; the message says where the old one is, also after the save."""
    start = session.script.read_text()
    _begin(session)
    session.save("leaks", "# answer: leaks\nleaks = 1")
    session.wait_for("it is wrong")
    session.press("r")
    session.wait_for("y: yes")
    session.press("y")
    session.wait_for("is kept in")
    session.tell_saved()
    screen = session.wait_for("not written yet")
    assert "is kept in" in screen
    assert session.script.read_text() == start
    (backup,) = (session.store.private / "backups").glob("*/labs/*/exercise.py")
    assert "leaks = 1" in backup.read_text()


def test_reset_does_nothing_without_yes(session: Watching) -> None:
    """Any other key is a no."""
    _begin(session)
    session.save("leaks", "# answer: leaks\nleaks = 1")
    session.wait_for("it is wrong")
    session.press("r")
    session.wait_for("y: yes")
    session.press("x")
    session.wait_for("it is wrong")
    session.press("y")
    session.press("h")
    session.wait_for("Hint 1")
    assert "leaks = 1" in session.script.read_text()


@pytest.mark.parametrize("key", ["q", "left"])
def test_it_ends(session: Watching, key: str) -> None:
    """By q, and when the terminal goes away."""
    _begin(session)
    session.press(key)
    session.join()
    assert session.error is None


def test_it_is_drawn_again_in_another_size(session: Watching) -> None:
    """What was asked stays asked."""
    _begin(session)
    session.press("s")
    session.wait_for("s again")
    frames = session.getvalue().count("Exercise 1 of 4")
    session.press("redraw")
    session.press("s")
    session.wait_for("The solution")
    assert session.getvalue().count("Exercise 1 of 4") > frames


def test_files_that_cannot_be_watched_end_it(session: Watching) -> None:
    """The error reaches the caller."""
    _begin(session)
    session.break_down(LearnerError("no more watches"))
    session.join()
    assert isinstance(session.error, LearnerError)


def test_without_a_terminal_it_prints_results_one_below_the_other(tmp_path: Path) -> None:
    """No control characters, no keys, a line between two."""
    with watching(tmp_path, interactive=False, terminal=False) as session:
        session.start()
        session.wait_for("not written yet")
        session.solve("leaks")
        printed = session.wait_for("✓ solved  leaks")
    assert "\x1b" not in printed
    assert "n next" not in printed
    assert "Checking" not in printed
    assert "────" in printed


def test_a_terminal_that_cannot_be_cleared_is_answered_too(tmp_path: Path) -> None:
    """A key is answered while an answer runs, and nothing is printed twice."""
    with watching(tmp_path, terminal=False) as session:
        session.gate.clear()
        session.start()
        session.press("h")
        printed = session.wait_for("Hint 1 of 3")
    assert printed.count("Exercise 1 of 4") == 2
