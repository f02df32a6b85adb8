"""The progress as values, and what they refuse."""

from __future__ import annotations

from typing import Any

import pytest

from mlref.study.learner.progress import FORMAT, State

AT = {"at": "2013-01-01T00:00:00+00:00"}


@pytest.mark.parametrize(
    ("place", "change"),
    [
        ("labs", {"labs": []}),
        ("labs.01", {"labs": {"01": 3}}),
        ("labs.01.share", {"labs": {"01": {"share": "passed"}}}),
        ("labs.01.share.passed", {"labs": {"01": {"share": {"passed": True}}}}),
        ("labs.01.share.passed", {"labs": {"01": {"share": {"passed": "2013-01-01T00:00"}}}}),
        ("labs.01.share.attempts", {"labs": {"01": {"share": {"attempts": True}}}}),
        ("labs.01.share.hints", {"labs": {"01": {"share": {"hints": -1}}}}),
        ("labs.01.share.solution_seen", {"labs": {"01": {"share": {"solution_seen": 1}}}}),
        ("read.01", {"read": {"01": None}}),
        ("cards.01.schedule", {"cards": {"01": {"schedule": []}}}),
        ("cards.01.reviews", {"cards": {"01": {"reviews": {}}}}),
        ("cards.01.reviews[0]", {"cards": {"01": {"reviews": [1]}}}),
        ("cards.01.reviews[0].at", {"cards": {"01": {"reviews": [{}]}}}),
        ("cards.01.reviews[0].rating", {"cards": {"01": {"reviews": [{**AT, "rating": [1]}]}}}),
        ("cards.01.reviews[0].score", {"cards": {"01": {"reviews": [{**AT, "score": "x"}]}}}),
        ("cards.01.weak.later", {"cards": {"01": {"weak": {"later": 1.5}}}}),
        ("draft", {"draft": "text"}),
        ("mock", {"mock": []}),
        ("shipped.a", {"shipped": {"a": 1}}),
    ],
)
def test_a_wrong_type_is_told_with_its_place(place: str, change: dict[str, Any]) -> None:
    """The message begins with the place, for who repairs the file by hand."""
    with pytest.raises(ValueError, match=r" must be ") as caught:
        State.from_dict({"format": FORMAT, **change})
    assert str(caught.value).startswith(f"{place} must be ")


def test_unknown_keys_are_dropped() -> None:
    """What this format does not have is kept nowhere."""
    exercise = {"passed": None, "mood": "good"}
    found = State.from_dict({"format": FORMAT, "x": 1, "labs": {"01": {"share": exercise}}})
    assert "x" not in found.to_dict()
    assert "mood" not in found.to_dict()["labs"]["01"]["share"]
