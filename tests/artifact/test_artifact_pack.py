"""Packing: the same bytes each time, nothing that does not answer, all files or none."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from mlref import errors
from mlref.artifact import Artifact, load
from mlref.schema import Column

PACK = """
import sys
from pathlib import Path
from mlref.artifact import pack
from mlref.schema import Column, Schema
columns = (Column("a"), Column("b", nullable=True), Column("c", "string", nullable=True))
pack(sys.argv[2], model=Path(sys.argv[1]), name="sum", version=sys.argv[3], licence="CC0-1.0",
     inputs=Schema(columns), metrics={"b": 1.5, "a": {"2013-04": 0.66}},
     golden={"c": ["UA", None], "b": [1, None], "a": [1.5, 2]}, expected=[12.5, 8], overwrite=True)
"""


@pytest.fixture
def pack_elsewhere(model: onnx.ModelProto, tmp_path: Path) -> Callable[..., Any]:
    """Pack in a process of its own; returns the finished process."""
    onnx.save(model, tmp_path / "given.onnx")

    def run(folder: Path, *, before: str = "", version: str = "1", **env: str) -> Any:
        return subprocess.run(
            [sys.executable, "-c", before + PACK, tmp_path / "given.onnx", folder, version],
            env={**os.environ, "SOURCE_DATE_EPOCH": "1356998400", **env},
            cwd=folder.parent,
            capture_output=True,
            text=True,
            check=False,
        )

    return run


def _contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_packing_is_reproducible(pack_elsewhere: Callable[..., Any], tmp_path: Path) -> None:
    """Two processes with other hash seeds and folders give the same bytes in every file."""
    folders = [tmp_path / "one", tmp_path / "far" / "two"]
    folders[1].parent.mkdir()
    for folder, seed in zip(folders, "12", strict=True):
        done = pack_elsewhere(folder, PYTHONHASHSEED=seed)
        assert done.returncode == 0, done.stderr
    first, second = map(_contents, folders)
    assert sorted(first) == ["golden.json", "manifest.json", "model.onnx"]
    assert first == second
    assert json.loads(first["manifest.json"])["created"] == "2013-01-01T00:00:00Z"


FULL = """
import resource
resource.setrlimit(resource.RLIMIT_FSIZE, (512, 512))
"""


@pytest.mark.parametrize("old", [False, True], ids=["new", "over an old one"])
def test_a_full_disk(
    pack_elsewhere: Callable[..., Any],
    tmp_path: Path,
    names: Callable[[Path], list[str]],
    *,
    old: bool,
) -> None:
    """Where the files cannot be written, nothing is left behind and the old artefact is intact."""
    where = tmp_path / "disk"
    where.mkdir()
    if old:
        assert pack_elsewhere(where / "model").returncode == 0
    before = _contents(where / "model") if old else None
    done = pack_elsewhere(where / "model", before=FULL, version="2")
    assert "FileWriteError" in done.stderr.splitlines()[-1]
    assert names(where) == (["model"] if old else [])
    if old:
        assert _contents(where / "model") == before


def test_the_parent_is_a_file(packed: Callable[..., Artifact], tmp_path: Path) -> None:
    """A place where no folder can be is a FileWriteError."""
    (tmp_path / "file").write_text("kept")
    with pytest.raises(errors.FileWriteError):
        packed("file/model")
    assert (tmp_path / "file").read_text() == "kept"


def test_the_move_into_place_fails(
    packed: Callable[..., Artifact],
    tmp_path: Path,
    names: Callable[[Path], list[str]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """When the new folder cannot take the old one's place, the old one is put back."""
    old = packed()
    rename = Path.rename

    def failing(self: Path, target: Path) -> Path:
        if target.name == "model" and (self / "manifest.json").read_bytes() != before:
            raise OSError(5, "Input/output error")
        return rename(self, target)

    before = (old.folder / "manifest.json").read_bytes()
    monkeypatch.setattr(Path, "rename", failing)
    with pytest.raises(errors.FileWriteError, match="Input/output error"):
        packed(version="2", overwrite=True)
    assert names(tmp_path) == ["model"]
    assert load(tmp_path / "model").digest == old.digest


