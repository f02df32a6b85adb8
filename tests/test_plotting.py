"""One style for every plot, which stays where it is asked for."""

from __future__ import annotations

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib import _pylab_helpers, colors

from mlref.plotting import COLOURS, MARKERS, new_figure, style


def test_a_figure_is_not_known_to_pyplot() -> None:
    """A new figure is in nobody's list: it needs no close(), and no backend shows it again."""
    before = _pylab_helpers.Gcf.get_all_fig_managers()
    new_figure()
    assert _pylab_helpers.Gcf.get_all_fig_managers() == before


def test_settings_stay_as_they_are() -> None:
    """Neither a figure nor a block in the style changes anybody else's settings."""
    before = dict(mpl.rcParams)
    new_figure(2)
    with style():
        assert mpl.rcParams["axes.grid"] is True
    assert dict(mpl.rcParams) == before


def test_settings_are_restored_after_an_error() -> None:
    """A block that fails leaves the settings as they were."""
    before = dict(mpl.rcParams)
    with pytest.raises(ZeroDivisionError), style():
        _ = 1 / 0
    assert dict(mpl.rcParams) == before


def test_every_colour_has_its_marker() -> None:
    """There are as many markers as colours, and all of them differ."""
    assert len(MARKERS) == len(COLOURS)
    assert len(set(MARKERS)) == len(set(COLOURS)) == len(COLOURS)


def test_colours_are_those_of_the_source() -> None:
    """The palette is Okabe and Ito's (jfly.uni-koeln.de/color), without its yellow."""
    published = {
        (0, 0, 0), (230, 159, 0), (86, 180, 233), (0, 158, 115),
        (0, 114, 178), (213, 94, 0), (204, 121, 167),
    }  # fmt: skip
    ours = {tuple(round(part * 255) for part in colors.to_rgb(each)) for each in COLOURS}
    assert ours == published


def test_lines_take_colours_and_markers_in_turn() -> None:
    """Lines drawn after each other differ in colour and in marker, also outside the block."""
    _, axes = new_figure()
    lines = [axes.plot([0, 1])[0] for _ in COLOURS]
    assert [line.get_color() for line in lines] == list(COLOURS)
    assert [line.get_marker() for line in lines] == list(MARKERS)


@pytest.mark.parametrize("columns", [1, 2])
def test_size_and_number_of_plots(columns: int) -> None:
    """A figure has the size asked for, in inches, and the plots side by side."""
    figure, axes = new_figure(columns, width=5, height=2)
    assert figure.get_size_inches().tolist() == [5, 2]
    assert np.shape(axes) == (() if columns == 1 else (columns,))
    assert len(figure.axes) == columns


def test_a_notebook_shows_the_figure() -> None:
    """A figure as a cell's last value is a picture, 80 dots per inch, also without pyplot."""
    figure, axes = new_figure(width=5, height=2)
    axes.plot([0, 1])
    png = figure._repr_png_()  # what IPython's display protocol calls
    size = [int.from_bytes(png[at : at + 4]) for at in (16, 20)]  # PNG, IHDR: width and height
    assert png[:8] == b"\x89PNG\r\n\x1a\n"
    assert size == [5 * 80, 2 * 80]


def test_a_picture_is_reproducible() -> None:
    """The same plot gives the same bytes, so that a notebook's outputs change only with it."""

    def picture() -> bytes:
        figure, axes = new_figure()
        axes.plot([0, 1], label="x")
        axes.legend()
        return bytes(figure._repr_png_())

    assert picture() == picture()
