"""What a child reports: lines of JSON, put together from what its pipe gave."""

from __future__ import annotations

import json
from collections import deque
from typing import Any

__all__ = ["ReportLines"]

_SHOWN_BYTES = 200


class ReportLines:
    """Takes bytes as they come and gives reports, the oldest first.

    Whoever writes on and on without a newline must not fill the parent's memory: a line that is
    too long is dropped, and nothing is taken in after it.

    Args:
        limit_bytes: the longest line.

    Attributes:
        endless: whether a line was longer.
        whole: the lines that wait to be taken.
    """

    def __init__(self, limit_bytes: int) -> None:
        self.endless = False
        self.whole: deque[bytes] = deque()
        self._limit_bytes = limit_bytes
        self._rest = bytearray()

    def add(self, chunk: bytes) -> None:
        """Take in what was read."""
        for number, part in enumerate(chunk.split(b"\n")):
            if self.endless:
                return
            if number:
                self.whole.append(bytes(self._rest))
                self._rest.clear()
            self._rest += part
            if len(self._rest) > self._limit_bytes:
                self.endless = True
                self._rest.clear()

    def take(self) -> dict[str, Any] | None:
        """The next report; None if there is none, as after a line that was not finished.

        Raises:
            ValueError: the line is no JSON object, or was too long.
        """
        if not self.whole:
            if self.endless:
                raise ValueError(
                    f"must report lines of at most {self._limit_bytes} bytes, got a longer one; "
                    f"report less at a time, or allow more with Limits(report_line_bytes=...)"
                )
            return None
        line = self.whole.popleft()
        try:
            values = json.loads(line)
        except (ValueError, RecursionError):
            values = None
        if not isinstance(values, dict):
            raise ValueError(  # noqa: TRY004 - it is the line that is wrong
                f"must report one JSON object a line, got {line[:_SHOWN_BYTES]!r}; "
                f"report with mlref.runtime.process.report()"
            )
        return values
