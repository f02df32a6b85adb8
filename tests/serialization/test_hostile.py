"""What hostile files did, each in the process that loaded it. All they do is create a file."""

from __future__ import annotations

from typing import Any

import pytest

PICKLE = "an object whose __reduce__ calls open()"
BYTES = "the bytes of a hostile pickle under this name"
OPERATOR = "an operator of our own that asks for a command"
OUTSIDE = "a tensor stored in ../outside.bin"
RAN = {
    ("pickle (champion)", PICKLE): True,
    ("joblib (champion)", PICKLE): True,
    ("skops (champion)", BYTES): False,
    ("skops (champion)", "an archive that constructs io.open(...)"): False,
    ("skops (champion)", "the same, all types trusted unread"): True,
    ("ONNX (champion)", BYTES): False,
    ("ONNX (champion)", OPERATOR): False,
    ("ONNX (champion)", OUTSIDE): False,
    ("state_dict (challenger)", PICKLE): False,
    ("state_dict (challenger)", "the same with weights_only=False"): True,
    ("safetensors (challenger)", BYTES): False,
    ("safetensors (challenger)", "a hostile pickle in the metadata"): False,
    ("safetensors (challenger)", "a tensor that ends 1 TiB behind the file"): False,
    ("torch.export (challenger)", BYTES): False,
    ("torch.export (challenger)", "its pickle of sample inputs replaced"): True,
    ("ONNX (challenger)", BYTES): False,
    ("ONNX (challenger)", OPERATOR): False,
    ("ONNX (challenger)", OUTSIDE): False,
}
TENSORFLOW = {
    BYTES: False,
    "a table whose initialiser writes a file": True,
    "a graph that writes a file when called": True,
    "a graph with a Python function inside, called": False,
}
EXECUTES = {"pickle", "joblib", "torch.export", "SavedModel"}


def attempt(comparison: Any, label: str, what: str) -> Any:
    """What that hostile file did."""
    return next(each for each in comparison[label].attempts if each.what == what)


@pytest.mark.parametrize(("label", "what"), RAN, ids=str)
def test_whether_the_code_ran(label: str, what: str, comparison: Any) -> None:
    """Each attack works, or fails, as the format's documentation would have it."""
    assert attempt(comparison, label, what).ran is RAN[label, what]


@pytest.mark.parametrize("what", TENSORFLOW)
def test_whether_a_saved_model_wrote_a_file(what: str, comparison: Any, require: Any) -> None:
    """A graph writes files by its own operators; Python code in it does not travel."""
    row = comparison["SavedModel (challenger)"]
    require("tensorflow", row.unavailable is None, row.unavailable)
    assert attempt(comparison, "SavedModel (challenger)", what).ran is TENSORFLOW[what]


def test_every_attempt_is_expected_here(comparison: Any) -> None:
    """No attack is made whose result nobody has thought about."""
    tried = {
        (each.label, each.what)
        for row in comparison.rows
        for each in row.attempts
        if row.format.name != "SavedModel"
    }
    assert tried == set(RAN)


def test_a_careless_loader_does_not_count_against_the_format(comparison: Any) -> None:
    """The verdict is about the careful loader; the careless ones only show what caution is for."""
    verdicts = {row.format.name: row.executes_code for row in comparison.rows}
    assert {name for name, verdict in verdicts.items() if verdict is not None} >= EXECUTES - {
        "SavedModel"
    }
    for name, verdict in verdicts.items():
        assert verdict in {name in EXECUTES, None if name == "SavedModel" else name in EXECUTES}


@pytest.mark.parametrize(
    ("label", "what", "said"),
    [
        ("skops (champion)", "an archive that constructs io.open(...)", "io.open"),
        ("state_dict (challenger)", PICKLE, "Weights only load failed"),
        ("safetensors (challenger)", BYTES, "header too large"),
        ("ONNX (champion)", OPERATOR, "host:Run"),
        ("ONNX (champion)", OUTSIDE, "External data path validation failed"),
        ("torch.export (challenger)", "its pickle of sample inputs replaced", "loaded"),
    ],
)
def test_what_the_loader_said(label: str, what: str, said: str, comparison: Any) -> None:
    """A refusal names its reason; torch.export runs the code and says nothing."""
    assert said in attempt(comparison, label, what).outcome
