"""Bodies on their way to arrays: what is accepted, what is refused, and why."""

from __future__ import annotations

import asyncio
import functools
import json
import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlref import errors
from mlref.artifact import Artifact
from mlref.schema import Column, Schema
from mlref.serving import create_app
from mlref.serving.decoding import decode
from mlref.serving.exchange import Reply, Request

GOOD = {"colour": ["red", "blue"], "count": [3, 4], "extra": [0.5, None]}
ROWS = [{"colour": "red", "count": 3, "extra": 0.5}, {"colour": "blue", "count": 4, "extra": None}]
NAMES = {"colour", "count", "extra"}
FLOAT32_MAX = float(np.finfo(np.float32).max)


@functools.cache
def _app(artifact: Artifact) -> Any:
    return create_app(artifact)


def _answer(artifact: Artifact, body: bytes) -> tuple[int, bytes]:
    """Status and body of the answer to a prediction request."""
    engine = _app(artifact).engine
    route = engine.routes.find(b"/v1/predict")

    async def ask() -> Reply:
        reply: asyncio.Future[Reply] = asyncio.get_running_loop().create_future()
        engine.handle(Request("POST", "/v1/predict", (), body), route, reply.set_result)
        return await reply

    told = asyncio.run(ask())
    return told.status, told.body


def _found(body: Any, schema: Schema) -> list[tuple[str, str | None, list[int]]]:
    """Kind, column and rows of every problem."""
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    with pytest.raises(errors.InvalidInputError) as raised:
        decode(data, schema)
    told: Any = [problem.as_dict() for problem in raised.value.exceptions]  # type: ignore[union-attr]
    return [(one["kind"], one["column"], one["rows"]) for one in told]


@pytest.mark.parametrize("body", [{"columns": GOOD}, {"instances": ROWS}])
def test_columns_and_instances_give_the_same_arrays(colours: Artifact, body: Any) -> None:
    """Both forms of a request hold the same rows."""
    decoded = decode(json.dumps(body).encode(), colours.inputs)
    assert decoded.n_rows == 2
    assert decoded.arrays["colour"].tolist() == ["red", "blue"]
    assert decoded.arrays["count"].tolist() == [3, 4]
    assert np.array_equal(decoded.arrays["extra"], np.array([0.5, np.nan], "f4"), equal_nan=True)


def test_every_problem_of_instances_is_named_with_its_rows(colours: Artifact) -> None:
    """Absent, strange and wrong values in different rows are all told, at their own rows."""
    rows = [
        {"colour": "red", "count": True, "extra": 1},
        {"colour": "red", "extra": 1, "strange": 0},
        7,
        {"colour": "red", "count": 5000, "extra": "1.5"},
        {"count": 1, "extra": 0, "strange": 0},
    ]
    assert sorted(_found({"instances": rows}, colours.inputs), key=str) == sorted(
        [
            ("MalformedRequest", None, [2]),
            ("MissingColumn", "colour", [4]),
            ("MissingColumn", "count", [1]),
            ("ExtraColumn", "strange", [1, 4]),
            ("WrongType", "count", [0]),
            ("OutOfRange", "count", [3]),
            ("WrongType", "extra", [3]),
        ],
        key=str,
    )


def test_problems_of_the_request_and_of_its_rows_are_told_together(colours: Artifact) -> None:
    """An unknown key and a bad policy do not hide what is wrong with the rows."""
    body = {"columns": {"colour": ["red"], "count": [1.5]}, "on_unknown": "guess", "rows": 1}
    assert _found(body, colours.inputs) == [
        ("MalformedRequest", None, []),
        ("MalformedRequest", None, []),
        ("MissingColumn", "extra", []),
        ("WrongType", "count", [0]),
    ]


