"""`mlref watch` without a terminal: keys, saves and the grader come from the test."""

from __future__ import annotations

import io
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console

from mlref.study.labs import Lab, find_lab, solution, starting_code
from mlref.study.labs.results import ExerciseResult, LabResult
from mlref.study.learner.shipped import lab_files
from mlref.study.learner.state import Store
from mlref.study.watch import watch

__all__ = ["Watching", "watching"]

WAIT_S = 20.0  # a limit that no passing test comes near
CLEARED = "\x1b[2J\x1b[H"


class Watching(io.StringIO):
    """A session in a thread, its screen, and everything that it depends on.

    The grader takes our solution as right, the code as it was given as to do, all else as wrong.
    """

    encoding = "utf-8"

    def __init__(self, folder: Path, *, interactive: bool = True, terminal: bool = True) -> None:
        super().__init__()
        self.lab: Lab = find_lab("01")
        self.names = [each.name for each in self.lab.exercises]
        self.store = Store(folder)
        for name, content in lab_files(self.lab).items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes(content)
        self.script = folder / "labs" / self.lab.name / "exercise.py"
        self.graded: list[str] = []
        self.gate = threading.Event()  # the grader waits for it
        self.gate.set()
        self._busy = threading.Event()
        self.error: BaseException | None = None
        self._changed = threading.Condition()
        self._press: Callable[[str], None] | None = None
        self._saved: Callable[[], None] | None = None
        self._broken: Callable[[Exception], None] | None = None
        self._interactive = interactive
        self._console = Console(
            file=self, force_terminal=terminal, width=80, height=24, color_system=None,
            highlight=False, _environ={"TERM": "xterm"},
        )  # fmt: skip
        self._thread = threading.Thread(target=self._run, daemon=True)

    def write(self, text: str) -> int:
        """Take what is drawn, and let those who wait look at it."""
        with self._changed:
            count = super().write(text)
            self._changed.notify_all()
        return count

    def screen(self) -> str:
        """What was drawn last."""
        return self.getvalue().rpartition(CLEARED)[2]

    def wait_for(self, text: str) -> str:
        """The screen, as soon as it holds a text and its last line."""
        last = "quit" if self._interactive else "Ctrl-C"

        def there() -> bool:
            return text in self.screen() and last in self.screen()

        with self._changed:
            assert self._changed.wait_for(there, WAIT_S), f"no {text!r} in:\n{self.screen()}"
            return self.screen()

    def wait_idle(self) -> str:
        """The screen, as soon as nothing is graded any more."""
        with self._changed:
            assert self._changed.wait_for(self._idle, WAIT_S), self.screen()
            return self.screen()

    def wait_graded(self, count: int) -> None:
        """Return when so many exercises were graded and their results are shown."""
        with self._changed:
            done = self._changed.wait_for(
                lambda: len(self.graded) >= count and self._idle(), WAIT_S
            )
        assert done, f"graded: {self.graded}; the screen:\n{self.screen()}"

    def wait_busy(self) -> None:
        """Return when the grader has begun, so the files were read."""
        assert self._busy.wait(WAIT_S)

    def _idle(self) -> bool:
        return "quit" in self.screen() and "Checking" not in self.screen()

    def press(self, key: str) -> None:
        """Press a key."""
        assert self._press is not None
        self._press(key)

    def save(self, exercise: str, code: str) -> None:
        """Replace an answer's code in exercise.py, and tell that it was saved."""
        text = self.script.read_text()
        self.script.write_text(text.replace(starting_code(self.lab, exercise), code))
        self.tell_saved()

    def solve(self, exercise: str) -> None:
        """Save our solution to an exercise."""
        self.save(exercise, solution(self.lab, exercise))

    def tell_saved(self) -> None:
        """Tell that a file was saved."""
        assert self._saved is not None
        self._saved()

    def break_down(self, error: Exception) -> None:
        """Tell that files cannot be watched any more."""
        assert self._broken is not None
        self._broken(error)

    def start(self) -> None:
        """Begin, and wait for the first screen."""
        self._thread.start()
        if self._interactive:
            self.wait_for("")

    def join(self) -> None:
        """Wait for the end."""
        self._thread.join(WAIT_S)
        assert not self._thread.is_alive(), self.screen()

    def _run(self) -> None:
        keys = self._keys if self._interactive else None
        try:
            watch(
                self.store,
                self.lab,
                console=self._console,
                changes=self._changes,
                keys=keys,
                grader=self._grade,
            )
        except BaseException as error:  # noqa: BLE001 - the test looks at it
            self.error = error

    @contextmanager
    def _keys(self, deliver: Callable[[str], None]) -> Iterator[None]:
        self._press = deliver
        yield

    @contextmanager
    def _changes(
        self, deliver: Callable[[], None], failed: Callable[[Exception], None]
    ) -> Iterator[None]:
        self._saved, self._broken = deliver, failed
        yield

    def _grade(self, lab: Lab, answers: Mapping[str, str], name: str) -> LabResult:
        self._busy.set()
        assert self.gate.wait(WAIT_S)
        self.graded.append(name)
        code = answers.get(name, "").strip()
        if code == solution(lab, name).strip():
            result = ExerciseResult(lab.name, name, "passed")
        elif code == starting_code(lab, name).strip():
            result = ExerciseResult(lab.name, name, "todo", message="not written yet")
        else:
            result = ExerciseResult(lab.name, name, "failed", message="it is wrong", why="so it is")
        return LabResult(lab.name, lab.title, (result,))


@contextmanager
def watching(
    folder: Path, *, interactive: bool = True, terminal: bool = True
) -> Iterator[Watching]:
    """A session that has not begun; it is ended with the block."""
    session = Watching(folder, interactive=interactive, terminal=terminal)
    try:
        yield session
    finally:
        session.gate.set()
        if session._thread.is_alive():
            session.break_down(InterruptedError("the test is over"))
            session.join()