def test_the_manifest_tells_what_was_packed(packed: Callable[..., Artifact]) -> None:
    """The manifest on disk holds what was given, and SHA-256 digests as hashlib computes them."""
    made = packed(metrics={"auc": 0.7}, training_data={"rows": 3}, licence="CC0-1.0")
    values = json.loads((made.folder / "manifest.json").read_text())
    assert (values["format"], values["name"], values["version"]) == (
        "mlref-artifact/1",
        "sum",
        "1.0.0",
    )
    assert values["outputs"] == [{"name": "score", "dtype": "float32", "shape": []}]
    assert values["metrics"] == {"auc": 0.7}
    assert values["training_data"] == {"rows": 3}
    assert values["libraries"]["numpy"] == np.__version__
    for name, digest in values["files"].items():
        assert hashlib.sha256((made.folder / name).read_bytes()).hexdigest() == digest
    assert hashlib.sha256((made.folder / "manifest.json").read_bytes()).hexdigest() == made.digest


def test_the_time_is_told_in_utc(packed: Callable[..., Artifact]) -> None:
    """Another time zone of the same moment gives the same artefact."""
    here = packed("here", created=datetime(2013, 1, 1, 12, tzinfo=UTC))
    there = packed("there", created=datetime(2013, 1, 1, 7, tzinfo=timezone(timedelta(hours=-5))))
    assert here.manifest.created == "2013-01-01T12:00:00Z"
    assert here.digest == there.digest


def test_golden_rows_are_json(packed: Callable[..., Artifact]) -> None:
    """Missing values are null, float32 numbers stand in their shortest form."""
    made = packed(golden={"a": [0.1], "b": [None], "c": [None]}, expected=[np.float32(0.1) + 7 - 1])
    values = json.loads((made.folder / "golden.json").read_text())
    assert values["instances"] == [{"a": 0.1, "b": None, "c": None}]


def test_golden_rows_keep_their_float32(
    packed_identity: Callable[..., Artifact], identity: Any
) -> None:
    """Golden rows read from the file give the very float32 that were packed."""
    given = np.random.default_rng(0).standard_normal(500).astype("f4")
    made = packed_identity(identity([None]), given)
    again = load(made.folder).golden
    np.testing.assert_array_equal(np.array(again.columns["x"], dtype="f4"), given)
    np.testing.assert_array_equal(again.predictions, given)


@pytest.mark.parametrize("form", ["bytes", "proto", "path", "str"])
def test_forms_of_the_model(
    packed: Callable[..., Artifact], model: onnx.ModelProto, tmp_path: Path, form: str
) -> None:
    """A graph comes as bytes, as a ModelProto, or as a file."""
    path = tmp_path / "given.onnx"
    onnx.save(model, path)
    forms = {"bytes": path.read_bytes(), "proto": model, "path": path, "str": str(path)}
    assert packed(model=forms[form]).verify_golden() == 4


@pytest.mark.parametrize("version", ["1.0.0", "2024-01", "v2_rc.1", "1"])
def test_versions_of_other_habits(packed: Callable[..., Artifact], version: str) -> None:
    """A version need not be semantic: a date, a number and a tag will do."""
    assert packed(version=version).manifest.version == version


@pytest.mark.parametrize(
    ("expected", "message"),
    [
        ([12.5, 29, -0.75002, 2], "by 2e-05 in row 2, allowed is 1e-05"),
        ([12.5, 29, -0.75, float("nan")], "by nan in row 3"),
        ([12.5, 29, -0.75, 1e39], "by nan in row 3"),
        ([12.5, 29, -0.75], r"of shape \(4,\), expected \(3,\)"),
        ([[12.5], [29], [-0.75], [2]], r"of shape \(4,\), expected \(4, 1\)"),
        (["a", "b", "c", "d"], "expected must be an array of numbers"),
        ([[1], [1, 2]], "expected must be an array of numbers"),
    ],
)
def test_other_predictions(
    packed: Callable[..., Artifact],
    tmp_path: Path,
    names: Callable[[Path], list[str]],
    expected: Any,
    message: str,
) -> None:
    """A graph that does not give the original model's predictions is not packed."""
    with pytest.raises(errors.ArtifactParityError, match=message):
        packed(expected=expected)
    assert names(tmp_path) == []


