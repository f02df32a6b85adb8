"""The application: routes, answers, and a refusal for every malformed request."""

from __future__ import annotations

import asyncio
import dataclasses
import json
import threading
import time
from typing import Any

import httpx
import numpy as np
import pytest

from mlref.artifact import Artifact
from mlref.errors import PROBLEM_KINDS
from mlref.serving import create_app

GOOD: dict[str, Any] = {"colour": ["red", "blue"], "count": [3, 4], "extra": [0.5, None]}
ROW: dict[str, Any] = {"colour": "red", "count": 3, "extra": 0.5}


def _with(**changed: Any) -> bytes:
    return json.dumps({"columns": GOOD | changed}).encode()


def _literal(column: str, text: str) -> bytes:
    return _with(**{column: ["@", GOOD[column][1]]}).replace(b'"@"', text.encode())


MALFORMED: dict[str, tuple[bytes, set[str]]] = {
    "no body": (b"", {"MalformedRequest"}),
    "spaces": (b" \n", {"MalformedRequest"}),
    "not JSON": (b"colour=red", {"MalformedRequest"}),
    "cut off": (_with()[:-1], {"MalformedRequest"}),
    "something after the end": (_with() + b"x", {"MalformedRequest"}),
    "comma at the end": (b'{"columns": {},}', {"MalformedRequest"}),
    "single quotes": (b"{'columns': {}}", {"MalformedRequest"}),
    "not UTF-8": (_with().replace(b"red", b"r\xe9d"), {"MalformedRequest"}),
    "UTF-16": (_with().decode().encode("utf-16"), {"MalformedRequest"}),
    "byte order mark": (b"\xef\xbb\xbf" + _with(), {"MalformedRequest"}),
    "a list": (b"[1, 2]", {"MalformedRequest"}),
    "a number": (b"1", {"MalformedRequest"}),
    "null": (b"null", {"MalformedRequest"}),
    "NaN alone": (b"NaN", {"MalformedRequest"}),
    "an empty object": (b"{}", {"MalformedRequest"}),
    "both forms": (
        json.dumps({"columns": GOOD, "instances": [ROW]}).encode(),
        {"MalformedRequest"},
    ),
    "unknown key": (json.dumps({"columns": GOOD, "rows": 1}).encode(), {"MalformedRequest"}),
    "bad policy": (json.dumps({"columns": GOOD, "on_unknown": 1}).encode(), {"MalformedRequest"}),
    "policy is NaN": (
        b'{"on_unknown": NaN, ' + _with()[1:],
        {"MalformedRequest"},
    ),
    "key twice": (b'{"columns": 1, ' + _with()[1:], {"MalformedRequest"}),
    "column twice": (_with().replace(b'"extra"', b'"count": [1, 2], "extra"'), {"ExtraColumn"}),
    "columns is a list": (b'{"columns": [1]}', {"MalformedRequest"}),
    "columns is null": (b'{"columns": null}', {"MalformedRequest"}),
    "columns is Infinity": (b'{"columns": Infinity}', {"MalformedRequest"}),
    "no columns": (b'{"columns": {}}', {"MissingColumn"}),
    "no rows": (b'{"columns": {"colour": [], "count": [], "extra": []}}', {"EmptyInput"}),
    "no instances": (b'{"instances": []}', {"EmptyInput"}),
    "instances is an object": (b'{"instances": {}}', {"MalformedRequest"}),
    "an instance is a list": (b'{"instances": [[1, 2, 3]]}', {"MalformedRequest"}),
    "an instance is NaN": (b'{"instances": [NaN]}', {"MalformedRequest"}),
    "an instance is empty": (b'{"instances": [{}]}', {"MissingColumn"}),
    "an instance has more": (
        json.dumps({"instances": [ROW | {"more": 1}]}).encode(),
        {"ExtraColumn"},
    ),
    "an instance has null": (
        json.dumps({"instances": [ROW | {"count": None}]}).encode(),
        {"MissingValue"},
    ),
    "NaN": (_literal("extra", "NaN"), {"NotFinite"}),
    "Infinity": (_literal("extra", "Infinity"), {"NotFinite"}),
    "-Infinity in a whole number": (_literal("count", "-Infinity"), {"NotFinite"}),
    "NaN in text": (_literal("colour", "NaN"), {"WrongType"}),
    "1e999": (_literal("extra", "1e999"), {"NotFinite"}),
    "beyond float32": (_literal("extra", "1e39"), {"NotFinite"}),
    "9999 digits": (_literal("extra", "9" * 9999), {"NotFinite"}),
    "boolean": (_with(extra=[True, 1.0]), {"WrongType"}),
    "boolean for a whole number": (_with(count=[1, False]), {"WrongType"}),
    "numeric text": (_with(extra=["1.5", 1.0]), {"WrongType"}),
    "fraction for a whole number": (_with(count=[1.5, 1]), {"WrongType"}),
    "number for text": (_with(colour=["red", 1]), {"WrongType"}),
    "list for a number": (_with(extra=[[1.0], 1.0]), {"WrongType"}),
    "list for text": (_with(colour=[["red"], ["blue"]]), {"WrongType"}),
    "lists for text": (_with(colour=[["red", "blue"], ["red", "blue"]]), {"WrongType"}),
    "object for text": (_with(colour=[{"a": 1}, "red"]), {"WrongType"}),
    "half a surrogate": (_literal("colour", '"\\ud800"'), {"WrongType"}),
    "a column is text": (_with(colour="red"), {"WrongType"}),
    "a column is a number": (_with(extra=1.0), {"WrongType"}),
    "a column is null": (_with(count=None), {"WrongType"}),
    "a column is an object": (_with(colour={"red": 1, "blue": 2}), {"WrongType"}),
    "null where not allowed": (_with(count=[1, None]), {"MissingValue"}),
    "out of range": (_with(count=[1, 1001]), {"OutOfRange"}),
    "wrong length": (_with(count=[1, 2, 3]), {"WrongLength"}),
    "extra column": (_with(more=[1, 2]), {"ExtraColumn"}),
    "column name half a surrogate": (_with(**{"\ud800": [1, 2]}), {"ExtraColumn"}),
    "unknown category": (
        json.dumps({"columns": GOOD | {"colour": ["red", "pink"]}, "on_unknown": "error"}).encode(),
        {"UnknownCategory"},
    ),
    "brackets without end": (b"[" * 100_000, {"MalformedRequest"}),
    "objects without end": (b'{"columns":' * 100_000, {"MalformedRequest"}),
    "nested as deep as it is read": (
        _literal("colour", "[" * 800 + "]" * 800),
        {"WrongType"},
    ),
    "three things at once": (
        _with(count=[True, 1], extra=["x", 1.0], more=[1, 2]),
        {"WrongType", "ExtraColumn"},
    ),
}


