"""The short way to checked rows: it lets through only what the complete decoder does."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlref.errors import InvalidInputError
from mlref.schema import Column, Schema
from mlref.serving.decoding import decode
from mlref.serving.encoding import encode
from mlref.serving.exchange import Block
from mlref.serving.fast_decoding import FastDecoder

MIXED = Schema(
    (
        Column("temp", low=-60, high=140, nullable=True),
        Column("carrier", dtype="string", categories=("UA", "B6")),
        Column("note", dtype="string", nullable=True),
        Column("gust"),
    )
)
WHOLE = Schema((Column("count", dtype="int64", low=0, high=10), Column("temp")))
MATRIX = Schema((Column("pixels", shape=(3,), low=0, high=16), Column("name", dtype="string")))
DEEP = Schema((Column("image", shape=(2, 2)),))
NULLABLE_MATRIX = Schema((Column("pixels", shape=(3,), nullable=True),))
SCHEMAS = {
    "mixed": MIXED, "whole": WHOLE, "matrix": MATRIX, "deep": DEEP, "nullable": NULLABLE_MATRIX,
}  # fmt: skip

NUMBER = st.one_of(
    st.integers(-5, 20),
    st.floats(-100, 200, allow_nan=False),
    st.sampled_from([1e39, -0.0, 2**70, 3.4028235e38, 3.4028236e38, 1e-320]),
)
LEAF = st.one_of(
    NUMBER, st.none(), st.booleans(), st.text(max_size=3), st.sampled_from(["UA", "7"])
)
ANYTHING = st.recursive(LEAF, lambda inner: st.lists(inner, max_size=4), max_leaves=6)


def _cell(column: Column) -> st.SearchStrategy[Any]:
    if column.dtype == "string":
        cell: st.SearchStrategy[Any] = st.sampled_from(["UA", "B6", "ZZ", "", "é:{[", "a b"])
    elif column.dtype == "int64":
        cell = st.integers(0, 10)
    else:
        cell = st.one_of(st.integers(0, 16), st.floats(0, 16, width=32))
    if column.nullable and not column.shape:
        cell = st.one_of(cell, st.none())
    for size in reversed(column.shape):
        cell = st.lists(cell, min_size=size, max_size=size)
    return cell


@st.composite
def _documents(draw: Any, schema: Schema, *, spoiled: bool) -> Any:
    """A request's document, with some of its values replaced when it shall be spoiled."""
    n_rows = draw(st.sampled_from([1, 2, 7, 30]))
    columns = {c.name: draw(st.lists(_cell(c), min_size=n_rows, max_size=n_rows)) for c in schema}
    if spoiled:
        name = draw(st.sampled_from(schema.names))
        place = draw(st.integers(0, n_rows - 1))
        what = draw(st.integers(0, 4))
        if what == 0:
            columns[name][place] = draw(ANYTHING)
        elif what == 1:
            columns[name] = draw(ANYTHING)
        elif what == 2:
            columns[name].append(columns[name][0])
        elif what == 3:
            columns[draw(st.sampled_from(["more", "temp", "pixels"]))] = columns.pop(name)
        elif isinstance(columns[name][place], list):
            columns[name][place] = [draw(ANYTHING) for _ in range(draw(st.integers(0, 4)))]
    document: dict[str, Any] = {"columns": columns}
    if draw(st.booleans()) and len({len(v) for v in columns.values() if isinstance(v, list)}) == 1:
        values = columns.values()
        if all(isinstance(value, list) for value in values):
            rows = zip(*values, strict=True)
            document = {"instances": [dict(zip(columns, row, strict=True)) for row in rows]}
    if draw(st.booleans()):
        document["on_unknown"] = draw(st.sampled_from(["impute", "error", "no", None, 1]))
    return document


def _same(block: Block, body: bytes, schema: Schema) -> None:
    decoded = decode(body, schema)
    assert (block.n_rows, block.unknown) == (decoded.n_rows, decoded.unknown)
    arrays = block.arrays(schema)
    for column in schema:
        got, want = arrays[column.name], decoded.arrays[column.name]
        assert (got.dtype, got.shape) == (want.dtype, want.shape)
        equal = np.array_equal(got, want, equal_nan=column.dtype == "float32")
        assert equal, (column.name, got, want)


