"""Choosing notebooks and reading parameters."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from papermill.cli import _resolve_type

from mlref.errors import NotebookError, ResourceNotFoundError
from mlref.study.selection import check_parameters, choose, parameters_of, parse_parameters

NUMBERS = 'cloud = "local"\nseed = 0\nmax_spend_usd = 0.0\nout = "build/runs"'
AVAILABLE = [Path("nb/00_start_here.ipynb"), Path("nb/01_deployment_steps.ipynb")]


@pytest.mark.parametrize(
    "name",
    [
        "1",
        "01",
        "01_deployment_steps",
        "01_deployment_steps.ipynb",
        "notebooks/01_deployment_steps.ipynb",
    ],
)
def test_a_notebook_has_several_names(name: str) -> None:
    """Number, stem and file all name it."""
    assert choose([name], AVAILABLE) == AVAILABLE[1:]


def test_none_named_means_all() -> None:
    """Without names, all are chosen."""
    assert choose([], AVAILABLE) == AVAILABLE


def test_order_and_repetition_do_not_count() -> None:
    """The order is the notebooks' own, and naming one twice is the same as once."""
    assert choose(["1", "0", "01"], AVAILABLE) == AVAILABLE


@pytest.mark.parametrize("name", ["7", "start", "0_start_here", "011"])
def test_an_unknown_name_lists_what_exists(name: str) -> None:
    """The message names what was asked for and what there is."""
    with pytest.raises(ResourceNotFoundError, match=f"'{name}'(.|\n)*01_deployment_steps"):
        choose([name], AVAILABLE)


@pytest.mark.parametrize(
    "text",
    ["3", "-3", "1_000", "1e3", ".5", "inf", "True", "False", "None", "aws", "", "1 2", "a=b"],
)
def test_values_are_read_as_papermill_reads_them(text: str) -> None:
    """The outside reference is papermill's own command line."""
    value = parse_parameters([("name", text)])["name"]
    expected = _resolve_type(text)
    assert (type(value), value) == (type(expected), expected)


def test_nan_is_a_float() -> None:
    """A value that equals nothing is read, too."""
    assert math.isnan(parse_parameters([("name", "nan")])["name"])


def test_false_in_any_case_is_false() -> None:
    """Other than for papermill, "false" is not a text that counts as true."""
    assert parse_parameters([("a", "false"), ("b", "TRUE"), ("c", "null")]) == {
        "a": False,
        "b": True,
        "c": None,
    }


def test_parameters_are_those_of_the_tagged_cell(
    tmp_path: Path, notebook: Callable[..., Path]
) -> None:
    """Names and literal defaults come from the cell tagged `parameters`, from no other."""
    path = notebook(
        tmp_path / "00_a.ipynb",
        ("seed = 0\nspend: float = 0.0\nnow = print", "parameters"),
        "other = 1",
    )
    assert parameters_of(path) == {"seed": 0, "spend": 0.0, "now": None}


def test_a_switch_needs_a_truth_value(tmp_path: Path, notebook: Callable[..., Path]) -> None:
    """Where the default is True or False, another value is refused."""
    path = notebook(tmp_path / "00_a.ipynb", ("quick = True", "parameters"))
    check_parameters({"quick": False}, [path])
    with pytest.raises(NotebookError, match="quick must be True or False, got 'no'"):
        check_parameters({"quick": "no"}, [path])


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("seed", "abc", "seed must be an integer, got 'abc'"),
        ("seed", "-5x", "seed must be an integer, got '-5x'"),
        ("seed", "1e3", "seed must be an integer, got 1000.0"),
        ("seed", "true", "seed must be an integer, got True"),
        ("max_spend_usd", "much", "max_spend_usd must be a number, got 'much'"),
        ("max_spend_usd", "nan", "max_spend_usd must be a number, got nan"),
        ("max_spend_usd", "none", "max_spend_usd must be a number, got None"),
        ("cloud", "azure", "cloud must be local or aws, got 'azure'"),
        ("cloud", "1", "cloud must be local or aws, got 1"),
    ],
)
def test_a_value_must_be_of_its_parameters_kind(
    tmp_path: Path, notebook: Callable[..., Path], name: str, text: str, message: str
) -> None:
    """Where a number belongs, nothing else will do; a cloud is one of those that there are."""
    path = notebook(tmp_path / "00_a.ipynb", (NUMBERS, "parameters"))
    with pytest.raises(NotebookError, match=f"^{re.escape(message)}$"):
        check_parameters(parse_parameters([(name, text)]), [path])


@pytest.mark.parametrize(
    "pair",
    [("seed", "-5"), ("max_spend_usd", "2"), ("max_spend_usd", ".5"), ("cloud", "aws"),
     ("out", "anywhere")],
)  # fmt: skip
def test_a_fitting_value_is_accepted(
    tmp_path: Path, notebook: Callable[..., Path], pair: tuple[str, str]
) -> None:
    """An integer is a number, too, and text is not looked into."""
    path = notebook(tmp_path / "00_a.ipynb", (NUMBERS, "parameters"))
    check_parameters(parse_parameters([pair]), [path])


def test_a_notebook_without_parameters_says_so(
    tmp_path: Path, notebook: Callable[..., Path]
) -> None:
    """Where there are none, the message says none."""
    path = notebook(tmp_path / "00_a.ipynb", "x = 1")
    with pytest.raises(NotebookError, match="00_a has no parameter 'seed'; it has: none at all"):
        check_parameters({"seed": 1}, [path])


@pytest.mark.parametrize("text", ["", "{}", '{"cells": [1]}', "[]"])
def test_a_file_that_is_no_notebook_is_refused(tmp_path: Path, text: str) -> None:
    """Anything else than a notebook is told by its name."""
    path = tmp_path / "00_a.ipynb"
    path.write_text(text)
    with pytest.raises(NotebookError, match=r"00_a\.ipynb cannot be read"):
        parameters_of(path)
