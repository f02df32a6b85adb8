"""Which notebooks to run, and with which parameters; all mistakes are found before anything runs.

A notebook is named by its number ("1", "01"), its stem ("01_deployment_steps") or its file. Its
parameters are the names that its cell tagged `parameters` assigns.
"""

from __future__ import annotations

import ast
import json
import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from mlref.errors import NotebookError, ResourceNotFoundError

__all__ = ["ALLOWED", "check_parameters", "choose", "parameters_of", "parse_parameters"]

ALLOWED = {"cloud": ("local", "aws")}
"""The values of those parameters that know only a few."""

_CONSTANTS = {"true": True, "false": False, "none": None, "null": None}


def choose(names: Sequence[str], available: Sequence[Path]) -> list[Path]:
    """The notebooks that were named, in the order of `available`; all of them if none was named.

    Args:
        names: numbers, stems or file names; naming one twice is the same as once.
        available: what there is to choose from.

    Raises:
        ResourceNotFoundError: a name fits none; the message lists what exists.

    >>> choose(["1"], [Path("00_start_here.ipynb"), Path("01_deployment_steps.ipynb")])[0].stem
    '01_deployment_steps'
    """
    if not names:
        return list(available)
    chosen = {_find(name, available) for name in names}
    return [path for path in available if path in chosen]


def _find(name: str, available: Sequence[Path]) -> Path:
    """The one notebook of that name."""
    wanted = Path(name).name.removesuffix(".ipynb")
    for path in available:
        number = path.stem.partition("_")[0]
        if wanted == path.stem or (wanted.isdecimal() and wanted.zfill(2) == number):
            return path
    stems = "\n".join(f"  {path.stem}" for path in available)
    raise ResourceNotFoundError(f"no notebook is called {name!r}; there are:\n{stems}")


def parse_parameters(pairs: Iterable[tuple[str, str]]) -> dict[str, Any]:
    """Values as papermill's command line reads them: an int, a float, a constant, else text.

    Other than papermill, `true`, `false`, `none` and `null` are understood in any case: as text,
    "false" would count as true.

    Args:
        pairs: names and values as typed; of a name given twice, the last counts.

    >>> parse_parameters([("seed", "3"), ("quick", "false"), ("cloud", "aws")])
    {'seed': 3, 'quick': False, 'cloud': 'aws'}
    """
    return {name: _parse(value) for name, value in pairs}


def _parse(text: str) -> Any:
    """One value."""
    if text.lower() in _CONSTANTS:
        return _CONSTANTS[text.lower()]
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text


def parameters_of(notebook: Path) -> dict[str, Any]:
    """The parameters that a notebook has, with their default values.

    Args:
        notebook: an .ipynb file.

    Returns:
        Names and values; None stands for a default that is not a literal.

    Raises:
        NotebookError: the file is not a notebook, or its parameters cell is not Python.
    """
    try:
        cells = json.loads(notebook.read_text("utf-8"))["cells"]
        sources = [
            "".join(cell["source"])
            for cell in cells
            if "parameters" in cell.get("metadata", {}).get("tags", [])
        ]
        tree = ast.parse("\n".join(sources))
    except (OSError, ValueError, KeyError, TypeError, AttributeError, SyntaxError) as error:
        raise NotebookError(f"{notebook.name} cannot be read as a notebook: {error}") from error
    found: dict[str, Any] = {}
    for node in tree.body:
        targets = node.targets if isinstance(node, ast.Assign) else []
        if isinstance(node, ast.AnnAssign):
            targets = [node.target]
        for target in targets:
            if isinstance(target, ast.Name) and isinstance(node, ast.Assign | ast.AnnAssign):
                found[target.id] = _literal(node.value)
    return found


def _literal(node: ast.expr | None) -> Any:
    """The value of a literal, or None."""
    try:
        return ast.literal_eval(node) if node is not None else None
    except ValueError:
        return None


def check_parameters(given: Mapping[str, Any], notebooks: Sequence[Path]) -> None:
    """Return if every notebook has every given parameter, each with a value that it can take.

    A default of True or False asks for a truth value, a default that is a number for a number (for
    an integer, if it is one), and the parameters in `ALLOWED` for one of their values.

    Args:
        given: names and values, as `parse_parameters` returns them.
        notebooks: all that will run with them.

    Raises:
        NotebookError: a notebook lacks a parameter (the message names those there are), or a
            parameter is given a value that it cannot take.
    """
    for notebook in notebooks:
        known = parameters_of(notebook) if given else {}
        for name, value in given.items():
            if name not in known:
                raise NotebookError(
                    f"{notebook.stem} has no parameter {name!r}; "
                    f"it has: {', '.join(known) or 'none at all'}"
                )
            if (wanted := _unmet(name, known[name], value)) is not None:
                raise NotebookError(f"{name} must be {wanted}, got {value!r}")


def _unmet(name: str, default: Any, value: Any) -> str | None:
    """What the value of a parameter must be, and is not; None if it will do."""
    if name in ALLOWED:
        return None if value in ALLOWED[name] else " or ".join(ALLOWED[name])
    if isinstance(default, bool):
        return None if isinstance(value, bool) else "True or False"
    is_integer = isinstance(value, int) and not isinstance(value, bool)
    if isinstance(default, int):
        return None if is_integer else "an integer"
    if isinstance(default, float):
        is_number = is_integer or (isinstance(value, float) and not math.isnan(value))
        return None if is_number else "a number"
    return None
