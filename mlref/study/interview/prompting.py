"""Typing an answer against a clock, such that no keystroke is lost.

    typist = TerminalTypist(clock)
    typed = typist.compose("", seconds=0.0, limit_s=300.0, save=save)

`save` gets the text a moment after it was changed, at most once a second while somebody types; and
always before the typist is left: by Ctrl-C (KeyboardInterrupt), when the terminal goes away
(EOFError), by SIGTERM and SIGHUP (SystemExit). The limit is shown, not enforced.

`TerminalTypist` is for a terminal; `LineTypist` reads lines from a file or a pipe.
"""

from __future__ import annotations

import asyncio
import io
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, TextIO, TypeAlias

from mlref.errors import MlrefError
from mlref.runtime.clock import Clock, SystemClock
from mlref.runtime.lazy import extra

if TYPE_CHECKING:
    from prompt_toolkit import PromptSession
    from prompt_toolkit.application import Application
    from prompt_toolkit.input import Input
    from prompt_toolkit.key_binding import KeyBindings, KeyPressEvent
    from prompt_toolkit.output import Output

__all__ = ["LineTypist", "Save", "TerminalTypist", "Typed", "Typist", "clock_text", "typist_for"]

Save: TypeAlias = Callable[[str, float], None]
"""Keeps a text and the seconds that it took so far."""

SAVE_DELAY_S = 0.5
_REFRESH_S = 0.5
_END = "."  # a line that ends an answer where there is no terminal
_MINUTE_S = 60


@dataclass(frozen=True)
class Typed:
    """An answer that was finished, and how long it took in all."""

    text: str
    seconds: float


class Typist(Protocol):
    """Where answers and short replies come from."""

    interactive: bool
    """Whether somebody is there who can be asked."""

    def compose(
        self, text: str, *, seconds: float, limit_s: float, save: Save, note: str = ""
    ) -> Typed:
        """The answer, when it is finished.

        Args:
            text: what was typed before.
            seconds: how long that took.
            limit_s: the time that there is, in seconds.
            save: gets the text and the seconds.
            note: what the answer is to, in a few words.
        """
        ...

    def ask(self, question: str) -> str:
        """One line, without white space around it."""
        ...


class TerminalTypist:
    """Somebody at a terminal.

    Args:
        clock: measures the time.
        source: where keys come from; None means the terminal.
        screen: where the text is shown; None means the terminal.
    """

    interactive = True

    def __init__(
        self,
        clock: Clock | None = None,
        *,
        source: Input | None = None,
        screen: Output | None = None,
    ) -> None:
        self._clock = clock or SystemClock()
        self._source = source
        self._screen = screen

    def compose(
        self, text: str, *, seconds: float, limit_s: float, save: Save, note: str = ""
    ) -> Typed:
        """The answer, when Esc and Enter, or Ctrl-D, were pressed.

        Args:
            text: what was typed before.
            seconds: how long that took.
            limit_s: the time that there is, in seconds.
            save: gets the text and the seconds.
            note: stands at the beginning of the toolbar.

        Raises:
            KeyboardInterrupt: Ctrl-C was pressed. The text is saved.
            EOFError: the terminal went away. The text is saved.
            SystemExit: SIGTERM or SIGHUP came. The text is saved.
            MissingExtraError: prompt_toolkit is not installed.
        """
        with extra("study"):
            from prompt_toolkit import PromptSession
        started = self._clock.monotonic()

        def elapsed() -> float:
            return seconds + self._clock.monotonic() - started

        saver = _Saver(save, elapsed, text)
        session: PromptSession[Any] = PromptSession(
            multiline=True,
            prompt_continuation="  ",
            key_bindings=_keys(),
            bottom_toolbar=lambda: _toolbar(note, elapsed(), limit_s, saver.problem),
            refresh_interval=_REFRESH_S,
            erase_when_done=True,
            input=self._source,
            output=self._screen,
        )
        session.default_buffer.on_text_changed += lambda buffer: saver.changed(buffer.text)
        with _saved_at_the_end(saver):
            answer = session.prompt(
                "> ", default=text, pre_run=lambda: _watch_signals(session.app, saver.flush)
            )
            _refuse_ended(answer)
        return Typed(_whole(answer), elapsed())

    def ask(self, question: str) -> str:
        """One line, without white space around it.

        Raises:
            KeyboardInterrupt: Ctrl-C was pressed.
            EOFError: Ctrl-D was pressed, or the terminal went away.
            SystemExit: SIGTERM or SIGHUP came.
            MissingExtraError: prompt_toolkit is not installed.
        """
        with extra("study"):
            from prompt_toolkit import PromptSession
        session: PromptSession[Any] = PromptSession(input=self._source, output=self._screen)
        reply = session.prompt(
            f"{question} ", pre_run=lambda: _watch_signals(session.app, lambda: None)
        )
        _refuse_ended(reply)
        return str(reply).strip()


