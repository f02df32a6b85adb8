"""Which targets are the engine's, and whose model they name."""

from __future__ import annotations

import tracemalloc

import pytest

from mlref.serving.protocols.native import PredictV1, PredictV2
from mlref.serving.protocols.open_inference import Infer, model_of
from mlref.serving.routes import Route, Routes

INFER = "/v2/models/{model}/infer"


@pytest.fixture
def routes() -> Routes:
    """Two exact paths and one with a model in it."""
    found = Routes()
    found.add("/v1/predict", PredictV1, "Rows")
    found.add("/v2/predict", PredictV2, "The same")
    found.add_resolver(INFER, model_of, Infer, "Tensors")
    return found


V1, V2 = Route("/v1/predict", PredictV1), Route("/v2/predict", PredictV2)


@pytest.mark.parametrize(
    ("target", "route"),
    [
        (b"/v1/predict", V1),
        (b"/v2/predict", V2),
        (b"/v1/predict?", V1),
        (b"/v1/predict?more=1", V1),
        (b"/v1/predict?model=m", Route("/v1/predict", PredictV1, "m")),
        (b"/v1/predict?version=2.0.0", Route("/v1/predict", PredictV1, None, "2.0.0")),
        (b"/v1/predict?version=2&model=a%20b", Route("/v1/predict", PredictV1, "a b", "2")),
        (b"/v1/pr%65dict", V1),
        (b"/%76%31/predict?model=m", Route("/v1/predict", PredictV1, "m")),
        (b"/v2/models/m/infer", Route(INFER, Infer, "m")),
        (b"/v2/models/m/versions/1.0/infer", Route(INFER, Infer, "m", "1.0")),
        (b"/v2/models/%6d/infer", Route(INFER, Infer, "m")),
    ],
)
def test_a_target_leads_to_its_route(routes: Routes, target: bytes, route: Route) -> None:
    """Exact, percent-encoded, with a query that names the model, or with the model in the path."""
    for _ in range(2):  # the second time it is remembered
        assert routes.find(target) == route


@pytest.mark.parametrize(
    "target",
    [
        b"", b"/", b"*", b"?model=m", b"/v1/predict/", b"//v1/predict", b"/V1/predict",
        b"/v1/predict%3Fmodel=m", b"http://host/v1/predict", b"/v1/predict/../predict",
        b"/v2/models/m/infer/", b"/v2/models//infer", b"/v2/models/a%2Fb/infer", b"/%", b"/%zz",
        b"/\xff\xfe", b"/v1/predict\x00", b"/v2/models/m\n/infer",
    ],
)  # fmt: skip
def test_any_other_target_is_not_ours(routes: Routes, target: bytes) -> None:
    """None, and no error, however odd it is."""
    assert routes.find(target) is None


def test_a_path_is_found_decoded_as_well(routes: Routes) -> None:
    """`find_path` takes what a framework gives."""
    assert routes.find_path("/v1/predict", b"model=m") == Route("/v1/predict", PredictV1, "m")
    assert routes.find_path("/v2/models/m/infer") == Route(INFER, Infer, "m")
    assert routes.find_path("/") is None


@pytest.mark.parametrize("path", ["/v1/predict", "predict", ""])
def test_a_path_that_cannot_be_had_is_refused(routes: Routes, path: str) -> None:
    """A path is given once, and begins with a slash."""
    with pytest.raises(ValueError, match="a path of its own"):
        routes.add(path, PredictV1, "Rows")


def test_a_route_that_is_added_later_wins_over_what_was_remembered(routes: Routes) -> None:
    """An exact path goes before a resolver, also when the resolver answered before."""
    target = b"/v2/models/m/infer"
    assert routes.find(target) == Route(INFER, Infer, "m")
    routes.add("/v2/models/m/infer", PredictV2, "One model")
    assert routes.find(target) == Route("/v2/models/m/infer", PredictV2)


def test_the_templates_are_listed(routes: Routes) -> None:
    """In the order in which they were added, each with what it is for."""
    told = {"/v1/predict": "Rows", "/v2/predict": "The same", INFER: "Tensors"}
    assert list(routes.summaries.items()) == list(told.items())


def test_a_path_is_in_the_routes_or_not(routes: Routes) -> None:
    """Exact paths and those that a resolver knows are; others are not."""
    paths = ("/v1/predict", "/v2/models/m/infer", "/health", "/v2/models/m")
    assert [path in routes for path in paths] == [True, True, False, False]


@pytest.mark.parametrize("prefix", [b"/v1/predict?model=m&n=", b"/v1/other?n="])
@pytest.mark.parametrize("size", [100, 20_000])
def test_strange_targets_do_not_fill_the_memory(routes: Routes, prefix: bytes, size: int) -> None:
    """Of 3,000 different targets, short or long, no more than 2 MB is remembered."""

    def ask(first: int, last: int) -> int:
        for number in range(first, last):
            routes.find(prefix + b"%d&pad=" % number + b"x" * size)
        return tracemalloc.get_traced_memory()[0]

    tracemalloc.start()
    try:
        before = ask(0, 1)
        assert ask(1, 3000) - before < 2_000_000
    finally:
        tracemalloc.stop()
    assert routes.find(b"/v1/predict?model=new") == Route("/v1/predict", PredictV1, "new")
