"""Models to deploy, packed once for each test run, and a way to ask an application in memory."""

from __future__ import annotations

import asyncio
import os
import signal
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mlref.artifact import Artifact, pack
from mlref.schema import Column, Schema

CREATED = datetime(2020, 1, 1, tzinfo=UTC)
MANY = 10_000
_DOCKER = (
    "tests/aws/local/hosting/test_docker_workers.py",
    "tests/cli/test_containers_commands.py",
    "tests/containers/",
    "tests/contract/",
    "tests/e2e/test_one_image.py",
    "tests/targets/test_container.py",
)


def pytest_configure() -> None:
    """Let Ctrl-C reach what the tests start, also where a shell runs them in the background.

    Such a shell has them ignore it, and all that they start would ignore it, too.
    """
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Give a file to one of the processes, and all that Docker runs to one, too.

    What a command of `mlref containers` lists and removes is all that is there.
    """
    from xdist.scheduler import LoadFileScheduling

    class Scheduling(LoadFileScheduling):  # type: ignore[misc]
        def _split_scope(self, nodeid: str) -> str:
            path = nodeid.partition("::")[0]
            return "docker" if path.startswith(_DOCKER) else path

    return Scheduling(config, log)


@dataclass(frozen=True)
class Case:
    """A model under test: its artefact, and rows with what the original model says of them."""

    artifact: Artifact
    rows: Mapping[str, Any]
    expected: np.ndarray

    def head(self, count: int) -> dict[str, Any]:
        """The first rows."""
        return {name: values[:count] for name, values in self.rows.items()}


@pytest.fixture(scope="session")
def digits(tmp_path_factory: pytest.TempPathFactory) -> Case:
    """Ten classes from one matrix of floats: scikit-learn's digits and a logistic regression."""
    from skl2onnx import to_onnx
    from sklearn.datasets import load_digits
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import MinMaxScaler

    images, labels = load_digits(return_X_y=True)
    images = images.astype(np.float32)
    model = make_pipeline(MinMaxScaler(), LogisticRegression(max_iter=200))
    model.fit(images[:500], labels[:500])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        graph = to_onnx(
            model, initial_types=[("pixels", _float_type(64))], options={"zipmap": False}
        )
    order = np.random.default_rng(0).integers(0, len(images), MANY)
    artifact = pack(
        tmp_path_factory.mktemp("digits") / "artifact",
        model=graph,
        name="digits",
        version="1.0.0",
        inputs=Schema((Column("pixels", shape=(64,), low=0, high=16),)),
        golden={"pixels": images[:5]},
        expected=model.predict_proba(images[:5]),
        output="probabilities",
        created=CREATED,
    )
    return Case(artifact, {"pixels": images[order]}, model.predict_proba(images)[order])


@pytest.fixture(scope="session")
def diabetes(tmp_path_factory: pytest.TempPathFactory) -> Case:
    """A regression on ten named columns, one of them nullable: scikit-learn's diabetes data."""
    import pandas as pd
    from skl2onnx import to_onnx
    from sklearn.compose import ColumnTransformer
    from sklearn.datasets import load_diabetes
    from sklearn.ensemble import HistGradientBoostingRegressor
    from sklearn.pipeline import make_pipeline

    frame, target = load_diabetes(return_X_y=True, as_frame=True, scaled=False)
    frame = frame.astype(np.float32)
    frame.loc[frame.index % 7 == 0, "bmi"] = np.nan
    names = list(frame.columns)
    trees = HistGradientBoostingRegressor(max_iter=20, random_state=0)
    model = make_pipeline(ColumnTransformer([("all", "passthrough", names)]), trees)
    model.fit(frame, target / 100)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        graph = to_onnx(model, initial_types=[(name, _float_type(1)) for name in names])
    columns = [Column(name, nullable=name == "bmi", low=0, high=1000) for name in names]
    artifact = pack(
        tmp_path_factory.mktemp("diabetes") / "artifact",
        model=graph,
        name="diabetes",
        version="2.0.0",
        inputs=Schema(tuple(columns)),
        golden=frame[:8],
        expected=model.predict(frame[:8]),
        created=CREATED,
    )
    order = np.random.default_rng(1).integers(0, len(frame), MANY)
    rows = pd.DataFrame(frame.to_numpy()[order], columns=names)
    expected = model.predict(frame)[order]
    return Case(artifact, {name: rows[name].to_numpy() for name in names}, expected)


