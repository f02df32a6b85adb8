"""Cards for use elsewhere."""

from __future__ import annotations

import csv
import html.parser
import re
from dataclasses import replace
from pathlib import Path

import pytest

from mlref.errors import CardError, EvidenceError, FileWriteError
from mlref.study.interview import render
from mlref.study.interview.card import Card, FollowUp, all_cards, find_card
from mlref.study.interview.export import export, to_anki, to_markdown, to_sheet

CARDS = all_cards()


def _rows(cards: list[Card]) -> list[list[str]]:
    """The notes of an export for Anki."""
    lines = [line for line in to_anki(cards).splitlines() if not line.startswith("#")]
    return list(csv.reader(lines, delimiter="\t"))


def test_markdown_holds_every_card() -> None:
    """A heading for each, the figures filled in, and a list of points."""
    text = to_markdown(CARDS)
    assert [line for line in text.splitlines() if line.startswith("## ")] == [
        f"## {card.number} {card.title}" for card in CARDS
    ]
    assert "{01." not in text
    assert "  - evidence: 01.parity = 2.78e-07, bound <= 1e-5, exact\n" in text
    assert text.count("\n- ") == sum(
        len(card.points) + len(card.red_flags) + len(card.follow_ups) for card in CARDS
    )


class _Page(html.parser.HTMLParser):
    """The tags of a page, what they point to, and its text."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.wrong: list[str] = []
        self.links: list[str] = []
        self.text = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.links += [f"{tag} {name}" for name, _ in attrs if name in {"src", "href"}]
        if tag != "meta":
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if not self.open or self.open.pop() != tag:
            self.wrong.append(tag)

    def handle_data(self, data: str) -> None:
        self.text += data


def test_the_sheet_holds_every_card() -> None:
    """Question, 30-second answer and points of all, as text."""
    page = _Page(to_sheet(CARDS))
    text = " ".join(page.text.split())
    for card in CARDS:
        for part in (card.question, card.short_answer, *(each.text for each in card.points)):
            assert " ".join(part.split()) in text
    assert (page.open, page.wrong) == ([], [])


def test_the_sheet_asks_for_nothing_else() -> None:
    """No file, no font, no address is loaded from anywhere."""
    text = to_sheet(CARDS)
    assert _Page(text).links == []
    assert re.findall(r"url\(|@import|https?:", text) == []


def test_what_looks_like_html_is_text() -> None:
    """Signs of HTML in a card are shown, not obeyed."""
    card = replace(find_card("01"), question="is <b> < & bold?", pending=("answer",), answer=None)
    assert "is &lt;b&gt; &lt; &amp; bold?" in to_sheet([card])
    assert "is &lt;b&gt; &lt; &amp; bold?" in to_anki([card])


def test_anki_finds_its_headers_first() -> None:
    """The file says how it is to be read."""
    assert to_anki(CARDS).splitlines()[:6] == [
        "#separator:tab",
        "#html:true",
        "#notetype:Basic",
        "#deck:mlref",
        "#guid column:1",
        "#tags column:4",
    ]


def test_anki_gets_a_note_for_each_question() -> None:
    """The question and its follow-ups; four columns each, no name twice."""
    rows = _rows(CARDS)
    assert len(rows) == sum(1 + len(card.follow_ups) for card in CARDS)
    assert {len(row) for row in rows} == {4}
    assert len({row[0] for row in rows}) == len(rows)
    assert rows[0][0] == "mlref-01_deployment_steps"
    assert rows[0][3] == "mlref mlref::01_deployment_steps"


def test_the_back_of_a_note_has_answer_and_rubric() -> None:
    """With figures filled in, as HTML."""
    back = _rows([find_card("01")])[0][2]
    assert "{01." not in back
    assert "<strong>Train.</strong>" in back
    assert back.count("<li>") == len(find_card("01").points)


def test_a_note_keeps_its_name() -> None:
    """A follow-up that is added before others changes none of their names."""
    card = find_card("01")
    more = replace(card, follow_ups=(FollowUp("A new one?", "Yes"), *card.follow_ups))
    before, after = ({row[1]: row[0] for row in _rows([each])} for each in (card, more))
    assert before.items() < after.items()


@pytest.mark.parametrize("form", ["markdown", "sheet", "anki"])
def test_an_export_is_a_file(tmp_path: Path, form: str) -> None:
    """Exporting twice gives the same bytes."""
    one, other = tmp_path / "one", tmp_path / "other"
    export(CARDS, form, one)
    export(CARDS, form, other)
    assert one.read_bytes() == other.read_bytes() != b""


def test_an_unknown_format_lists_those_there_are(tmp_path: Path) -> None:
    """Nothing is written."""
    with pytest.raises(CardError, match="markdown, sheet, anki, got 'pdf'"):
        export(CARDS, "pdf", tmp_path / "cards.pdf")
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_not_there_is_told(tmp_path: Path) -> None:
    """The message says what to do."""
    with pytest.raises(FileWriteError, match="create its folder first"):
        export(CARDS, "sheet", tmp_path / "no" / "cards.html")


def test_a_broken_claim_is_not_exported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No file is left with an answer that the figures do not bear out."""
    card = find_card("01")
    text = (Path(render.resources.folder("evidence")) / f"{card.name}.json").read_text()
    (tmp_path / f"{card.name}.json").write_text(
        re.sub(r'("01.champion_auc":[^}]*"value": )[\d.]+', r"\g<1>0.5", text)
    )
    monkeypatch.setattr(render.resources, "folder", lambda _kind: tmp_path)
    with pytest.raises(EvidenceError, match=r"01\.champion_auc: is 0\.5"):
        export([card], "markdown", tmp_path / "cards.md")
    assert not (tmp_path / "cards.md").exists()
