"""Optional parts: what is missing, and the one command that brings it."""

from __future__ import annotations

from pathlib import Path

import pytest

from mlref import resources
from mlref.errors import MissingExtraError
from mlref.study import extras

REQUIREMENTS = [
    "numpy<3,>=2.1",
    'pandas<4,>=2.3; extra == "train"',
    'onnx<2,>=1.18; extra == "train"',
    'fastapi<1,>=0.118; extra == "serve"',
    'pywin32>=300; sys_platform == "win32" and extra == "serve"',
    'mlref[serve,train]; extra == "all"',
]


@pytest.fixture(params=[True, False], ids=["checkout", "installed"])
def in_checkout(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> bool:
    """Whether mlref believes to run from a checkout."""
    root = Path("/checkout") if request.param else None
    monkeypatch.setattr(resources, "checkout", lambda: root)
    return bool(request.param)


def _missing(installed: dict[str, str]) -> dict[str, tuple[str, ...]]:
    return {one.name: one.missing for one in extras.all_extras(REQUIREMENTS, installed.get)}


def test_an_extra_is_complete_when_all_is_there() -> None:
    """Nothing is missing where every requirement that applies here is met; "all" is no part."""
    have = {"pandas": "2.3.1", "onnx": "1.19.0", "fastapi": "0.120.0"}
    assert _missing(have) == {"train": (), "serve": ()}


def test_what_is_missing_is_named() -> None:
    """Each extra names the distributions that it lacks."""
    assert _missing({"onnx": "1.19.0"}) == {"train": ("pandas",), "serve": ("fastapi",)}


def test_a_version_out_of_range_is_missing() -> None:
    """An old version is named with the range that is needed."""
    have = {"pandas": "1.5.0", "onnx": "1.19.0", "fastapi": "0.120.0"}
    assert _missing(have)["train"] == ("pandas 1.5.0 (needs <4,>=2.3)",)


def test_every_extra_of_mlref_says_what_it_unlocks() -> None:
    """No extra is without its explanation, and none is explained that does not exist."""
    names = {one.name for one in extras.all_extras(extras.requirements())}
    assert names == set(extras.UNLOCKS)


def test_all_that_is_missing_is_one_error(*, in_checkout: bool) -> None:
    """Every extra that lacks something is listed, and one command brings them all."""
    with pytest.raises(MissingExtraError) as caught:
        extras.require(["train", "serve"], REQUIREMENTS, {"onnx": "1.19.0"}.get)
    how = 'make run, or pip install -e ".[serve,train]"'
    assert str(caught.value).splitlines() == [
        "these extras are not installed:",
        "  serve: fastapi",
        "  train: pandas",
        f"get them all: {how}" if in_checkout else 'get them all: pip install "mlref[serve,train]"',
    ]


def test_what_is_not_asked_for_may_be_missing() -> None:
    """Only the extras that are asked for are looked at, and only the absent ones are named."""
    extras.require(["serve"], REQUIREMENTS, {"fastapi": "0.120.0"}.get)
    with pytest.raises(MissingExtraError, match=r"\[train\]"):
        extras.require(["serve", "train"], REQUIREMENTS, {"fastapi": "0.120.0"}.get)


def test_tensorflow_is_asked_for_alone_in_a_checkout(*, in_checkout: bool) -> None:
    """A checkout gives it an environment of its own."""
    expected = "make tensorflow" if in_checkout else 'pip install "mlref[tensorflow]"'
    assert extras.command(["tensorflow"]) == expected
    if in_checkout:
        with pytest.raises(ValueError, match="ask for tensorflow alone"):
            extras.command(["tensorflow", "train"])
