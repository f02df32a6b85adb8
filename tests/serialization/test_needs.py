"""Which distributions imported modules come from."""

from __future__ import annotations

import json
import sys
from typing import Any

import numpy as np
import pytest

from mlref.serialization import distributions
from mlref.serialization.needs import others


def test_the_standard_library_is_no_need() -> None:
    """Modules of Python itself, and modules without a file, belong to no distribution."""
    found = distributions({"json": json.__file__, "sys": ""}, sys.path)
    assert (found.names, found.size_bytes) == ((), 0)


def test_a_module_is_known_by_its_distribution() -> None:
    """`sklearn` is called scikit-learn where it is installed from, and takes disk space."""
    found = distributions({"sklearn.tree": "x/sklearn/tree/__init__.py"}, sys.path)
    assert found.names == ("scikit-learn",)
    assert found.size_bytes > 10e6


def test_only_what_nobody_else_requires_is_written_down() -> None:
    """Pandas requires NumPy, so pandas alone is named; the other is counted."""
    found = distributions({"pandas": "x.py", "numpy": np.__file__}, sys.path)
    assert (found.names, found.chosen, str(found)) == (
        ("numpy", "pandas"),
        ("pandas",),
        "pandas (+1)",
    )


def test_what_was_asked_for_is_written_down() -> None:
    """Whoever names a distribution sees it named, also when another one brings it."""
    found = distributions({"pandas": "x.py", "numpy": np.__file__}, sys.path, named=["NumPy"])
    assert found.chosen == ("numpy",)


def test_a_checkout_on_the_path_counts_by_its_name() -> None:
    """Code that was never installed is a need as well."""
    found = distributions({"my_own_code": "somewhere/my_own_code.py"}, sys.path)
    assert found.names == ("my_own_code",)


def test_the_others_are_all_that_is_not_required() -> None:
    """With pandas come NumPy and dateutil; PyTorch and scikit-learn are others."""
    hidden = others(["pandas"], sys.path)
    assert {"torch", "sklearn"} <= set(hidden)
    assert not {"pandas", "numpy", "dateutil", "json"} & set(hidden)


@pytest.mark.parametrize(
    ("label", "chosen"),
    [
        ("pickle (champion)", {"pandas", "scikit-learn"}),
        ("joblib (champion)", {"joblib", "pandas", "scikit-learn"}),
        ("skops (champion)", {"pandas", "scikit-learn", "skops"}),
        ("ONNX (champion)", {"onnxruntime"}),
        ("state_dict (challenger)", {"mlref", "torch"}),
        ("safetensors (challenger)", {"mlref", "safetensors", "torch"}),
        ("torch.export (challenger)", {"mlref", "torch"}),
        ("ONNX (challenger)", {"onnxruntime"}),
    ],
)
def test_what_loading_needs(label: str, chosen: set[str], comparison: Any) -> None:
    """Measured in a process in which nothing else could be imported."""
    assert set(comparison[label].needs.chosen) == chosen


@pytest.mark.parametrize("label", ["ONNX (champion)", "ONNX (challenger)"])
def test_a_graph_needs_no_library_of_its_makers(label: str, comparison: Any) -> None:
    """ONNX Runtime and NumPy answer for scikit-learn and for PyTorch."""
    assert not {"scikit-learn", "torch", "pandas", "mlref"} & set(comparison[label].needs.names)
