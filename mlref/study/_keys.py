"""Single keys from a terminal, whose mode is put back however the program ends."""

from __future__ import annotations

import os
import re
import select
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType
from typing import Any, NoReturn

__all__ = ["LEFT", "REDRAW", "KeySource", "ending_by_signals", "terminal_keys"]

REDRAW = "redraw"
"""Delivered when the screen must be drawn again: another size, or back from Ctrl-Z."""

LEFT = "left"
"""Delivered when the terminal has gone away."""

KeySource = Callable[[Callable[[str], None]], Any]
"""Gives a context in which each key is handed to a function: one character, REDRAW or LEFT."""

_SEQUENCE = re.compile(r"\x1b(\[[0-?]*[ -/]*[@-~]|O.|.)?")  # an arrow, Home, Alt and a letter ...
_PASTED = 16  # so many characters at once are no keys
_CHUNK_BYTES = 1024


def terminal_keys(descriptor: int) -> KeySource:
    """The keys pressed at a terminal, without Enter and without an echo.

    Ctrl-C and Ctrl-Z keep their meaning. The terminal gets its own mode back when the block ends,
    and while the program is stopped by Ctrl-Z.

    Args:
        descriptor: an open terminal, such as 0.
    """

    @contextmanager
    def keys(deliver: Callable[[str], None]) -> Iterator[None]:
        import termios

        before = termios.tcgetattr(descriptor)
        try:
            _without_enter(descriptor)
            with _redrawing(descriptor, before, deliver), _reading(descriptor, deliver):
                yield
        finally:
            with suppress(termios.error):  # the terminal may be gone
                termios.tcsetattr(descriptor, termios.TCSAFLUSH, before)

    return keys


def _without_enter(descriptor: int) -> None:
    import termios
    import tty

    tty.setcbreak(descriptor, termios.TCSADRAIN)  # what was typed ahead stays


@contextmanager
def _redrawing(descriptor: int, before: Any, deliver: Callable[[str], None]) -> Iterator[None]:
    """A block in which a new size, Ctrl-Z and its end are answered; in the main thread alone."""
    import termios

    def resume(_number: int, _frame: FrameType | None) -> None:
        with suppress(termios.error):
            _without_enter(descriptor)
        deliver(REDRAW)

    def suspend(number: int, _frame: FrameType | None) -> None:
        termios.tcsetattr(descriptor, termios.TCSADRAIN, before)
        signal.signal(number, signal.SIG_DFL)
        os.kill(os.getpid(), number)  # here it stands still; without a shell around it, it does not
        signal.signal(number, suspend)
        resume(number, None)

    def redraw(_number: int, _frame: FrameType | None) -> None:
        deliver(REDRAW)

    handlers = {signal.SIGTSTP: suspend, signal.SIGCONT: resume, signal.SIGWINCH: redraw}
    with _handled(handlers):
        yield


@contextmanager
def ending_by_signals() -> Iterator[None]:
    """A block that SIGTERM and SIGHUP leave as an error would, so that it can tidy up.

    Raises:
        SystemExit: such a signal came; the status is 128 and its number.
    """

    def end(number: int, _frame: FrameType | None) -> NoReturn:
        raise SystemExit(128 + number)

    with _handled({signal.SIGTERM: end, signal.SIGHUP: end}):
        yield


@contextmanager
def _handled(handlers: dict[signal.Signals, Any]) -> Iterator[None]:
    """A block with other signal handlers; only the main thread can have them."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.signal(number, handler) for number, handler in handlers.items()}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def _reading(descriptor: int, deliver: Callable[[str], None]) -> Iterator[None]:
    """A block during which a thread reads keys."""
    wake_reader, wake_writer = os.pipe()

    def read() -> None:
        while True:
            ready, _, _ = select.select([descriptor, wake_reader], [], [])
            if wake_reader in ready:
                return
            try:
                data = os.read(descriptor, _CHUNK_BYTES)
            except OSError:
                data = b""
            if not data:
                deliver(LEFT)
                return
            for key in _keys_in(data):
                deliver(key)

    thread = threading.Thread(target=read, name="keys", daemon=True)
    thread.start()
    try:
        yield
    finally:
        os.write(wake_writer, b".")
        thread.join()
        os.close(wake_reader)
        os.close(wake_writer)


def _keys_in(data: bytes) -> str:
    """The keys among some bytes, in lower case; what was pasted is none."""
    text = _SEQUENCE.sub("", data.decode("utf-8", errors="replace"))
    return text.lower() if len(text) <= _PASTED else ""
