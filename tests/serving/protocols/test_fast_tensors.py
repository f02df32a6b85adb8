"""The short way: what it takes, the complete reader takes with the same values."""

from __future__ import annotations

import copy
import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.tensors import in_bytes, infer_request, tensor, texts

from mlref import errors
from mlref.schema import Column, Schema
from mlref.serving.exchange import Block
from mlref.serving.protocols.fast_tensors import FastTensors
from mlref.serving.protocols.infer_request import InferReader

MODEL = {"name": "m", "version": "1"}
MIXED = Schema(
    (
        Column("code", dtype="string", nullable=True, categories=("UA", "B6")),
        Column("note", dtype="string"),
        Column("temp", low=-60, high=140, nullable=True),
        Column("wind", low=0, high=0.1),
    )
)
WHOLE = Schema((Column("count", dtype="int64", low=0, high=2**53), Column("temp", nullable=True)))
MATRIX = Schema((Column("pixels", shape=(3,), low=0, high=16),))
HOLES = Schema((Column("pixels", shape=(2, 2), nullable=True), Column("count", dtype="int64")))
SCHEMAS = (MIXED, WHOLE, MATRIX, HOLES)

_floats = st.floats(-70, 150, width=32) | st.sampled_from([0.0, 0.05, 3.0, float("nan"), 1e38])
_texts = st.sampled_from(["UA", "B6", "ZZ", "", "a:b", "é", "[x", "\0"])
_wholes = st.integers(-1, 2**54) | st.sampled_from([0, 1, 2])


def _same(found: Block, complete: Block, schema: Schema) -> None:
    ours, theirs = found.arrays(schema), complete.arrays(schema)
    for column in schema:
        np.testing.assert_array_equal(ours[column.name], theirs[column.name])
        assert ours[column.name].dtype == theirs[column.name].dtype
        assert ours[column.name].shape == theirs[column.name].shape
    assert (found.n_rows, found.unknown, found.context) == (
        complete.n_rows,
        complete.unknown,
        complete.context,
    )


def _agree(schema: Schema, head: bytes, tail: bytes = b"") -> bool:
    """Whether the short way took it; then the complete reader must take it, too."""
    fast = FastTensors(schema, output="out")(head, memoryview(tail))
    complete = InferReader(schema, model=MODEL, output="out")
    if fast is None:
        return False
    _same(fast, complete(head, memoryview(tail)), schema)
    return True


@st.composite
def _arrays(draw: st.DrawFn, schema: Schema) -> dict[str, np.ndarray]:
    n_rows = draw(st.integers(1, 9))
    kinds: dict[str, Any] = {"float32": _floats, "int64": _wholes, "string": _texts}
    dtypes: dict[str, Any] = {"float32": np.float32, "int64": np.int64, "string": object}
    arrays = {}
    for column in schema:
        size = n_rows * int(np.prod(column.shape or (1,)))
        cells = draw(st.lists(kinds[column.dtype], min_size=size, max_size=size))
        array = np.empty(size, dtypes[column.dtype])
        array[:] = cells
        arrays[column.name] = array.reshape(n_rows, *(column.shape or (1,)))
    return arrays


def _written(
    arrays: dict[str, np.ndarray], *, binary: bool, nested: bool
) -> tuple[list[dict[str, Any]], bytes]:
    """Tensors of these values, and the bytes behind them."""
    tensors, tail = [], b""
    kinds = {"f": "FP32", "i": "INT64", "O": "BYTES"}
    for name, array in arrays.items():
        if binary:
            told, data = in_bytes(name, array)
            tail += data
        else:
            cells = array if nested else array.ravel()
            listed = json.loads(json.dumps(cells.tolist()).replace("NaN", "null"))
            told = tensor(name, kinds[array.dtype.kind], array.shape, listed)
        tensors.append(told)
    return tensors, tail


@given(data=st.data(), binary=st.booleans(), nested=st.booleans())
@settings(max_examples=300, deadline=None)
def test_both_ways_agree_on_values(*, data: st.DataObject, binary: bool, nested: bool) -> None:
    """Values in and out of what is allowed, few rows and many, JSON and bytes."""
    schema = data.draw(st.sampled_from(SCHEMAS))
    tensors, tail = _written(data.draw(_arrays(schema)), binary=binary, nested=nested)
    policy = data.draw(st.sampled_from([{}, {"parameters": {"on_unknown": "error"}}]))
    head = json.dumps({"id": "7", "inputs": tensors, **policy}).encode()
    try:
        complete = InferReader(schema, model=MODEL, output="out")(head, memoryview(tail))
    except errors.InvalidInputError:
        assert FastTensors(schema, output="out")(head, memoryview(tail)) is None
        return
    fast = FastTensors(schema, output="out")(head, memoryview(tail))
    if fast is not None:
        _same(fast, complete, schema)