@pytest.mark.parametrize(("value", "expected"), [(-1, np.nan), (0, -np.inf)])
def test_predictions_that_are_no_numbers(
    packed_identity: Callable[..., Artifact], make_graph: Any, value: float, expected: float
) -> None:
    """NaN and infinity are no predictions, also when the original model gives them."""
    kind = (TensorProto.FLOAT, [None])
    graph = make_graph([helper.make_node("Log", ["x"], ["y"])], {"x": kind}, {"y": kind})
    with pytest.raises(errors.ArtifactParityError, match="by nan in row 1"):
        packed_identity(graph, [1, value], expected=[0, expected])


def test_golden_rows_that_do_not_fit(packed: Callable[..., Artifact]) -> None:
    """Golden rows are checked against the schema; none at all are refused."""
    with pytest.raises(errors.InvalidInputError) as caught:
        packed(golden={"a": [None], "b": [1], "c": ["UA"]}, expected=[0])
    assert "a is not nullable" in str(caught.value)
    with pytest.raises(errors.InvalidInputError) as caught:
        packed(golden={"a": [], "b": [], "c": []}, expected=[])
    assert "no rows" in str(caught.value)


def test_a_folder_is_not_replaced_unasked(packed: Callable[..., Artifact]) -> None:
    """A second pack into the same folder is refused, and the first stays."""
    first = packed()
    with pytest.raises(errors.ArtifactExistsError, match="overwrite=True") as caught:
        packed(version="2")
    assert isinstance(caught.value, FileExistsError)
    assert caught.value.file == "model"
    assert load(first.folder).manifest.version == "1.0.0"


def test_an_artefact_is_replaced_when_asked(
    packed: Callable[..., Artifact], tmp_path: Path, names: Callable[[Path], list[str]]
) -> None:
    """With overwrite the new artefact takes the place of the old, and nothing else is left."""
    packed()
    assert packed(version="2", overwrite=True).manifest.version == "2"
    assert load(tmp_path / "model").manifest.version == "2"
    assert names(tmp_path) == ["model"]


def test_a_damaged_artefact_is_replaced(packed: Callable[..., Artifact]) -> None:
    """An old artefact may be broken: that is a reason to pack again."""
    (packed().folder / "model.onnx").write_bytes(b"")
    assert packed(overwrite=True).verify_golden() == 4


@pytest.mark.parametrize("files", [[], ["notes.txt"], ["manifest.json", "index.html"]])
def test_what_is_no_artefact_is_not_replaced(
    packed: Callable[..., Artifact],
    tmp_path: Path,
    names: Callable[[Path], list[str]],
    files: list[str],
) -> None:
    """Other people's folders stay, also one that holds a manifest.json of another kind."""
    folder = tmp_path / "model"
    folder.mkdir()
    for name in files:
        (folder / name).touch()
    with pytest.raises(errors.ArtifactExistsError, match="is no artefact"):
        packed(overwrite=True)
    assert names(folder) == sorted(files)


def test_a_link_is_followed(packed: Callable[..., Artifact], tmp_path: Path) -> None:
    """Packing over a link replaces the artefact that it points to; the link stays."""
    real = packed("v1").folder
    (tmp_path / "latest").symlink_to(real, target_is_directory=True)
    packed("latest", version="2", overwrite=True)
    assert (tmp_path / "latest").is_symlink()
    assert load(real).manifest.version == "2"


def test_a_failed_pack_keeps_the_old(packed: Callable[..., Artifact]) -> None:
    """A graph that fails the parity check does not touch the artefact that it would replace."""
    old = packed()
    with pytest.raises(errors.ArtifactParityError):
        packed(expected=[0, 0, 0, 0], overwrite=True)
    assert load(old.folder).digest == old.digest