class LineTypist:
    """Lines from a file or a pipe. An answer ends with the file, or with a line that is a dot.

    Args:
        lines: where they come from.
        clock: measures the time.
    """

    interactive = False

    def __init__(self, lines: TextIO, clock: Clock | None = None) -> None:
        self._lines = lines
        self._clock = clock or SystemClock()

    def compose(
        self, text: str, *, seconds: float, limit_s: float, save: Save, note: str = ""
    ) -> Typed:
        """The answer, when its last line was read; each line is saved at once.

        Args:
            text: what was typed before; the lines are added to it.
            seconds: how long that took.
            limit_s: not looked at, as nobody sees a clock.
            save: gets the text and the seconds.
            note: not looked at.

        Raises:
            EOFError: there is no line at all.
        """
        del limit_s, note
        started, whole, found = self._clock.monotonic(), text, False
        for line in map(_whole, self._lines):
            found = True
            if line.rstrip("\r\n") == _END:
                break
            whole += line if whole.endswith("\n") or not whole else f"\n{line}"
            save(whole.rstrip("\n"), seconds + self._clock.monotonic() - started)
        if not found:
            raise EOFError
        return Typed(whole.rstrip("\n"), seconds + self._clock.monotonic() - started)

    def ask(self, question: str) -> str:
        """One line, without white space around it.

        Raises:
            EOFError: there is no line left.
        """
        del question  # nobody reads it
        line = self._lines.readline()
        if not line:
            raise EOFError
        return line.strip()


def typist_for(lines: TextIO, clock: Clock) -> Typist:
    """The typist for a standard input: at a terminal, or by lines."""
    if lines.isatty():
        return TerminalTypist(clock)
    if isinstance(lines, io.TextIOWrapper):
        lines.reconfigure(errors="replace")
    return LineTypist(lines, clock)


def clock_text(seconds: float) -> str:
    """Seconds as minutes and seconds.

    >>> clock_text(125.7), clock_text(-3)
    ('2:05', '-0:03')
    """
    minutes, rest = divmod(abs(int(seconds)), _MINUTE_S)
    return f"{'-' if seconds <= -1 else ''}{minutes}:{rest:02d}"


def _whole(text: str) -> str:
    """A text that can be shown and written anywhere: what was no UTF-8 becomes question marks."""
    return text.encode("utf-8", "replace").decode()


class _Saver:
    """Saves the text a moment after it was changed, and remembers when that did not work."""

    def __init__(self, save: Save, elapsed: Callable[[], float], text: str) -> None:
        self.text = text
        self.problem = ""
        self._save = save
        self._elapsed = elapsed
        self._timer: asyncio.TimerHandle | None = None

    def changed(self, text: str) -> None:
        self.text = text
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(SAVE_DELAY_S, self._late)

    def _late(self) -> None:
        self._timer = None
        try:
            self.flush()
        except MlrefError as error:
            self.problem = f"NOT SAVED: {error}".splitlines()[0]

    def flush(self) -> None:
        """Save the text and the time."""
        self._save(_whole(self.text), self._elapsed())
        self.problem = ""


@dataclass(frozen=True)
class _Ended:
    """A signal asked the program to end."""

    number: int


@contextmanager
def _saved_at_the_end(saver: _Saver) -> Iterator[None]:
    """A block after which the text is saved, however it ends; else it is shown."""
    try:
        yield
    finally:
        try:
            saver.flush()
        except MlrefError:
            with suppress(OSError):
                sys.stderr.write(f"\nThe answer could not be saved. Copy it:\n{saver.text}\n")
            raise


def _refuse_ended(answer: object) -> None:
    """End the program if a signal asked for it; the terminal is as it was before."""
    if isinstance(answer, _Ended):
        raise SystemExit(128 + answer.number)


def _watch_signals(app: Application[Any], flush: Callable[[], None]) -> None:
    """Let SIGTERM and SIGHUP save the text and end the application that has just been started."""
    if threading.current_thread() is not threading.main_thread():
        return

    def end(number: int) -> None:
        with suppress(MlrefError):  # it is tried, and told, once more at the end
            flush()
        if app.is_running and not (app.future and app.future.done()):
            app.exit(result=_Ended(number))

    loop = asyncio.get_running_loop()  # its handlers go with it
    for number in (signal.SIGTERM, signal.SIGHUP):
        loop.add_signal_handler(number, end, number)


def _keys() -> KeyBindings:
    """Ctrl-D finishes, as Esc and Enter do already."""
    from prompt_toolkit.key_binding import KeyBindings

    keys = KeyBindings()

    @keys.add("c-d", eager=True)
    def _finish(event: KeyPressEvent) -> None:
        event.current_buffer.validate_and_handle()

    return keys


def _toolbar(note: str, seconds: float, limit_s: float, problem: str) -> str:
    """The time, and how to go on."""
    if problem:
        return problem
    left = limit_s - seconds
    rest = f"{clock_text(left)} left" if left >= 0 else f"{clock_text(-left)} over"
    parts = [note, f"{clock_text(seconds)} ({rest})", "Esc Enter: done", "Ctrl-C: keep and leave"]
    return " | ".join(part for part in parts if part)
