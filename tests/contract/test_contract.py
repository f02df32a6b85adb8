"""One contract, held by every target for every model; see `mlref.targets.base`."""

from __future__ import annotations

import socket
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

import numpy as np
import psutil
import pytest

from mlref import errors
from mlref.artifact import TOLERANCE
from mlref.schema import Column
from mlref.targets import Endpoint, Target


def _problems(raised: pytest.ExceptionInfo[errors.InvalidInputError]) -> list[tuple[Any, ...]]:
    return [
        (type(problem), problem.column, problem.rows)
        for problem in raised.value.exceptions
        if isinstance(problem, errors.InputProblem)
    ]


def _column(case: Any, **wanted: Any) -> Column:
    """The first column of the model that has these attributes."""
    for column in case.artifact.inputs:
        if all(getattr(column, name) == value for name, value in wanted.items()):
            return column
    raise AssertionError(f"{case.artifact.manifest.name} has no column with {wanted}")


def _changed(case: Any, column: Column, value: Any, *, row: int = 1) -> dict[str, Any]:
    """The golden rows with one value exchanged."""
    rows: dict[str, list[Any]] = {
        name: list(values) for name, values in case.artifact.golden.columns.items()
    }
    rows[column.name][row] = value
    return rows


def test_the_golden_rows_are_answered_within_the_tolerance(endpoint: Endpoint, case: Any) -> None:
    """Every golden row gets the prediction that the original model gave."""
    golden = case.artifact.golden
    assert golden.matched(endpoint.predict(golden.columns)) == len(golden.instances)


@pytest.mark.parametrize("count", [1, 100, 10_000])
def test_any_number_of_rows_is_answered_in_order(endpoint: Endpoint, case: Any, count: int) -> None:
    """1, 100 and 10,000 rows: float32 predictions of the original model, in the rows' order."""
    got = endpoint.predict(case.head(count))
    assert got.dtype == np.float32
    assert got.shape == case.expected[:count].shape
    assert np.abs(got - case.expected[:count]).max() <= TOLERANCE


def test_a_data_frame_gives_what_a_mapping_gives(endpoint: Endpoint, case: Any) -> None:
    """A pandas frame is taken like a mapping of its columns."""
    import pandas as pd

    rows = case.head(20)
    frame = pd.DataFrame({name: list(values) for name, values in rows.items()})
    assert np.array_equal(endpoint.predict(frame), endpoint.predict(rows))


@pytest.mark.parametrize("case", ["champion"], indirect=True)
def test_an_unknown_category_is_imputed_unless_refused(endpoint: Endpoint, case: Any) -> None:
    """By default an unknown category is predicted; on_unknown="error" names it and its row."""
    column = next(c for c in case.artifact.inputs if c.categories)
    rows = _changed(case, column, "no such category")
    assert np.isfinite(endpoint.predict(rows)).all()
    with pytest.raises(errors.InvalidInputError) as raised:
        endpoint.predict(rows, on_unknown="error")
    found = [problem for problem in _problems(raised) if problem[1] == column.name]
    assert all(kind is errors.UnknownCategoryError for kind, _, _ in found)
    assert any(1 in rows for _, _, rows in found)


@pytest.mark.parametrize("case", ["diabetes", "champion"], indirect=True)
@pytest.mark.parametrize("missing", [None, float("nan"), np.nan, np.float32("nan")])
def test_a_missing_value_is_predicted_where_it_may_stand(
    endpoint: Endpoint, case: Any, missing: Any
) -> None:
    """None and NaN in a nullable column give what the model says without that value."""
    column = _column(case, nullable=True, dtype="float32")
    rows = _changed(case, column, missing)
    assert np.array_equal(endpoint.predict(rows), case.artifact.predict(rows))


def test_a_missing_value_is_refused_where_it_may_not_stand(endpoint: Endpoint, case: Any) -> None:
    """None in a column that is not nullable is refused, with column and row."""
    column = _column(case, nullable=False)
    value = [None] * column.shape[0] if column.shape else None
    with pytest.raises(errors.InvalidInputError) as raised:
        endpoint.predict(_changed(case, column, value))
    assert _problems(raised) == [(errors.MissingValueError, column.name, (1,))]


