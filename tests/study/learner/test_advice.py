"""What a learner is told to do next."""

from __future__ import annotations

from pathlib import Path

import pytest

from mlref.study.learner.advice import next_step
from mlref.study.learner.progress import State
from mlref.study.learner.standing import CardStanding, ChapterProgress, LabStanding

NEW = CardStanding(0, None, is_due=False)
LATER = CardStanding(1, "2013-02-01T00:00:00+00:00", is_due=False)
DUE = CardStanding(1, "2012-12-31T00:00:00+00:00", is_due=True)


def _lab(solved: int, *, begun: bool = False) -> LabStanding:
    return LabStanding(solved, 3, hints=0, solutions=0, begun=begun)


def _chapter(
    number: str = "01",
    *,
    read: bool | None = True,
    lab: LabStanding | None = None,
    card: CardStanding | None = LATER,
) -> ChapterProgress:
    return ChapterProgress(number, f"{number}_topic", "Topic", read, lab, card)


def _command(*chapters: ChapterProgress, state: State | None = None) -> str:
    return next_step(Path("/mine"), state or State(), chapters)[1]


@pytest.mark.parametrize(
    ("chapter", "command"),
    [
        (_chapter(read=False, lab=_lab(0), card=NEW), "jupyter lab /mine/notebooks/01_topic.ipynb"),
        (_chapter(lab=_lab(0), card=NEW), "mlref watch 01"),
        (_chapter(lab=_lab(3), card=NEW), "mlref drill --topic 01"),
        (_chapter(read=None, card=NEW), "mlref drill --topic 01"),
        (_chapter(lab=_lab(3)), "mlref review"),
        (_chapter(read=None, card=None), "mlref review"),
    ],
)
def test_a_question_is_read_then_practised_then_answered(
    chapter: ChapterProgress, command: str
) -> None:
    """The first step of it that was not taken is next; what is not written is passed over."""
    assert _command(chapter) == command


def test_questions_are_taken_in_order() -> None:
    """The second one waits until the first one is answered."""
    assert _command(_chapter(card=NEW), _chapter("02", read=False)) == "mlref drill --topic 01"


def test_a_lab_that_was_begun_is_finished_first() -> None:
    """Also when a notebook before it is unread, and a card is due."""
    begun = _chapter("02", lab=_lab(1, begun=True), card=DUE)
    assert _command(_chapter(read=False), begun) == "mlref watch 02"


def test_a_lab_that_is_solved_is_not_begun() -> None:
    """Nothing is left of it."""
    assert _command(_chapter(lab=_lab(3, begun=True))) == "mlref review"


def test_due_cards_come_before_anything_new() -> None:
    """They are counted in the sentence."""
    chapters = [_chapter(card=DUE), _chapter("02", card=DUE), _chapter("03", read=False)]
    assert next_step(Path("/mine"), State(), chapters) == ("2 cards are due.", "mlref drill --due")


@pytest.mark.parametrize(
    ("state", "command"),
    [
        (State(draft={"answer": ""}, mock={}), "mlref drill"),
        (State(mock={}), "mlref drill --mock 45"),
    ],
)
def test_an_answer_that_was_begun_comes_first(state: State, command: str) -> None:
    """Then the mock interview that is going on, then all else."""
    assert _command(_chapter(lab=_lab(1, begun=True), card=DUE), state=state) == command


def test_when_all_is_done_the_next_date_is_told() -> None:
    """It is the earliest of all cards."""
    earlier = CardStanding(1, "2013-01-05T00:00:00+00:00", is_due=False)
    sentence, _ = next_step(Path("/mine"), State(), [_chapter(), _chapter("02", card=earlier)])
    assert sentence == "All that there is has been done; the next card is due on 2013-01-05."


def test_a_path_is_told_as_it_is_typed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Relative to where one stands if it is below, and quoted for the shell."""
    folder = tmp_path / "my study"
    monkeypatch.chdir(tmp_path)
    _, command = next_step(folder, State(), [_chapter(read=False)])
    assert command == "jupyter lab 'my study/notebooks/01_topic.ipynb'"
