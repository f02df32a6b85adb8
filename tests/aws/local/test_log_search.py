"""FilterLogEvents: which lines are found."""

from __future__ import annotations

import time
from typing import Any

import pytest
from botocore.exceptions import ClientError
from support.shop import refused

from mlref.aws.local.errors import AwsError
from mlref.aws.local.log_search import matcher
from mlref.aws.strict import check_response

LINES = [
    "[ERROR 400] BAD REQUEST",
    "[ERROR 401] UNAUTHORIZED REQUEST",
    "[ERROR 419] MISSING ARGUMENTS",
    "[ERROR 420] INVALID ARGUMENTS",
]


@pytest.mark.parametrize(
    ("pattern", "found"),
    [
        ("", [0, 1, 2, 3]),
        ("ERROR ARGUMENTS", [2, 3]),
        ("ERROR -ARGUMENTS", [0, 1]),
        ("?REQUEST ?INVALID", [0, 1, 3]),
        ('"INVALID ARGUMENTS"', [3]),
        ('ERROR -"BAD REQUEST"', [1, 2, 3]),
        ("error", []),
        ("?REQUEST ARGUMENTS", [2, 3]),
    ],
)
def test_patterns_of_the_user_guide(pattern: str, found: list[int]) -> None:
    """The CloudWatch Logs User Guide shows these lines and most of these patterns."""
    fits = matcher(pattern)
    assert [number for number, line in enumerate(LINES) if fits(line)] == found


@pytest.mark.parametrize("pattern", ["{ $.a = 1 }", "[ip, user]", "%AUTH%", '"never ends'])
def test_a_pattern_of_another_kind_is_refused(pattern: str) -> None:
    """Instead of finding everything."""
    with pytest.raises(AwsError, match="filterPattern"):
        matcher(pattern)


@pytest.fixture(scope="module")
def group(account: Any) -> str:
    """A log group with two streams of two lines each."""
    name = str(account.name("/test/group"))
    account.logs.create_log_group(logGroupName=name)
    start = int(time.time() * 1000)  # not of the local AWS, which may be months ahead
    for stream in ("a/1", "b/1"):
        account.logs.create_log_stream(logGroupName=name, logStreamName=stream)
        events = [{"timestamp": start + at, "message": f"{stream} {at}"} for at in (0, 10)]
        account.logs.put_log_events(logGroupName=name, logStreamName=stream, logEvents=events)
    return name


def test_streams_times_and_pages(account: Any, group: str) -> None:
    """In order of time; the first and the last moment belong to it; nothing twice."""

    def found(**more: Any) -> list[str]:
        told = account.logs.filter_log_events(logGroupName=group, **more)
        assert check_response("logs", "FilterLogEvents", told) == []
        return [each["message"] for each in told["events"]]

    assert found() == ["a/1 0", "b/1 0", "a/1 10", "b/1 10"]
    assert found(logStreamNamePrefix="b") == ["b/1 0", "b/1 10"]
    assert found(logStreamNamePrefix="c") == []
    assert found(logStreamNames=["a/1"], filterPattern="10") == ["a/1 10"]
    times = [
        each["timestamp"] for each in account.logs.filter_log_events(logGroupName=group)["events"]
    ]
    assert found(startTime=times[-1]) == ["a/1 10", "b/1 10"]
    assert found(endTime=times[0]) == ["a/1 0", "b/1 0"]
    pages = account.logs.get_paginator("filter_log_events").paginate(
        logGroupName=group, PaginationConfig={"PageSize": 3}
    )
    assert [len(page["events"]) for page in pages] == [3, 1]


def test_what_is_wrong_is_told(account: Any, group: str) -> None:
    """A group that is not there, two ways at once, a token that nobody gave."""
    search = account.logs.filter_log_events
    code, message = refused(search, logGroupName="/nobody")
    assert (code, "/nobody" in message) == ("ResourceNotFoundException", True)
    both = {"logStreamNames": ["a/1"], "logStreamNamePrefix": "a"}
    assert refused(search, logGroupName=group, **both)[0] == "InvalidParameterException"
    with pytest.raises(ClientError, match="nextToken is invalid"):
        search(logGroupName=group, nextToken="x")
