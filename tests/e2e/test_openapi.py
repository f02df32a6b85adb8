"""The OpenAPI document against the server that it describes, by schemathesis."""

from __future__ import annotations

from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    negative_data_rejection,
    response_schema_conformance,
    status_code_conformance,
)

from mlref.serving import create_app

CHECKS = [
    not_a_server_error,
    content_type_conformance,
    negative_data_rejection,
    response_schema_conformance,
    status_code_conformance,
]


@pytest.fixture(scope="module", params=["colours", "champion"])
def app(request: pytest.FixtureRequest) -> Any:
    """The application of a model with all dtypes, and of the flights model."""
    model = request.getfixturevalue(request.param)
    return create_app(getattr(model, "artifact", model))


@pytest.mark.parametrize("path", ["/v1/predict", "/v2/predict"])
def test_whatever_the_document_allows_or_not_is_answered_as_it_says(app: Any, path: str) -> None:
    """Requests drawn from the document, valid and not: no 5xx, and answers as described.

    The document cannot say that columns have one length, so a valid one may get 422.
    """
    document = schemathesis.openapi.from_asgi("/openapi.json", app)
    operation = document[path]["POST"]
    seen: set[int] = set()

    for mode in (schemathesis.GenerationMode.POSITIVE, schemathesis.GenerationMode.NEGATIVE):

        @settings(
            max_examples=30,
            deadline=None,
            derandomize=True,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @_given(operation, mode)
        def ask(case: Any) -> None:
            response = case.call(app=app)
            seen.add(response.status_code)
            case.validate_response(response, checks=CHECKS)

        ask()
    assert {200, 422} <= seen


def _given(operation: Any, mode: Any) -> Any:
    from hypothesis import given

    return given(case=operation.as_strategy(generation_mode=mode))
