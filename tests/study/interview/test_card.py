"""Reading a card, and telling everything that is wrong with one."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from support.drilling import CARDS

from mlref.errors import CardError, ResourceNotFoundError
from mlref.evidence import Bound, Claim
from mlref.study.interview.card import PENDING_PARTS, all_cards, find_card, load_card

Write = Callable[..., Path]


def _problems(path: Path) -> list[str]:
    """What loading the card complains of."""
    with pytest.raises(CardError) as caught:
        load_card(path)
    return [line.strip() for line in str(caught.value).splitlines()[1:]]


def test_a_complete_card_is_read(write: Write, complete: str) -> None:
    """Every part stands where it belongs."""
    card = load_card(write(complete))
    assert (card.name, card.number, card.title) == (
        "01_deployment_steps",
        "01",
        "Deployment steps",
    )
    assert [point.id for point in card.points] == [f"point_{n}" for n in range(1, 6)]
    assert card.points[0].claim == Claim("Say thing one", "01.champion_auc", Bound.parse(">= 0.67"))
    assert card.claims == (card.points[0].claim,)
    assert (card.points[0].weight, card.points[0].follow_up, card.points[0].source) == (1, None, "")
    assert card.red_flags[1].correction == "Some are not"
    assert card.follow_ups[0].hint == "Look at it"
    assert card.pending == ()


def test_a_pending_card_is_read(write: Write, pending: str) -> None:
    """What comes with the chapter is absent, and the rest is there."""
    card = load_card(write(pending))
    assert card.pending == PENDING_PARTS
    assert (card.answer, card.red_flags, card.claims) == (None, (), ())
    assert len(card.points) == 5


def test_letters_match_in_any_case(write: Write, complete: str) -> None:
    """A regular expression of a card ignores case."""
    assert load_card(write(complete)).points[0].listen[0].search("THING ONE")


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ("question = ", "qestion = ", "question is missing"),
        ("question = ", "qestion = ", "unknown key qestion"),
        ('question = "Which', 'question = "What', "question must be the chapter's"),
        ("short_answer = ", "short_answer = 3 #", "short_answer must be text, got 3"),
        ('short_answer = "', f'short_answer = "{"more " * 40}', "60 to 110 words, got 120"),
        ('answer = "The', "#", "answer is missing"),
        ("{01.champion_auc:.2f}", "{02.x}", "answer: {02.x} is not a figure of chapter 01"),
        ("{01.champion_auc:.2f}", "{auc}", 'looks like "{01.name}", got \'{auc}\''),
        ('id = "point_2"', 'id = "point_1"', "points: 2 have the id point_1"),
        ('id = "point_2"', 'id = "Point 2"', "id must be lower case with _ between words"),
        ('id = "point_2"', "", "points 2: id is missing"),
        ('text = "Say thing two"', "", "points 2 (point_2): text is missing"),
        ('text = "Say thing two"', 'text = "{01.x}"', "only answer may hold one"),
        ('text = "Say thing two"', 'text = "x"\nweight = 4', "weight must be a whole number"),
        ('text = "Say thing two"', 'text = "x"\nweight = true', "from 1 to 3, got True"),
        ('text = "Say thing two"', 'text = "x"\nwheight = 2', "unknown key wheight"),
        (r"listen = ['\bthing two\b']", "listen = ['(']", "'(' is no regular expression"),
        (r"listen = ['\bthing two\b']", "listen = ['x*']", "'x*' matches an empty answer"),
        (r"listen = ['\bthing two\b']", "listen = 'x'", "listen must be a list of texts"),
        (r"listen = ['\bthing two\b']", "", "points 2 (point_2): listen is missing"),
        ('bound = ">= 0.67"', "", "points 1 (point_1): bound is missing"),
        ('evidence = "01.champion_auc"', "", "points 1 (point_1): evidence is missing"),
        ('bound = ">= 0.67"', 'bound = "high"', "a bound looks like"),
        ('evidence = "01.champion_auc"', 'evidence = "auc"', 'evidence must look like "01.name"'),
        ('evidence = "01.champion_auc"', 'evidence = "02.auc"', "\"01.name\", got '02.auc'"),
        ('evidence = "01.champion_auc"\nbound = ">= 0.67"', "", "no point names a figure"),
        ('correction = "Some are not"', "", "red_flags 1 (flag_1): correction is missing"),
        (r"listen = ['\ball dogs\b']", "", "red_flags 2 (flag_2): listen is missing"),
        ('hint = "Look at it"', "", "follow_ups 1: hint is missing"),
        ('answer = "The', 'pending = ["answer"]\nanswer = "The', "answer is pending, yet written"),
        ('answer = "The', 'pending = ["listen"]\nanswer = "The', "listen is pending, yet written"),
        ('answer = "The', 'pending = ["all"]\nanswer = "The', "pending may name answer, listen"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_told(
    write: Write, complete: str, old: str, new: str, problem: str
) -> None:
    """Each defect is a problem that names its place, and what would be right."""
    assert old in complete
    problems = _problems(write(complete.replace(old, new, 1)))
    assert [each for each in problems if problem in each], problems


def test_every_problem_is_listed(write: Write, complete: str) -> None:
    """One look shows all that is to be done."""
    text = complete.replace('id = "point_2"', "").replace('hint = "Look at it"', "").strip()
    assert len(_problems(write(text))) == 6


@pytest.mark.parametrize("kind", ["points", "red_flags", "follow_ups"])
def test_too_few_are_too_few(write: Write, complete: str, kind: str) -> None:
    """A card with hardly a point, a red flag or a follow-up is not finished."""
    first, *rest = complete.split(f"[[{kind}]]")
    last = rest[-1].partition("\n[[")
    text = f"{first}[[{kind}]]{rest[0].partition(chr(10) + '[[')[0]}\n{last[1]}{last[2]}"
    assert [each for each in _problems(write(text)) if f"{kind} must be" in each]


def test_a_card_of_no_chapter_is_refused(write: Write, complete: str) -> None:
    """The file's name is that of a chapter."""
    problems = _problems(write(complete, name="01_something"))
    assert [each for each in problems if "no chapter is called 01_something" in each]


