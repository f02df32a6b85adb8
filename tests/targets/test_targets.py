"""What targets have in common, and the one in this process. The rest: tests/contract."""

from __future__ import annotations

import numpy as np
import pytest

from mlref import targets
from mlref.artifact import Artifact
from mlref.targets.base import has_no_rows


def test_every_target_has_a_name_of_its_own_and_keeps_the_protocol() -> None:
    """`all_targets` lists targets, the reference first."""
    found = targets.all_targets()
    assert all(isinstance(target, targets.Target) for target in found)
    names = [target.name for target in found]
    assert names[0] == "in_process"
    assert len(set(names)) == len(names)


def test_the_reference_answers_as_the_artefact_does(colours: Artifact) -> None:
    """In this process the endpoint is the artefact itself, ready at once, without a process."""
    with targets.InProcess().deploy(colours) as endpoint:
        assert isinstance(endpoint, targets.Endpoint)
        endpoint.wait_ready(timeout_s=0)
        rows = {"colour": ["red"], "count": [2], "extra": [None]}
        assert endpoint.predict(rows).tolist() == [2.0]
        told = endpoint.describe()
        assert (told.url, told.pid) == (None, None)


@pytest.mark.parametrize(
    ("rows", "empty"),
    [
        ({"x": [], "y": np.empty((0, 3))}, True),
        ({"x": []}, True),
        ({}, False),
        ({"x": [1], "y": []}, False),
        ({"x": 5}, False),
        ({"x": np.array(5)}, False),
        ([], True),
        ([{"x": 1}], False),
        (None, False),
    ],
    ids=str,
)
def test_rows_are_empty_only_if_every_column_is(rows: object, *, empty: bool) -> None:
    """What is wrong in another way is left to those who name every problem."""
    assert has_no_rows(rows) is empty


@pytest.mark.parametrize("target", targets.all_targets(), ids=lambda target: target.name)
def test_an_endpoint_tells_what_it_is(colours: Artifact, target: targets.Target) -> None:
    """The representation names the model, where it answers, and whether it is closed."""
    with target.deploy(colours) as endpoint:
        kind, url = type(endpoint).__name__, endpoint.describe().url
        where = "" if url is None else f" at {url}"
        assert repr(endpoint) == f"<{kind} colours 0.1.0{where}>"
    assert repr(endpoint) == f"<{kind} colours 0.1.0, closed>"