_STRANGE = st.sampled_from(
    [None, True, False, 0, 1, 1.0, -1, 2, "", "1", "UA", [], [1], [[1]], [1.0], [True], {}, "7:8"]
)


@given(data=st.data(), binary=st.booleans())
@settings(max_examples=300, deadline=None)
def test_both_ways_agree_on_damaged_requests(*, data: st.DataObject, binary: bool) -> None:
    """A strange value anywhere, a key lost or given twice, bytes too many or too few."""
    schema = data.draw(st.sampled_from(SCHEMAS))
    tensors, tail = _written(
        data.draw(_arrays(schema)), binary=binary, nested=data.draw(st.booleans())
    )
    document: dict[str, Any] = {"inputs": copy.deepcopy(tensors), "outputs": [{"name": "out"}]}
    holder = data.draw(st.sampled_from([document, *document["inputs"], document["outputs"][0]]))
    keys = [*holder, "parameters", "id"]
    key = data.draw(st.sampled_from(keys))
    damage = data.draw(st.sampled_from(["put", "drop", "element", "bytes", "none"]))
    if damage == "put":
        holder[key] = data.draw(_STRANGE)
    elif damage == "drop":
        holder.pop(key, None)
    elif damage == "element" and isinstance(holder.get(key), list) and holder[key]:
        holder[key][data.draw(st.integers(0, len(holder[key]) - 1))] = data.draw(_STRANGE)
    elif damage == "bytes":
        tail = data.draw(st.sampled_from([tail[:-1], tail + b"\0", tail[::-1], b""]))
    _agree(schema, json.dumps(document).encode(), tail)


@pytest.mark.parametrize("rows", [1, 3, 40, 200])
@pytest.mark.parametrize("binary", [False, True])
@pytest.mark.parametrize("schema", SCHEMAS, ids=["mixed", "whole", "matrix", "holes"])
def test_what_is_right_is_taken(schema: Schema, rows: int, *, binary: bool) -> None:
    """Not left to the complete reader, which takes a hundred times as long."""
    values: dict[str, Any] = {"float32": 0.05, "int64": 3, "string": "UA"}
    arrays = {
        column.name: np.full(
            (rows, *(column.shape or (1,))),
            values[column.dtype],
            {"float32": np.float32, "int64": np.int64, "string": object}[column.dtype],
        )
        for column in schema
    }
    for nested in (False, True):
        tensors, tail = _written(arrays, binary=binary, nested=nested)
        head = json.dumps({"inputs": tensors, "id": "7", "parameters": {"priority": 1}}).encode()
        assert _agree(schema, head, tail)


_HEAD = '{"inputs":[{"name":"pixels","shape":[1,3],"datatype":"FP32","data":[1,2,3]}]}'


@pytest.mark.parametrize(
    "head",
    [
        _HEAD.replace("}]", ',"data":[1,2,4]}]'),
        _HEAD.replace("{", '{"inputs":[],', 1),
        _HEAD.replace("[1,3]", "[1,3.0]"),
        _HEAD.replace("[1,3]", "[true,3]"),
        _HEAD.replace("[1,2,3]", "[1,true,3]"),
        _HEAD.replace("[1,2,3]", '[1,"2",3]'),
        _HEAD.replace("[1,2,3]", "[1,[2],3]"),
        _HEAD.replace("[1,2,3]", "[1,2,NaN]"),
        _HEAD.replace("[1,2,3]", "[1,2,1e999]"),
        _HEAD.replace("[1,2,3]", f"[1,2,{'9' * 30}]"),
        _HEAD.replace("[1,2,3]", '"123"'),
        _HEAD.replace("[1,2,3]", "{}"),
        _HEAD.replace("pixels", "\ud800"),
        '{"inputs":"[]"}',
        '{"inputs":[1]}',
        "[]",
        "7",
    ],
)
@pytest.mark.parametrize("padding", [0, 4000])
def test_a_parser_s_traps_are_refused_in_small_and_large_bodies(head: str, padding: int) -> None:
    """The large ones are read by another parser; its exceptions are as good as a no."""
    body = head.encode("utf-8", "surrogatepass") + b" " * padding
    assert FastTensors(MATRIX, output="out")(body) is None
    assert _agree(MATRIX, _HEAD.encode() + b" " * padding)


