"""Vertex AI's container contract, asked by HTTP of the whole application."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlref.artifact import Artifact
from mlref.serving import create_app
from mlref.serving.exchange import Request
from mlref.serving.protocols import vertex

HEALTH = "/v1/endpoints/123/deployedModels/456"  # as the documentation shows its defaults
PREDICT = f"{HEALTH}:predict"
ROWS = [{"colour": "red", "count": 3, "extra": 0.5}, {"colour": "blue", "count": 4, "extra": None}]
LISTS = [["red", 3, 0.5], ["blue", 4, None]]
GOLDEN = [3.5, 8.0]  # red 1 x 3 + 0.5; blue 2 x 4, nothing on top


@pytest.fixture(scope="module")
def app(colours: Artifact) -> Any:
    """The application with Vertex AI's routes."""
    made = create_app(colours)
    vertex.add_routes(made, made.engine, health_route=HEALTH, predict_route=PREDICT)
    return made


@pytest.mark.parametrize("instances", [ROWS, LISTS, [ROWS[0], LISTS[1]]])
@pytest.mark.parametrize("parameters", [None, {}, {"on_unknown": "impute"}])
def test_instances_give_predictions(
    app: Any, ask: Any, instances: list[Any], parameters: dict[str, Any] | None
) -> None:
    """{"instances", "parameters"} -> {"predictions"}, one for each, in order."""
    document = {"instances": instances, "parameters": parameters}
    answer = ask(app, "POST", PREDICT, json=document)
    assert (answer.status, answer.body) == (200, {"predictions": GOLDEN})


def test_parameters_may_be_left_out(app: Any, ask: Any) -> None:
    """Only the instances are needed."""
    assert ask(app, "POST", PREDICT, json={"instances": LISTS}).body == {"predictions": GOLDEN}


def test_health_follows_the_server(colours: Artifact, ask: Any) -> None:
    """200 while requests are welcome and 503 after, also on a route that the server has itself."""
    app = create_app(colours)
    vertex.add_routes(app, app.engine, health_route="/health/live", predict_route="/predict")
    assert ask(app, "GET", "/health/live").status == 200
    app.engine.draining = True
    assert ask(app, "GET", "/health/live").status == 503


def test_an_unknown_category_is_refused_on_demand(app: Any, ask: Any) -> None:
    """parameters.on_unknown = "error" gives 422 where the default predicts."""
    document: dict[str, Any] = {"instances": [["green", 5, 2]]}
    assert ask(app, "POST", PREDICT, json=document).body == {"predictions": [52.0]}
    answer = ask(app, "POST", PREDICT, json=document | {"parameters": {"on_unknown": "error"}})
    (problem,) = answer.body["problems"]
    assert (answer.status, problem["kind"], problem["rows"]) == (422, "UnknownCategory", [0])


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"parameters": {"top_k": 3}}, "no parameter of this model"),
        ({"parameters": {"on_unknown": "guess"}}, "on_unknown must be"),
        ({"parameters": {"on_unknown": ["error"]}}, "on_unknown must be"),
        ({"parameters": [1]}, "parameters must be an object"),
        ({"parameters": False}, "parameters must be an object"),
        ({"on_unknown": "error"}, "not part of a request"),
        ({"columns": {}}, "not part of a request"),
        ({"instances": {"colour": ["red"]}}, "instances must be a list"),
        ({"instances": None}, "instances must be a list"),
        ({"instances": []}, "no rows"),
        ({"instances": [["red", 3]]}, "must hold 3 values"),
        ({"instances": [7]}, "must be an object"),
    ],
)
def test_what_is_not_a_request_is_told(
    app: Any, ask: Any, change: dict[str, Any], words: str
) -> None:
    """422 with {"error", "problems"}; our own wire's other forms are not Vertex AI's."""
    answer = ask(app, "POST", PREDICT, json={"instances": LISTS} | change)
    assert answer.status == 422
    assert answer.body["error"]
    assert any(words in problem["message"] for problem in answer.body["problems"])


def test_our_own_columns_are_not_its_wire(app: Any, ask: Any) -> None:
    """{"columns"} is refused here, though /v1/predict takes it."""
    columns = {"colour": ["red"], "count": [3], "extra": [0.5]}
    assert ask(app, "POST", "/v1/predict", json={"columns": columns}).status == 200
    assert ask(app, "POST", PREDICT, json={"columns": columns}).status == 422


def test_a_key_that_stands_twice_is_refused(app: Any, ask: Any) -> None:
    """Nobody can say which of the two was meant."""
    body = '{"instances":[["red",3,0.5]],"instances":[["blue",4,null]]}'
    answer = ask(app, "POST", PREDICT, content=body)
    assert answer.status == 422


def test_only_json_is_read(app: Any, ask: Any) -> None:
    """415, as Vertex AI sends JSON."""
    answer = ask(app, "POST", PREDICT, content="red,3,0.5", headers={"content-type": "text/csv"})
    assert answer.status == 415


@pytest.mark.parametrize("route", ["/v1/predict", PREDICT])
def test_one_path_cannot_be_two_things(colours: Artifact, route: str) -> None:
    """A path that the engine answers cannot be Vertex AI's prediction route or its health route."""
    app = create_app(colours)
    with pytest.raises(ValueError, match="path"):
        vertex.add_routes(app, app.engine, health_route=route, predict_route="/v1/predict")
    with pytest.raises(ValueError, match="health route"):
        vertex.add_routes(app, app.engine, health_route=PREDICT, predict_route=PREDICT)


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["red", "blue", "on_unknown", "green"]),
            st.integers(0, 1000),
            st.none() | st.floats(0, 1e6, width=32),
        ),
        min_size=1,
        max_size=4,
    ),
    st.sampled_from([None, (",", ":")]),
)
def test_the_short_way_and_the_long_way_agree(
    colours: Artifact, rows: list[tuple[Any, ...]], separators: Any
) -> None:
    """Objects, which are read quickly, and lists, which are not, make the same rows."""
    codec = vertex.Predict(colours)
    objects = [dict(zip(colours.inputs.names, row, strict=True)) for row in rows]
    blocks = [
        codec.read(
            Request(
                "POST", PREDICT, [], json.dumps({"instances": each}, separators=separators).encode()
            )
        )
        for each in (objects, rows)
    ]
    assert blocks[0].unknown == blocks[1].unknown
    short, long = (block.arrays(colours.inputs) for block in blocks)
    for name in colours.inputs.names:
        assert short[name].shape == (len(rows),)
        np.testing.assert_array_equal(short[name], long[name])
