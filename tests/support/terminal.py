"""A program in a real pseudo-terminal, and its screen as text."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pyte

__all__ = ["CTRL_C", "CTRL_D", "ESC_ENTER", "Terminal", "opened"]

WAIT_S = 30.0  # a limit that no passing test comes near
COLUMNS = 80
CTRL_C, CTRL_D, ESC_ENTER = "\x03", "\x04", "\x1b\r"
LINES = 120  # tall, so that a test sees all that was printed

# The standard input becomes the terminal that controls the program, so that Ctrl-C reaches it.
_TAKE_TERMINAL = "import fcntl, termios; fcntl.ioctl(0, termios.TIOCSCTTY, 0)\n"


class _Screen(pyte.Screen):
    """Answers when a program asks where the cursor is."""

    def __init__(self, reply: Callable[[str], None]) -> None:
        super().__init__(COLUMNS, LINES)
        self._reply = reply

    def write_process_input(self, data: str) -> None:
        self._reply(data)


class Terminal:
    """A terminal of 80 columns in which a program runs."""

    def __init__(self, process: subprocess.Popen[bytes], descriptor: int) -> None:
        self.process = process
        self._descriptor = descriptor
        self._screen = _Screen(self.send)
        self._stream = pyte.ByteStream(self._screen)
        self.raw = b""

    def send(self, keys: str) -> None:
        """Press keys."""
        os.write(self._descriptor, keys.encode())

    def signal(self, number: int) -> None:
        """Send the program a signal."""
        self.process.send_signal(number)

    def text(self) -> str:
        """What is on the screen, without the spaces at the ends of lines."""
        return "\n".join(line.rstrip() for line in self._screen.display).rstrip()

    def words(self) -> str:
        """What is on the screen, as if it had been printed in one line."""
        return re.sub(r"\s+", " ", self.text())

    def wait_for(self, text: str) -> str:
        """The screen, as soon as it holds a text."""
        return self.wait_until(lambda: text in self.words(), f"{text!r} on the screen")

    def wait_until(self, condition: Callable[[], bool], what: str) -> str:
        """The screen, as soon as a condition holds."""
        deadline = time.monotonic() + WAIT_S
        while not condition():
            if time.monotonic() > deadline or not self._read():
                assert condition(), f"no {what}; the screen:\n{self.text()}"
                break
        return self.text()

    def wait_end(self) -> int:
        """The exit status of the program."""
        deadline = time.monotonic() + WAIT_S
        while self.process.poll() is None and time.monotonic() < deadline:
            self._read()
        while self._read(0.0):
            pass
        assert self.process.poll() is not None, f"it does not end; the screen:\n{self.text()}"
        return self.process.returncode

    def hang_up(self) -> None:
        """Close the terminal, as when its window is closed."""
        os.close(self._descriptor)
        self._descriptor = -1

    def close(self) -> None:
        """End the program and the terminal."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGKILL)
        self.process.wait(WAIT_S)
        if self._descriptor >= 0:
            os.close(self._descriptor)

    def _read(self, wait_s: float = 0.05) -> bool:
        """Show what has been printed; false when nothing can come any more."""
        if not select.select([self._descriptor], [], [], wait_s)[0]:
            return wait_s > 0 and self.process.poll() is None
        try:
            data = os.read(self._descriptor, 65536)
        except OSError:  # the other side is closed
            return False
        self.raw += data
        self._stream.feed(data)
        return bool(data)


@contextmanager
def opened(
    code: str, *arguments: str, folder: Path, environ: Mapping[str, str] | None = None
) -> Iterator[Terminal]:
    """A terminal in which a piece of Python runs, its standard input, output and error."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", LINES, COLUMNS, 0, 0))
    root = str(Path(__file__).resolve().parents[2])
    inherited = {k: v for k, v in os.environ.items() if not k.startswith(("MLREF_", "COLUMNS"))}
    process = subprocess.Popen(
        [sys.executable, "-c", _TAKE_TERMINAL + code, *arguments],
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        cwd=folder,
        env={**inherited, "PYTHONPATH": root, "TERM": "xterm", "NO_COLOR": "1", **(environ or {})},
        start_new_session=True,
    )
    os.close(theirs)
    terminal = Terminal(process, ours)
    try:
        yield terminal
    finally:
        terminal.close()
