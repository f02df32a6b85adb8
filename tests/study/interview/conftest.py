"""Small cards to take apart: one that is complete, one that is pending."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

SHORT = " ".join(["word"] * 80)
POINTS = "\n".join(
    f"""
[[points]]
id = "point_{number}"
text = "Say thing {word}"
listen = ['\\bthing {word}\\b']
"""
    for number, word in enumerate(("one", "two", "three", "four", "five"), 1)
)
FLAGS = "\n".join(
    f"""
[[red_flags]]
id = "flag_{number}"
text = "All {word} are good"
correction = "Some are not"
listen = ['\\ball {word}\\b']
"""
    for number, word in enumerate(("cats", "dogs", "birds"), 1)
)
FOLLOW_UPS = "\n".join(
    f"""
[[follow_ups]]
question = "And what of thing {number}?"
hint = "Look at it"
"""
    for number in "abcde"
)
EVIDENCE = 'evidence = "01.champion_auc"\nbound = ">= 0.67"\n'
QUESTION = "Which steps lead from a trained model to one that answers in production?"
HEAD = f'question = "{QUESTION}"\nshort_answer = "{SHORT}"\n'
ANSWER = 'answer = "The AUC is {01.champion_auc:.2f}, or {01.champion_auc}."\n'

COMPLETE = (
    HEAD
    + ANSWER
    + POINTS.replace('text = "Say thing one"', f'text = "Say thing one"\n{EVIDENCE}')
    + FLAGS
    + FOLLOW_UPS
)
PENDING = (
    HEAD
    + 'pending = ["answer", "listen", "red_flags", "evidence"]\n'
    + "\n".join(line for line in POINTS.splitlines() if not line.startswith("listen"))
    + "\n"
    + FOLLOW_UPS
)


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., Path]:
    """A function that writes a card's text, under the name of chapter 1 if not told otherwise."""

    def written(text: str, name: str = "01_deployment_steps") -> Path:
        path = tmp_path / f"{name}.toml"
        path.write_text(text, encoding="utf-8")
        return path

    return written


@pytest.fixture
def complete() -> str:
    """The text of a card that lacks nothing."""
    return COMPLETE


@pytest.fixture
def pending() -> str:
    """The text of a card whose four parts come with its chapter."""
    return PENDING
