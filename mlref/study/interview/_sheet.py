"""The sheet: all questions on a few pages of A4, in one file that asks for nothing else."""

from __future__ import annotations

import html
from collections.abc import Sequence

from mlref.study.interview.card import MAX_WEIGHT, Card, Point

__all__ = ["sheet"]

_STYLE = """
@page { size: A4; margin: 12mm 12mm 14mm;
  @bottom-right { content: counter(page) " / " counter(pages); font: 7pt sans-serif; } }
* { box-sizing: border-box; }
body { font: 11pt/1.36 "Segoe UI", "Helvetica Neue", Arial, "Liberation Sans", sans-serif;
  color: #111; background: #fff; max-width: 44em; margin: 0 auto; padding: 1.5em 1em; }
header { border-bottom: 1.5pt solid #111; margin-bottom: 1.3em; padding-bottom: 0.5em; }
h1 { font-size: 1.75em; margin: 0; }
header p { margin: 0.2em 0 0; color: #333; }
section { margin: 0 0 1.6em; }
.head { break-inside: avoid; break-after: avoid; }
h2 { font-size: 1.16em; line-height: 1.25; margin: 0 0 0.3em; border-top: 0.6pt solid #111;
  padding-top: 0.35em; }
h2 small { display: block; font-size: 0.76em; font-weight: normal; color: #333; }
p.answer { margin: 0 0 0.6em; padding-left: 0.7em; border-left: 1.6pt solid #777; }
ul { list-style: none; margin: 0; padding: 0; }
li { break-inside: avoid; margin: 0 0 0.2em; padding-left: 1.45em; position: relative; }
li::before { content: ""; position: absolute; left: 0; top: 0.25em; width: 0.82em; height: 0.82em;
  border: 0.6pt solid #111; }
@media print {
  body { font-size: 8.6pt; max-width: none; padding: 0; }
  main { columns: 2; column-gap: 8mm; }
}
"""


def sheet(cards: Sequence[Card]) -> str:
    """A whole HTML page: question, 30-second answer and rubric points of each card."""
    sections = "\n".join(_section(card) for card in cards)
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>mlref: interview sheet</title>
<style>{_STYLE}</style>
</head>
<body>
<header>
<h1>Deploying models: the interview sheet</h1>
<p>Each question with an answer of thirty seconds, and what a good answer says.
<b>Bold</b>: no good answer lacks it. Tick what you said.</p>
</header>
<main>
{sections}
</main>
</body>
</html>
"""


def _section(card: Card) -> str:
    points = "\n".join(_item(point) for point in card.points)
    return f"""<section>
<div class="head">
<h2><small>{card.number} {html.escape(card.title)}</small>{html.escape(card.question)}</h2>
<p class="answer">{html.escape(" ".join(card.short_answer.split()))}</p>
</div>
<ul>
{points}
</ul>
</section>"""


def _item(point: Point) -> str:
    text = html.escape(point.text)
    return f"<li><b>{text}</b></li>" if point.weight == MAX_WEIGHT else f"<li>{text}</li>"
