"""docs/systems.toml names tests that exist."""

from __future__ import annotations

import ast
import tomllib
from pathlib import Path
from typing import Any

import pytest

from mlref.study.chapters import CHAPTERS

ROOT = Path(__file__).resolve().parents[1]
SYSTEMS: list[dict[str, Any]] = tomllib.loads((ROOT / "docs/systems.toml").read_text())["systems"]


@pytest.mark.parametrize("row", SYSTEMS, ids=[row["system"] for row in SYSTEMS])
def test_system_is_run_by_a_test(row: dict[str, Any]) -> None:
    """Each row has a chapter, a kind, and the id of a test function that is there."""
    assert set(row) == {"system", "chapter", "kind", "test"}
    assert row["chapter"] in {chapter.number for chapter in CHAPTERS}
    assert row["kind"] in {"real", "contract", "paper"}
    path, _, name = row["test"].partition("::")
    tree = ast.parse((ROOT / path).read_text())
    functions = {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}
    assert name in functions, f"{path} has no test {name!r}"


def test_system_stands_once() -> None:
    """No system has two rows of one chapter."""
    keys = [(row["system"], row["chapter"]) for row in SYSTEMS]
    assert len(keys) == len(set(keys))
