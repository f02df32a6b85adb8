"""Typing answers, with real keys from a pipe and with lines."""

from __future__ import annotations

import asyncio
import io
import os
import signal
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from prompt_toolkit.input import PipeInput, create_pipe_input
from prompt_toolkit.output import DummyOutput
from support.drilling import NOW
from support.terminal import CTRL_C, CTRL_D, ESC_ENTER

from mlref.errors import LearnerError
from mlref.runtime.clock import ManualClock
from mlref.study.interview import prompting
from mlref.study.interview.prompting import (
    LineTypist,
    Save,
    TerminalTypist,
    Typed,
    clock_text,
    typist_for,
)


@pytest.fixture
def keys() -> Iterator[PipeInput]:
    """A keyboard."""
    with create_pipe_input() as source:
        yield source


class Kept:
    """What was saved; after the first time, which comes by itself, something is done."""

    def __init__(self, then: Callable[[], object] = lambda: None) -> None:
        self.saved: list[tuple[str, float]] = []
        self._then = then

    def __call__(self, text: str, seconds: float) -> None:
        """Keep it."""
        self.saved.append((text, seconds))
        if len(self.saved) == 1:
            self._then()

    @property
    def texts(self) -> list[str]:
        """The texts, without the times."""
        return [text for text, _ in self.saved]


class Late(ManualClock):
    """A clock on which 10 s pass whenever it is looked at."""

    def monotonic(self) -> float:
        """Later each time."""
        self.advance(10.0)
        return super().monotonic()


def _compose(
    keys: PipeInput, save: Save, text: str = "", clock: ManualClock | None = None
) -> Typed:
    typist = TerminalTypist(clock or ManualClock(NOW), source=keys, screen=DummyOutput())
    return typist.compose(text, seconds=5.0, limit_s=60.0, save=save)


@pytest.mark.parametrize("end", [ESC_ENTER, CTRL_D])
def test_an_answer_of_several_lines_is_finished(keys: PipeInput, end: str) -> None:
    """Enter begins a line; Esc and Enter, or Ctrl-D, end the answer, which is saved."""
    keys.send_text(f"one\rtwo{end}")
    save = Kept()
    assert _compose(keys, save) == Typed("one\ntwo", 5.0)
    assert save.saved[-1] == ("one\ntwo", 5.0)


def test_typing_goes_on_behind_what_was_typed(keys: PipeInput) -> None:
    """The cursor stands at the end of the kept text."""
    keys.send_text(f", more{CTRL_D}")
    assert _compose(keys, Kept(), "before").text == "before, more"


def test_the_time_of_before_counts(keys: PipeInput) -> None:
    """To the seconds that are given, those of typing are added."""
    keys.send_text(f"x{CTRL_D}")
    assert _compose(keys, Kept(), clock=Late(NOW)).seconds >= 15.0


def test_ctrl_c_saves_an_unfinished_line(keys: PipeInput) -> None:
    """The typist is left, with all that was typed."""
    keys.send_text(f"one\rhalf a li{CTRL_C}")
    save = Kept()
    with pytest.raises(KeyboardInterrupt):
        _compose(keys, save)
    assert save.texts[-1] == "one\nhalf a li"


def test_ctrl_c_at_once_keeps_what_was_there(keys: PipeInput) -> None:
    """An answer is not replaced by nothing when it is only looked at."""
    keys.send_text(CTRL_C)
    save = Kept()
    with pytest.raises(KeyboardInterrupt):
        _compose(keys, save, "before")
    assert save.texts == ["before"]


def test_a_terminal_that_goes_away_saves(keys: PipeInput) -> None:
    """The end of the input is no end of the answer."""
    keys.send_text("half")
    keys.close()
    save = Kept()
    with pytest.raises(EOFError):
        _compose(keys, save)
    assert save.texts[-1] == "half"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_saves(keys: PipeInput, number: signal.Signals) -> None:
    """SIGTERM and SIGHUP save, and end the program with the status that a shell expects."""
    save = Kept(lambda: os.kill(os.getpid(), number))
    keys.send_text("half")
    with pytest.raises(SystemExit) as ended:
        _compose(keys, save)
    assert ended.value.code == 128 + number
    assert save.texts[-1] == "half"


def test_a_signal_means_afterwards_what_it_meant_before(keys: PipeInput) -> None:
    """The handlers are there while somebody types, and no longer."""
    before = signal.getsignal(signal.SIGTERM)
    keys.send_text(CTRL_D)
    _compose(keys, Kept())
    assert signal.getsignal(signal.SIGTERM) is before


def test_typing_is_saved_by_itself(keys: PipeInput) -> None:
    """Nobody needs to do anything: a moment after a key, the text is safe."""
    save = Kept(lambda: keys.send_text(CTRL_D))
    keys.send_text("typed")
    _compose(keys, save)
    assert save.texts == ["typed", "typed"]


