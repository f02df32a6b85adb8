"""A mock interview, as it is kept."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from support.drilling import NOW, store_in

from mlref.study.interview.sitting import Answered, Sitting, kept_sitting
from mlref.study.learner.progress import State


def _sitting() -> Sitting:
    answers = [
        Answered("01_deployment_steps", "text", 100.0, 0.5, ["a"], ["b"], [], "q", "h", "r", 20.0),
        Answered("02_containers", "", 0.0, 1.0),
    ]
    return Sitting(NOW.isoformat(), 2.0, "mock-interviews/x.md", ["01", "02", "03"], answers)


def test_an_interview_survives_the_file(tmp_path: Path) -> None:
    """What was put into the progress is got back from it."""
    store = store_in(tmp_path)
    assert kept_sitting(store) is None
    with store.update() as state:
        _sitting().put(state)
    assert kept_sitting(store) == _sitting()


def test_putting_keeps_the_draft() -> None:
    """The answer that is being typed is not lost when the rest is written."""
    state = State(mock={"draft": {"text": "precious"}})
    _sitting().put(state)
    assert (state.mock or {})["draft"] == {"text": "precious"}


def test_only_typing_takes_time() -> None:
    """Answers and follow-ups count; what is left may be less than nothing."""
    sitting = _sitting()
    assert (sitting.spent_s, sitting.left_s, sitting.score) == (120.0, 0.0, 0.75)


def test_the_score_of_nothing_is_nothing() -> None:
    """An interview without an answer has a score, too."""
    assert Sitting(NOW.isoformat(), 2.0, "", []).score == 0.0


@pytest.mark.parametrize(
    "change", [{"answers": [{"card": "x"}]}, {"answers": 3}, {"started": "soon"},
               {"minutes": None}, {"cards": 5}, {"report": "../x.md"}, {"report": "/etc/x.md"},
               {"answers": [{"card": "x", "text": 3, "seconds": 1, "score": 1}]},
               {"answers": [{"card": "x", "text": "", "seconds": 1, "score": None}]}]
)  # fmt: skip
def test_what_is_no_interview_is_refused(change: dict[str, object]) -> None:
    """Of the wrong type, or without what it needs."""
    values = json.loads(json.dumps({**_sitting().to_dict(), **change}))
    with pytest.raises(ValueError, match="mock interview"):
        Sitting.from_dict(values)