@pytest.mark.parametrize("simd", [True, False], ids=["simdjson", "orjson"])
@pytest.mark.parametrize("name", SCHEMAS)
@settings(deadline=None, max_examples=60)
@given(data=st.data(), spoiled=st.booleans(), padding=st.sampled_from([0, 3000]))
def test_what_it_lets_through_the_complete_decoder_lets_through(
    name: str,
    simd: bool,  # noqa: FBT001
    data: Any,
    spoiled: bool,  # noqa: FBT001
    padding: int,
) -> None:
    """Whatever the document: None, or the rows of the complete decoder."""
    schema = SCHEMAS[name]
    document = data.draw(_documents(schema, spoiled=spoiled))
    body = json.dumps(document).encode() + b" " * padding
    decoder = FastDecoder(schema)
    if not simd:
        decoder._new_parser = None
    block = decoder(body)
    if block is not None:
        _same(block, body, schema)


@pytest.mark.parametrize("name", ["mixed", "whole", "matrix", "deep"])
@pytest.mark.parametrize("n_rows", [1, 2, 6, 7, 100])
@pytest.mark.parametrize("form", ["columns", "instances"])
def test_it_is_sure_of_good_rows(name: str, n_rows: int, form: str) -> None:
    """Rows without a fault take the short way, however many and in either form."""
    schema = SCHEMAS[name]
    values: dict[str, Any] = {
        "temp": 71.5, "carrier": "UA", "note": "late", "gust": 3, "count": 4,
        "pixels": [0, 1.5, 16], "name": "x", "image": [[1, 2], [3, 4.5]],
    }  # fmt: skip
    rows = {column: [values[column]] * n_rows for column in schema.names}
    given: Any = rows
    if form == "instances":
        given = [{column: values[column] for column in schema.names} for _ in range(n_rows)]
    body = encode(given)
    block = FastDecoder(schema)(body)
    assert block is not None
    _same(block, body, schema)


@pytest.mark.parametrize(
    "body",
    [
        b'{"columns": {"pixels": [[1, 2, 3], [4, 5, 6]], "pixels": [[1, 2, 3]], "name": ["a"]}}',
        b'{"columns": {"pixels": [[1, 2], [3, 4, 5, 6]], "name": ["a", "b"]}}',
        b'{"columns": {"pixels": [[1, 2, [3]], [4, 5, 6]], "name": ["a", "b"]}}',
        b'{"columns": {"pixels": [[1, 2, 3], [4, 5, true]], "name": ["a", "b"]}}',
        b'{"columns": {"pixels": [[1, 2, 3], [4, 5, "6"]], "name": ["a", "b"]}}',
        b'{"columns": {"pixels": [[1, 2, 3], [4, 5, NaN]], "name": ["a", "b"]}}',
        b'{"columns": {"pixels": [[1, 2, 3], [4, 5, 1e999]], "name": ["a", "b"]}}',
        b'{"columns": {"pixels": [[1, 2, 3], [4, 5, null]], "name": ["a", "b"]}}',
        b'{"columns": {"pixels": [[1, 2, 3], {"4": 4}], "name": ["a", "b"]}}',
        b'{"columns": {"pixels": [[1, 2, 3]], "name": "a"}}',
        b'{"columns": {"pixels": [], "name": []}}',
        b'{"columns": {"pixels": [[1, 2, 3]], "name": ["\xff"]}}',
        b'{"columns": {"pixels": [[1, 2, 3]], "name": ["\\ud800"]}}',
        b'[{"columns": 1}]', b'"columns"', b"1", b"null", b"", b"{}", b'{"columns": 1}',
        b'{"instances": {"0": 1}}', b'{"instances": [1]}', b"[" * 100_000 + b"]" * 100_000,
    ],
)  # fmt: skip
@pytest.mark.parametrize("padding", [0, 3000], ids=["orjson", "simdjson"])
def test_the_traps_of_parsers(body: bytes, padding: int) -> None:
    """Flattened lists, forgotten keys, read-over types: none of it gets through."""
    body += b" " * padding
    assert FastDecoder(MATRIX)(body) is None
    with pytest.raises(InvalidInputError):
        decode(body, MATRIX)


def test_unknown_categories_are_counted_or_left_to_the_complete_decoder() -> None:
    """With "impute" they are counted; with "error" somebody else shall name them."""
    rows = {"temp": [1, 2], "carrier": ["UA", "ZZ"], "note": ["", "x"], "gust": [1, 1]}
    block = FastDecoder(MIXED)(encode(rows))
    assert block is not None
    assert block.unknown == {"carrier": 1}
    assert FastDecoder(MIXED)(encode(rows, on_unknown="error")) is None
