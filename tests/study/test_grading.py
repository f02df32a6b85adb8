"""The grader: each way in which an answer can end, and what it must not reach or leave behind."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from support.children import SOON_S, wait_gone
from support.small_labs import CHECKS, LAB_TOML, SOURCE, write_lab

from mlref.errors import LabError, MissingExtraError
from mlref.study import extras
from mlref.study.grading import ExerciseResult, grade, grade_lab
from mlref.study.labs.lab import Lab

Graded = Callable[[str], ExerciseResult]


@pytest.fixture
def lab(tmp_path: Path) -> Lab:
    """A whole lab with three exercises."""
    return write_lab(tmp_path / "labs")


@pytest.fixture
def total(lab: Lab) -> Graded:
    """Grades code as the answer to `total`."""
    return lambda code: grade(lab, "total", f"# answer: total\n{code}")


def test_a_right_answer_passes_every_check(total: Graded) -> None:
    """All checks are told, each as passed, and there is nothing to say."""
    result = total("total = 6")
    assert (result.status, result.passed, result.message, result.why) == ("passed", True, "", "")
    assert [(c.label, c.passed) for c in result.checks] == [
        ("It is a number.", True),
        ("It is the sum.", True),
    ]


def test_a_wrong_answer_is_told_what_is_wrong_and_why_it_matters(total: Graded) -> None:
    """The first check that rejects gives message and reason."""
    result = total("total = 7")
    assert result.status == "failed"
    assert (result.message, result.why) == ("total is 7", "a sum counts everything")
    assert [check.passed for check in result.checks] == [True, False]


def test_checks_behind_the_first_that_rejects_are_not_reached(total: Graded) -> None:
    """A missing name is told once; the later check says nothing."""
    result = total("x = 1")
    assert "`total` is not defined" in result.message
    assert [check.passed for check in result.checks] == [False, None]


@pytest.mark.parametrize("value", ["True", "'6'", "float('nan')", "None"])
def test_what_is_no_finite_number_is_rejected(total: Graded, value: str) -> None:
    """Answers of another type are rejected in words."""
    result = total(f"total = {value}")
    assert result.status == "failed"
    assert "must be a finite number" in result.message


def test_an_untouched_hole_is_to_do(total: Graded) -> None:
    """todo() in the cell itself is no error."""
    result = total('total = todo("the sum")')
    assert (result.status, result.message) == ("todo", "not written yet: the sum")


def test_a_hole_in_a_function_that_a_check_calls_is_to_do(lab: Lab) -> None:
    """todo() that only the check reaches is to do as well."""
    code = '# answer: double\ndef double(value):\n    todo("twice")'
    assert grade(lab, "double", code).status == "todo"


def test_an_error_is_told_with_its_line_and_text(total: Graded) -> None:
    """The line is counted from the cell's first line."""
    result = total("x = 0\ntotal = 1 / x")
    assert result.status == "error"
    assert (
        result.message
        == "line 3 of your cell (`total = 1 / x`): ZeroDivisionError: division by zero"
    )


def test_an_error_in_a_library_is_told_at_the_line_that_called_it(total: Graded) -> None:
    """A traceback through a library ends for the learner at their own line."""
    result = total("import json\ntotal = json.loads('{')")
    assert "line 3 of your cell (`total = json.loads('{')`): JSONDecodeError" in result.message


def test_an_error_while_a_check_calls_the_answer_is_told_at_its_line(lab: Lab) -> None:
    """A function that raises when it is checked is told like a cell that raises."""
    result = grade(lab, "double", "# answer: double\ndef double(value):\n    return value.x")
    assert "line 3 of your cell (`return value.x`): AttributeError" in result.message


@pytest.mark.parametrize(
    ("ending", "told", "advice"),
    [
        ("os._exit(0)", "ended with status 0", "leave out os._exit()"),
        ("os.kill(os.getpid(), 9)", "was ended by SIGKILL", "run out of memory"),
        ("import ctypes; ctypes.string_at(0)", "was ended by SIGSEGV", "a compiled library"),
        ("os.kill(os.getpid(), signal.SIGRTMIN)", "was ended by ", "signals"),
        ("os.closerange(3, 1024)", "ended with status 1|cut the grader off", "file descriptors"),
    ],
)
def test_a_process_that_ends_before_it_is_checked_is_an_error(
    total: Graded, ending: str, told: str, advice: str
) -> None:
    """Ending the process is no way to pass; how it ended is told."""
    result = total(f"import os, signal\ntotal = 6\n{ending}")
    assert result.status == "error"
    assert re.search(told, result.message)
    assert "before your answer could be checked" in result.message
    assert advice in result.why


