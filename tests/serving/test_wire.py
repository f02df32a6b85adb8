"""The OpenAPI document: generated from the artefact, and true."""

from __future__ import annotations

import json
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from mlref import errors
from mlref.schema import Column, Schema
from mlref.serving import create_app
from mlref.serving.wire import dump, problems_of, refusal, request_schema


@pytest.fixture(params=["colours", "digits", "diabetes"])
def app(request: pytest.FixtureRequest) -> Any:
    """An application around each model."""
    model: Any = request.getfixturevalue(request.param)
    return create_app(getattr(model, "artifact", model))


def _predict(ask: Any, app: Any) -> dict[str, Any]:
    document = ask(app, "GET", "/openapi.json").body
    assert document["openapi"].startswith("3.1")
    operation: dict[str, Any] = document["paths"]["/v1/predict"]["post"]
    return operation


def test_every_example_of_the_document_works(ask: Any, app: Any) -> None:
    """Both request examples give 200 and the answer that the document shows."""
    operation = _predict(ask, app)
    examples = operation["requestBody"]["content"]["application/json"]["examples"]
    shown = operation["responses"]["200"]["content"]["application/json"]["example"]
    assert set(examples) == {"columns", "instances"}
    for example in examples.values():
        answer = ask(app, "POST", "/v1/predict", json=example["value"])
        assert answer.status == 200
        assert len(answer.body["predictions"]) == len(shown["predictions"])
        assert answer.body["model"] == shown["model"]


def test_requests_and_answers_fit_the_documents_schemas(ask: Any, app: Any) -> None:
    """The schemas are valid JSON Schema, and hold for the examples and for real answers."""
    operation = _predict(ask, app)
    request = operation["requestBody"]["content"]["application/json"]
    Draft202012Validator.check_schema(request["schema"])
    for example in request["examples"].values():
        Draft202012Validator(request["schema"]).validate(example["value"])
    good = ask(app, "POST", "/v1/predict", json=request["examples"]["columns"]["value"])
    answers = {"200": good}
    answers["422"] = ask(app, "POST", "/v1/predict", json={"columns": {"strange": [1]}})
    answers["415"] = ask(app, "POST", "/v1/predict", headers={"Content-Type": "text/csv"})
    answers["404"] = ask(app, "POST", "/v1/predict?model=other", json={})
    answers["413"] = ask(app, "POST", "/v1/predict", content=b" " * (2**24 + 1))
    assert set(operation["responses"]) == {*answers, "503"}
    for status, answer in answers.items():
        assert answer.status == int(status)
        schema = operation["responses"][status]["content"]["application/json"]["schema"]
        Draft202012Validator.check_schema(schema)
        Draft202012Validator(schema).validate(answer.body)


@pytest.mark.parametrize(
    "columns",
    [
        {"x": [None], "s": ["a"]},
        {"x": [101], "s": ["a"]},
        {"x": [1], "s": [1]},
        {"x": [], "s": []},
        {"x": [1]},
        {"x": [1], "s": ["a"], "more": [1]},
        {"x": [True], "s": ["a"]},
    ],
    ids=str,
)
def test_the_request_schema_refuses_what_the_server_refuses(columns: dict[str, Any]) -> None:
    """Ranges, nulls, types, absent and strange columns are part of the schema."""
    schema = Schema((Column("x", low=0, high=100), Column("s", dtype="string", nullable=True)))
    validator = Draft202012Validator(request_schema(schema))
    assert validator.is_valid({"columns": {"x": [1, 2.5], "s": ["a", None]}})
    assert validator.is_valid({"instances": [{"x": 1, "s": None}], "on_unknown": "error"})
    assert not validator.is_valid({"columns": columns})


def test_the_document_pages_open(colours_app: Any) -> None:
    """/docs is a page that loads the document."""
    import asyncio

    import httpx

    async def get() -> httpx.Response:
        transport = httpx.ASGITransport(colours_app)
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
            return await client.get("/docs")

    page = asyncio.run(get())
    assert page.status_code == 200
    assert "/openapi.json" in page.text


def test_problems_come_back_from_the_body_of_a_refusal() -> None:
    """With their kinds, columns and rows; from what is none of ours come none."""
    problems = [
        errors.MissingColumnError("temp is missing", column="temp"),
        errors.MalformedRequestError("no JSON", rows=[3]),
    ]
    back = problems_of(json.loads(dump(refusal("wrong", problems))))
    assert [(type(each), each.as_dict()) for each in back] == [
        (type(each), each.as_dict()) for each in problems
    ]
    assert problems_of({"error": "busy"}) == problems_of([]) == problems_of(None) == []
