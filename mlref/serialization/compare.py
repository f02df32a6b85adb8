"""All formats side by side: size, times, parity, needs, and what a hostile file did."""

from __future__ import annotations

import os
import shutil
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mlref import plotting, tables
from mlref.models import Challenger, Champion
from mlref.schema import Rows
from mlref.serialization import fresh, hostile, savedmodel
from mlref.serialization.attempts import MARKER, Attempt, HostileFile
from mlref.serialization.formats import Format, Saved, formats
from mlref.serialization.needs import Needs

__all__ = ["Comparison", "Row", "compare"]

_SAVING_BUDGET_MS = 500.0  # no further repeats of a save when so much time is spent on it


@dataclass(frozen=True)
class Row:
    """One format's figures; None in all of them when it is not available here.

    Attributes:
        format: the format.
        unavailable: what is missing and how to get it, or None.
        size_bytes: all files that belong to the model.
        save_ms: milliseconds to save it, conversion included; the median.
        cold_load_ms: milliseconds from the start of a fresh process to the loaded model.
        load_ms: milliseconds to load it once the libraries are imported; the median.
        max_abs_difference: largest absolute difference from the predictions of the model in memory.
        needs: the distributions that loading and predicting imported.
        attempts: hostile files, and what they did.
    """

    format: Format
    unavailable: str | None = None
    size_bytes: int | None = None
    save_ms: float | None = None
    cold_load_ms: float | None = None
    load_ms: float | None = None
    max_abs_difference: float | None = None
    needs: Needs | None = None
    attempts: tuple[Attempt, ...] = ()

    @property
    def executes_code(self) -> bool | None:
        """Whether code of a hostile file ran in the format's own, careful loader; None: untried."""
        careful = [each.ran for each in self.attempts if not each.careless]
        return any(careful) if careful else None


@dataclass(frozen=True, repr=False)
class Comparison:
    """The formats' figures, measured on this machine.

    Attributes:
        rows: one for each format.
        n_rows: how many flights the predictions were compared on.
    """

    rows: tuple[Row, ...]
    n_rows: int

    def __getitem__(self, label: str) -> Row:
        """The row of a format, by its label: "ONNX (champion)".

        Raises:
            KeyError: no such label.
        """
        for row in self.rows:
            if row.format.label == label:
                return row
        raise KeyError(f"no {label!r}; there are {', '.join(r.format.label for r in self.rows)}")

    def __repr__(self) -> str:
        """The table as text."""
        return str(self.to_table())

    def to_table(self) -> tables.Table:
        """One line for each format, figures rounded to what is meaningful."""
        return tables.Table.of(
            [
                {
                    "format": row.format.name,
                    "model": row.format.model,
                    "KB": _rounded(row.size_bytes, 1e3),
                    "save ms": _rounded(row.save_ms),
                    "cold load ms": _rounded(row.cold_load_ms),
                    "load ms": None if row.load_ms is None else float(f"{row.load_ms:.2g}"),
                    "max difference": row.max_abs_difference
                    and float(f"{row.max_abs_difference:.1g}"),
                    "needs": row.unavailable or str(row.needs),
                    "needs MB": _rounded(row.needs.size_bytes if row.needs else None, 1e6),
                    "hostile file runs code": row.executes_code,
                }
                for row in self.rows
            ]
        )

    def to_attempts_table(self) -> tables.Table:
        """One line for each hostile file: what was tried, and what happened."""
        return tables.Table.of(
            [
                {
                    "format": row.format.name,
                    "model": row.format.model,
                    "hostile file": each.what,
                    "code ran": each.ran,
                    "what the loader said": each.outcome,
                }
                for row in self.rows
                for each in row.attempts
            ]
        )

    def to_risks_table(self) -> tables.Table:
        """One line for each format: what loading somebody else's file can do."""
        risks = {row.format.name: row.format.risk for row in self.rows}
        return tables.Table(("format", "risk"), tuple(risks.items()))

    def to_frame(self) -> Any:
        """The figures as a pandas DataFrame, one row for each format."""
        import pandas as pd

        return pd.DataFrame(
            [
                {
                    "format": row.format.name,
                    "model": row.format.model,
                    "size_bytes": row.size_bytes,
                    "save_ms": row.save_ms,
                    "cold_load_ms": row.cold_load_ms,
                    "load_ms": row.load_ms,
                    "max_abs_difference": row.max_abs_difference,
                    "needs": row.needs.names if row.needs else (),
                    "needs_bytes": row.needs.size_bytes if row.needs else None,
                    "executes_code": row.executes_code,
                }
                for row in self.rows
            ]
        )

    def _repr_html_(self) -> str:
        return self.to_table()._repr_html_()

    def plot(self) -> Any:
        """A figure: size on the disk, and load time in a fresh and in a warm process."""
        there = [row for row in self.rows if row.unavailable is None][::-1]
        names = [row.format.label for row in there]
        figure, (left, right) = plotting.new_figure(2, width=9.6, height=3.8)
        with plotting.style():
            sizes = [(row.size_bytes or 0) / 1e3 for row in there]
            mark = {"color": plotting.COLOURS[2], "marker": plotting.MARKERS[2]}
            left.plot(sizes, names, linestyle="", **mark)
            for name, size in zip(names, sizes, strict=True):
                left.text(size * 1.3, name, f"{size:,.0f}", verticalalignment="center")
            left.set(title="Size of the files", xlabel="KB, logarithmic", xscale="log")
            left.set_xlim(1, 10_000)
            left.xaxis.set_major_formatter("{x:,.0f}")
            for index, (label, times) in enumerate(
                (
                    ("fresh process, imports included", [r.cold_load_ms for r in there]),
                    ("imports done", [r.load_ms for r in there]),
                )
            ):
                mark = {"color": plotting.COLOURS[index], "marker": plotting.MARKERS[index]}
                right.plot(times, names, linestyle="", label=label, **mark)
            right.set(title="Time to load", xlabel="ms, logarithmic", xscale="log")
            right.tick_params(labelleft=False)
            right.xaxis.set_major_formatter("{x:,.0f}")
            figure.legend(*right.get_legend_handles_labels(), loc="outside lower right", ncols=2)
        return figure


