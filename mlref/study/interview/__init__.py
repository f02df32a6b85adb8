"""Practice for the interview: cards, what they listen for, how they are shown and exported.

- `mlref.study.interview.card` reads the fifteen cards and lists everything that is wrong with one.
- `mlref.study.interview.listen` finds in a typed answer what a card listens for. It suggests; the
  learner decides.
- `mlref.study.interview.render` shows a card, with figures that were measured or with none.
- `mlref.study.interview.search` finds words in the cards.
- `mlref.study.interview.export` writes cards as Markdown, as a sheet to print, as notes for Anki.

Free text is never graded here.
"""

from __future__ import annotations

__all__ = ["card", "export", "listen", "render", "search"]
