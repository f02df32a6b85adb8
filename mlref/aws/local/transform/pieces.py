"""An object cut into what is sent to a model at a time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from mlref.aws.local.transform.filters import LineError

__all__ = ["lines_of", "pieces"]


def lines_of(content: bytes) -> list[bytes]:
    r"""The lines of an object, without their ends; an end at the very end begins no line.

    >>> lines_of(b"1,2\r\n3,4\n")
    [b'1,2', b'3,4']
    """
    lines = content.split(b"\n")
    if lines[-1] == b"":
        lines.pop()
    return [line.removesuffix(b"\r") for line in lines]


def pieces(lines: Iterable[bytes], *, most_bytes: float, single: bool) -> Iterator[Sequence[bytes]]:
    """As many lines as may be sent at a time.

    Args:
        lines: without their ends.
        most_bytes: MaxPayloadInMB, in bytes; infinite is as many as there are.
        single: whether the BatchStrategy is SingleRecord.

    Raises:
        LineError: a line alone is larger.

    >>> list(pieces([b"1", b"2", b"3"], most_bytes=4, single=False))
    [[b'1', b'2'], [b'3']]
    """
    found: list[bytes] = []
    size = 0
    for number, line in enumerate(lines, start=1):
        length = len(line) + 1
        if length > most_bytes:
            raise LineError(
                f"line {number} has {len(line)} bytes, more than MaxPayloadInMB allows "
                f"({most_bytes} bytes)"
            )
        if found and (single or size + length > most_bytes):
            yield found
            found, size = [], 0
        found.append(line)
        size += length
    if found:
        yield found