def test_a_key_that_stands_twice_is_refused_wherever_it_stands(colours: Artifact) -> None:
    """JSON leaves open which value counts; the request, a column and a row are told apart."""
    columns = json.dumps(GOOD)
    twice = f'{{"columns": {columns}, "columns": {columns}}}'.encode()
    assert _found(twice, colours.inputs) == [("MalformedRequest", None, [])]
    repeated = f'{{"columns": {columns[:-1]}, "count": [1, 2]}}}}'.encode()
    assert _found(repeated, colours.inputs) == [("ExtraColumn", "count", [])]
    row = json.dumps(ROWS[0])
    rows = f'{{"instances": [{row}, {row[:-1]}, "count": 1}}]}}'.encode()
    assert _found(rows, colours.inputs) == [("ExtraColumn", "count", [1])]


MANY = {f"strange{number}": 1 for number in range(5000)}


@pytest.mark.parametrize(
    "body",
    [
        json.dumps({"columns": {**GOOD, **MANY}}),
        json.dumps({"instances": [{**ROWS[0], **MANY}]}),
        json.dumps({"columns": GOOD, **MANY}),
        json.dumps({"columns": {**GOOD, **MANY}}).replace("strange", "x" * 50 + "strange"),
        '{"columns": {' + ", ".join(f'"{name}": 1, "{name}": 1' for name in MANY) + "}}",
        '{"instances": [{' + ", ".join(f'"{name}": 1, "{name}": 1' for name in MANY) + "}]}",
    ],
    ids=["columns", "a row", "keys", "long names", "columns twice", "a row's twice"],
)
def test_a_refusal_is_shorter_than_what_it_refuses(colours: Artifact, body: str) -> None:
    """Names without end are counted: a short request cannot ask for a long answer."""
    status, answer = _answer(colours, body.encode())
    assert status == 422
    assert len(answer) < len(body) / 5
    messages = [problem["message"] for problem in json.loads(answer)["problems"]]
    assert "and 4980 more of this kind" in messages


def test_a_value_stands_in_for_an_absent_one_whatever_the_column() -> None:
    """Rows without a column are reported alone, also where 0 would not be allowed."""
    schema = Schema(
        (
            Column("hot", low=50),
            Column("cold", high=-5),
            Column("whole", dtype="int64", low=2.5),
            Column("text", dtype="string"),
            Column("grid", shape=(2, 2), low=1),
        )
    )
    names = schema.names
    assert _found({"instances": [{}]}, schema) == [("MissingColumn", name, [0]) for name in names]


def test_a_grid_must_have_its_own_shape() -> None:
    """A column of shape (2, 2) takes lists of lists; a flat list of four is not one."""
    schema = Schema((Column("grid", shape=(2, 2)),))
    decoded = decode(b'{"columns": {"grid": [[[1, 2], [3, 4]]]}}', schema)
    assert decoded.arrays["grid"].tolist() == [[[1, 2], [3, 4]]]
    for wrong in ("[1, 2, 3, 4]", "[[1, 2], [3]]", "[[1, 2]]", "[[[1]], [[2]]]", "null", "[1, 2]"):
        body = f'{{"columns": {{"grid": [{wrong}]}}}}'.encode()
        assert _found(body, schema)[0][2] == [0]


@pytest.mark.parametrize("digits", [401, 5000, 100_000])
@pytest.mark.parametrize("column", ["count", "extra"])
def test_an_integer_of_any_length_is_refused_as_too_large(
    colours: Artifact, column: str, digits: int
) -> None:
    """A number of thousands of digits is one more number that does not fit."""
    columns = {"colour": ["red"], "count": [1], "extra": [1]} | {column: ["@"]}
    body = json.dumps({"columns": columns}).replace('"@"', "-" + "9" * digits).encode()
    assert [(kind, name) for kind, name, _ in _found(body, colours.inputs)] == [
        ("NotFinite", column)
    ]


_scalars = (
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.sampled_from(["red"])
)
_json = st.recursive(
    _scalars, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=12
)
_colours = st.lists(st.sampled_from(["red", "blue", "green"]) | _scalars, max_size=3)
_counts = st.lists(st.integers(-1, 1001) | _scalars, max_size=3)
_extras = st.lists(st.none() | st.floats(width=32) | _scalars, max_size=3)
_nearly = st.fixed_dictionaries(
    {"columns": st.fixed_dictionaries({"colour": _colours, "count": _counts, "extra": _extras})},
    optional={"on_unknown": st.sampled_from(["impute", "error", "x"]), "instances": _json},
)
_row = st.fixed_dictionaries(
    {
        "colour": st.sampled_from(["red", "green"]) | _scalars,
        "count": st.integers(0, 1000) | _scalars,
        "extra": st.none() | st.floats() | _scalars,
    },
    optional={"more": _scalars},
)
_nearly_rows = st.fixed_dictionaries({"instances": st.lists(_row | _json, max_size=3)})