def test_a_library_that_is_worth_recording(packed: Callable[..., Artifact]) -> None:
    """Versions of the libraries named are recorded beside those that are always."""
    libraries = packed(libraries=["onnx"]).manifest.libraries
    assert libraries["onnx"] == onnx.__version__
    assert sorted(libraries) == ["numpy", "onnx", "onnxruntime"]


def test_a_column_more_than_the_graph(packed: Callable[..., Artifact]) -> None:
    """A schema with other columns than the graph is refused by name."""
    inputs = load(packed("first").folder).inputs
    more = type(inputs)((*inputs.columns, Column("d")))
    with pytest.raises(
        errors.ArtifactSchemaError, match="inputs a, b, c; the schema has a, b, c, d"
    ):
        packed(inputs=more)


def test_numpy_numbers_among_the_metrics(packed: Callable[..., Artifact]) -> None:
    """What scikit-learn and pandas give as a metric is kept as JSON's own numbers and lists."""
    given = {"auc": np.float64(0.75), "n": np.int64(3), "by": (np.float32(0.5), np.array([1, 2]))}
    made = packed(metrics=given, training_data={"whole": np.True_, "seen": None})
    assert made.manifest.metrics == {"auc": 0.75, "n": 3, "by": [0.5, [1, 2]]}
    assert made.manifest.training_data == {"whole": True, "seen": None}
    json.loads((made.folder / "manifest.json").read_bytes(), parse_constant=pytest.fail)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"metrics": {"auc": {"04": float("nan")}}}, r"metrics\['auc'\]\['04'\] .* got nan; leave"),
        ({"metrics": {"auc": [1, np.float32("inf")]}}, r"metrics\['auc'\]\[1\] .* got inf"),
        ({"metrics": {"when": datetime(2013, 1, 1, tzinfo=UTC)}}, r"metrics\['when'\] must be"),
        ({"metrics": {4: 0.5}}, r"metrics must have text as keys, got 4; write str\(4\)"),
        ({"training_data": {"months": {1, 2}}}, r"training_data\['months'\] must be"),
        ({"training_data": {"source": "\ud800"}}, r"training_data\['source'\] must be"),
        ({"name": 5}, "name must be text, got 5"),
        ({"name": ""}, "name must be 1 to 100 letters .* got ''; for instance 'flights'"),
        ({"name": "a/b c"}, "name must be 1 to 100 letters .* got 'a/b c'"),
        ({"name": "a\n"}, r"name must be 1 to 100 letters .* got 'a\\n'"),
        ({"name": "x" * 101}, "name must be 1 to 100 letters"),
        ({"name": "é"}, "name must be 1 to 100 letters"),
        ({"version": ""}, "version must be 1 to 100 letters .* got ''; for instance '1.0.0'"),
        ({"version": "-1"}, "beginning with a letter or a digit, got '-1'"),
        ({"version": 1.0}, "version must be text, got 1.0"),
        ({"licence": None}, "licence must be text, got None"),
        ({"libraries": ["sklearn-no-such"]}, "'sklearn-no-such', which is not installed"),
    ],
)
def test_what_a_manifest_cannot_hold(
    packed: Callable[..., Artifact], options: dict[str, Any], message: str
) -> None:
    """It is refused by its place before anything is written: the old artefact stays."""
    old = packed()
    with pytest.raises(errors.ArtifactSchemaError, match=message) as caught:
        packed(**options, overwrite=True)
    assert caught.value.file == "manifest.json"
    assert load(old.folder).digest == old.digest


def test_ctrl_c_between_the_two_moves(
    packed: Callable[..., Artifact],
    tmp_path: Path,
    names: Callable[[Path], list[str]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Ctrl-C after the old folder was moved away puts it back."""
    old = packed()
    rename = Path.rename

    def interrupted(self: Path, target: Path) -> Path:
        moved = rename(self, target)
        if self.name == "model":
            raise KeyboardInterrupt
        return moved

    monkeypatch.setattr(Path, "rename", interrupted)
    with pytest.raises(KeyboardInterrupt):
        packed(version="2", overwrite=True)
    monkeypatch.undo()
    assert names(tmp_path) == ["model"]
    assert load(tmp_path / "model").digest == old.digest
