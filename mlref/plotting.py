"""One style for every plot: readable at 80 dpi, told apart by colour-blind readers and in print.

with style():
    figure, axes = new_figure()
"""

from __future__ import annotations

import functools
import io
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from mlref.runtime.lazy import extra

__all__ = ["COLOURS", "MARKERS", "new_figure", "style"]

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
"""Okabe and Ito's palette (Color Universal Design, 2008): told apart by all common sights."""

MARKERS = ("o", "s", "^", "D", "v", "P", "X")
"""A second sign beside the colour, one for each of them."""

_STYLE = {
    "axes.axisbelow": True,
    "axes.grid": True,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlelocation": "left",
    "axes.titlesize": 11,
    "axes.titleweight": "bold",
    "figure.constrained_layout.use": True,
    "figure.dpi": 80,
    "font.family": "DejaVu Sans",
    "font.size": 10,
    "grid.alpha": 0.3,
    "legend.frameon": False,
    "savefig.dpi": 80,
    "svg.hashsalt": "mlref",
}


@contextmanager
def style() -> Iterator[None]:
    """A block whose figures have the house style; everybody else's settings stay as they are."""
    with extra("train"):
        import matplotlib as mpl
        from cycler import cycler
    cycle = cycler(color=COLOURS) + cycler(marker=MARKERS)
    with mpl.rc_context({**_STYLE, "axes.prop_cycle": cycle}):
        yield


def new_figure(columns: int = 1, *, width: float = 6.4, height: float = 3.4) -> tuple[Any, Any]:
    """A figure in the house style, not known to pyplot: nothing to close, nothing shown twice.

    Args:
        columns: how many plots stand side by side.
        width: of the whole figure, in inches.
        height: of the whole figure, in inches.

    Returns:
        The matplotlib Figure and its Axes (an array of them when `columns` > 1). A notebook shows
        the figure when it is a cell's last value.
    """
    with extra("train"):
        from matplotlib.figure import Figure
    with style():
        figure: Any = Figure(figsize=(width, height))
        axes = figure.subplots(1, columns)
    figure._repr_png_ = functools.partial(_png, figure)  # what IPython looks for
    return figure, axes


def _png(figure: Any) -> bytes:
    """The picture that a notebook shows, also where pyplot was never imported."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png")
    return buffer.getvalue()
