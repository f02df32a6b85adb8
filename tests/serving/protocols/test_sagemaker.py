"""SageMaker's container contract, asked as SageMaker asks: by HTTP, of the whole application."""

from __future__ import annotations

import asyncio
import csv
import io
import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlref.artifact import Artifact
from mlref.serving import create_app
from mlref.serving.exchange import Request
from mlref.serving.protocols import sagemaker
from mlref.serving.protocols.handlers import Handlers
from mlref.serving.settings import Settings

CSV_ROWS = b"red,3,0.5\r\nblue,4,\r\n"
GOLDEN = [3.5, 8.0]  # red 1 x 3 + 0.5; blue 2 x 4, nothing on top


def _ask(app: Any, method: str, path: str, **arguments: Any) -> Any:
    """The response, whatever its format."""
    import httpx

    async def send() -> Any:
        transport = httpx.ASGITransport(app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
            return await client.request(method, path, **arguments)

    return asyncio.run(send())


def _invoke(app: Any, body: bytes, kind: str | None = "text/csv", **headers: str) -> Any:
    given = {name.replace("_", "-"): value for name, value in headers.items()}
    if kind is not None:
        given["content-type"] = kind
    return _ask(app, "POST", "/invocations", content=body, headers=given)


def test_ping_tells_whether_requests_are_welcome(colours: Artifact) -> None:
    """200 with a model, 503 with none and while the server drains."""
    app = create_app(colours)
    assert _ask(app, "GET", "/ping").status_code == 200
    assert _ask(create_app(), "GET", "/ping").status_code == 503
    app.engine.draining = True
    assert _ask(app, "GET", "/ping").status_code == 503


@pytest.mark.parametrize(
    ("max_body_mb", "in_flight", "payload_mb", "concurrent"),
    [(6, 4, 6, 4), (16, 128, 16, 6), (100, 128, 100, 1), (500, 128, 100, 1), (1, 128, 1, 100)],
)
def test_execution_parameters_keep_sagemakers_limits(
    max_body_mb: int, in_flight: int, payload_mb: int, concurrent: int
) -> None:
    """CreateTransformJob: a payload has at most 100 MB, and so have all at a time together."""
    settings = Settings(max_body_bytes=max_body_mb * 2**20, max_in_flight=in_flight)
    assert sagemaker.execution_parameters(settings) == {
        "MaxConcurrentTransforms": concurrent,
        "BatchStrategy": "MULTI_RECORD",
        "MaxPayloadInMB": payload_mb,
    }


def test_a_payload_limit_of_zero_is_never_told() -> None:
    """0 would mean "without limit" to a transform job."""
    told = sagemaker.execution_parameters(Settings(max_body_bytes=1000))
    assert told["MaxPayloadInMB"] == 1


def test_execution_parameters_are_served(colours_app: Any) -> None:
    """The route gives what the settings of this server allow."""
    response = _ask(colours_app, "GET", "/execution-parameters")
    assert response.json() == sagemaker.execution_parameters(colours_app.engine.settings)


@pytest.mark.parametrize(
    ("accept", "kind", "body"),
    [
        ("*/*", "text/csv", b"3.5\n8.0\n"),
        ("application/json", "application/json", b'{"predictions":[3.5,8.0]}'),
        (
            "application/jsonlines",
            "application/jsonlines",
            b'{"prediction":3.5}\n{"prediction":8.0}\n',
        ),
        ("text/csv;q=0.1, application/json", "application/json", b'{"predictions":[3.5,8.0]}'),
    ],
)
def test_rows_in_csv_are_answered_as_asked(
    colours_app: Any, accept: str, kind: str, body: bytes
) -> None:
    """CSV in gives CSV, unless Accept says otherwise."""
    response = _invoke(colours_app, CSV_ROWS, accept=accept)
    assert (response.status_code, response.headers["content-type"]) == (200, kind)
    assert response.content == body


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        (None, b'{"columns":{"colour":["red","blue"],"count":[3,4],"extra":[0.5,null]}}'),
        ("application/json", b'{"instances":[["red",3,0.5],["blue",4,null]]}'),
        (
            "application/json; charset=utf-8",
            b'{"instances":[{"colour":"red","count":3,"extra":0.5},["blue",4,null]]}',
        ),
        (
            "application/jsonlines",
            b'["red",3,0.5]\n{"colour":"blue","count":4,"extra":null}\n',
        ),
        ("application/x-jsonlines", b'["red",3,0.5]\n["blue",4,null]'),
    ],
)
def test_other_formats_are_answered_in_json(
    colours_app: Any, kind: str | None, body: bytes
) -> None:
    """Our wire with objects or lists, and JSON Lines under both names; no Content-Type is JSON."""
    response = _invoke(colours_app, body, kind)
    assert (response.status_code, response.headers["content-type"]) == (200, "application/json")
    assert response.json() == {"predictions": GOLDEN}


def test_a_matrix_travels_as_npy_both_ways(digits: Any) -> None:
    """NumPy's own files in and out, with the predictions of the original model."""
    stream = io.BytesIO()
    np.save(stream, digits.rows["pixels"][:20])
    response = _invoke(
        create_app(digits.artifact),
        stream.getvalue(),
        "application/x-npy",
        accept="application/x-npy",
    )
    predictions = np.load(io.BytesIO(response.content), allow_pickle=False)
    np.testing.assert_allclose(predictions, digits.expected[:20], atol=1e-5)


