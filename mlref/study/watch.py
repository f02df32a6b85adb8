"""`mlref watch`: a lab beside the editor. Each save is graded; single keys do the rest.

    watch(store, lab, console=Console(), keys=terminal_keys(0), changes=saved_files(...))

Three threads feed one queue: keys, saved files, and the grader. The loop takes one event after the
other, so a key is answered while an answer runs, and a file that was saved meanwhile is graded
afterwards. Only answers whose code has changed are graded again, the one at hand always.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from queue import SimpleQueue
from typing import TYPE_CHECKING, TypeAlias

from rich.rule import Rule

from mlref.errors import MlrefError
from mlref.study import grading
from mlref.study._keys import LEFT, REDRAW, KeySource
from mlref.study._watch_events import Broken, Checking, Event, Graded, Idle, Key, Read, Saved
from mlref.study._watch_screen import View, drawn
from mlref.study.labs.answers import FILES, Answer, answers_in
from mlref.study.labs.cutting import solution, starting_code
from mlref.study.learner import results
from mlref.study.learner.folder import reset

if TYPE_CHECKING:
    from rich.console import Console

    from mlref.study._changes import ChangeSource
    from mlref.study.grading import ExerciseResult, LabResult
    from mlref.study.labs.lab import Exercise, Lab
    from mlref.study.learner.state import Store

__all__ = ["Grader", "lab_folder", "place_of", "watch"]

Grader: TypeAlias = Callable[["Lab", Mapping[str, str], str], "LabResult"]
"""Grades one exercise: the lab, exercise -> code, and the exercise's name."""


def lab_folder(store: Store, lab: Lab) -> Path:
    """The learner's copy of a lab."""
    return store.folder / "labs" / lab.name


def place_of(exercise: str, answer: Answer | None, folder: Path, *, start: str) -> str:
    """Where an answer is edited: a file and a line; in a notebook, the cell.

    Args:
        exercise: the exercise's name.
        answer: what was found of it; None if nothing.
        folder: the learner's copy of the lab.
        start: the answer's code as the exercise gives it.
    """
    script = folder / FILES[1]
    path = answer.file if answer and answer.begun else script
    path = path if path.is_file() else folder / FILES[0]
    shown = path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path
    if path.suffix != ".py":
        return f"{shown}, the cell `# answer: {exercise}`"
    lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    heads = [n for n, line in enumerate(lines, 1) if line.strip() == f"# answer: {exercise}"]
    if not heads:
        return str(shown)
    code = answer.code if answer else start
    within = range(heads[-1], min(heads[-1] + len(code.splitlines()), len(lines)))
    holes = [number + 1 for number in within if "todo(" in lines[number]]
    return f"{shown}:{(holes or heads)[0]}"


def watch(
    store: Store,
    lab: Lab,
    *,
    console: Console,
    changes: ChangeSource,
    keys: KeySource | None = None,
    grader: Grader | None = None,
) -> None:
    """Grade a lab on each save, until q is pressed or the terminal goes away.

    Args:
        store: the progress of the learner's folder.
        lab: the lab.
        console: where the screen is drawn; it is cleared between two if it can be.
        changes: tells of saved files.
        keys: single keys; None means that nobody presses any.
        grader: grades one exercise; None means mlref's own.

    Raises:
        LearnerError: the progress cannot be read, or the files cannot be watched.
        FileWriteError: a damaged progress could not be set aside.
        MissingExtraError: the extra "study" is not installed.
    """
    session = _Session(store, lab, console, grader or _own_grader, interactive=keys is not None)
    with ExitStack() as sources:
        sources.enter_context(changes(session.saved, session.broken))
        if keys is not None:
            sources.enter_context(keys(session.pressed))
        session.run()


def _own_grader(lab: Lab, answers: Mapping[str, str], name: str) -> LabResult:
    return grading.grade_lab(lab, answers, only=name)


