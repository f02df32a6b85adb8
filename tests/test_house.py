"""The rules of the house, checked on the source itself."""

from __future__ import annotations

import ast
import dataclasses
import importlib
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
SOURCES = sorted(
    path
    for folder in ("mlref", "tools", "benchmarks", "tests", "labs", "notebooks/src")
    for path in (ROOT / folder).rglob("*.py")
)
CODE = [path for path in SOURCES if not path.is_relative_to(ROOT / "notebooks")]
LIBRARY = [path for path in SOURCES if path.is_relative_to(ROOT / "mlref")]
HEAVY = {
    "fastapi", "httpx", "matplotlib", "nbformat", "onnx", "onnxruntime", "pandas", "papermill",
    "pyarrow", "skl2onnx", "sklearn", "torch", "uvicorn",
}  # fmt: skip
MAX_LINES = 400


def _name_of(path: Path) -> str:
    return str(path.relative_to(ROOT))


def _modules() -> list[str]:
    names = []
    for path in LIBRARY:
        parts = path.relative_to(ROOT).with_suffix("").parts
        if parts[-1] != "__main__":
            names.append(".".join(parts).removesuffix(".__init__"))
    return names


@pytest.mark.parametrize("path", CODE, ids=_name_of)
def test_a_file_is_short_enough_to_read(path: Path) -> None:
    """No Python file has more than 400 lines; notebooks are prose and have limits of their own."""
    assert len(path.read_text().splitlines()) <= MAX_LINES


def test_importing_the_library_loads_nothing_heavy() -> None:
    """Importing every module defines names only: heavy libraries load on first use."""
    lines = [f"import {name}" for name in _modules()]
    lines += ["import sys", f"print(sorted({HEAVY!r} & set(sys.modules)))"]
    done = subprocess.run(
        [sys.executable, "-c", "\n".join(lines)], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"


def test_importing_the_library_configures_no_logging_and_prints_nothing() -> None:
    """Importing every module adds no log handler, prints nothing, starts no thread."""
    lines = [f"import {name}" for name in _modules()]
    lines += [
        "import logging, threading",
        "mine = [n for n in logging.root.manager.loggerDict if n.startswith('mlref')]",
        "handlers = [h for n in mine for h in logging.getLogger(n).handlers]",
        "assert not handlers and not logging.root.handlers, handlers",
        "assert threading.active_count() == 1",
    ]
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", "\n".join(lines)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.mark.parametrize("name", _modules())
def test_exported_names_exist_and_are_documented(name: str) -> None:
    """`__all__` names what is there, each function and class in it with a docstring."""
    path = ROOT / Path(*name.split("."))
    file = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
    tree = ast.parse(file.read_text())
    assert ast.get_docstring(tree), f"{name} has no docstring"
    exported = getattr(importlib.import_module(name), "__all__", None)
    assert exported is not None, f"{name} has no __all__"
    defined = {
        node.name: node
        for node in tree.body
        if isinstance(node, (ast.FunctionDef, ast.ClassDef, ast.AsyncFunctionDef))
    }
    missing = [n for n in exported if n in defined and not ast.get_docstring(defined[n])]
    assert not missing, f"{name}: no docstring on {missing}"
    public = {n for n in defined if not n.startswith("_")}
    assert public <= set(exported), f"{name}: not in __all__: {public - set(exported)}"


def _sleeps(tree: ast.AST) -> list[int]:
    return [
        node.lineno
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        and ast.unparse(node.func) in {"time.sleep", "sleep", "asyncio.sleep", "anyio.sleep"}
    ]


@pytest.mark.parametrize("path", SOURCES, ids=_name_of)
def test_nobody_waits_by_sleeping(path: Path) -> None:
    """`time.sleep` stands in runtime/clock.py alone; everybody else polls a condition."""
    allowed = path == ROOT / "mlref/runtime/clock.py"
    assert allowed or not _sleeps(ast.parse(path.read_text()))


def _dataclasses_with_arrays() -> list[type]:
    found = set()
    for name in _modules():
        for kind in vars(importlib.import_module(name)).values():
            if isinstance(kind, type) and dataclasses.is_dataclass(kind):
                fields = dataclasses.fields(kind)
                if any("np.ndarray" in str(field.type) for field in fields):
                    found.add(kind)
    return sorted(found, key=lambda kind: kind.__name__)


def test_what_holds_arrays_is_equal_to_itself_alone() -> None:
    """A dataclass with an array has neither the == nor the hash of its fields: both would raise."""
    kinds = _dataclasses_with_arrays()
    assert kinds
    assert [kind.__name__ for kind in kinds if kind.__eq__ is not object.__eq__] == []
    assert [kind.__name__ for kind in kinds if kind.__hash__ is not object.__hash__] == []
