"""Unfinished answers, as they are kept."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from support.drilling import store_in

from mlref.errors import LearnerError
from mlref.study.interview.draft import (
    Draft,
    Place,
    alone,
    drill_place,
    mock_place,
    set_aside,
)

DRAFT = Draft("01_deployment_steps", "confirming", "text", 2.5, ("alpha",), ("moon",), "q", "h")


def test_a_draft_survives_the_file() -> None:
    """JSON gives back what was kept."""
    assert Draft.from_dict(json.loads(json.dumps(DRAFT.to_dict()))) == DRAFT


@pytest.mark.parametrize(
    ("change", "named"),
    [({"card": 1}, "card"), ({"text": None}, "text"), ({"phase": "x"}, "phase"),
     ({"seconds": []}, "seconds"), ({"ticked": 3}, "ticked"), ({"hint": 1}, "hint")],
)  # fmt: skip
def test_what_is_no_draft_is_refused(change: dict[str, object], named: str) -> None:
    """A wrong value is named."""
    with pytest.raises(ValueError, match=named):
        Draft.from_dict({**DRAFT.to_dict(), **change})


@pytest.mark.parametrize("place", [drill_place, mock_place])
def test_a_place_keeps_a_draft(tmp_path: Path, place: Place) -> None:
    """What is put there is got back by another program; and nothing after it was taken out."""
    store = store_in(tmp_path)
    with store.update() as state:
        state.mock = {"cards": []}
    place.save(store, DRAFT)
    assert place.get(store.read()) == DRAFT.to_dict()
    with store.update() as state:
        place.put(state, None)
    assert place.get(store.read()) is None
    assert store.read().mock is not None


def test_the_two_places_are_apart(tmp_path: Path) -> None:
    """The draft of a mock interview does not touch the one of a drill."""
    store = store_in(tmp_path)
    with store.update() as state:
        state.mock = {}
    drill_place.save(store, DRAFT)
    assert mock_place.get(store.read()) is None


def test_what_is_not_understood_is_set_aside(tmp_path: Path) -> None:
    """It is in a file of its own, and the learner is told where."""
    store = store_in(tmp_path)
    set_aside(store, "draft", {"text": "precious"}, ValueError("no card\nthere are: ..."))
    (path,) = (tmp_path / ".mlref").glob("draft-*")
    assert json.loads(path.read_text()) == {"text": "precious"}
    assert "(no card); it is kept as" in store.notices[0]
    assert str(path) in store.notices[0]


def test_a_second_drill_is_refused(tmp_path: Path) -> None:
    """Two drills at once would overwrite each other's answer; afterwards the way is free again."""
    store = store_in(tmp_path)
    with alone(store), pytest.raises(LearnerError, match="another drill"), alone(store):
        pass
    with alone(store):
        pass
