"""The models of a server: which one is asked, and that a swap loses no request."""

from __future__ import annotations

import asyncio
import dataclasses
import re
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest

from mlref.artifact import Artifact
from mlref.errors import UnknownModelError
from mlref.schema import Schema
from mlref.serving.batching import Batcher
from mlref.serving.exchange import Request, block_of
from mlref.serving.protocols.native import PredictV1, PredictV2
from mlref.serving.repository import Repository, Served
from mlref.serving.routing import Shadow, Weighted
from mlref.serving.settings import DEFAULT_SETTINGS

ASKED = Request("POST", "/v1/predict", ())


class _Constant:
    """A graph that answers a number, whatever it is asked."""

    output_dtype, output_shape = "float32", ()

    def __init__(self, number: float) -> None:
        self.number = number

    def run(self, _arrays: Any, n_rows: int) -> np.ndarray:
        return np.full(n_rows, self.number, dtype=np.float32)


@pytest.fixture
def version(colours: Artifact) -> Callable[..., Artifact]:
    """A function that makes a version of a model, which answers a number."""

    def made(text: str, number: float = 0, *, name: str = "m", inputs: Any = None) -> Artifact:
        manifest = dataclasses.replace(
            colours.manifest, name=name, version=text, inputs=inputs or colours.inputs
        )
        graph: Any = _Constant(number)
        return dataclasses.replace(colours, manifest=manifest, graph=graph)

    return made


@pytest.fixture
def repository() -> Repository:
    """An empty one; its batches never leave the loop's thread."""
    executor: Any = None
    return Repository(lambda artifact: Batcher(artifact, executor, DEFAULT_SETTINGS, _ignore))


def _ignore(_rows: int, _requests: int, _seconds: float) -> None:
    """Observe nothing."""


@pytest.fixture
def filled(repository: Repository, version: Callable[..., Artifact]) -> Repository:
    """Two versions of m, and then one of n."""
    for artifact in (version("1", 1), version("2", 2), version("9", 9, name="n")):
        repository.add(artifact)
    return repository


def test_nothing_is_found_in_an_empty_repository(repository: Repository) -> None:
    """The message says what to do."""
    assert (len(repository), repository.names(), repository.served()) == (0, (), ())
    with pytest.raises(UnknownModelError, match="no model; load one"):
        repository.find()


