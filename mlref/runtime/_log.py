"""What a child prints: an anonymous temporary file, of which the end is kept."""

from __future__ import annotations

import os
import tempfile

__all__ = ["LogFile"]


class LogFile:
    """Takes any amount of output without filling up, and leaves nothing on the disk.

    Args:
        tail_bytes: bytes that can still be read after `close`.
    """

    def __init__(self, tail_bytes: int) -> None:
        self.file = tempfile.TemporaryFile()  # noqa: SIM115 - closed by close()
        self._tail_bytes = tail_bytes
        self._end = b""

    def tail(self, lines: int) -> str:
        """The last lines, joined by newlines; of a progress bar, what a terminal would show."""
        text = self._read().decode("utf-8", "replace").removesuffix("\n")
        shown = [line.rstrip("\r").rpartition("\r")[2] for line in text.split("\n")]
        return "\n".join(shown[-lines:]) if lines > 0 else ""

    def close(self) -> None:
        """Keep the end and give the descriptor back."""
        self._end = self._read()
        self.file.close()

    def _read(self) -> bytes:
        """The end of the log, without moving the offset, which the child shares."""
        if self.file.closed:
            return self._end
        size_bytes = os.fstat(self.file.fileno()).st_size
        return os.pread(self.file.fileno(), self._tail_bytes, max(0, size_bytes - self._tail_bytes))
