"""The glossary: every word once, each link leads somewhere, and the page is what the words give."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from mlref import resources
from mlref.errors import ResourceNotFoundError
from mlref.study.chapters import CHAPTERS
from mlref.study.glossary import Term, find_term, load_glossary, to_markdown

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs/glossary.md"
TERMS = load_glossary()
WRITTEN = {each.number: each.notebook for each in CHAPTERS if each.notebook}


def _plain(name: str) -> str:
    return re.sub(r"[\s/'-]", "", name.casefold())


def _prose(notebook: str) -> str:
    """All cells of a notebook, lines joined, in lower case."""
    cells = json.loads((resources.folder("notebooks") / notebook).read_text())["cells"]
    return " ".join(" ".join("".join(cell["source"]) for cell in cells).split()).casefold()


def test_committed_page_is_the_generated_one() -> None:
    """docs/glossary.md is what the words give; `python tools/readme.py build` renews it."""
    assert PAGE.read_text(encoding="utf-8") == to_markdown()


def test_file_is_sorted_by_term() -> None:
    """In the file, too, a term stands where a reader looks for it."""
    text = (ROOT / "mlref/study/glossary.toml").read_text(encoding="utf-8")
    written = re.findall(r'^term = "(.*)"$', text, re.MULTILINE)
    assert written == [each.term for each in TERMS]


def test_no_name_is_given_twice() -> None:
    """No word is the name of two terms, so looking it up has one answer."""
    names = [_plain(name) for each in TERMS for name in each.names]
    assert sorted(name for name in set(names) if names.count(name) > 1) == []


def test_see_also_names_terms() -> None:
    """Each neighbour is a term of the glossary, and another one."""
    known = {each.term for each in TERMS}
    assert [(each.term, set(each.see) - known) for each in TERMS if set(each.see) - known] == []
    assert [each.term for each in TERMS if each.term in each.see] == []


def test_taught_names_chapters() -> None:
    """Each term is taught in chapters that there are, none of them twice."""
    numbers = {each.number for each in CHAPTERS}
    wrong = [
        each.term
        for each in TERMS
        if not set(each.taught) <= numbers or len(set(each.taught)) != len(each.taught)
    ]
    assert wrong == []


def test_every_chapter_teaches_some() -> None:
    """Each of the fifteen is the main chapter of at least two terms."""
    main = [each.taught[0] for each in TERMS]
    assert [each.number for each in CHAPTERS if main.count(each.number) < 2] == []


def test_term_is_in_the_notebook_that_teaches_it() -> None:
    """A written notebook that is said to teach a term uses the word, or another name of it."""
    prose = {number: _prose(notebook) for number, notebook in WRITTEN.items()}
    missing = [
        (each.term, number)
        for each in TERMS
        for number in set(each.taught) & set(prose)
        if not any(name.casefold() in prose[number] for name in each.names)
    ]
    assert missing == []


def test_links_lead_somewhere() -> None:
    """Each link of the page is a file, or the anchor of a heading on it."""
    text = PAGE.read_text(encoding="utf-8")
    headings = re.findall(r"^## (.+)$", text, re.MULTILINE)
    anchors = {Term(each, "", ()).anchor for each in headings}
    assert len(anchors) == len(headings) == len(TERMS)
    links = re.findall(r"\]\(([^)]+)\)", text)
    assert [link for link in links if link[0] == "#" and link[1:] not in anchors] == []
    files = [link for link in links if link[0] != "#"]
    assert files
    assert [link for link in files if not (PAGE.parent / link).is_file()] == []


@pytest.mark.parametrize(
    ("term", "anchor"),
    [("A/B slot", "ab-slot"), ("Little's law", "littles-law"), ("KV cache", "kv-cache")],
)
def test_anchor_is_that_of_github(term: str, anchor: str) -> None:
    """Punctuation goes, spaces become hyphens, as in the headings that GitHub renders."""
    assert Term(term, "", ()).anchor == anchor


def test_chapter_with_a_notebook_is_linked_and_another_is_planned() -> None:
    """The reader sees which chapters can be read now."""
    page = to_markdown([Term("word", "Its meaning.", ("01", "15"))])
    assert "[01 Deployment steps](../notebooks/01_deployment_steps.ipynb)" in page
    assert "15 Cost" + ("" if "15" in WRITTEN else " (planned)") in page


@pytest.mark.parametrize(
    ("typed", "term"),
    [
        ("kv-cache", "KV cache"),
        ("KEY-VALUE CACHE", "KV cache"),
        ("cold starts", "cold start"),
        ("blue green", "blue/green"),
        ("littles law", "Little's law"),
        ("SLOs", "SLO"),
    ],
)
def test_a_term_is_found_as_people_type_it(typed: str, term: str) -> None:
    """Case, hyphens, plural and other names do not matter."""
    assert find_term(typed).term == term


@pytest.mark.parametrize(
    ("typed", "close"),
    [
        ("quantisaton", "quantization"),  # misspelt
        ("cache", "KV cache"),  # part of a name
        ("readiness probe", "probe"),  # holds a name
        ("Thermostat", "target tracking"),  # only in the meaning
    ],
)
def test_an_unknown_term_names_those_that_come_close(typed: str, close: str) -> None:
    """The error says what the reader may have meant, and how to see all."""
    with pytest.raises(ResourceNotFoundError, match=rf"{close}.*mlref glossary"):
        find_term(typed)


def test_nothing_close_is_said() -> None:
    """Letters that mean nothing get no far-fetched advice."""
    with pytest.raises(ResourceNotFoundError, match="nothing comes close"):
        find_term("zq")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (None, "cannot be read"),
        ("[[terms]]\nterm = 'a'\ntaught = ['01']", "'a' lacks meaning"),
        ("[[terms]]\nterm = 'a'\ncolour = 'red'", "no use for colour"),
        ("terms = [", "not what it must be"),
    ],
)
def test_a_broken_file_is_told(tmp_path: Path, text: str | None, message: str) -> None:
    """A file that is absent or wrong is an error that names what is wrong."""
    path = tmp_path / "glossary.toml"
    if text is not None:
        path.write_text(text)
    with pytest.raises(ResourceNotFoundError, match=message):
        load_glossary(path)
