"""`mlref cards`, as a user types it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from mlref import resources
from mlref.cli import _cards
from mlref.cli._group import Group
from mlref.study.interview import export
from mlref.study.interview.card import all_cards


def _typed(*words: str) -> tuple[int, str]:
    """The exit status and everything printed, in a terminal of 80 columns without colours."""
    app = typer.Typer(cls=Group)
    app.callback()(lambda: None)
    _cards.add_to(app)
    environment = {"COLUMNS": "80", "TERM": "dumb", "NO_COLOR": "1"}
    done = CliRunner().invoke(app, ["cards", *words], env=environment)
    return done.exit_code, done.output


def test_list_names_every_card_and_its_state() -> None:
    """Number, topic and state; below, how to read one."""
    status, text = _typed("list")
    assert status == 0
    states = {line[:2]: "complete" in line for line in text.splitlines() if line[:2].isdigit()}
    assert states == {card.number: not card.pending for card in all_cards()}
    assert "Read one: mlref cards show 01" in text


@pytest.mark.parametrize("name", ["1", "01", "01_deployment_steps"])
def test_show_takes_number_or_name(name: str) -> None:
    """The same card each time, with its figures."""
    status, text = _typed("show", name)
    assert status == 0
    assert text.startswith("01 Deployment steps\n")
    assert "01.parity = 2.78e-07, bound <= 1e-5, exact" in text


def test_show_tells_what_is_pending() -> None:
    """A card whose chapter is not written says what comes with it."""
    pending = [card for card in all_cards() if card.pending][-1]
    _, text = _typed("show", pending.number)
    assert f"Still to come, with chapter {pending.number}" in text


def test_show_takes_the_figures_of_a_run(tmp_path: Path) -> None:
    """A claim that the run does not bear out is an error that says the next step."""
    name = "01_deployment_steps.json"
    values = json.loads((resources.folder("evidence") / name).read_text())
    values["figures"]["01.champion_auc"]["value"] = 0.5
    (tmp_path / name).write_text(json.dumps(values))
    status, text = _typed("show", "01", "--figures", str(tmp_path))
    assert status == 1
    assert "01.champion_auc: is 0.5, must be >= 0.67" in text
    assert "mlref run 01" in text


def test_show_says_which_figures_it_shows(tmp_path: Path) -> None:
    """The last line: the committed ones, those of the run, or why not those of the run."""
    file = resources.folder("evidence") / "01_deployment_steps.json"
    values = json.loads(file.read_text())
    committed = f"committed figures, {values['date']}"

    def last(*words: str) -> str:
        status, text = _typed("show", *words)
        assert status == 0
        return " ".join(text.rpartition("\n\n")[2].split())

    assert last("01") == committed
    fallen_back = last("01", "--figures", str(tmp_path))
    assert fallen_back.startswith(f"{committed};")
    assert fallen_back.endswith("has none of card 01")
    (tmp_path / file.name).write_text(json.dumps({**values, "date": "2001-01-01"}))
    of_the_run = last("01", "--figures", str(tmp_path))
    assert of_the_run.startswith("figures of ")
    assert of_the_run.endswith(", 2001-01-01")


def test_show_says_that_a_run_has_no_figures(tmp_path: Path) -> None:
    """For a card without committed ones, too; not asked for, nothing is said of figures."""
    card = [card for card in all_cards() if "evidence" in card.pending][-1]
    assert "no figures" in _typed("show", card.number, "--figures", str(tmp_path))[1]
    assert "figures" not in _typed("show", card.number)[1].rpartition("\n\n")[2]


def test_show_refuses_figures_that_are_not_there(tmp_path: Path) -> None:
    """The committed ones in their place would be those of another run."""
    status, text = _typed("show", "01", "--figures", str(tmp_path / "typo"))
    assert status == 2
    assert "no such folder; mlref run 01 records" in " ".join(text.replace("│", " ").split())


def test_show_of_an_unknown_card_lists_the_cards() -> None:
    """Status 1, and the names that there are."""
    status, text = _typed("show", "16")
    assert status == 1
    assert "no card is called '16'" in text
    assert "15_cost" in text


def test_search_shows_where_the_words_stand() -> None:
    """Card, part and text; quoted words are words, too."""
    status, text = _typed("search", "golden predictions")
    assert status == 0
    assert "01 Deployment steps, point\n" in text
    assert "The server gives the golden predictions over HTTP" in text
    assert "Read a whole card: mlref cards show 01" in text


def test_search_without_a_hit_names_words_alike() -> None:
    """Status 1, and the words that come close."""
    status, text = _typed("search", "quantisaton")
    assert status == 1
    assert "no card holds quantisaton in one text; close to it: quantization" in text


def test_search_without_a_hit_says_what_to_try() -> None:
    """Where nothing comes close, the next step is still told."""
    status, text = _typed("search", "golden", "pickle")
    assert status == 1
    assert "no card holds golden and pickle in one text; try fewer words" in text


def test_search_for_nothing_is_refused() -> None:
    """An empty word, as from an unset variable, is told apart from a word that is nowhere."""
    status, text = _typed("search", "")
    assert status == 2
    assert "name a word to look for" in text


@pytest.mark.parametrize(
    ("form", "begins"),
    [("markdown", "# Interview cards"), ("sheet", "<!DOCTYPE html>"), ("anki", "#separator:tab")],
)
def test_export_writes_a_file(tmp_path: Path, form: str, begins: str) -> None:
    """Each format, where one says; the number of cards is told."""
    out = tmp_path / "cards"
    status, text = _typed("export", "--format", form, "--out", str(out))
    assert status == 0
    assert out.read_text().startswith(begins)
    assert "15 cards in" in text


def test_export_has_a_name_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without --out, the file goes to the current folder, with the suffix of its format."""
    monkeypatch.chdir(tmp_path)
    assert _typed("export", "--format", "sheet")[0] == 0
    assert [path.name for path in tmp_path.iterdir()] == ["mlref-cards.html"]


def test_export_tells_what_it_cannot_write(tmp_path: Path) -> None:
    """Status 1, and what to do."""
    status, text = _typed("export", "--out", str(tmp_path / "no" / "cards.md"))
    assert status == 1
    assert "create its folder first" in text


def test_export_to_a_dash_is_the_standard_output(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The text alone, to be piped on; no file of that name."""
    monkeypatch.chdir(tmp_path)
    status, text = _typed("export", "--format", "anki", "--out", "-")
    assert status == 0
    assert text == export.as_text(all_cards(), "anki")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("command", ["list", "show", "search", "export"])
def test_help_has_an_example(command: str) -> None:
    """Each command shows how it is typed."""
    assert f"Example: mlref cards {command}" in _typed(command, "--help")[1]


@pytest.mark.parametrize(
    "words",
    [
        ("list",),
        ("show", "01"),
        ("search", "model"),
        ("--help",),
        ("export", "--help"),
        ("list", "-h"),
    ],
)
def test_output_fits_80_columns(words: tuple[str, ...]) -> None:
    """No line is wider than the terminal."""
    assert max(len(line) for line in _typed(*words)[1].splitlines()) <= 80