@pytest.fixture(scope="session")
def champion(tmp_path_factory: pytest.TempPathFactory) -> Case:
    """The flights model, and real flights with what the original predicts for them."""
    from mlref import flights, models

    model = models.train_champion(flights.load(flights.TRAINING_MONTHS))
    serving = flights.load(flights.SERVING_MONTHS)
    artifact = models.pack_model(
        tmp_path_factory.mktemp("champion") / "artifact",
        model,
        version="1.0.0",
        evaluation=models.evaluate(model, serving.iloc[::20]),
    )
    rows = serving.sample(MANY, random_state=2)[list(model.inputs.names)]
    return Case(artifact, {name: rows[name].to_numpy() for name in rows}, model.predict(rows))


@pytest.fixture(scope="session")
def colours(tmp_path_factory: pytest.TempPathFactory) -> Artifact:
    """A hand-written graph over every dtype: the price of so many things of a colour."""
    from onnx import TensorProto, helper

    def value(name: str, kind: int) -> Any:
        return helper.make_tensor_value_info(name, kind, [None, 1])

    nodes = [
        helper.make_node(
            "LabelEncoder",
            ["colour"],
            ["factor"],
            domain="ai.onnx.ml",
            keys_strings=["red", "blue"],
            values_floats=[1.0, 2.0],
            default_float=10.0,
        ),
        helper.make_node("Cast", ["count"], ["number"], to=TensorProto.FLOAT),
        helper.make_node("Mul", ["factor", "number"], ["product"]),
        helper.make_node("IsNaN", ["extra"], ["unknown"]),
        helper.make_node(
            "Constant", [], ["zero"], value=helper.make_tensor("z", TensorProto.FLOAT, [], [0.0])
        ),
        helper.make_node("Where", ["unknown", "zero", "extra"], ["known"]),
        helper.make_node("Add", ["product", "known"], ["price"]),
    ]
    graph = helper.make_graph(
        nodes,
        "colours",
        [
            value("colour", TensorProto.STRING),
            value("count", TensorProto.INT64),
            value("extra", TensorProto.FLOAT),
        ],
        [value("price", TensorProto.FLOAT)],
    )
    opsets = [helper.make_opsetid("", 18), helper.make_opsetid("ai.onnx.ml", 3)]
    return pack(
        tmp_path_factory.mktemp("colours") / "artifact",
        model=helper.make_model(graph, opset_imports=opsets, ir_version=9),
        name="colours",
        version="0.1.0",
        inputs=Schema(
            (
                Column("colour", dtype="string", categories=("red", "blue")),
                Column("count", dtype="int64", low=0, high=1000, description="how many"),
                Column("extra", nullable=True, unit="USD", description="on top"),
            )
        ),
        golden={"colour": ["red", "blue", "green"], "count": [3, 4, 5], "extra": [0.5, None, 2]},
        expected=[3.5, 8.0, 52.0],
        created=CREATED,
    )


@dataclass(frozen=True)
class Answer:
    """What an application answered."""

    status: int
    headers: Mapping[str, str]
    body: Any


@pytest.fixture(scope="session")
def ask() -> Callable[..., Answer]:
    """A function that sends one request to an ASGI application, without a network."""
    import httpx

    async def send(app: Any, method: str, path: str, arguments: dict[str, Any]) -> Answer:
        transport = httpx.ASGITransport(app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
            response = await client.request(method, path, **arguments)
        return Answer(response.status_code, response.headers, response.json())

    def asked(app: Any, method: str, path: str, **arguments: Any) -> Answer:
        return asyncio.run(send(app, method, path, arguments))

    return asked


@pytest.fixture(scope="session")
def colours_app(colours: Artifact) -> Any:
    """The application around the hand-written graph."""
    from mlref.serving import create_app

    return create_app(colours)


def _float_type(width: int) -> Any:
    from skl2onnx.common.data_types import FloatTensorType

    return FloatTensorType([None, width])


@pytest.fixture
def damaged(colours: Artifact, tmp_path: Path) -> Path:
    """An artefact's folder, one byte of whose model is not what was packed."""
    folder = tmp_path / "damaged"
    folder.mkdir()
    for file in colours.folder.iterdir():
        (folder / file.name).write_bytes(file.read_bytes())
    data = bytearray((folder / "model.onnx").read_bytes())
    data[-1] ^= 1
    (folder / "model.onnx").write_bytes(data)
    return folder


@pytest.fixture(scope="session")
def require() -> Callable[[str, bool, str], None]:
    """A function that skips the test when a part is absent, or fails it when CI requires the part.

    `require("tensorflow", found, "run `make tensorflow`")`: MLREF_REQUIRE lists, separated by
    commas, the parts that must be there.
    """

    def check(part: str, available: bool, how: str) -> None:  # noqa: FBT001 - reads well at the call
        if available:
            return
        if part in os.environ.get("MLREF_REQUIRE", "").split(","):
            pytest.fail(f"MLREF_REQUIRE asks for {part}, which is not here: {how}")
        pytest.skip(f"{part} is not here: {how}")

    return check