@pytest.mark.parametrize(
    "data", ["[1,[2],3,4,5,6]", "[[1,2,3,4],[5,6]]", "[[1,2,3],4,5,6]", "[[[1,2,3]],[4,5,6]]"]
)
def test_lists_that_simdjson_would_flatten_are_refused(data: str) -> None:
    """A large body is not taken for a matrix because its numbers are as many."""
    text = f'{{"inputs":[{{"name":"pixels","shape":[2,3],"datatype":"FP32","data":{data}}}]}}'
    assert FastTensors(MATRIX, output="out")(text.encode() + b" " * 4000) is None


def test_a_signalling_nan_is_refused_or_missing_like_any_other() -> None:
    """The bits 7FA00000 are a NaN, too: no warning, the same outcome."""
    bits = b"\0\0\xa0\x7f"
    told = {"shape": [9, 1], "datatype": "FP32", "parameters": {"binary_data_size": 36}}
    schema = Schema((Column("temp", nullable=True),))
    head = infer_request({"inputs": [{"name": "temp", **told}]}).body
    assert _agree(schema, head, bits * 9)
    strict = Schema((Column("temp"),))
    assert not _agree(strict, head, bits * 9)


def test_a_number_just_above_its_limit_as_float32_is_no_matter_of_the_way() -> None:
    """0.1 as float32 is more than 0.1: bytes that hold it are refused on both ways."""
    schema = Schema((Column("m", shape=(2,), high=0.1),))
    told, data = in_bytes("m", np.full((8, 2), 0.1, np.float32))
    head = json.dumps({"inputs": [told]}).encode()
    assert FastTensors(schema, output="out")(head, memoryview(data)) is None
    with pytest.raises(errors.InvalidInputError) as caught:
        InferReader(schema, model=MODEL, output="out")(head, memoryview(data))
    assert "must lie between" in str(caught.value)


@pytest.mark.parametrize("codes", [["UA"] * 8, ["UA", "B6", "ZZ"] * 3, ["é"] * 8, [""] * 8])
def test_codes_of_one_length_are_read_like_others(codes: list[str]) -> None:
    """Elements of one length are cut out of one text."""
    schema = Schema((Column("code", dtype="string", nullable=True),))
    size = len(texts(codes))
    told = {"name": "code", "shape": [len(codes), 1], "datatype": "BYTES"}
    head = json.dumps({"inputs": [{**told, "parameters": {"binary_data_size": size}}]}).encode()
    assert _agree(schema, head, texts(codes))


@pytest.mark.parametrize("rows", [2, 12])
def test_an_empty_element_is_missing_and_no_unknown_category(rows: int) -> None:
    """Where the column is nullable; other unknown codes are counted."""
    schema = Schema((Column("code", dtype="string", nullable=True, categories=("UA",)),))
    told, data = in_bytes("code", np.array(["", "ZZ"] * (rows // 2), dtype=object))
    head = json.dumps({"inputs": [told]}).encode()
    assert _agree(schema, head, data)
    block = FastTensors(schema, output="out")(head, memoryview(data))
    assert block is not None
    assert block.unknown == {"code": rows // 2}


@pytest.mark.parametrize("rows", [2, 12])
def test_bytes_too_many_or_too_few_are_no_matter_for_the_short_way(rows: int) -> None:
    """Nor a tensor that is given twice in the place of another."""
    schema = Schema((Column("code", dtype="string"), Column("temp")))
    code, codes = in_bytes("code", np.array(["UA"] * rows, dtype=object))
    temp, temps = in_bytes("temp", np.ones(rows, np.float32))
    fast = FastTensors(schema, output="out")
    head = json.dumps({"inputs": [code, temp]}).encode()
    assert _agree(schema, head, codes + temps)
    for tail in (codes + temps + b"\0", codes + temps[:-1], codes, b"", temps + codes):
        assert fast(head, memoryview(tail)) is None
    twice = json.dumps({"inputs": [code, code]}).encode()
    assert fast(twice, memoryview(codes + codes)) is None


def test_arrays_are_aligned_wherever_their_bytes_began() -> None:
    """The model's runtime may read them with instructions that need it."""
    for padding in range(4):
        told, data = in_bytes("pixels", np.full((9, 3), 1.5, np.float32))
        head = json.dumps({"inputs": [told]}).encode() + b" " * padding
        whole = memoryview(head + data)
        block = FastTensors(MATRIX, output="out")(head, whole[len(head) :])
        assert block is not None
        assert block.arrays(MATRIX)["pixels"].flags.aligned