def test_every_wrong_column_is_named(endpoint: Endpoint, case: Any) -> None:
    """A column that is absent and two that are strange are three problems of one error."""
    rows = dict(case.artifact.golden.columns)
    name, values = rows.popitem()
    with pytest.raises(errors.InvalidInputError) as raised:
        endpoint.predict({**rows, "strange": values, "stranger": values})
    assert sorted(_problems(raised), key=lambda problem: str(problem[1])) == sorted(
        [
            (errors.MissingColumnError, name, ()),
            (errors.ExtraColumnError, "strange", ()),
            (errors.ExtraColumnError, "stranger", ()),
        ],
        key=lambda problem: str(problem[1]),
    )


@pytest.mark.parametrize("value", [True, "1.5", np.bool_(1), {"a": 1}, np.datetime64("2013-01-01")])
def test_a_value_of_another_type_is_refused(endpoint: Endpoint, case: Any, value: Any) -> None:
    """Booleans, numeric strings, objects and dates are not taken for numbers."""
    column = next(c for c in case.artifact.inputs if c.dtype != "string")
    full = [value] + [0.0] * (column.shape[0] - 1) if column.shape else value
    with pytest.raises(errors.InvalidInputError) as raised:
        endpoint.predict(_changed(case, column, full))
    assert _problems(raised) == [(errors.WrongTypeError, column.name, (1,))]


def test_a_frame_of_another_dtype_is_refused(endpoint: Endpoint, case: Any) -> None:
    """A whole column of booleans is refused, every row of it."""
    column = next(c for c in case.artifact.inputs if c.dtype != "string")
    rows = dict(case.artifact.golden.columns)
    rows[column.name] = np.ones((len(rows[column.name]), *column.shape), dtype=bool)
    with pytest.raises(errors.InvalidInputError) as raised:
        endpoint.predict(rows)
    count = min(10, len(rows[column.name]))
    assert _problems(raised) == [(errors.WrongTypeError, column.name, tuple(range(count)))]


@pytest.mark.parametrize(
    "value",
    [float("inf"), -np.inf, 1e39, 10**400],
    ids=["inf", "-inf", "1e39", "400 digits"],
)
def test_a_number_that_float32_cannot_hold_is_refused(
    endpoint: Endpoint, case: Any, value: Any
) -> None:
    """Infinity and numbers beyond float32 are refused as not finite."""
    column = next(c for c in case.artifact.inputs if c.dtype == "float32")
    full = [value] + [0.0] * (column.shape[0] - 1) if column.shape else value
    with pytest.raises(errors.InvalidInputError) as raised:
        endpoint.predict(_changed(case, column, full))
    assert [(kind, name) for kind, name, _ in _problems(raised)] == [
        (errors.NotFiniteError, column.name)
    ]


def test_columns_of_different_lengths_are_refused(endpoint: Endpoint, case: Any) -> None:
    """A column that is one value short, or a matrix row that is, is refused by its length."""
    column = next(iter(case.artifact.inputs))
    rows = dict(case.artifact.golden.columns)
    values = list(rows[column.name])
    short = [values[0][:-1], *values[1:]] if column.shape else values[:-1]
    with pytest.raises(errors.InvalidInputError) as raised:
        endpoint.predict({**rows, column.name: short})
    assert {kind for kind, _, _ in _problems(raised)} == {errors.WrongLengthError}


def test_no_rows_give_no_predictions(endpoint: Endpoint, case: Any) -> None:
    """An empty frame gives an array of the output's shape, and its columns are checked."""
    import pandas as pd

    frame = pd.DataFrame(columns=list(case.artifact.inputs.names), dtype=object)
    shape = case.artifact.manifest.output.shape
    assert endpoint.predict(frame).shape == (0, *shape)
    assert endpoint.predict(case.head(0)).shape == (0, *shape)
    for wrong in (frame.drop(columns=frame.columns[0]), frame.assign(strange=[])):
        with pytest.raises(errors.InvalidInputError):
            endpoint.predict(wrong)
    with pytest.raises(errors.InvalidInputError):
        endpoint.predict({})


@pytest.mark.parametrize("count", [0, 1])
def test_a_policy_that_does_not_exist_is_the_callers_mistake(
    endpoint: Endpoint, case: Any, count: int
) -> None:
    """Another word than "impute" or "error" is a ValueError everywhere, not a fault of the rows."""
    with pytest.raises(ValueError, match="on_unknown must be"):
        endpoint.predict(case.head(count), on_unknown="ignore")  # type: ignore[arg-type]