def test_many_keys_are_saved_together(keys: PipeInput) -> None:
    """A save for each key would slow typing down."""
    save = Kept(lambda: keys.send_text(CTRL_D))
    keys.send_text("many keys one after the other")
    _compose(keys, save)
    assert len(save.saved) == 2


def test_a_save_that_fails_does_not_stop_the_typing(
    keys: PipeInput, capsys: pytest.CaptureFixture[str]
) -> None:
    """It is told in the toolbar and tried again; in the end, the text is shown to be copied."""
    save = Kept(lambda: keys.send_text(f" more{CTRL_D}"))

    def fail(text: str, seconds: float) -> None:
        save(text, seconds)
        raise LearnerError("the disk is full")

    keys.send_text("typed")
    with pytest.raises(LearnerError, match="disk is full"):
        _compose(keys, fail)
    assert save.texts == ["typed", "typed more"]
    assert "typed more" in capsys.readouterr().err


def test_typing_works_beside_the_main_thread(keys: PipeInput) -> None:
    """Where signals cannot be handled, the rest works."""
    found: list[Typed] = []
    keys.send_text(f"x{CTRL_D}")
    thread = threading.Thread(target=lambda: found.append(_compose(keys, Kept())))
    thread.start()
    thread.join(30)
    assert [typed.text for typed in found] == ["x"]


@pytest.mark.parametrize(
    ("seconds", "told"), [(42.0, "0:42 (4:18 left)"), (300.0, "5:00 (0:00 left)"),
                          (331.0, "5:31 (0:31 over)")]
)  # fmt: skip
def test_the_toolbar_tells_the_time(seconds: float, told: str) -> None:
    """What was used, and what is left or was exceeded, in less than 80 columns."""
    toolbar = prompting._toolbar("5 of 5, follow-up", seconds, 300.0, "")
    assert told in toolbar
    assert len(toolbar) < 80


def test_the_toolbar_tells_what_was_not_saved() -> None:
    """A problem takes the whole bar."""
    assert prompting._toolbar("1", 1.0, 2.0, "NOT SAVED: x") == "NOT SAVED: x"


@pytest.mark.parametrize(("key", "raised"), [(CTRL_C, KeyboardInterrupt), (CTRL_D, EOFError)])
def test_a_question_can_be_left(keys: PipeInput, key: str, raised: type[BaseException]) -> None:
    """Ctrl-C and Ctrl-D decide nothing."""
    keys.send_text(key)
    with pytest.raises(raised):
        TerminalTypist(source=keys, screen=DummyOutput()).ask("Sure?")


def test_a_question_is_answered(keys: PipeInput) -> None:
    """With the line, without the spaces around it."""
    keys.send_text("  3 4 \r")
    assert TerminalTypist(source=keys, screen=DummyOutput()).ask("Change?") == "3 4"


def test_nothing_stays_of_a_typist(keys: PipeInput) -> None:
    """The event loop of the answer is closed with it."""
    keys.send_text(CTRL_D)
    _compose(keys, Kept())
    with pytest.raises(RuntimeError):
        asyncio.get_running_loop()


@pytest.mark.parametrize("end", ["", ".\nleft over\n"])
def test_lines_make_an_answer(end: str) -> None:
    """Up to the end of the file, or a line that is a dot; each line is saved."""
    save = Kept()
    typist = LineTypist(io.StringIO(f"one\n\ntwo\n{end}"), ManualClock(NOW))
    typed = typist.compose("zero", seconds=5.0, limit_s=60.0, save=save)
    assert typed == Typed("zero\none\n\ntwo", 5.0)
    assert save.texts == ["zero\none", "zero\none", "zero\none\n\ntwo"]
    if end:
        assert typist.ask("?") == "left over"


def test_bytes_of_another_encoding_cost_no_answer(keys: PipeInput, tmp_path: Path) -> None:
    """From a terminal or a pipe that is not UTF-8: what is kept can be shown and written."""
    save = Kept()
    keys.send_bytes(b"caf\xe9 ok\x04")
    typed = _compose(keys, save)
    assert (typed.text, save.texts[-1]) == ("caf? ok", "caf? ok")
    path = tmp_path / "lines"
    path.write_bytes(b"caf\xe9 ok\n")
    with path.open(encoding="utf-8") as lines:
        piped = typist_for(lines, ManualClock(NOW)).compose("", seconds=0, limit_s=9, save=save)
    assert piped.text == "caf\ufffd ok"


def test_no_line_is_no_answer() -> None:
    """An empty standard input does not finish an answer that was begun."""
    typist = LineTypist(io.StringIO(""), ManualClock(NOW))
    with pytest.raises(EOFError):
        typist.compose("begun", seconds=5.0, limit_s=60.0, save=Kept())
    with pytest.raises(EOFError):
        typist.ask("?")


@pytest.mark.parametrize(("seconds", "text"), [(0.0, "0:00"), (59.9, "0:59"), (3600.0, "60:00")])
def test_seconds_as_people_read_them(seconds: float, text: str) -> None:
    """Minutes and two digits of seconds."""
    assert clock_text(seconds) == text
