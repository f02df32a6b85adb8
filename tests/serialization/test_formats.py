"""What each format saves."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from mlref.serialization import formats, loaders

LABELS = [each.label for each in formats()]


def of(label: str) -> Any:
    """The format of that label."""
    return next(each for each in formats() if each.label == label)


def test_the_formats_are_those_of_the_handbook() -> None:
    """Nine lines: four formats for the champion, five for the challenger, ONNX in both."""
    assert LABELS == [
        "pickle (champion)",
        "joblib (champion)",
        "skops (champion)",
        "ONNX (champion)",
        "state_dict (challenger)",
        "safetensors (challenger)",
        "torch.export (challenger)",
        "ONNX (challenger)",
        "SavedModel (challenger)",
    ]


@pytest.mark.parametrize("label", LABELS)
def test_a_format_names_a_loader_that_exists(label: str) -> None:
    """The loader is a documented function, to be shown in a notebook."""
    assert getattr(loaders, of(label).loader).__doc__


@pytest.mark.parametrize("label", LABELS)
def test_a_format_refuses_the_other_model(label: str, trained: Any, tmp_path: Path) -> None:
    """A champion is no network, a challenger no pipeline: TypeError, and nothing is written."""
    other = trained.challenger if of(label).model == "champion" else trained.champion
    with pytest.raises(TypeError, match="holds a ch"):
        of(label).save(other, tmp_path / "model")
    assert not (tmp_path / "model").exists()


@pytest.mark.parametrize(
    ("label", "names"),
    [
        ("pickle (champion)", ["model.pkl"]),
        ("joblib (champion)", ["model.joblib"]),
        ("skops (champion)", ["model.skops"]),
        ("ONNX (champion)", ["model.onnx"]),
        ("state_dict (challenger)", ["model.pt", "network.json"]),
        ("safetensors (challenger)", ["model.safetensors", "network.json"]),
        ("torch.export (challenger)", ["model.pt2", "network.json"]),
    ],
)
def test_saving_tells_every_file(
    label: str, names: list[str], trained: Any, tmp_path: Path
) -> None:
    """Weights need the preparation beside them; a pipeline and a graph are one file."""
    each = of(label)
    saved = each.save(getattr(trained, each.model), tmp_path / "model")
    assert [path.name for path in saved.files] == names
    assert saved.size_bytes == sum(path.stat().st_size for path in saved.files)
    assert saved.save_ms > 0


@pytest.mark.parametrize("label", LABELS)
def test_predictions_stay_the_same(label: str, comparison: Any, require: Any) -> None:
    """A fresh process answers as the model in memory did, for gaps and unseen categories too."""
    row = comparison[label]
    require("tensorflow", row.unavailable is None, row.unavailable)
    converted = row.format.name in {"ONNX", "SavedModel"}
    assert row.max_abs_difference <= (1e-5 if converted else 1e-6)
