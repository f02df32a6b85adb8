"""The rules of composite alarms: the examples of the API reference, precedence, and mistakes."""

from __future__ import annotations

import pytest

from mlref.aws.local.cloudwatch.rules import parse
from mlref.aws.local.errors import AwsError

CPU, DISK, DEPLOYMENT, NETWORK = (
    "CPUUtilizationTooHigh", "DiskReadOpsTooHigh", "DeploymentInProgress", "NetworkOutTooHigh",
)  # fmt: skip


@pytest.mark.parametrize(
    ("text", "states", "holds"),
    [
        (f"ALARM({CPU}) AND ALARM({DISK})", {CPU: "ALARM", DISK: "ALARM"}, True),
        (f"ALARM({CPU}) AND ALARM({DISK})", {CPU: "ALARM", DISK: "OK"}, False),
        (f"ALARM({CPU}) AND NOT ALARM({DEPLOYMENT})", {CPU: "ALARM", DEPLOYMENT: "OK"}, True),
        (f"ALARM({CPU}) AND NOT ALARM({DEPLOYMENT})", {CPU: "ALARM", DEPLOYMENT: "ALARM"}, False),
        (f"(ALARM({CPU}) OR ALARM({DISK})) AND OK({NETWORK})",
         {CPU: "OK", DISK: "ALARM", NETWORK: "OK"}, True),
        (f"(ALARM({CPU}) OR ALARM({DISK})) AND OK({NETWORK})",
         {CPU: "OK", DISK: "ALARM", NETWORK: "ALARM"}, False),
    ],
)  # fmt: skip
def test_the_examples_of_the_reference(text: str, states: dict[str, str], *, holds: bool) -> None:
    """Of PutCompositeAlarm's AlarmRule."""
    rule = parse(text)
    assert rule.holds(states.__getitem__) is holds
    assert set(rule.children) == set(states)


@pytest.mark.parametrize(
    ("text", "holds"),
    [
        ("TRUE OR FALSE AND FALSE", True),
        ("(TRUE OR FALSE) AND FALSE", False),
        ("NOT FALSE AND FALSE", False),
        ("NOT (FALSE AND FALSE)", True),
        ("NOT NOT TRUE", True),
        ("true and not false", True),
        ("INSUFFICIENT_DATA(new)", True),
        ('ALARM("a b (c)")', True),
        ("ALARM(arn:aws:cloudwatch:us-east-1:123456789012:alarm:errors)", True),
        ("ALARM( errors )", True),
    ],
)
def test_words_and_names(text: str, *, holds: bool) -> None:
    """NOT before AND before OR; names in quotes, with spaces, or as resource names."""
    states = {"errors": "ALARM", "new": "INSUFFICIENT_DATA", "a b (c)": "ALARM"}
    assert parse(text).holds(states.__getitem__) is holds


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "ends too early"),
        ("ALARM(a) AND", "ends too early"),
        ("ALARM(a) ALARM(b)", "'b' is not expected there"),
        ("(ALARM(a)", "a parenthesis is not closed"),
        ("ALARM()", r"cannot be read at 'ALARM\(\)'"),
        ("WARNING(a)", r"cannot be read at 'WARNING\(a\)'"),
        ("AND ALARM(a)", "'AND' is not expected there"),
        (" OR ".join(f"ALARM(a{n})" for n in range(101)), "names 101 alarms, and 100 are allowed"),
        (" OR ".join(["TRUE"] * 251), "has 501 elements, and 500 are allowed"),
    ],
)
def test_rules_that_are_refused(text: str, told: str) -> None:
    """With what is wrong."""
    with pytest.raises(AwsError, match=told) as caught:
        parse(text)
    assert caught.value.code == "ValidationError"
