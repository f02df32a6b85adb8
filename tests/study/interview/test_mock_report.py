"""The report of a mock interview."""

from __future__ import annotations

from pathlib import Path

from support.drilling import CARDS, NOW

from mlref.study.interview.mock_report import report_text
from mlref.study.interview.sitting import Answered, Sitting
from mlref.study.learner.progress import State


def _report(folder: Path, state: State | None = None, **changes: object) -> str:
    values: dict[str, object] = {
        "card": CARDS[0].name,
        "text": "alpha\n\nthe moon is | cheese\n# not a heading",
        "seconds": 125.0,
        "score": 0.4,
        "ticked": ["alpha"],
        "missed": ["beta", "gamma"],
        "red_flags": ["moon"],
        "question": "Why beta?",
        "hint": "Say beta",
        "reply": "no idea",
        "reply_seconds": 10.0,
        **changes,
    }
    answered = Answered(**values)  # type: ignore[arg-type]
    sitting = Sitting(NOW.isoformat(), 45.0, "x.md", [CARDS[0].name, CARDS[1].name], [answered])
    return report_text(sitting, CARDS, state or State(), folder)


def test_a_report_holds_all_that_was_said(tmp_path: Path) -> None:
    """Times, answer, points, red flag with its correction, follow-up, score."""
    report = _report(tmp_path)
    assert "**Overall score: 40%.** 1 of 2 questions were answered in 2:15 of 45:00" in report
    assert "| 01 Deployment steps | 2:05 | 1 of 3 | 1 | 40% | Hard |" in report
    assert "- ✓ Say alpha of 01" in report
    assert "- ✗ Say beta\n- ✗ Say gamma" in report
    assert "- ✗ It is cheese ✓ It is stone" in report
    assert "**Follow-up:** Why beta?\n\n**Your answer** (0:10)\n\n> no idea" in report


def test_an_answer_stays_a_quotation(tmp_path: Path) -> None:
    """Lines that look like Markdown are inside the block quote."""
    assert "> alpha\n>\n> the moon is | cheese\n> # not a heading\n" in _report(tmp_path)


def test_nothing_is_told_as_nothing(tmp_path: Path) -> None:
    """An empty answer, and no follow-up question."""
    report = _report(tmp_path, text=" ", question="", hint="", red_flags=[])
    assert "> (nothing)" in report
    assert "Follow-up" not in report
    assert "Red flags" not in report


def test_what_to_read_next_is_named_with_its_command(tmp_path: Path) -> None:
    """The weakest points with their source; a notebook that is there is linked."""
    state = State()
    state.card(CARDS[0].name).weak = {"alpha": 2}
    assert "- 01 missed 2 times: Say alpha of 01 (book a)" in _report(tmp_path, state)
    assert "[notebook" not in _report(tmp_path, state)
    (tmp_path / "notebooks").mkdir()
    (tmp_path / "notebooks" / f"{CARDS[0].name}.ipynb").touch()
    assert (
        "- Deployment steps: [notebook 01](../notebooks/01_deployment_steps.ipynb), "
        "`mlref cards show 01`, then `mlref drill --topic 01`"
    ) in _report(tmp_path, state)


def test_no_weak_point_is_told(tmp_path: Path) -> None:
    """Whoever said it all hears so."""
    assert "None of these questions has a weak point left." in _report(tmp_path)
