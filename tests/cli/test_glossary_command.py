"""`mlref glossary`, as a user types it."""

from __future__ import annotations

import pytest
import typer
from typer.testing import CliRunner

from mlref.cli import _glossary
from mlref.cli._group import Group
from mlref.study.glossary import load_glossary


def _typed(*words: str) -> tuple[int, str]:
    """The exit status and everything printed, in a terminal of 80 columns without colours."""
    app = typer.Typer(cls=Group)
    app.callback()(lambda: None)
    _glossary.add_to(app)
    environment = {"COLUMNS": "80", "TERM": "dumb", "NO_COLOR": "1"}
    done = CliRunner().invoke(app, ["glossary", *words], env=environment)
    return done.exit_code, done.output


@pytest.mark.parametrize("words", [("cold", "start"), ("Cold Starts",)])
def test_a_term_is_explained(words: tuple[str, ...]) -> None:
    """Meaning, chapters and neighbours are shown, whether or not the words were quoted."""
    status, text = _typed(*words)
    assert status == 0
    assert text.startswith("cold start\n")
    assert "importing libraries" in " ".join(text.split())
    assert "taught in: 05 Serverless" in text
    assert "see also: provisioned concurrency" in text


def test_without_a_word_all_terms_are_listed() -> None:
    """Each term stands in the list."""
    status, text = _typed()
    assert status == 0
    assert [each.term for each in load_glossary() if each.term not in text] == []


@pytest.mark.parametrize("words", [(), ("envelope encryption",), ("--help",)])
def test_output_fits_80_columns(words: tuple[str, ...]) -> None:
    """No line is wider than the terminal."""
    _, text = _typed(*words)
    assert max(len(line) for line in text.splitlines()) <= 80


def test_an_unknown_word_says_the_next_step() -> None:
    """Status 1, and the words that come close."""
    status, text = _typed("quantisaton")
    assert status == 1
    assert "close to it: quantization" in text


def test_help_has_an_example() -> None:
    """The help shows how the command is typed."""
    assert "Example: mlref glossary" in _typed("--help")[1]