@pytest.mark.parametrize("text", ["question = \n", "[[points]\n"])
def test_a_file_that_is_not_toml_is_refused(write: Write, text: str) -> None:
    """The message names the file and the place."""
    with pytest.raises(CardError, match=r"01_deployment_steps\.toml cannot be read: .*line 1"):
        load_card(write(text))


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    """The message names the file."""
    with pytest.raises(CardError, match=r"02_containers\.toml cannot be read"):
        load_card(tmp_path / "02_containers.toml")


def test_points_that_are_no_tables_are_refused(write: Write) -> None:
    """The message says how points are written."""
    assert any(r"write each below [[points]]" in each for each in _problems(write("points = 3")))


def test_all_cards_tells_the_problems_of_all(write: Write, complete: str) -> None:
    """A second broken card does not hide behind the first."""
    write("x = 1")
    path = write("x = 1", name="02_containers")
    with pytest.raises(CardError, match=r"(?s)01_deployment_steps\.toml.*02_containers\.toml"):
        all_cards(path.parent)
    write(complete)
    path.unlink()
    assert [card.number for card in all_cards(path.parent)] == ["01"]


def test_a_folder_without_cards_is_told(tmp_path: Path) -> None:
    """No card at all is a mistake in the folder."""
    with pytest.raises(CardError, match=r"no card NN_topic\.toml"):
        all_cards(tmp_path)


@pytest.mark.parametrize("name", ["1", "01", "01_deployment_steps", 1])
def test_a_card_is_found(name: str | int) -> None:
    """By number, with or without a zero, or by name."""
    assert find_card(name).name == "01_deployment_steps"


@pytest.mark.parametrize("name", ["16", "0", "deployment", ""])
def test_an_unknown_name_lists_the_cards(name: str) -> None:
    """The message shows what there is."""
    with pytest.raises(ResourceNotFoundError, match=r"(?s)no card is called .*15_cost"):
        find_card(name)
    with pytest.raises(ResourceNotFoundError, match=r"(?s)no card is called .*03_sagemaker"):
        find_card(name, CARDS)


@pytest.mark.parametrize("name", ["2", "02", "02_containers", 2])
def test_a_card_is_found_among_others(name: str | int) -> None:
    """Of the cards that are given, it is the very one."""
    assert find_card(name, CARDS) is CARDS[1]
