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
body { font: 8.6pt/1.36 "Segoe UI", "Helvetica Neue", Arial, "Liberation Sans", sans-serif;
  color: #111; background: #fff; max-width: 186mm; margin: 0 auto; }
header { border-bottom: 1.5pt solid #111; margin-bottom: 4mm; padding-bottom: 1.5mm; }
h1 { font-size: 15pt; margin: 0; }
header p { margin: 0.5mm 0 0; color: #333; }
main { columns: 2; column-gap: 8mm; }
section { margin: 0 0 5mm; }
.head { break-inside: avoid; break-after: avoid; }
h2 { font-size: 10pt; line-height: 1.25; margin: 0 0 1mm; border-top: 0.6pt solid #111;
  padding-top: 1.2mm; }
h2 small { display: block; font-size: 7.6pt; font-weight: normal; color: #333; }
p.answer { margin: 0 0 1.8mm; padding-left: 2.2mm; border-left: 1.6pt solid #777;
  orphans: 3; widows: 3; }
ul { list-style: none; margin: 0; padding: 0; }
li { break-inside: avoid; margin: 0 0 0.6mm; padding-left: 4.4mm; position: relative; }
li::before { content: ""; position: absolute; left: 0; top: 0.7mm; width: 2.5mm; height: 2.5mm;
  border: 0.6pt solid #111; }
@media screen { body { padding: 8mm 4mm; font-size: 11pt; } }
@media screen and (max-width: 640px) { main { columns: 1; } }
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
