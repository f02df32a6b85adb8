"""How well a card's phrases hear which points an answer makes.

The answers to each question were written and labelled by somebody who saw the points of its card
but not its phrases (tests/study/interview/data/). Peers: saying "no" to every point, and the cosine
of TF-IDF vectors between a point's text and the answer's best sentence, with the threshold that is
best on all other answers. Accuracy counts (answer, point) pairs; precision and recall are of the
points ticked.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.feature_extraction.text import TfidfVectorizer

from mlref.study.interview.card import Card, find_card
from mlref.study.interview.listen import listen
from mlref.tables import Table

ANSWERS = Path(__file__).resolve().parents[1] / "tests/study/interview/data"


def cards() -> list[Card]:
    """The cards that somebody has written answers for."""
    names = sorted(path.stem for path in ANSWERS.glob("answers_*.toml"))
    return [find_card(name.removeprefix("answers_")) for name in names]


def labelled(card: Card) -> list[dict[str, Any]]:
    """The answers to a card's question, with their labels."""
    text = (ANSWERS / f"answers_{card.number}.toml").read_text(encoding="utf-8")
    found: list[dict[str, Any]] = tomllib.loads(text)["answers"]
    return found


def truth(card: Card, answers: Sequence[dict[str, Any]]) -> np.ndarray:
    """Which points are made: bool array of shape (answers, points)."""
    return np.array([[p.id in a["points"] for p in card.points] for a in answers])


def heard(card: Card, answers: Sequence[dict[str, Any]]) -> np.ndarray:
    """Which points the card's phrases tick: bool array of shape (answers, points)."""
    found = [listen(card, a["text"]).points for a in answers]
    return np.array([[p.id in each for p in card.points] for each in found])


def similar(card: Card, answers: Sequence[dict[str, Any]], real: np.ndarray) -> np.ndarray:
    """Which points TF-IDF ticks, each answer judged with the threshold best on the others."""
    sentences = [re.split(r"(?<=[.!?;])\s+|\n+", a["text"].strip()) for a in answers]
    texts = [p.text for p in card.points]
    vectors = TfidfVectorizer(stop_words="english", ngram_range=(1, 2), sublinear_tf=True)
    vectors.fit([*texts, *(s for each in sentences for s in each)])
    points = vectors.transform(texts)
    scores = np.array([(vectors.transform(s) @ points.T).toarray().max(axis=0) for s in sentences])
    ticked = np.zeros_like(real)
    for row in range(len(answers)):
        others = np.arange(len(answers)) != row
        grid = np.unique(scores[others])
        right = [((scores[others] >= t) == real[others]).mean() for t in grid]
        ticked[row] = scores[row] >= grid[int(np.argmax(right))]
    return ticked


def measures(ticked: np.ndarray, real: np.ndarray) -> dict[str, float | None]:
    """Accuracy, precision and recall of some ticks."""
    hits = int((ticked & real).sum())
    return {
        "accuracy": float((ticked == real).mean()),
        "precision": hits / int(ticked.sum()) if ticked.any() else None,
        "recall": hits / int(real.sum()),
    }


def red_flags(card: Card, answers: Sequence[dict[str, Any]]) -> tuple[int, int, int]:
    """Red flags committed, those of them heard, and those heard without reason."""
    committed = {(a["name"], flag) for a in answers for flag in a["red_flags"]}
    found = {(a["name"], flag) for a in answers for flag in listen(card, a["text"]).red_flags}
    return len(committed), len(committed & found), len(found - committed)


def main() -> None:
    """Print a table for each card."""
    for card in cards():
        answers = labelled(card)
        real = truth(card, answers)
        rows = {
            "no to every point": np.zeros_like(real),
            "TF-IDF cosine": similar(card, answers, real),
            "the card's phrases": heard(card, answers),
        }
        told = f"{len(answers)} answers, {real.size} pairs, {real.mean():.0%} of the points made"
        print(f"card {card.number}: {told}")
        print(Table.of([{"scorer": name, **measures(each, real)} for name, each in rows.items()]))
        committed, hit, false = red_flags(card, answers)
        print(f"red flags: {committed} committed, {hit} of them heard, {false} without reason")


if __name__ == "__main__":
    main()
