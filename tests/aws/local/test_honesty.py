"""What the local AWS says of itself is so: each test that it names is there."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import Any

import pytest

from mlref.aws.local.honesty import Difference, differences, table, to_markdown

ROOT = Path(__file__).resolve().parents[3]
SHOWN = [each for each in differences() if each.test is not None]


@pytest.mark.parametrize("difference", SHOWN, ids=[each.area for each in SHOWN])
def test_a_difference_is_shown_by_a_test_that_is_there(difference: Difference) -> None:
    """By its path and its name."""
    path, _, name = str(difference.test).partition("::")
    tree = ast.parse((ROOT / path).read_text())
    assert name in {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}


def test_what_is_refused_must_be_shown() -> None:
    """An unproven refusal is no row, and neither is a kind that nobody knows."""
    with pytest.raises(ValueError, match="must name the test"):
        Difference("refused", "x", "y", "z")
    wrong: Any = "perhaps"
    with pytest.raises(ValueError, match="kind must be one of"):
        Difference(wrong, "x", "y", "z")


def test_each_kind_has_its_table() -> None:
    """Together they are all."""
    counts = [len(table(kind).rows) for kind in ("differs", "refused", "assumed")]
    assert min(counts) > 0
    assert sum(counts) == len(table().rows) == len({each.area for each in differences()})


def test_the_page_lists_what_the_local_aws_has(account: Any) -> None:
    """Each operation that it tells of itself is on the page, by the service."""
    operations = account.cloud.status()["operations"]
    text = to_markdown(operations)
    rows: dict[str, str] = {}
    for line in text.splitlines():
        if line[:2] == "| ":
            service = line.split("|")[1].strip()
            rows[service] = rows.get(service, "") + line
    for service, names in operations.items():
        assert all(name in rows[service] for name in names)