def test_the_first_model_and_the_last_version_are_the_default(filled: Repository) -> None:
    """A name or a version finds another one."""
    asked = [(), ("m",), ("m", "1"), ("n",), (None, "1")]
    found = [filled.find(*each) for each in asked]
    assert [(each.name, each.version) for each in found] == [
        ("m", "2"), ("m", "2"), ("m", "1"), ("n", "9"), ("m", "1"),
    ]  # fmt: skip
    assert (len(filled), filled.names(), filled.versions("m")) == (2, ("m", "n"), ("1", "2"))
    assert [(each.name, each.version) for each in filled.served()] == [
        ("m", "1"), ("m", "2"), ("n", "9"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("name", "number", "message"),
    [
        ("x", None, "no model 'x' here; there are: m, n"),
        ("x", "1", "no model 'x' here; there are: m, n"),
        ("m", "3", "m has no version '3'; it has: 1, 2"),
        (None, "9", "m has no version '9'; it has: 1, 2"),
    ],
)
def test_what_is_not_there_is_told_with_what_is(
    filled: Repository, name: str | None, number: str | None, message: str
) -> None:
    """An unknown name or version lists those that there are, wherever it is named."""
    exactly = f"^{re.escape(message)}$"
    with pytest.raises(UnknownModelError, match=exactly):
        filled.find(name, number)
    with pytest.raises(UnknownModelError, match=exactly):
        filled.choose(name, number, ASKED)
    if name is not None:
        with pytest.raises(UnknownModelError, match=exactly):
            filled.remove(name, number)
    if name == "x":
        for method in (filled.versions, filled.route):
            with pytest.raises(UnknownModelError, match=exactly):
                method(name)


def test_a_version_takes_the_place_of_another_of_its_name(
    filled: Repository, version: Callable[..., Artifact]
) -> None:
    """The last that was added is asked, also when there was one of that version before."""
    before = filled.find("m", "1")
    after = filled.add(version("1", 10))
    assert filled.find("m") is filled.find("m", "1") is after is not before
    assert filled.versions("m") == ("1", "2")


def test_removal_goes_back_to_the_version_before(filled: Repository) -> None:
    """Without its current version a model has the one before; without any it is gone."""
    filled.remove("m", "2")
    assert filled.find().version == "1"
    filled.remove("m", "1")
    assert (filled.names(), filled.find().name) == (("n",), "n")
    filled.remove("n")
    assert len(filled) == 0


def test_a_version_that_is_not_asked_leaves_without_a_trace(filled: Repository) -> None:
    """The current version stays."""
    filled.remove("m", "1")
    assert (filled.find().version, filled.versions("m")) == ("2", ("2",))


def test_a_codec_is_made_once_for_each_model_and_kind(filled: Repository) -> None:
    """Reading a schema takes time that no request should pay twice."""
    served = filled.find("m")
    one = served.codec(PredictV1)
    assert isinstance(one, PredictV1)
    assert served.codec(PredictV1) is one
    assert type(served.codec(PredictV2)) is PredictV2
    assert filled.find("n").codec(PredictV1) is not one


def test_a_router_chooses_unless_a_version_is_named(filled: Repository) -> None:
    """It is asked with the request, for its own model only; None takes it away again."""
    seen: list[Request] = []

    def router(request: Request) -> str:
        seen.append(request)
        return "1"

    filled.route("m", router=router)
    chosen = [filled.choose(*each, ASKED) for each in ((None, None), ("m", "2"), ("n", None))]
    assert [each.version for each in chosen] == ["1", "2", "9"]
    assert seen == [ASKED]
    filled.route("m")
    assert filled.choose(None, None, ASKED).version == "2"


def test_a_router_to_a_version_that_is_not_there(
    filled: Repository, caplog: pytest.LogCaptureFixture
) -> None:
    """Refused when it is set, if it tells its versions; otherwise the current one answers."""
    with pytest.raises(UnknownModelError, match="m has no version '3'; it has: 1, 2"):
        filled.route("m", router=Weighted({"1": 1, "3": 1}))
    assert filled.choose("m", None, ASKED).version == "2"
    filled.route("m", router=lambda _: "3")
    assert [filled.choose("m", None, ASKED).version for _ in range(3)] == ["2"] * 3
    assert caplog.messages == ["the router of m names version '3', which is not here"]


def test_who_names_no_version_is_answered_when_a_routed_version_is_removed(
    filled: Repository,
) -> None:
    """A canary that is taken out of service takes no requests with it."""
    filled.route("m", router=Weighted({"1": 1, "2": 1}))
    filled.remove("m", "1")
    assert {filled.choose(None, None, ASKED).version for _ in range(50)} == {"2"}


def _shadow(text: str) -> Shadow:
    return Shadow(text, lambda _: None)


def test_a_shadow_stands_behind_the_other_versions(filled: Repository) -> None:
    """Not behind itself, nor behind other models; and it is gone with its version."""
    shadow = _shadow("1")
    filled.route("m", shadow=shadow)
    assert filled.shadow_of(filled.find("m")) == (shadow, filled.find("m", "1"))
    assert filled.shadow_of(filled.find("m", "1")) is None
    assert filled.shadow_of(filled.find("n")) is None
    served = filled.find("m")
    filled.remove("m", "1")
    assert filled.shadow_of(served) is None
    filled.remove("m")
    assert filled.shadow_of(served) is None


def _turned(colours: Artifact) -> Schema:
    """The same columns in another order, in which no block has them."""
    return Schema(tuple(colours.inputs)[::-1])


def test_a_shadow_with_other_columns_is_refused(
    filled: Repository, version: Callable[..., Artifact], colours: Artifact
) -> None:
    """It could not read the same rows; nothing is changed."""
    filled.add(version("3", inputs=_turned(colours)))
    filled.add(version("4"))
    with pytest.raises(ValueError, match="m 3 takes other columns than 4"):
        filled.route("m", shadow=_shadow("3"))
    with pytest.raises(UnknownModelError, match="no version '5'"):
        filled.route("m", shadow=_shadow("5"))
    assert filled.shadow_of(filled.find("m")) is None


def test_a_shadow_never_sees_rows_of_other_columns(
    filled: Repository, version: Callable[..., Artifact], colours: Artifact
) -> None:
    """A version that is added later, with other columns, has no shadow that cannot read them."""
    filled.route("m", shadow=_shadow("1"))
    later = filled.add(version("3", inputs=_turned(colours)))
    assert filled.shadow_of(later) is None
    assert filled.shadow_of(filled.find("m", "2")) is not None


class _Asked:
    """Somebody who waits for predictions of the version that was current."""

    def __init__(self, served: Served) -> None:
        inputs = served.artifact.inputs
        rows = {"colour": ["red"], "count": [1], "extra": [None]}
        self.served, self.cancelled = served, False
        self.block: Any = block_of(inputs.decode(rows), inputs)
        self.future: asyncio.Future[np.ndarray] = asyncio.get_running_loop().create_future()

    def answered(self, predictions: np.ndarray) -> None:
        self.future.set_result(predictions)

    def failed(self, error: Exception) -> None:
        self.future.set_exception(error)


def test_a_swap_loses_no_request(repository: Repository, version: Callable[..., Artifact]) -> None:
    """Requests in the queue, and those that come meanwhile, are answered by what they were given.

    Versions come and go in a thread, and between two requests of one turn of the loop.
    """
    numbers = {repository.add(version("0", 0)): 0}

    def swap(number: int) -> None:
        numbers[repository.add(version(str(number), number))] = number
        repository.remove("m", str(number - 1))

    def ask() -> list[_Asked]:
        asked = [_Asked(repository.choose(None, None, ASKED)) for _ in range(3)]
        for job in asked:
            job.served.batcher.submit(job)
        return asked

    async def main() -> list[_Asked]:
        jobs, loop = [], asyncio.get_running_loop()
        with ThreadPoolExecutor(1) as beside:
            for number in range(1, 41, 2):
                jobs += ask()
                swap(number)
                swapped = loop.run_in_executor(beside, swap, number + 1)
                jobs += ask()
                await jobs[-1].future
                jobs += ask()
                await swapped
        async with asyncio.timeout(10):
            for job in jobs:
                assert (await job.future).tolist() == [numbers[job.served]]
        return jobs

    assert len({job.served for job in asyncio.run(main())}) > 20
    assert repository.find().version == "40"


def test_a_model_that_goes_and_comes_is_there_or_told_missing(
    repository: Repository, version: Callable[..., Artifact]
) -> None:
    """Threads that look while others change get an answer or `UnknownModelError`, nothing else."""
    artifact = version("1")
    stop, wrong = threading.Event(), []

    def look() -> None:
        while not stop.is_set():
            try:
                repository.choose("m", None, ASKED)
                repository.versions("m")
                repository.find()
            except UnknownModelError:
                pass
            except Exception as error:  # noqa: BLE001 - any of them is the finding
                wrong.append(error)
                return

    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    thread = threading.Thread(target=look)
    thread.start()
    try:
        for _ in range(300):
            repository.add(artifact)
            repository.remove("m")
    finally:
        stop.set()
        thread.join()
        sys.setswitchinterval(before)
    assert wrong == []
