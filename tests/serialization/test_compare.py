"""The table of all formats."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from mlref.serialization import compare, formats


def test_the_table_has_a_line_for_each_format(comparison: Any) -> None:
    """Also for one that is not available here."""
    table = comparison.to_table()
    assert [row[:2] for row in table.rows] == [(each.name, each.model) for each in formats()]


def test_the_figures_are_complete(comparison: Any) -> None:
    """An available format has every figure, each within reason."""
    for row in comparison.rows:
        if row.unavailable is None:
            assert row.size_bytes > 1000
            assert row.save_ms > 0
            assert row.cold_load_ms > row.load_ms > 0
            assert row.executes_code is not None


def test_a_graph_starts_sooner_than_what_python_must_rebuild(comparison: Any) -> None:
    """Of the champion's formats ONNX is ready first in a fresh process: it imports least."""
    cold = {r.format.name: r.cold_load_ms for r in comparison.rows if r.format.model == "champion"}
    assert min(cold, key=cold.__getitem__) == "ONNX"


def test_it_shows_itself_as_a_table(comparison: Any) -> None:
    """Text in a terminal, HTML in a notebook, a DataFrame for more."""
    assert str(comparison) == repr(comparison) == str(comparison.to_table())
    assert "<table>" in comparison._repr_html_()
    assert len(comparison.to_frame()) == len(formats())


def test_every_format_has_one_risk(comparison: Any) -> None:
    """One line each, ONNX once, though it stands in two lines of the table."""
    table = comparison.to_risks_table()
    assert len(table.rows) == len({each.name for each in formats()})


def test_no_place_of_this_machine_is_told(comparison: Any, tmp_path: Path) -> None:
    """What the loaders said is shown without the folders of whoever ran it."""
    text = str(comparison.to_attempts_table())
    assert str(tmp_path.parent) not in text
    assert "site-packages/" not in text


def test_the_figure_shows_size_and_time(comparison: Any) -> None:
    """Two plots, a labelled size and two times for each available format."""
    figure = comparison.plot()
    left, right = figure.axes
    there = sum(row.unavailable is None for row in comparison.rows)
    assert len(left.texts) == there
    assert [len(line.get_xdata()) for line in right.lines] == [there, there]


def test_an_unknown_label_is_answered_with_the_known_ones(comparison: Any) -> None:
    """A mistyped label gives a KeyError that lists them."""
    with pytest.raises(KeyError, match=r"pickle \(champion\), joblib"):
        comparison["pickel"]


def test_some_formats_can_be_chosen(trained: Any, tmp_path: Path) -> None:
    """Only those are measured, and an earlier run in the folder does not count."""
    chosen = [each for each in formats() if each.label == "ONNX (champion)"]
    stray = tmp_path / "ONNX-champion/honest/stray.bin"
    stray.parent.mkdir(parents=True)
    stray.write_bytes(bytes(10_000_000))
    found = compare(
        trained.champion, trained.challenger, trained.rows, tmp_path, chosen=chosen, repeats=1
    )
    assert [row.format.label for row in found.rows] == ["ONNX (champion)"]
    assert found.rows[0].size_bytes < 10_000_000
    assert found.n_rows == len(trained.rows)


def test_repeats_must_be_positive(trained: Any, tmp_path: Path) -> None:
    """No median without a measurement."""
    with pytest.raises(ValueError, match="at least 1, got 0"):
        compare(trained.champion, trained.challenger, trained.rows, tmp_path, repeats=0)
