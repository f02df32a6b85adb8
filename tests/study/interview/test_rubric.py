"""Points and red flags beside an answer."""

from __future__ import annotations

import io
from dataclasses import replace

import pytest
from rich.console import Console
from support.drilling import CARDS

from mlref.study.interview.draft import Draft
from mlref.study.interview.rubric import Rubric

CARD = CARDS[0]
TEXT = "First alpha, and the moon is cheese"
DRAFT = Draft(CARD.name, "confirming", TEXT, 65.0, ("alpha",), ("moon",))


def _shown(rubric: Rubric, draft: Draft, *weak: str, colour: bool = False) -> str:
    console = Console(
        file=io.StringIO(),
        width=80,
        force_terminal=colour,
        color_system="standard" if colour else None,
        legacy_windows=False,
    )
    rubric.show(console, draft, weak)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_what_was_heard_is_suggested() -> None:
    """A finished answer goes into confirming with what its words suggest."""
    typed = Draft(CARD.name, "typing", TEXT, 65.0)
    assert Rubric.of(CARD, TEXT).suggested(typed) == DRAFT


@pytest.mark.parametrize(
    ("reply", "ticked", "flags"),
    [
        ("2", ("alpha", "beta"), ("moon",)),
        ("1", (), ("moon",)),
        ("1, 3 A", ("gamma",), ()),
        ("2 2", ("alpha",), ("moon",)),
    ],
)
def test_numbers_and_letters_change_the_draft(
    reply: str, ticked: tuple[str, ...], flags: tuple[str, ...]
) -> None:
    """Each one changes its point or red flag to and fro."""
    changed = Rubric.of(CARD, TEXT).changed(DRAFT, reply)
    assert changed == replace(DRAFT, ticked=ticked, flags=flags)


@pytest.mark.parametrize("reply", ["0", "4", "b", "x", "1 yes", "-1", "²"])
def test_what_is_not_there_changes_nothing(reply: str) -> None:
    """The message says what there is."""
    with pytest.raises(ValueError, match="points 1 to 3 and the red flag a"):
        Rubric.of(CARD, TEXT).changed(DRAFT, reply)


def test_everything_is_told_in_words() -> None:
    """Without colours, the screen tells what is ticked, what was heard, and what is right."""
    shown = _shown(Rubric.of(CARD, TEXT), DRAFT, "beta")
    assert "9 words" not in shown
    assert "7 words in 1:05" in shown
    assert " 1 [x] Say alpha of 01 (counts 3 times)" in shown
    assert 'heard: "alpha"' in shown
    assert " 2 [ ] Say beta" in shown
    assert shown.count("you missed this one before") == 1
    assert " a [x] ✗ It is cheese" in shown
    assert "✓ It is stone" in shown
    assert "only a suggestion" in shown


def test_the_words_heard_stand_out_in_the_answer() -> None:
    """On a terminal they are bold and underlined: no colour is needed to see them."""
    assert "\x1b[1;4malpha\x1b[0m" in _shown(Rubric.of(CARD, TEXT), DRAFT, colour=True)


def test_a_card_that_listens_for_nothing_says_so() -> None:
    """A pending card suggests nothing, and tells the learner to tick."""
    points = tuple(replace(point, listen=()) for point in CARD.points)
    card = replace(CARD, points=points, red_flags=(), pending=("listen", "red_flags"))
    rubric = Rubric.of(card, TEXT)
    assert rubric.suggested(DRAFT).ticked == ()
    assert "listens for nothing yet" in _shown(rubric, DRAFT)


def test_brackets_in_an_answer_are_no_markup() -> None:
    """What looks like the console's markup is shown as it was typed."""
    text = "use [bold]x[/bold] and [/]"
    assert text in _shown(Rubric.of(CARD, text), replace(DRAFT, text=text))