def test_what_is_no_table_is_refused(endpoint: Endpoint) -> None:
    """A list of lists has no names for its values, and the error says so."""
    with pytest.raises(errors.InvalidInputError) as raised:
        endpoint.predict([[1.0, 2.0]])
    assert "must map column names to values, or be a list of rows" in str(raised.value)
    assert "got list with list (row 0)" in str(raised.value)
    assert _problems(raised) == [(errors.WrongTypeError, None, (0,))]


def test_a_list_of_rows_gives_what_columns_give(endpoint: Endpoint, case: Any) -> None:
    """Rows one by one, as the wire's instances, are answered like their columns; none give none."""
    rows = case.artifact.golden.instances
    assert np.array_equal(endpoint.predict(rows), endpoint.predict(case.artifact.golden.columns))
    assert endpoint.predict([]).shape == (0, *case.artifact.manifest.output.shape)


def test_a_list_of_rows_is_refused_by_row(endpoint: Endpoint, case: Any) -> None:
    """Where a row lacks a column and another has one too many, both rows are named."""
    rows = [dict(row) for row in case.artifact.golden.instances[:3]]
    name, _ = rows[0].popitem()
    rows[2]["strange"] = 1
    with pytest.raises(errors.InvalidInputError) as raised:
        endpoint.predict(rows)
    assert _problems(raised) == [
        (errors.MissingColumnError, name, (0,)),
        (errors.ExtraColumnError, "strange", (2,)),
    ]


def test_one_row_of_bare_values_is_refused_with_advice(endpoint: Endpoint, case: Any) -> None:
    """A mapping of single values is neither columns nor a list of rows: it is told what to give."""
    with pytest.raises(errors.InvalidInputError) as raised:
        endpoint.predict(dict.fromkeys(case.artifact.inputs.names, 71.0))
    advice = "got 71.0; give a list of values per column, or a list of rows"
    assert all(str(problem).endswith(advice) for problem in raised.value.exceptions)


def test_a_description_tells_model_version_and_size(
    endpoint: Endpoint, target: Target, case: Any
) -> None:
    """`describe` names what runs where."""
    told, manifest = endpoint.describe(), case.artifact.manifest
    assert (told.target, told.model, told.version) == (target.name, manifest.name, manifest.version)
    assert told.size_bytes == sum(path.stat().st_size for path in case.artifact.folder.iterdir())


def test_two_deployments_run_side_by_side(target: Target, digits: Any, diabetes: Any) -> None:
    """Two models at one target answer for themselves, and one goes on when the other is closed."""
    with target.deploy(digits.artifact) as first, target.deploy(diabetes.artifact) as second:
        for _ in range(2):
            assert _answers(first, digits)
            assert _answers(second, diabetes)
        first.close()
        assert _answers(second, diabetes)


def test_nothing_is_left_of_a_closed_endpoint(target: Target, digits: Any) -> None:
    """After close() there is no process and no open port; closing again is fine, asking is not."""
    before = {child.pid for child in psutil.Process().children(recursive=True)}
    endpoint = target.deploy(digits.artifact)
    endpoint.wait_ready(timeout_s=30)
    assert _answers(endpoint, digits)
    told = endpoint.describe()
    endpoint.close()
    endpoint.close()
    after = {child.pid for child in psutil.Process().children(recursive=True)}
    assert after <= before
    if told.url is not None:
        parts = urlsplit(told.url)
        with pytest.raises(OSError, match=r"refused|No route|timed out"):
            socket.create_connection((parts.hostname, parts.port), timeout=5)
    assert endpoint.describe() == told
    with pytest.raises(errors.EndpointClosedError):
        endpoint.predict(digits.head(1))
    with pytest.raises(errors.EndpointClosedError):
        endpoint.predict(digits.head(0))
    with pytest.raises(errors.EndpointClosedError):
        endpoint.wait_ready(timeout_s=1)


def _answers(endpoint: Endpoint, case: Any) -> bool:
    golden: Mapping[str, Any] = case.artifact.golden.columns
    matched: int = case.artifact.golden.matched(endpoint.predict(golden))
    return matched == len(case.artifact.golden.instances)
