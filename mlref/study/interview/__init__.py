"""Practice for the interview: cards, what they listen for, how they are shown and exported.

- `mlref.study.interview.card` reads the fifteen cards and lists everything that is wrong with one.
- `mlref.study.interview.listen` finds in a typed answer what a card listens for. It suggests; the
  learner decides.
- `mlref.study.interview.render` shows a card, with figures that were measured or with none.
- `mlref.study.interview.search` finds words in the cards.
- `mlref.study.interview.export` writes cards as Markdown, as a sheet to print, as notes for Anki.

And the practice itself:

- `mlref.study.interview.drill` asks one question, `mlref.study.interview.mock` five in one time.
- `mlref.study.interview.rounds` holds the steps that both have in common.
- `mlref.study.interview.prompting` takes an answer against a clock; no keystroke is lost.
- `mlref.study.interview.draft` and `mlref.study.interview.sitting` are what is not finished yet.
- `mlref.study.interview.rubric` compares an answer with the points of its card.
- `mlref.study.interview.schedule` makes a score, a rating and a date of it.
- `mlref.study.interview.review` tells what is due; `mlref.study.interview.mock_report` is written
  after a mock interview.
- `mlref.study.interview.widget` is the drill in a notebook, `mlref.study.interview.page` what it
  shows.

Free text is never graded here.
"""

from __future__ import annotations

__all__ = [
    "card",
    "draft",
    "drill",
    "export",
    "listen",
    "mock",
    "mock_report",
    "page",
    "prompting",
    "render",
    "review",
    "rounds",
    "rubric",
    "schedule",
    "search",
    "sitting",
    "widget",
]