class _Session:
    """One sitting: what is known, and what each event does to it. Only `run` changes it."""

    def __init__(
        self, store: Store, lab: Lab, console: Console, grader: Grader, *, interactive: bool
    ) -> None:
        self._store, self._lab, self._console, self._grader = store, lab, console, grader
        self._events: SimpleQueue[Event] = SimpleQueue()
        self._folder = lab_folder(store, lab)
        known = store.read().labs.get(lab.name, {})
        self._recorded = {name for name, each in known.items() if each.passed}
        self._given_up = {name for name, each in known.items() if each.solution_seen}
        self._hints_seen = {name: each.hints for name, each in known.items()}
        self._hints_shown: dict[str, int] = {}
        self._answers: Mapping[str, Answer] = {}
        self._results: dict[str, ExerciseResult] = {}
        self._codes: dict[str, str] = {}  # exercise -> the code that was graded last
        self._grading = self._again = self._over = self._moved = self._settled = False
        self._asked = ""  # the key that waits for its second press
        self._printed: list[str] = []
        self._view = View(lab, lab.exercises[0], keys=interactive)
        self._tell_notices()

    # What the sources call, from their threads.

    def pressed(self, key: str) -> None:
        """A key was pressed."""
        self._events.put(Key(key))

    def saved(self) -> None:
        """A file was saved."""
        self._events.put(Saved())

    def broken(self, error: Exception) -> None:
        """A source has failed."""
        self._events.put(Broken(error))

    # The loop.

    def run(self) -> None:
        """Handle events until one ends it."""
        unsolved = [each for each in self._lab.exercises if each.name not in self._recorded]
        self._go_to((unsolved or self._lab.exercises)[0])
        self._start_grading()
        self._draw()
        while not self._over:
            self._handle(self._events.get())
            if self._events.empty() and not self._over:
                self._draw()

    def _handle(self, event: Event) -> None:
        if isinstance(event, Key):
            self._key(event.key)
        elif isinstance(event, Saved):
            self._start_grading()
        elif isinstance(event, Read):
            self._answers = event.answers
            self._show(problem="", place=self._place(self._view.current))
        elif isinstance(event, Checking):
            self._show(checking=event.name)
        elif isinstance(event, Graded):
            self._graded(event)
        elif isinstance(event, Idle):
            self._idle(event.problem)
        else:
            raise event.error

    def _show(self, **changes: object) -> None:
        self._view = replace(self._view, **changes)  # type: ignore[arg-type]  # fields of View

    # Grading.

    def _start_grading(self) -> None:
        if self._grading:
            self._again = True
            return
        self._grading = True
        if self._view.panel != "result":
            self._show(panel="result", note="")
        self._show(
            question="", checking=self._view.current.name
        )  # a note stays: it may say where a backup is
        self._asked = ""
        order = sorted(self._lab.exercises, key=lambda each: each is not self._view.current)
        work = (order, dict(self._codes), self._view.current.name)
        threading.Thread(target=self._grade, args=work, name="grader", daemon=True).start()

    def _grade(self, order: list[Exercise], known: dict[str, str], always: str) -> None:
        """Read the files and grade what has changed; runs in a thread of its own."""
        try:
            answers = answers_in(self._folder, self._lab)
            self._events.put(Read(answers))
            codes = {name: each.code for name, each in answers.items()}
            for each in order:
                code = codes.get(each.name, "")
                if each.name == always or known.get(each.name) != code:
                    self._events.put(Checking(each.name))
                    (result,) = self._grader(self._lab, codes, each.name).exercises
                    self._events.put(Graded(each.name, code, result))
            self._events.put(Idle())
        except MlrefError as error:
            self._events.put(Idle(str(error)))
        except Exception as error:  # noqa: BLE001 - told by the main thread, which ends
            self._events.put(Broken(error))

    def _graded(self, event: Graded) -> None:
        result, name = event.result, event.name
        edited = self._settled and self._codes.get(name) != event.code
        self._codes[name] = event.code
        if result.passed:
            self._show(note="")
            self._put_hints_away(name)
        if edited or (result.passed and name not in self._recorded):
            found = grading.LabResult(self._lab.name, self._lab.title, (result,))
            self._kept(lambda: results.record(self._store, found))
        if result.passed:
            self._recorded.add(name)
        self._results[name] = result
        self._show(results=dict(self._results), solved=self._solved())

    def _put_hints_away(self, name: str) -> None:
        """Show no hint to an exercise that has just been solved, until one is asked for."""
        if name in self._solved():
            return
        self._hints_shown.pop(name, None)
        if name == self._view.current.name:
            self._show(hint=0)

    def _idle(self, problem: str) -> None:
        self._grading = False
        self._show(checking="", problem=problem)
        if not self._settled and not problem:
            self._settled = True
            left = self._unsolved_after(None)
            if not self._moved and left:
                self._go_to(left[0])
            elif not self._moved:
                self._show(panel="done")
        if self._again:
            self._again = False
            self._start_grading()

    def _solved(self) -> frozenset[str]:
        return frozenset(name for name, each in self._results.items() if each.passed)

    def _unsolved_after(self, current: Exercise | None) -> list[Exercise]:
        """The exercises that are not solved, those after the current one first."""
        every = list(self._lab.exercises)
        start = every.index(current) + 1 if current else 0
        solved = self._solved()
        return [each for each in every[start:] + every[:start] if each.name not in solved]

    # Keys.

    def _key(self, key: str) -> None:
        asked, self._asked = self._asked, ""
        self._moved = self._moved or key != REDRAW
        actions = {"n": self._next, "h": self._hint, "l": self._list, "q": self._quit}
        if key == REDRAW:
            self._asked, self._printed = asked, []
        elif key == LEFT:
            self._over = True
        elif asked == "s" and key == "s":
            self._give_up()
        elif asked == "r" and key == "y":
            self._reset()
        elif key == "s":
            self._solution()
        elif key == "r":
            self._ask("r", "Put this exercise back to its start? y: yes, any other key: no.")
        elif key in actions:
            self._show(question="", note="")
            actions[key]()
        elif self._view.panel != "done" or asked:
            self._show(panel="result", question="", note="")

    def _ask(self, key: str, question: str) -> None:
        self._asked = key
        self._show(question=question, note="")

    def _next(self) -> None:
        current, every = self._view.current, list(self._lab.exercises)
        if not self._unsolved_after(None):
            self._show(panel="done")
        elif current.name in self._solved():
            self._go_to(self._unsolved_after(current)[0])
        else:
            self._go_to(every[(every.index(current) + 1) % len(every)])

    def _go_to(self, exercise: Exercise) -> None:
        shown = self._hints_shown.get(exercise.name, 0)
        self._show(current=exercise, panel="result", hint=shown, place=self._place(exercise))

    def _place(self, exercise: Exercise) -> str:
        try:
            start = starting_code(self._lab, exercise.name)
            answer = self._answers.get(exercise.name)
            return place_of(exercise.name, answer, self._folder, start=start)
        except OSError:
            return ""

    def _hint(self) -> None:
        """The next hint; after the last one the first, and first those seen another day."""
        name, every = self._view.current.name, len(self._view.current.hints)
        seen = self._hints_seen.get(name, 0)
        number = self._hints_shown.get(name, 0) % every + 1
        if number > seen:
            lab = self._lab.name
            self._kept(lambda: results.record_hint(self._store, lab, name, number=number))
        self._hints_shown[name] = number
        self._hints_seen[name] = max(seen, number)
        self._show(panel="result", hint=number)

    def _solution(self) -> None:
        name = self._view.current.name
        if name in self._recorded | self._given_up:
            self._show_solution()
        else:
            self._ask("s", "Not solved yet. s again: give up and see it (this is recorded).")

    def _give_up(self) -> None:
        name = self._view.current.name
        self._show(question="", note="")
        self._given_up.add(name)
        self._show_solution()
        self._kept(lambda: results.record_solution(self._store, self._lab.name, name))

    def _show_solution(self) -> None:
        code = solution(self._lab, self._view.current.name)
        self._show(panel="solution", solution=code, question="", note="Any other key: back.")

    def _list(self) -> None:
        self._show(panel="list", note="Any other key: back.")

    def _reset(self) -> None:
        name = self._view.current.name
        self._show(question="", panel="result")

        def put_back() -> None:
            done = reset(self._store, self._lab, name)
            kept = f"Put back. What was there is kept in {done.backup}" if done.backup else ""
            self._show(note=kept or "Nothing to put back: it is as it was given.")

        self._kept(put_back)

    def _kept(self, action: Callable[[], None]) -> None:
        """Do what writes files; if that fails, say so and go on."""
        try:
            action()
        except MlrefError as error:
            self._show(note=f"✗ {error}")
        self._tell_notices()

    def _tell_notices(self) -> None:
        if self._store.notices:
            self._show(note="\n".join(f"Note: {each}" for each in self._store.notices))
            self._store.notices.clear()

    def _quit(self) -> None:
        self._over = True

    # The screen.

    def _draw(self) -> None:
        console = self._console
        clearing = console.is_terminal and not console.is_dumb_terminal
        if not clearing and self._grading and not self._view.keys:
            return
        view = self._view if clearing else replace(self._view, checking="")
        lines = drawn(view, console.width, console.height if clearing else None)
        plain = [line.plain for line in lines]
        if plain == self._printed:
            return
        if clearing:
            console.clear()
        elif self._printed:
            console.print(Rule(style="none"))
        for line in lines:
            console.print(line, soft_wrap=True, highlight=False)
        self._printed = plain