def _acceptable(body: Any) -> bool:
    """What the wire says of a request for the colours, written once more in plain Python."""
    if not isinstance(body, dict) or set(body) - {"columns", "instances", "on_unknown"}:
        return False
    policy = body.get("on_unknown", "impute")
    if policy not in ("impute", "error") or ("columns" in body) == ("instances" in body):
        return False
    columns = _turned(body["instances"]) if "instances" in body else body["columns"]
    if not isinstance(columns, dict) or set(columns) != NAMES:
        return False
    lists = list(columns.values())
    if not all(isinstance(values, list) and len(values) == len(lists[0]) > 0 for values in lists):
        return False
    known = all(isinstance(c, str) for c in columns["colour"]) and (
        policy == "impute" or set(columns["colour"]) <= {"red", "blue"}
    )
    counts = all(type(c) is int and 0 <= c <= 1000 for c in columns["count"])
    extras = all(
        e is None or (type(e) in (int, float) and math.isfinite(e) and abs(e) <= FLOAT32_MAX)
        for e in columns["extra"]
    )
    return known and counts and extras


def _turned(rows: Any) -> Any:
    """The columns of complete rows, or None."""
    if isinstance(rows, list) and all(isinstance(r, dict) and set(r) == NAMES for r in rows):
        return {name: [row[name] for row in rows] for name in NAMES}
    return None


@settings(max_examples=300, deadline=None)
@given(body=_json | _nearly | _nearly_rows)
def test_any_json_is_answered_exactly_when_it_is_valid(colours: Artifact, body: Any) -> None:
    """200 for what the wire describes, 422 for all else; never an error of the server's own."""
    status, answer = _answer(colours, json.dumps(body).encode())
    assert status == (200 if _acceptable(body) else 422), answer
    told = json.loads(answer)
    assert told["predictions"] if status == 200 else told["problems"]


@settings(max_examples=200, deadline=None)
@given(
    body=st.binary(max_size=40) | st.text(alphabet='[]{}",:0123.eE-nulltruefalse ').map(str.encode)
)
def test_any_bytes_are_refused_with_a_reason(colours: Artifact, body: bytes) -> None:
    """Bytes at random are malformed, never an error of the server's own."""
    status, answer = _answer(colours, body)
    assert status == 422
    assert json.loads(answer)["problems"]


@pytest.mark.parametrize(
    ("body", "headline"),
    [
        (b"colour=red", "the request is not what the wire describes: 1 problem"),
        (b'{"columns": {}}', "the input does not fit the schema: 3 problems"),
        (b'{"columns": {}, "rows": 1}', "the input does not fit the schema: 4 problems"),
    ],
)
def test_the_headline_tells_what_kind_of_fault_it_is(
    colours: Artifact, body: bytes, headline: str
) -> None:
    """What is no request at all is not said to be input that does not fit."""
    status, answer = _answer(colours, body)
    assert (status, json.loads(answer)["error"]) == (422, headline)


def test_instances_of_another_model_are_told_so(colours: Artifact) -> None:
    """Null is offered only where it may stand, and foreign columns raise the right question."""
    _, answer = _answer(colours, b'{"instances": [{"X": 1}]}')
    told = {each["column"]: each["message"] for each in json.loads(answer)["problems"]}
    assert told["count"] == "count is missing, every instance needs it (row 0)"
    assert told["extra"].endswith("every instance needs it; send null where unknown (row 0)")
    assert told["X"] == (
        "X is not a column of this model; none of its columns is here, which are "
        "colour, count, extra: is it the right model? (row 0)"
    )