@pytest.mark.parametrize(("body", "kinds"), MALFORMED.values(), ids=MALFORMED)
def test_a_malformed_request_is_refused_with_its_reasons(
    ask: Any, colours_app: Any, body: bytes, kinds: set[str]
) -> None:
    """422, with problems of the expected kinds and a message each."""
    answer = ask(colours_app, "POST", "/v1/predict", content=body)
    assert answer.status == 422
    assert {problem["kind"] for problem in answer.body["problems"]} == kinds
    assert kinds <= set(PROBLEM_KINDS)
    for problem in answer.body["problems"]:
        assert set(problem) == {"kind", "message", "column", "rows"}
        assert 0 < len(problem["message"]) < 400


def test_a_prediction_names_the_model_and_counts_what_it_imputed(
    ask: Any, colours_app: Any
) -> None:
    """Predictions stand in the rows' order; an unknown colour is a warning."""
    body = {"columns": {"colour": ["red", "pink"], "count": [3, 2], "extra": [0.5, None]}}
    answer = ask(colours_app, "POST", "/v1/predict", json=body)
    assert answer.status == 200
    assert answer.headers["content-type"] == "application/json"
    assert answer.body == {
        "predictions": [3.5, 20.0],
        "model": {"name": "colours", "version": "0.1.0"},
        "warnings": ["colour: 1 unknown category imputed"],
    }


@pytest.mark.parametrize(
    "headers",
    [
        {"Content-Type": "application/json"},
        {"Content-Type": "Application/JSON; charset=UTF-8"},
        {"Content-Type": 'application/json; charset="utf-8"'},
        {"Content-Encoding": "identity"},
        {},
    ],
    ids=str,
)
def test_json_is_taken_with_or_without_its_name(
    ask: Any, colours_app: Any, headers: dict[str, str]
) -> None:
    """application/json and no Content-Type at all are read."""
    answer = ask(colours_app, "POST", "/v1/predict", content=_with(), headers=headers)
    assert answer.status == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"Content-Type": "text/csv"},
        {"Content-Type": "application/x-www-form-urlencoded"},
        {"Content-Type": "application/json; charset=utf-16"},
        {"Content-Encoding": "gzip"},
    ],
    ids=str,
)
def test_another_type_of_body_is_refused(
    ask: Any, colours_app: Any, headers: dict[str, str]
) -> None:
    """415, in the form of every refusal, with what was got."""
    answer = ask(colours_app, "POST", "/v1/predict", content=_with(), headers=headers)
    assert answer.status == 415
    assert answer.body["problems"] == []
    assert next(iter(headers.values())).split("=")[-1] in answer.body["error"]


