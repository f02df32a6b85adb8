"""The model of labs on SageMaker: an archive that holds an artefact, and code if there is any."""

from __future__ import annotations

import io
import math
import tarfile
from pathlib import Path

from mlref import artifact
from mlref.study.labs.small_models import COLUMNS, model_data


def _names(content: bytes) -> list[str]:
    with tarfile.open(fileobj=io.BytesIO(content)) as archive:
        return archive.getnames()


def test_the_archive_holds_an_artefact_that_answers(tmp_path: Path) -> None:
    """Unpacked as SageMaker does it, it predicts what its weights say."""
    with tarfile.open(fileobj=io.BytesIO(model_data())) as archive:
        archive.extractall(tmp_path, filter="data")
    late = artifact.load(tmp_path / "late")
    assert {column.name: column.unit for column in late.inputs.columns} == COLUMNS
    row = {"minute_of_day": 1125.0, "humid": 93.0, "temp": 71.0, "dewp": 69.0}
    got = late.predict({name: [value] for name, value in row.items()})
    logit = 0.0013 * 1125 + 0.0194 * 93 - 0.016 * 71 + 0.004 * 69 - 2.8
    assert math.isclose(float(got.flat[0]), 1 / (1 + math.exp(-logit)), rel_tol=1e-5)


def test_code_lies_where_the_container_looks() -> None:
    """At code/inference.py, with the text as it was given."""
    content = model_data("x = 'ü'\n")
    with tarfile.open(fileobj=io.BytesIO(content)) as archive:
        code = archive.extractfile("code/inference.py")
        assert code is not None
        assert code.read().decode() == "x = 'ü'\n"


def test_without_code_there_is_no_folder_for_it() -> None:
    """So that the container serves the artefact by itself."""
    assert not any(name.startswith("code") for name in _names(model_data()))
