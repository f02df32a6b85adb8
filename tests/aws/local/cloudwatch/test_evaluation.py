"""The state of an alarm: against the tables of the User Guide, row by row."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlref.aws.local.cloudwatch.evaluation import (
    ALARM,
    COMPARISONS,
    INSUFFICIENT_DATA,
    MISSING,
    OK,
    Rule,
    enough_samples,
    verdict,
)

RETAIN = None
THREE_OF_THREE = [  # data points, to be filled, missing, ignore, breaching, notBreaching
    ("0 - X - X", 0, OK, OK, OK, OK),
    ("0 - - - -", 2, OK, OK, OK, OK),
    ("- - - - -", 3, INSUFFICIENT_DATA, RETAIN, ALARM, OK),
    ("0 X X - X", 0, ALARM, ALARM, ALARM, ALARM),
    ("- - X - -", 2, ALARM, RETAIN, ALARM, OK),
]
TWO_OF_THREE = [
    ("0 - X - X", 0, ALARM, ALARM, ALARM, ALARM),
    ("0 0 X 0 X", 0, ALARM, ALARM, ALARM, ALARM),
    ("0 - X - -", 1, OK, OK, ALARM, OK),
    ("- - - - 0", 2, OK, OK, ALARM, OK),
    ("- - - X -", 2, ALARM, RETAIN, ALARM, OK),
]
EARLIER_EDITIONS = [  # rows of the first table that later editions replaced
    ("- - - - X", 2, INSUFFICIENT_DATA, RETAIN, ALARM, OK),
    ("X - - - -", 2, ALARM, RETAIN, ALARM, OK),
]
COLUMNS = ("missing", "ignore", "breaching", "notBreaching")


@pytest.mark.parametrize("column", range(4), ids=COLUMNS)
@pytest.mark.parametrize("row", THREE_OF_THREE + EARLIER_EDITIONS, ids=lambda row: row[0])
def test_three_out_of_three(row: tuple[str, int, *tuple[str | None, ...]], column: int) -> None:
    """The first table of "How alarm state is evaluated when data is missing"."""
    found = verdict(row[0], rule=Rule(3, 3, COLUMNS[column]))
    assert (found.filled, found.state) == (row[1], row[2 + column])


@pytest.mark.parametrize("column", range(4), ids=COLUMNS)
@pytest.mark.parametrize("row", TWO_OF_THREE, ids=lambda row: row[0])
def test_two_out_of_three(row: tuple[str, int, *tuple[str | None, ...]], column: int) -> None:
    """The second table, of an M out of N alarm."""
    found = verdict(row[0], rule=Rule(3, 2, COLUMNS[column]))
    assert (found.filled, found.state) == (row[1], row[2 + column])


@pytest.mark.parametrize("points", ["- - - - X", "- - - X -"])
def test_one_breaching_value_after_a_gap_is_no_alarm_yet(points: str) -> None:
    """From "Avoiding premature transitions to alarm state": not at once if 3 of 3 are wanted."""
    assert verdict(points, rule=Rule(3, 3)).state == INSUFFICIENT_DATA


@pytest.mark.parametrize("points", ["- - - X 0", "- - X - 0"])
def test_a_good_value_after_it_makes_it_ok(points: str) -> None:
    """The false alarm that the rule avoids."""
    assert verdict(points, rule=Rule(3, 3)).state == OK


def test_the_figure_of_the_guide() -> None:
    """Three of three: ALARM in periods 3 to 5, OK at 6; the ninth alone changes nothing."""
    breaches = [True] * 5 + [False] * 3 + [True, False]
    states = []
    for end in range(1, len(breaches) + 1):
        seen: list[bool | None] = [*[False] * 5, *breaches[:end]]
        states.append(verdict(seen[-5:], rule=Rule(3, 3)).state)
    assert states == [OK, OK, ALARM, ALARM, ALARM, OK, OK, OK, OK, OK]


def test_which_points_counted() -> None:
    """The most recent that are there, as StateReason tells."""
    assert verdict("0 X X - X", rule=Rule(3, 3)).counted == (1, 2, 4)
    assert verdict("- - X - -", rule=Rule(3, 3)).counted == (2,)


def test_the_range_of_the_example() -> None:
    """CloudWatch retrieves 5 points for 3 evaluation periods."""
    assert Rule(3, 3).range == 5


@given(
    st.lists(st.sampled_from([True, False]), min_size=7, max_size=7),
    st.integers(1, 5),
    st.sampled_from(MISSING),
)
def test_with_all_data_there_it_is_m_out_of_n(
    points: list[bool | None], to_alarm: int, missing: str
) -> None:
    """How missing data is treated then makes no difference."""
    state = verdict(points, rule=Rule(5, to_alarm, missing)).state
    assert state == (ALARM if points[-5:].count(True) >= to_alarm else OK)


@given(st.lists(st.sampled_from([True, False, None]), min_size=5, max_size=5), st.integers(1, 3))
def test_breaching_is_never_milder_than_not_breaching(
    points: list[bool | None], to_alarm: int
) -> None:
    """Whatever the data is."""
    strict = verdict(points, rule=Rule(3, to_alarm, "breaching")).state
    mild = verdict(points, rule=Rule(3, to_alarm, "notBreaching")).state
    assert (strict, mild) != (OK, ALARM)


def test_comparisons_at_the_threshold() -> None:
    """Which of them a value that equals the threshold breaches."""
    found = {name: breaches(5.0, 5.0) for name, (breaches, _) in COMPARISONS.items()}
    assert found == {
        "GreaterThanThreshold": False,
        "GreaterThanOrEqualToThreshold": True,
        "LessThanThreshold": False,
        "LessThanOrEqualToThreshold": True,
    }


@pytest.mark.parametrize(
    ("percent", "samples", "enough"),
    [(99, 999, False), (99, 1000, True), (90, 99, False), (90, 100, True), (50, 20, True),
     (10, 99, False), (10, 100, True), (100, 1e9, False)],
)  # fmt: skip
def test_low_samples_of_a_percentile(percent: float, samples: float, *, enough: bool) -> None:
    """10/(1-percentile) above the half, 10/percentile below it: 1000 samples for p99."""
    assert enough_samples(percent, samples) is enough
