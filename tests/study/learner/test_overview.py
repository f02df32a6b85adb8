"""How far a learner is, gathered from the progress and from the folder."""

from __future__ import annotations

import io
import json
import os
from datetime import UTC, datetime
from pathlib import Path

import pytest
from rich.console import Console

from mlref.errors import ResourceNotFoundError
from mlref.runtime.clock import ManualClock
from mlref.study.chapters import CHAPTERS
from mlref.study.interview.card import find_card
from mlref.study.interview.schedule import due_cards
from mlref.study.labs import Lab, all_labs
from mlref.study.learner import overview as overview_module
from mlref.study.learner.folder import make_folder
from mlref.study.learner.overview import ChapterProgress, mark_read, overview, render
from mlref.study.learner.standing import LabStanding
from mlref.study.learner.state import State, Store

NAME = "01_deployment_steps"
NOTEBOOK = f"notebooks/{NAME}.ipynb"
MOMENT = "2013-01-01T00:00:00+00:00"


@pytest.fixture
def store(tmp_path: Path, clock: ManualClock) -> Store:
    """A folder that was just made."""
    return Store(make_folder(tmp_path / "mine", clock=clock).folder, clock=clock)


def _first(store: Store) -> ChapterProgress:
    return overview(store).chapters[0]


def _save(path: Path, *, moment: datetime) -> None:
    """Save a file as JupyterLab does: other bytes, and the time of the change."""
    path.write_bytes(path.read_bytes() + b"\n")
    os.utime(path, (moment.timestamp(), moment.timestamp()))


def test_a_beginner_has_done_nothing(store: Store) -> None:
    """Each question is there; nothing was last; the first notebook is next."""
    found = overview(store)
    assert [each.number for each in found.chapters] == [f"{n:02d}" for n in range(1, 16)]
    assert (found.steps[0], found.last, found.last_at) == (0, None, None)
    assert found.command.endswith(f"{NAME}.ipynb")


def test_a_marked_notebook_is_read(store: Store) -> None:
    """Whatever way it was named."""
    assert mark_read(store, "1") == NAME
    assert _first(store).read is True
    assert overview(store).last == "read notebook 01"


def test_marking_again_does_not_move_the_moment(store: Store, clock: ManualClock) -> None:
    """The first time counts."""
    mark_read(store, "01")
    clock.advance(60)
    mark_read(store, NAME)
    assert store.read().read == {NAME: "2013-01-01T00:00:00+00:00"}


def test_a_notebook_that_does_not_exist_is_not_marked(store: Store) -> None:
    """The message lists those there are."""
    with pytest.raises(ResourceNotFoundError, match=NAME):
        mark_read(store, "77")


def test_a_notebook_that_was_saved_is_read(store: Store) -> None:
    """And it is the last thing done, at the moment of the file."""
    assert _first(store).read is False
    _save(store.folder / NOTEBOOK, moment=datetime(2013, 3, 1, tzinfo=UTC))
    found = overview(store)
    assert found.chapters[0].read is True
    assert found.last == f"saved {NOTEBOOK}"
    assert found.last_at == "2013-03-01T00:00:00.000000+00:00"


def test_a_notebook_that_was_deleted_is_not_read(store: Store) -> None:
    """Its absence says nothing."""
    (store.folder / NOTEBOOK).unlink()
    assert _first(store).read is False


def test_what_is_not_written_is_not_unread(store: Store) -> None:
    """A question has a notebook, a lab or a card to be done only if there is one."""
    labs = {lab.name for lab in all_labs()}
    for chapter, found in zip(CHAPTERS, overview(store).chapters, strict=True):
        parts = (found.read, found.lab, found.card)
        written = (chapter.notebook, chapter.name in labs, chapter.card)
        assert [part is None for part in parts] == [not each for each in written]


def test_a_lab_counts_what_was_solved(store: Store, lab: Lab) -> None:
    """Hints and solutions that were seen are counted; an exercise of long ago is not."""
    with store.update() as state:
        exercise = state.exercise(lab.name, "first")
        exercise.passed = exercise.solution_seen = store.now()
        exercise.hints = exercise.attempts = 2
        state.exercise(lab.name, "gone").passed = store.now()
    standing = overview_module._lab(lab, store.read())
    assert standing == LabStanding(solved=1, total=2, hints=2, solutions=1, begun=True)


def test_a_lab_that_was_not_touched_is_not_begun(lab: Lab) -> None:
    """Its exercises are counted all the same."""
    standing = overview_module._lab(lab, State())
    assert standing == LabStanding(solved=0, total=2, hints=0, solutions=0, begun=False)


