"""FilterLogEvents: the lines of a log group that were written when, where, and with which words.

moto would show all streams whatever prefix is asked for, and all lines where it does not understand
the pattern; so the operation is ours, on what moto keeps.

Source: the Amazon CloudWatch Logs User Guide, "Filter pattern syntax for unstructured text".
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Protocol

from mlref.aws.local.errors import AwsError
from mlref.aws.local.services import Part, Request, Response, operation

__all__ = ["KeptLogs", "LogSearch", "matcher"]

_GROUP = ("logGroupName", "logGroupIdentifier")
_PAGE = 10_000
_TERM = re.compile(
    r'(?P<sign>[-?]?)(?:"(?P<quoted>(?:[^"\\]|\\.)*)"|(?P<word>[\w.:/@#$&*+=,<>\'-]+))'
)


class KeptLogs(Protocol):
    """What stands in the logs."""

    def events(self, group: str) -> Iterable[tuple[str, int, str, int, str]] | None:
        """All lines of a group: stream, time, message, time of arrival (both in milliseconds), id.

        None if there is no such group.
        """
        ...


class LogSearch(Part):
    """FilterLogEvents.

    Args:
        logs: what stands in the logs.
    """

    def __init__(self, logs: KeptLogs) -> None:
        self._logs = logs

    @operation
    def filter_log_events(self, request: Request) -> Response:
        """FilterLogEvents.

        Raises:
            AwsError: there is no such group or stream, or the request contradicts itself.
        """
        given = [request[each] for each in _GROUP if each in request]
        if len(given) != 1:
            raise _wrong("give logGroupName or logGroupIdentifier: exactly one of the two")
        group = given[0]
        group = group.rpartition("log-group:")[2] or group
        prefix, names = request.get("logStreamNamePrefix"), request.get("logStreamNames")
        if prefix and names:
            raise _wrong("give logStreamNamePrefix or logStreamNames, not both")
        kept = self._logs.events(group)
        if kept is None:
            text = f"The specified log group does not exist: {group!r}."
            raise AwsError("ResourceNotFoundException", text)
        known = {stream for stream, *_ in kept}
        for name in names or ():
            if name not in known:
                text = f"The specified log stream does not exist: {name!r}."
                raise AwsError("ResourceNotFoundException", text)
        fits = matcher(request.get("filterPattern", ""))
        begin, end = request.get("startTime", 0), request.get("endTime")
        found: list[dict[str, Any]] = [
            {
                "logStreamName": stream,
                "timestamp": at,
                "message": message,
                "ingestionTime": arrived,
                "eventId": event,
            }
            for stream, at, message, arrived, event in kept
            if stream.startswith(prefix or "")
            and (not names or stream in names)
            and at >= begin
            and (end is None or at <= end)
            and fits(message)
        ]
        found.sort(key=lambda each: each["timestamp"])
        if not request.get("startFromHead", True):
            found.reverse()
        return _page(found, request)


def matcher(pattern: str) -> Callable[[str], bool]:
    """What tells whether a line fits a pattern of unstructured text.

    Args:
        pattern: terms that must all be there, in any order: `ERROR "exit code"`; one that begins
            with - must not be there; of those with ? one is enough, if all others have one or -.

    Raises:
        AwsError: it is a pattern of another kind (JSON, columns, regular expression), or none.

    >>> matcher("?ERROR ?WARN")("WARN: late"), matcher('ERROR -"exit code"')("ERROR: exit code 1")
    (True, False)
    """
    text = pattern.strip()
    if text[:1] in {"{", "[", "%"}:
        raise _wrong(
            f"filterPattern {pattern!r}: the local AWS knows words, quoted words, -not and ?either"
        )
    needed: list[str] = []
    barred: list[str] = []
    either: list[str] = []
    position = 0
    while position < len(text):
        found = _TERM.match(text, position)
        if found is None:
            raise _wrong(f"filterPattern {pattern!r} is wrong at character {position + 1}")
        term = found["word"] or re.sub(r"\\(.)", r"\1", found["quoted"] or "")
        {"-": barred, "?": either}.get(found["sign"], needed).append(term)
        position = found.end()
        while text[position : position + 1].isspace():
            position += 1
    if needed:
        either = []  # as CloudWatch does: they are ignored beside terms that must be there
    return lambda line: (
        all(term in line for term in needed)
        and not any(term in line for term in barred)
        and (not either or any(term in line for term in either))
    )


def _page(found: Sequence[dict[str, Any]], request: Request) -> Response:
    token, size = request.get("nextToken", "0"), request.get("limit", _PAGE)
    if not token.isdecimal():
        raise _wrong("The specified nextToken is invalid.")
    end = int(token) + size
    more = {"nextToken": str(end)} if end < len(found) else {}
    return {"events": found[int(token) : end], "searchedLogStreams": [], **more}


def _wrong(message: str) -> AwsError:
    return AwsError("InvalidParameterException", message)