def compare(
    champion: Champion,
    challenger: Challenger,
    rows: Rows,
    folder: str | os.PathLike[str],
    *,
    repeats: int = 3,
    chosen: Sequence[Format] | None = None,
) -> Comparison:
    """Every format saved, loaded in a fresh process, compared, and attacked.

    For each format one fresh process loads the model, loads it again `repeats` times, predicts,
    and then opens the hostile files. A format whose library is absent gets a line that says so.

    Args:
        champion: the fitted champion.
        challenger: the trained challenger.
        rows: n >= 1 raw flights, best some thousand with gaps and unseen categories among them.
        folder: where the files are written, a folder for each format; made when it is absent.
        repeats: how often a model is saved and loaded for the medians, at least 1. Saving stops
            earlier when it has taken half a second.
        chosen: some of `formats()`; None is all.

    Raises:
        ArtifactError: a format does not load what it saved.
        InvalidInputError: the rows do not fit the models.
        ProcessError: a fresh process failed.
        ValueError: repeats is below 1.
    """
    if repeats < 1:
        raise ValueError(f"repeats must be at least 1, got {repeats}")
    models: dict[str, Champion | Challenger] = {"champion": champion, "challenger": challenger}
    selected = formats() if chosen is None else tuple(chosen)
    expected = {
        name: np.asarray(models[name].predict(rows), dtype=float)
        for name in dict.fromkeys(each.model for each in selected)
    }
    found = []
    for each in selected:
        missing = each.available()
        if missing:
            found.append(Row(each, unavailable=missing))
            continue
        place = Path(folder) / each.label.replace(" ", "-").replace("(", "").replace(")", "")
        model = models[each.model]
        found.append(
            _measure(
                each,
                model,
                rows=rows,
                expected=expected[each.model],
                folder=place,
                repeats=repeats,
            )
        )
    return Comparison(tuple(found), len(next(iter(expected.values()), ())))


def _measure(
    each: Format,
    model: Champion | Challenger,
    *,
    rows: Rows,
    expected: np.ndarray,
    folder: Path,
    repeats: int,
) -> Row:
    shutil.rmtree(folder, ignore_errors=True)  # what an earlier run left would be counted
    saved, files = _save(each, model, folder, repeats)
    loaded = fresh.load(
        each.loader,
        saved.folder,
        model.inputs,
        rows,
        repeats=repeats,
        loads_with=each.loads_with,
        attempts=files,
        python=savedmodel.interpreter() if each.loader == "saved_model" else None,
    )
    return Row(
        each,
        size_bytes=saved.size_bytes,
        save_ms=saved.save_ms,
        cold_load_ms=loaded.cold_load_ms,
        load_ms=loaded.load_ms,
        max_abs_difference=float(np.max(np.abs(loaded.predictions - expected))),
        needs=loaded.needs,
        attempts=tuple(
            Attempt(each.label, file.what, file.careless, file.ran, _line(outcome))
            for file, outcome in zip(files, loaded.outcomes, strict=True)
        ),
    )


def _save(
    each: Format, model: Champion | Challenger, folder: Path, repeats: int
) -> tuple[Saved, tuple[HostileFile, ...]]:
    """The model and the hostile files; the time is the median of the repeats."""
    honest, attacks = folder / "honest", folder / "hostile"
    if isinstance(model, Challenger) and each.loader == "saved_model":
        planned, places = hostile.plan_saved_models(each, attacks)
        honest.mkdir()
        save_ms = savedmodel.write_all(model, honest, places, MARKER)
        return Saved.found_in(honest, save_ms), planned
    times_ms: list[float] = []
    while len(times_ms) < repeats and sum(times_ms) < _SAVING_BUDGET_MS:
        times_ms.append(each.save(model, honest).save_ms)
    saved = Saved.found_in(honest, statistics.median(times_ms))
    return saved, hostile.craft(each, model, attacks, honest)


def _line(text: str, width: int = 110) -> str:
    """The first sentence or so of what a library had to say."""
    words = " ".join(text.split())
    return words if len(words) <= width else words[: width - 1].rsplit(" ", 1)[0] + " …"


def _rounded(value: float | None, unit: float = 1) -> int | float | None:
    if value is None:
        return None
    scaled = value / unit
    return round(scaled) if scaled >= 10 else round(scaled, 1)  # noqa: PLR2004 - two digits