@pytest.mark.parametrize(
    ("field", "value"),
    [("attempts", 1), ("hints", 1), ("solution_seen", MOMENT), ("passed", MOMENT)],
)
def test_a_lab_is_begun_by_whatever_was_done_in_it(
    store: Store, lab: Lab, field: str, value: str | int
) -> None:
    """Also by looking up a solution and nothing else."""
    with store.update() as state:
        setattr(state.exercise(lab.name, "first"), field, value)
    assert overview_module._lab(lab, store.read()).begun


def test_a_lab_whose_progress_was_looked_at_is_not_begun(store: Store, lab: Lab) -> None:
    """An entry without anything in it says nothing."""
    with store.update() as state:
        state.exercise(lab.name, "first")
    assert not overview_module._lab(lab, store.read()).begun


@pytest.mark.parametrize(
    ("due", "is_due"),
    [("2013-01-01T00:00:00+00:00", True), ("2013-01-02T00:00:00+00:00", False)],
)
def test_a_card_is_due_on_its_day(store: Store, due: str, *, is_due: bool) -> None:
    """The schedule says when; the reviews are counted."""
    with store.update() as state:
        state.card(NAME).schedule = {"due": due}
        state.card(NAME).reviews.append({"at": store.now(), "rating": 3})
    card = _first(store).card
    assert card is not None
    assert (card.reviews, card.due, card.is_due) == (1, due, is_due)
    assert overview(store).last == "answered card 01"


@pytest.mark.parametrize("schedule", [{}, {"due": None}, {"due": "soon"}])
def test_the_schedule_of_another_scheduler_is_no_trouble(
    store: Store, schedule: dict[str, object]
) -> None:
    """A card without a moment that can be understood counts as never scheduled."""
    with store.update() as state:
        state.card(NAME).schedule = schedule
    card = _first(store).card
    assert card is not None
    assert (card.due, card.is_due) == (None, False)


@pytest.mark.parametrize("due", ["2013-01-01", "2013-01-02", "2013-01-01T00:00:00+00:00"])
def test_a_card_is_due_when_the_drill_asks_it(store: Store, due: str) -> None:
    """Also by a date without a zone, which the drill takes as UTC."""
    with store.update() as state:
        state.card(NAME).schedule = {"due": due}
    card, asked = _first(store).card, due_cards(store.read(), [find_card("01")], store.clock.now())
    assert card is not None
    assert card.is_due == bool(asked) == (due != "2013-01-02")


def test_the_last_thing_done_is_the_latest(store: Store, clock: ManualClock) -> None:
    """Moments are compared as moments, whatever their zone."""
    with store.update() as state:
        state.exercise(NAME, "share").passed = "2013-01-02T00:30:00+02:00"
        state.exercise(NAME, "leaks").solution_seen = "2013-01-01T23:00:00+00:00"
    clock.advance(3600)
    assert overview(store).last == "saw the solution of leaks in lab 01"


def test_the_overview_is_json(store: Store) -> None:
    """Programs read the same as people."""
    mark_read(store, "01")
    found = json.loads(json.dumps(overview(store).to_dict()))
    assert found["done"] == 1
    assert found["chapters"][0]["read"] is True


def _shown(store: Store, *, width: int = 80) -> str:
    console = Console(file=io.StringIO(), width=width, no_color=True)
    render(console, overview(store))
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_an_answer_that_was_left_is_no_review(store: Store) -> None:
    """What was begun and thrown away in the drill does not count as asked."""
    with store.update() as state:
        state.card(NAME).reviews.append({"at": store.now(), "rating": None, "abandoned": True})
    (card,) = [each.card for each in overview(store).chapters if each.name == NAME]
    assert card is not None
    assert card.reviews == 0
    assert overview(store).last == "put away an answer to card 01"


def test_the_screen_is_readable_in_80_columns_without_colours(store: Store) -> None:
    """Every question is on a line of its own, words say what was done, nothing is cut."""
    mark_read(store, "01")
    with store.update() as state:
        state.card(NAME).schedule = {"due": store.now()}
        state.card(NAME).reviews = [{"at": store.now(), "rating": 3}] * 100
    text = _shown(store)
    (line,) = (line for line in text.splitlines() if line.startswith("01 "))
    assert all(word in line for word in ("Deployment steps", "✓ read", "due now", "100"))
    assert "Large language models" in text
    assert "…" not in text
    table = text.partition("last:")[0]
    assert max(len(line) for line in table.splitlines()) <= 80


def test_the_bar_grows_with_what_is_done(store: Store) -> None:
    """It is empty for a beginner, and tells the count in words."""
    assert "█" not in _shown(store)
    mark_read(store, "01")
    done, total = overview(store).steps
    assert f"  {done} of {total} steps done" in _shown(store)
    assert "█" in _shown(store)


def test_the_screen_ends_with_what_is_next(store: Store) -> None:
    """The command stands on the last line, whole."""
    found = overview(store)
    assert _shown(store).splitlines()[-2:] == [f"next: {found.next}", f"      {found.command}"]