def test_a_grader_that_does_not_start_is_not_the_answers_fault(
    total: Graded, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The reason is told; the answer was not looked at."""
    monkeypatch.setenv("PYTHONHOME", "/nowhere")
    result = total("total = 6")
    assert result.status == "error"
    assert "the grader itself did not start" in result.message
    assert "your answer was not looked at" in result.why


def test_a_loop_without_end_is_too_slow(lab: Lab) -> None:
    """The limit of wall time ends it."""
    result = grade(replace(lab, time_limit_s=1.0), "total", "while True: pass")
    assert result.status == "timeout"
    assert "within 1 seconds" in result.message


def test_too_much_memory_is_told(lab: Lab) -> None:
    """The limit of RSS ends it, far before the time does."""
    small = replace(lab, memory_limit_bytes=150 * 2**20)
    result = grade(small, "total", "block = []\nwhile True: block.append(b'x' * 2**20)")
    assert result.status == "memory"
    assert "150 are allowed" in result.message


def test_the_memory_of_children_counts(lab: Lab) -> None:
    """What a program that the answer started takes is part of its memory."""
    bomb = "import threading; block = b'x' * 200 * 2**20; threading.Event().wait()"
    code = f"import subprocess, sys\nsubprocess.run([sys.executable, '-c', {bomb!r}])"
    small = replace(lab, memory_limit_bytes=150 * 2**20, time_limit_s=SOON_S)
    assert grade(small, "total", code).status == "memory"


def test_what_forks_share_counts_once(lab: Lab) -> None:
    """A pool of workers that were forked needs no more memory than it takes."""
    code = "import os, signal, threading\nblock = b'x' * 100 * 2**20\nfor _ in range(4):\n"
    code += "    if os.fork() == 0: signal.pause()\nthreading.Event().wait(0.2)\ntotal = 6"
    assert grade(replace(lab, memory_limit_bytes=300 * 2**20), "total", code).passed


def test_output_without_end_is_cut_off(total: Graded) -> None:
    """A loop that prints for ever fails at a limit, and only the end of it is kept."""
    result = total("while True: print('x' * 2**20)")
    assert result.status == "error"
    assert "print and write less" in result.why
    assert len(result.output) < 10_000


def test_the_last_lines_that_were_printed_are_kept_without_colours(total: Graded) -> None:
    """Output comes back as plain text, error output too."""
    result = total("import sys\nprint('\\x1b[31mred\\x1b[0m', file=sys.stderr)\nprint('naïve ✓')")
    assert result.output.splitlines() == ["red", "naïve ✓"]


def test_any_character_can_be_printed(total: Graded, monkeypatch: pytest.MonkeyPatch) -> None:
    """The terminal's own encoding does not matter."""
    monkeypatch.setenv("PYTHONIOENCODING", "ascii")
    result = total("print('✓', chr(0xD800))\ntotal = 7")
    assert (result.status, result.output) == ("failed", "✓ \\ud800")


def test_a_message_is_plain_text(total: Graded) -> None:
    """Control codes and half characters of an exception's text reach no terminal."""
    codes = "'\\x1b[31mred\\x1b[0m \\x1b]0;title\\x07\\x9bA\\ud800'"
    result = total(f"text = {codes}\nraise ValueError(text)")
    assert result.message.endswith("ValueError: red A\\ud800")


def test_a_message_has_an_end(total: Graded) -> None:
    """A check that tells a value does not tell all of a long one."""
    code = "class Long(int):\n    def __format__(self, _): return 'x' * 10**6\ntotal = Long(7)"
    result = total(code)
    assert result.status == "failed"
    assert len(result.message) < 3_000


def test_an_answer_that_handles_signals_is_ended_at_once(
    total: Graded, caplog: pytest.LogCaptureFixture
) -> None:
    """There is nothing to drain, and nothing is said about it."""
    handled = "import signal\nsignal.signal(signal.SIGTERM, lambda *_: None)\ntotal = 6"
    assert total(handled).passed
    assert caplog.text == ""


def test_a_thread_that_runs_on_does_not_hold_the_grader_up(lab: Lab) -> None:
    """A thread without end is left behind with its process."""
    code = "import threading\nthreading.Thread(target=threading.Event().wait).start()\ntotal = 6"
    assert grade(replace(lab, time_limit_s=SOON_S), "total", code).passed


@pytest.mark.parametrize("session", [False, True])
def test_no_process_that_the_answer_started_is_left(
    total: Graded, tmp_path: Path, *, session: bool
) -> None:
    """A program started in the background is ended, also when it left the process group."""
    note = tmp_path / "pid"
    wait = "import threading; threading.Event().wait()"
    result = total(
        f"import subprocess, sys\n"
        f"child = subprocess.Popen([sys.executable, '-c', {wait!r}], start_new_session={session})\n"
        f"open({str(note)!r}, 'w').write(str(child.pid))\ntotal = 6"
    )
    assert result.passed
    assert wait_gone(int(note.read_text()))


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere orphans belong to nobody")
def test_no_orphan_is_left(total: Graded, tmp_path: Path) -> None:
    """A daemon in a session of its own, whose parent has ended, is ended as well."""
    note = tmp_path / "pid"
    result = total(
        f"import os, signal\n"
        f"if (child := os.fork()) == 0:\n"
        f"    os.setsid()\n"
        f"    if (orphan := os.fork()) == 0:\n"
        f"        signal.pause()\n"
        f"    open({str(note)!r}, 'w').write(str(orphan))\n"
        f"    os._exit(0)\n"
        f"os.waitpid(child, 0)\ntotal = 6"
    )
    assert result.passed
    assert wait_gone(int(note.read_text()))


def test_nothing_is_left_in_the_folder_of_temporary_files(
    total: Graded, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The folder that the answer ran in is gone, and its temporary files with it."""
    (tmp_path / "tmp").mkdir()
    monkeypatch.setenv("TMPDIR", str(tmp_path / "tmp"))
    monkeypatch.setattr(tempfile, "tempdir", None)
    code = "import tempfile\nopen('here', 'w').write('x')\ntempfile.mkdtemp()\ntotal = 6"
    assert total(code).passed
    assert list((tmp_path / "tmp").iterdir()) == []


def test_the_current_folder_is_not_touched(
    total: Graded, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What an answer writes beside itself does not land where the grader was called."""
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    assert total("open('file', 'w').write('x')\ntotal = 6").passed
    assert list((tmp_path / "here").iterdir()) == []


def test_other_answers_are_graded_with_the_solutions_that_they_need(tmp_path: Path) -> None:
    """An exercise that needs another one is not failed for that one's mistake."""
    toml = LAB_TOML + 'needs = ["total"]\n'
    source = SOURCE.replace("mended = [0, 1]", "mended = [total - 6]")
    lab = write_lab(tmp_path, toml=toml, source=source)
    assert grade(lab, "mend", "# answer: mend\nmended = [total - 6]").passed


def test_a_lab_that_is_broken_itself_says_so(tmp_path: Path) -> None:
    """An error in the given code or the checks is not blamed on the answer."""
    broken = write_lab(tmp_path / "a", source=SOURCE.replace("[1, 2, 3]", "1 / 0"))
    assert "the lab is broken: ZeroDivision" in grade(broken, "total", "total = 6").message
    broken = write_lab(tmp_path / "b", checks=f"{CHECKS}\n1 / 0\n")
    assert "the lab is broken: ZeroDivision" in grade(broken, "total", "total = 6").message


def test_an_exercise_without_checks_does_not_pass(tmp_path: Path) -> None:
    """Nothing to check is the lab's mistake, not a success."""
    lab = write_lab(tmp_path, checks=CHECKS.replace('exercise("total")', 'exercise("mend")'))
    assert "no check" in grade(lab, "total", "total = 6").message


def test_an_unknown_exercise_is_refused(lab: Lab) -> None:
    """The message lists those that there are, and guesses what was meant."""
    with pytest.raises(LabError, match="did you mean total; it has: total, double, mend"):
        grade(lab, "totl", "total = 6")


def test_an_extra_that_the_lab_needs_is_told_before_it_is_graded(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A missing part of mlref is no mistake of the answer."""
    monkeypatch.setattr(extras, "requirements", lambda: ['absent>=1; extra == "imaginary"'])
    with pytest.raises(MissingExtraError, match="imaginary"):
        grade(replace(lab, extras=("imaginary",)), "total", "total = 6")


def test_a_lab_is_graded_exercise_by_exercise(lab: Lab) -> None:
    """Each result is told as it comes; an exercise without an answer is missing, not passed."""
    seen: list[str] = []
    answers = {"total": "# answer: total\ntotal = 6", "mend": "# answer: mend\nmended = [1]"}
    result = grade_lab(lab, answers, watcher=lambda each: seen.append(each.exercise))
    assert [each.status for each in result.exercises] == ["passed", "missing", "failed"]
    assert seen == ["total", "double", "mend"]
    assert (result.solved, result.passed) == (1, False)


def test_one_exercise_alone_can_be_graded(lab: Lab) -> None:
    """`only` leaves the others out."""
    result = grade_lab(lab, {"total": "total = 6"}, only="total")
    assert ([each.exercise for each in result.exercises], result.passed) == (["total"], True)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_a_grader_that_is_broken_off_leaves_no_child(
    lab: Lab, tmp_path: Path, number: signal.Signals
) -> None:
    """Ctrl-C, or a kernel that is killed, ends the answer's process."""
    note = tmp_path / "pid"
    answer = f"import os, threading\nopen({str(note)!r}, 'w').write(str(os.getpid()))\n"
    answer += "threading.Event().wait()"
    code = (
        "import signal; from pathlib import Path\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "from mlref.study.grading import grade; from mlref.study.labs.lab import load_lab\n"
        f"grade(load_lab(Path({str(lab.folder)!r})), 'total', {answer!r})"
    )
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    command = [sys.executable, "-c", code]
    grader = subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL)
    deadline, pause = time.monotonic() + SOON_S, threading.Event()
    while not (note.exists() and note.read_text()) and time.monotonic() < deadline:
        pause.wait(0.02)
    grader.send_signal(number)
    assert grader.wait(SOON_S) != 0
    assert wait_gone(int(note.read_text()))
