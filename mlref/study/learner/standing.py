"""How far one question is: its notebook, its lab, its card."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["CardStanding", "ChapterProgress", "LabStanding"]


@dataclass(frozen=True)
class LabStanding:
    """A lab: exercises solved and in all, hints seen, solutions seen, and whether it was begun."""

    solved: int
    total: int
    hints: int
    solutions: int
    begun: bool


@dataclass(frozen=True)
class CardStanding:
    """A card: how often it was answered, when it is due (ISO; None if never asked), and if now."""

    reviews: int
    due: str | None
    is_due: bool


@dataclass(frozen=True)
class ChapterProgress:
    """One question; `read`, `lab` and `card` are None where there is none to read, do or answer."""

    number: str
    name: str
    title: str
    read: bool | None
    lab: LabStanding | None
    card: CardStanding | None

    @property
    def steps(self) -> tuple[int, int]:
        """How many steps are done, of how many: the notebook, each exercise, the card once."""
        done = int(self.read or False)
        total = int(self.read is not None)
        if self.lab:
            done, total = done + self.lab.solved, total + self.lab.total
        if self.card:
            done, total = done + int(self.card.reviews > 0), total + 1
        return done, total