def test_health_and_model_tell_what_is_served(
    ask: Any, colours_app: Any, colours: Artifact
) -> None:
    """/health is ok; /v1/model has the schema and the artefact's digest, and no file list."""
    health = ask(colours_app, "GET", "/health")
    assert (health.status, health.body) == (
        200,
        {"status": "ok", "model": {"name": "colours", "version": "0.1.0"}},
    )
    model = ask(colours_app, "GET", "/v1/model").body
    assert model["digest"] == colours.digest
    assert model["inputs"] == colours.inputs.to_list()
    assert model["outputs"] == [{"name": "price", "dtype": "float32", "shape": []}]
    assert set(model) == {"name", "version", "created", "digest", "inputs", "outputs"}


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/no", 404),
        ("POST", "/", 405),
        ("GET", "/v1/predict", 405),
        ("POST", "/v1/no", 404),
        ("PUT", "/x", 404),
    ],
)
def test_what_is_not_there_is_told_in_json(
    ask: Any, colours_app: Any, method: str, path: str, status: int
) -> None:
    """404 and 405 have the form of every refusal."""
    answer = ask(colours_app, method, path)
    assert answer.status == status
    assert answer.body["problems"] == []
    assert f"{method} {path}" in answer.body["error"]
    assert answer.body["error"].endswith("GET / lists what there is")


def test_the_index_lists_every_route(ask: Any, colours_app: Any) -> None:
    """GET / names the model and all there is, without a page that needs the internet."""
    answer = ask(colours_app, "GET", "/")
    assert answer.status == 200
    assert answer.body["model"] == {"name": "colours", "version": "0.1.0"}
    listed = {tuple(route.split(" ")): text for route, text in answer.body["routes"].items()}
    there = {(method, r.path) for r in colours_app.routes for method in r.methods - {"HEAD"}}
    there |= {("POST", path) for path in colours_app.engine.routes.summaries}
    assert set(listed) == there
    assert all(listed.values())
    described = ask(colours_app, "GET", "/openapi.json").body["paths"]
    for path, methods in described.items():
        for method, told in methods.items():
            assert told["summary"] == listed[method.upper(), path]


class _Graph:
    """A graph that does what a test tells it to."""

    def __init__(self, result: float = 0.0) -> None:
        self.result = result
        self.warming_up = True
        self.started, self.go_on = threading.Event(), threading.Event()

    def run(self, _arrays: Any, n_rows: int) -> np.ndarray:
        if self.warming_up:  # be slow, and known to be
            until_s = time.thread_time() + 0.01
            while time.thread_time() < until_s:
                pass
            return np.zeros(n_rows, dtype=np.float32)
        self.started.set()
        assert self.go_on.wait(30)
        return np.full(n_rows, self.result, dtype=np.float32)


def test_health_answers_while_a_request_is_predicted(colours: Artifact) -> None:
    """A prediction that takes its time does not keep /health waiting."""
    graph: Any = _Graph()
    app = create_app(dataclasses.replace(colours, graph=graph))
    graph.warming_up = False

    async def both() -> tuple[int, int]:
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
            slow = asyncio.create_task(client.post("/v1/predict", content=_with()))
            assert await asyncio.to_thread(graph.started.wait, 30)
            health = await client.get("/health")
            assert not slow.done()
            graph.go_on.set()
            return health.status_code, (await slow).status_code

    assert asyncio.run(both()) == (200, 200)


@pytest.mark.parametrize("result", [float("nan"), float("inf")])
def test_a_model_without_an_answer_is_the_servers_fault(
    ask: Any, colours: Artifact, result: float
) -> None:
    """NaN from the model is no silent null: 500, and the message says which row."""
    graph: Any = _Graph(result)
    graph.go_on.set()
    app = create_app(dataclasses.replace(colours, graph=graph))
    graph.warming_up = False
    answer = ask(app, "POST", "/v1/predict", content=_with())
    assert answer.status == 500
    assert "no finite number for row 0" in answer.body["error"]


def test_a_failure_of_the_server_is_told_in_json(ask: Any, colours: Artifact) -> None:
    """What breaks inside gives 500 in the form of every refusal, without its insides."""
    broken: Any = _Graph()
    app = create_app(dataclasses.replace(colours, graph=broken))
    broken.warming_up = broken.go_on = None
    answer = ask(app, "POST", "/v1/predict", content=_with())
    assert (answer.status, answer.body["problems"]) == (500, [])
    assert "NoneType" not in answer.body["error"]


def test_no_two_routes_overlap(colours_app: Any) -> None:
    """Each path has one route; of /v2, /v2/predict is ours and the rest the protocol's."""
    ordinary = {route.path: route for route in colours_app.routes}
    hot = colours_app.engine.routes
    assert len(ordinary) == len(colours_app.routes)
    assert not set(ordinary) & set(hot.summaries)
    assert {"/", "/health", "/v1/model", "/metrics", "/ping", "/v2", "/docs"} <= set(ordinary)
    assert {"/v1/predict", "/v2/predict", "/invocations"} <= set(hot.summaries)
    for path, route in ordinary.items():
        assert [other for other in ordinary if route.path_regex.match(other)] == [path]
        assert not [other for other in hot.summaries if route.path_regex.match(other)]
        assert hot.find_path(path) is None
    second = {path for path in {*ordinary, *hot.summaries} if path.startswith("/v2/")}
    standard = ("/v2/health", "/v2/models/", "/v2/repository/")
    assert {path for path in second if not path.startswith(standard)} == {"/v2/predict"}