def test_real_flights_in_csv(champion: Any) -> None:
    """Strings, numbers and missing values of real rows, as pandas writes CSV, within 1e-5."""
    import pandas as pd

    frame = pd.DataFrame(champion.head(200))
    body = frame.to_csv(header=False, index=False).encode()
    response = _invoke(create_app(champion.artifact), body)
    rows = [float(row[0]) for row in csv.reader(io.StringIO(response.text))]
    np.testing.assert_allclose(rows, champion.expected[:200], atol=1e-5)


def test_rows_that_do_not_fit_are_422_with_every_problem(colours_app: Any) -> None:
    """Our refusal body in JSON, also to a request in CSV, with rows counted from 0."""
    response = _invoke(colours_app, b"red,3,0.5\nred,-1,x\nred\n")
    problems = response.json()["problems"]
    assert response.status_code == 422
    assert [(each["kind"], each["column"], each["rows"]) for each in problems] == [
        ("WrongLength", None, [2]),
        ("OutOfRange", "count", [1]),
        ("WrongType", "extra", [1]),
    ]
    assert "line 3" in problems[0]["message"]


@pytest.mark.parametrize(
    ("headers", "status", "words"),
    [
        ({"kind": "text/libsvm"}, 415, "text/csv"),
        ({"kind": "text/csv", "content_encoding": "gzip"}, 415, "uncompressed"),
        ({"kind": "text/csv", "accept": "image/png"}, 406, "application/x-npy"),
    ],
)
def test_what_is_not_spoken_is_refused(
    colours_app: Any, headers: dict[str, str], status: int, words: str
) -> None:
    """Unknown formats in either direction, with what there is."""
    response = _invoke(colours_app, CSV_ROWS, **headers)
    assert response.status_code == status
    assert words in response.json()["error"]


def test_custom_attributes_are_the_containers_own_word(colours_app: Any) -> None:
    """InvokeEndpoint: the model sets the header. A request's is not echoed; imputing is told."""
    name = "x-amzn-sagemaker-custom-attributes"
    plain = _invoke(colours_app, CSV_ROWS, **{name.replace("-", "_"): "trace=1"})
    assert name not in plain.headers
    told = _invoke(colours_app, b"green,5,2\n")
    assert told.content == b"52.0\n"  # an unknown colour costs 10: 10 x 5 + 2
    assert told.headers[name] == "warnings: colour: 1 unknown category imputed"


def test_custom_attributes_are_what_sagemaker_hands_on() -> None:
    """At most 1024 visible ASCII signs, whatever the columns are called."""
    value = sagemaker._told({f"spalte-ä\n{number}": 1 for number in range(100)})
    assert len(value) == 1024
    assert all(32 <= sign < 127 for sign in value)


ROWS = st.lists(
    st.fixed_dictionaries(
        {
            "colour": st.sampled_from(["red", "blue", 'gre"en', "a,b"]),
            "count": st.integers(0, 1000),
            "extra": st.none() | st.floats(0, 1e6, width=32),
        }
    ),
    min_size=1,
    max_size=4,
)


@given(ROWS)
def test_every_format_reaches_the_model_as_the_same_rows(
    colours: Artifact, rows: list[dict[str, Any]]
) -> None:
    """The codec makes the same block of CSV, JSON Lines, lists and objects."""
    codec = sagemaker.Invocations(colours)
    stream = io.StringIO(newline="")
    lists = [[row["colour"], row["count"], row["extra"]] for row in rows]
    csv.writer(stream).writerows(lists)
    bodies = {
        "application/json": json.dumps({"instances": lists}),
        "application/json; charset=utf-8": json.dumps({"instances": rows}),
        "application/jsonlines": "\n".join(json.dumps(row) for row in rows),
        "text/csv": stream.getvalue(),
    }
    blocks = [
        codec.read(
            Request("POST", "/invocations", [(b"content-type", kind.encode())], body.encode())
        )
        for kind, body in bodies.items()
    ]
    expected = {name: [row[name] for row in rows] for name in colours.inputs.names}
    expected["extra"] = [np.nan if value is None else value for value in expected["extra"]]
    for block in blocks:
        assert (block.n_rows, block.unknown) == (len(rows), blocks[0].unknown)
        for name, array in block.arrays(colours.inputs).items():
            np.testing.assert_array_equal(array, expected[name])


def test_handlers_answer_instead_of_the_codec(colours: Artifact) -> None:
    """With `answer`, /invocations is theirs, in a thread; the body's limit still holds."""
    from fastapi import FastAPI

    class Engine:
        """The part of an engine that the routes ask: no codec may be added."""

        settings = Settings(max_body_bytes=100)
        ready = True

    app = FastAPI()
    answer = Handlers().bind(colours.folder)
    sagemaker.add_routes(app, Engine(), answer=answer)  # type: ignore[arg-type]
    good = _invoke(app, CSV_ROWS)
    assert (good.content, good.headers["content-type"]) == (b"3.5\n8.0\n", "text/csv")
    assert _invoke(app, b"red,-1,0\n").status_code == 422
    assert _invoke(app, b"x" * 101).status_code == 413
