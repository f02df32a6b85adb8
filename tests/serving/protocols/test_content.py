"""Headers to formats, and predictions to bodies: as RFC 9110, RFC 4180 and NumPy's format say."""

from __future__ import annotations

import csv
import io
import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from mlref import errors
from mlref.serving.protocols.content import (
    CSV,
    JSON,
    JSON_LINES,
    NPY,
    TYPES,
    Content,
    choose,
    content_of,
    finite,
    write,
)

PREDICTIONS = arrays.arrays(
    np.float32,
    arrays.array_shapes(min_dims=1, max_dims=3, max_side=4),
    elements=st.floats(allow_nan=False, allow_infinity=False, width=32),
)


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        (None, Content(JSON)),
        ("", Content(JSON)),
        ("application/json", Content(JSON)),
        ("Application/JSON; charset=UTF-8", Content(JSON)),
        ("text/csv", Content(CSV)),
        ('text/csv; charset="utf-8"; header=present', Content(CSV, header=True)),
        ("text/csv;header=absent", Content(CSV, header=False)),
        ("application/jsonlines", Content(JSON_LINES)),
        ("application/x-jsonlines", Content("application/x-jsonlines")),
        ("application/x-npy", Content(NPY)),
    ],
)
def test_a_content_type_names_a_format(header: str | None, expected: Content) -> None:
    """Case, quotes and spaces do not matter; no header is JSON; CSV may declare its header line."""
    assert content_of(header) == expected


@pytest.mark.parametrize("header", ["text/libsvm", "image/png", "json", "application/x-npz", "*/*"])
def test_an_unknown_content_type_is_refused_with_what_there_is(header: str) -> None:
    """415, and the message lists every format that is read."""
    with pytest.raises(errors.RequestRefusedError) as caught:
        content_of(header)
    assert caught.value.status == 415
    assert all(kind in str(caught.value) for kind in TYPES)


@pytest.mark.parametrize(
    ("header", "encoding", "word"),
    [
        ("text/csv; charset=latin-1", None, "charset"),
        ("text/csv; header=maybe", None, "header"),
        ("text/csv", "gzip", "Content-Encoding"),
    ],
)
def test_a_body_that_could_be_misread_is_refused(
    header: str, encoding: str | None, word: str
) -> None:
    """Another character set, a compressed body, an unclear header line: 415 that says which."""
    with pytest.raises(errors.RequestRefusedError, match=word) as caught:
        content_of(header, encoding)
    assert caught.value.status == 415


@pytest.mark.parametrize(
    ("accept", "sent", "expected"),
    [
        (None, JSON, JSON),
        (None, CSV, CSV),
        (None, JSON_LINES, JSON),
        (None, NPY, JSON),
        ("*/*", CSV, CSV),
        ("*/*", NPY, JSON),
        ("text/*", JSON, CSV),
        ("application/*", CSV, JSON),
        ("text/csv", JSON, CSV),
        ("application/x-npy", CSV, NPY),
        ("application/x-jsonlines", CSV, "application/x-jsonlines"),
        ("text/csv;q=0.5, application/jsonlines", JSON, JSON_LINES),
        ("text/csv, application/json", CSV, CSV),
        ("text/csv, application/json", JSON, JSON),
        ("application/json;q=0, */*", JSON, CSV),  # the more precise range decides
        ("*/*;q=0.1, application/x-npy;q=0.2", JSON, NPY),
        ("image/png, */*;q=0.01", JSON, JSON),
        ("APPLICATION/JSON; verbose=true", CSV, JSON),
    ],
)
def test_accept_is_negotiated(accept: str | None, sent: str, expected: str) -> None:
    """RFC 9110, 12.5.1: the highest q wins, a precise range overrides a wide one, ties are ours."""
    assert choose(accept, Content(sent)) == expected


@pytest.mark.parametrize(
    "accept", ["image/png", "text/csv;q=0", "application/json;q=much", "*/*;q=0"]
)
def test_nothing_acceptable_is_refused_with_what_there_is(accept: str) -> None:
    """406, and the message lists every type that is written."""
    with pytest.raises(errors.RequestRefusedError) as caught:
        choose(accept, Content(JSON))
    assert caught.value.status == 406
    assert all(kind in str(caught.value) for kind in TYPES)


def test_predictions_are_written_as_described() -> None:
    """One number or several for a row, in each format, as in the hand-written bodies."""
    one, two = np.float32([0.25, 2]), np.float32([[0.25, 0.75], [1, 0]])
    assert write(one, JSON) == b'{"predictions":[0.25,2.0]}'
    assert write(one, CSV) == b"0.25\n2.0\n"
    assert write(one, JSON_LINES) == b'{"prediction":0.25}\n{"prediction":2.0}\n'
    assert write(two, CSV) == b"0.25,0.75\n1.0,0.0\n"
    assert write(two, JSON_LINES) == b'{"prediction":[0.25,0.75]}\n{"prediction":[1.0,0.0]}\n'
    assert write(np.int64([7, 2**60]), CSV) == b"7\n1152921504606846976\n"


@given(PREDICTIONS)
def test_every_format_gives_the_predictions_back(predictions: np.ndarray) -> None:
    """The standard library and NumPy read each body as exactly the numbers that were written."""
    cells = predictions.reshape(len(predictions), -1)
    document = json.loads(write(predictions, JSON))["predictions"]
    lines = write(predictions, JSON_LINES).splitlines()
    rows = list(csv.reader(io.StringIO(write(predictions, CSV).decode())))
    np.testing.assert_array_equal(np.float32(document), predictions)
    np.testing.assert_array_equal(
        np.float32([json.loads(line)["prediction"] for line in lines]), predictions
    )
    np.testing.assert_array_equal(np.array(rows, dtype=np.float32), cells)
    loaded = np.load(io.BytesIO(write(predictions, NPY)), allow_pickle=False)
    np.testing.assert_array_equal(loaded, predictions)
    assert loaded.dtype == predictions.dtype


def test_predictions_that_are_no_numbers_are_not_hidden() -> None:
    """NaN and infinity are an error that names the row; finite predictions pass unchanged."""
    good = np.float32([[1, 2], [3, 4]])
    assert finite(good) is good
    for bad in (np.nan, np.inf, -np.inf):
        with pytest.raises(errors.EndpointError, match="row 1"):
            finite(np.float32([[1, 2], [3, bad]]))
