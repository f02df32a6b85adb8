"""Docstrings have the sections that apply: a reader learns errors and arguments from them."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
COMMANDS = ROOT / "mlref/cli"  # typer shows these docstrings as help; options tell of themselves
LIBRARY = sorted(set((ROOT / "mlref").rglob("*.py")) - set(COMMANDS.glob("*.py")))
NEED_ARGS = 3  # so many parameters are not all told by the first sentence


def _public(tree: ast.Module) -> Iterator[tuple[str, ast.FunctionDef]]:
    """Public functions, and public methods of public classes, with their names."""
    for node in tree.body:
        if isinstance(node, ast.FunctionDef) and not node.name.startswith("_"):
            yield node.name, node
        elif isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
            for inner in node.body:
                if isinstance(inner, ast.FunctionDef) and not inner.name.startswith("_"):
                    yield f"{node.name}.{inner.name}", inner


def _translates(node: ast.AST) -> bool:
    """Whether it is a `with extra(...)`, which turns what is raised in it into another error."""
    return isinstance(node, ast.With) and any(
        isinstance(item.context_expr, ast.Call) and ast.unparse(item.context_expr.func) == "extra"
        for item in node.items
    )


def _raised(function: ast.FunctionDef) -> set[str]:
    """The names of the errors that leave a function which raises them itself.

    Not those of functions inside it, nor those that the function itself may catch or translate.
    """
    found, todo = set(), list(function.body)
    while todo:
        node = todo.pop()
        if isinstance(node, ast.FunctionDef) or _translates(node):
            continue
        if isinstance(node, (ast.Try, ast.TryStar)) and node.handlers:
            todo += [*node.handlers, *node.orelse, *node.finalbody]
            continue
        if isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call):
            found.add(ast.unparse(node.exc.func).rpartition(".")[2])
        todo += ast.iter_child_nodes(node)
    return {name for name in found if name[:1].isupper()}


def _parameters(function: ast.FunctionDef) -> list[str]:
    arguments = function.args
    every = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]
    return [each.arg for each in every if each.arg not in {"self", "cls"}]


def _problems(path: Path) -> list[str]:
    found = []
    for name, function in _public(ast.parse(path.read_text())):
        text = ast.get_docstring(function) or ""
        section = text.partition("Raises:")[2]
        missing = {each for each in _raised(function) if each not in section}
        if missing:
            found.append(f"{name}: Raises does not name {', '.join(sorted(missing))}")
        if len(_parameters(function)) >= NEED_ARGS and "Args:" not in text:
            found.append(f"{name}: {NEED_ARGS} parameters or more, and no Args")
    return found


@pytest.mark.parametrize("path", LIBRARY, ids=lambda path: str(path.relative_to(ROOT)))
def test_docstrings_have_the_sections_that_apply(path: Path) -> None:
    """A public function names the errors that it raises, and tells its arguments if many."""
    assert _problems(path) == []


@pytest.mark.parametrize(
    ("body", "raised"),
    [
        ("raise ValueError('x')", {"ValueError"}),
        ("try:\n  raise ValueError('x')\nfinally:\n  raise errors.EvidenceError('x')",
         {"ValueError", "EvidenceError"}),
        ("try:\n  raise TypeError('x')\nexcept TypeError:\n  raise KeyError('x')", {"KeyError"}),
        ("try:\n  pass\nexcept OSError:\n  pass\nelse:\n  raise KeyError('x')", {"KeyError"}),
        ("with extra('train'):\n  raise ModuleNotFoundError('x')", set()),
        ("def inner():\n  raise ValueError('x')", set()),
    ],
)  # fmt: skip
def test_what_counts_as_raised(body: str, raised: set[str]) -> None:
    """What the function catches or translates itself is not the reader's business."""
    (node,) = ast.parse("def f():\n" + "\n".join(f" {each}" for each in body.splitlines())).body
    assert isinstance(node, ast.FunctionDef)
    assert _raised(node) == raised
