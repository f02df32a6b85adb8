"""Loading: every byte is verified, and what is loaded answers as it did."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mlref import errors
from mlref.artifact import FORMAT, Artifact, Golden, load
from mlref.artifact.manifest import canonical
from mlref.schema import Schema

FILES = ("manifest.json", "model.onnx", "golden.json")
MANY = 400


def _refusal(folder: Path) -> errors.ArtifactError:
    with pytest.raises(errors.ArtifactError) as caught:
        load(folder)
    return caught.value


def _positions(size: int, name: str) -> list[int]:
    """All bytes of the manifest, a sample of the others that holds both ends."""
    if name == "manifest.json" or size <= MANY:
        return list(range(size))
    middle = np.random.default_rng(0).choice(np.arange(1, size - 1), MANY - 2, replace=False)
    return [0, size - 1, *sorted(middle.tolist())]


@pytest.mark.parametrize("name", FILES)
def test_a_changed_byte(packed: Callable[..., Artifact], name: str) -> None:
    """One bit turned over in any byte of any file is found, and the file named."""
    folder = packed().folder
    data = (folder / name).read_bytes()
    positions = _positions(len(data), name)
    assert len(positions) >= min(len(data), MANY)
    for position in positions:
        bit = 1 << position % 8
        flipped = data[:position] + bytes([data[position] ^ bit]) + data[position + 1 :]
        (folder / name).write_bytes(flipped)
        assert _refusal(folder).file == name, f"byte {position}"
    (folder / name).write_bytes(data)
    assert load(folder).verify_golden() == 4


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize(
    "change",
    [lambda d: d[:-1], lambda d: d[: len(d) // 2], lambda _: b"", lambda d: d + b"\n"],
    ids=["a byte less", "half", "nothing", "a byte more"],
)
def test_another_length(packed: Callable[..., Artifact], name: str, change: Any) -> None:
    """A file that was cut or grew is found, and named."""
    path = packed().folder / name
    path.write_bytes(change(path.read_bytes()))
    refusal = _refusal(path.parent)
    assert (type(refusal), refusal.file) == (errors.ArtifactTamperedError, name)


@pytest.mark.parametrize("name", FILES)
def test_a_missing_file(packed: Callable[..., Artifact], name: str) -> None:
    """A file that is absent is named."""
    folder = packed().folder
    (folder / name).unlink()
    refusal = _refusal(folder)
    assert (type(refusal), refusal.file) == (errors.ArtifactMissingFileError, name)


@pytest.mark.parametrize("name", FILES)
def test_a_folder_instead_of_a_file(packed: Callable[..., Artifact], name: str) -> None:
    """A folder of the file's name is no file."""
    folder = packed().folder
    (folder / name).unlink()
    (folder / name).mkdir()
    refusal = _refusal(folder)
    assert (type(refusal), refusal.file) == (errors.ArtifactMissingFileError, name)


def test_a_missing_folder(tmp_path: Path) -> None:
    """A folder that does not exist, and a file in its place, are named in the message."""
    (tmp_path / "file").touch()
    for name in ("nowhere", "file"):
        refusal = _refusal(tmp_path / name)
        assert type(refusal) is errors.ArtifactMissingFileError
        assert str(tmp_path / name) in str(refusal)


@pytest.mark.parametrize("name", ["weights.bin", ".hidden", "model.onnx.bak"])
def test_a_stray_file(packed: Callable[..., Artifact], name: str) -> None:
    """A file that the manifest does not name is refused."""
    folder = packed().folder
    (folder / name).touch()
    refusal = _refusal(folder)
    assert (type(refusal), refusal.file) == (errors.ArtifactStrayFileError, name)


def test_a_stray_folder(packed: Callable[..., Artifact]) -> None:
    """A folder in the artefact is as stray as a file."""
    folder = packed().folder
    (folder / "extra").mkdir()
    assert _refusal(folder).file == "extra"


def test_a_digest_that_came_on_another_way(packed: Callable[..., Artifact]) -> None:
    """The right digest passes; with another one the folder is another artefact."""
    made = packed()
    other = packed("other", version="2")
    assert load(made.folder, digest=made.digest).digest == made.digest
    with pytest.raises(errors.ArtifactTamperedError, match="another artefact"):
        load(other.folder, digest=made.digest)


def test_a_copy_is_the_same_artefact(packed: Callable[..., Artifact], tmp_path: Path) -> None:
    """The folder may be copied anywhere: digest and answers stay."""
    made = packed()
    copy = load(shutil.copytree(made.folder, tmp_path / "other" / "name"))
    assert copy.digest == made.digest
    assert copy.verify_golden() == 4
    assert copy.size_bytes == sum((made.folder / name).stat().st_size for name in FILES)


@pytest.mark.parametrize(
    "data",
    [
        b"[]",
        b"5",
        b"null",
        b"{}",
        b'{"format": "mlref-artifact/2"}',
        b'{"digest": "0"}',
        b'{"digest": NaN}',
        b'{"digest": "\\ud800"}',
        b"[" * 100_000,
        b"\xff\xfe",
        b"{",
    ],
    ids=lambda data: repr(data[:30]),
)
def test_what_is_no_manifest(packed: Callable[..., Artifact], data: bytes) -> None:
    """Whatever else lies in manifest.json, it is refused, and named."""
    folder = packed().folder
    (folder / "manifest.json").write_bytes(data)
    assert _refusal(folder).file == "manifest.json"


def test_another_format(packed: Callable[..., Artifact], forge: Callable[..., None]) -> None:
    """An intact manifest of a format that this version does not know is told apart."""
    folder = packed().folder
    forge(folder, lambda values: values.update(format="mlref-artifact/2"))
    refusal = _refusal(folder)
    assert type(refusal) is errors.ArtifactSchemaError
    assert f"'mlref-artifact/2', this mlref reads '{FORMAT}'" in str(refusal)


@pytest.mark.parametrize("name", ["../x", "a/b", "/etc/hostname", "..", "", "a\0b"])
def test_a_manifest_that_names_a_path(
    packed: Callable[..., Artifact], forge: Callable[..., None], name: str
) -> None:
    """A manifest cannot make us read outside the folder."""
    folder = packed().folder
    (folder.parent / "x").write_bytes(b"")
    forge(folder, lambda values: values["files"].update({name: "0"}))
    assert not isinstance(_refusal(folder), errors.ArtifactTamperedError)


@pytest.mark.parametrize("name", ["model.onnx", "golden.json"])
def test_a_manifest_that_leaves_a_file_out(
    packed: Callable[..., Artifact], forge: Callable[..., None], name: str
) -> None:
    """A manifest without the digest of a file that we need is refused."""
    folder = packed().folder
    forge(folder, lambda values: values["files"].pop(name))
    refusal = _refusal(folder)
    assert type(refusal) is errors.ArtifactSchemaError
    assert f"does not list {name}" in str(refusal)


@pytest.mark.parametrize(
    "edit",
    [
        lambda v: v["inputs"][0].update(name="z"),
        lambda v: v["inputs"].pop(),
        lambda v: v["inputs"].append({"name": "d", "dtype": "float32"}),
        lambda v: v["inputs"][0].update(dtype="int64"),
        lambda v: v["inputs"][0].update(shape=[64]),
        lambda v: v["outputs"][0].update(name="other"),
        lambda v: v["outputs"][0].update(shape=[10]),
        lambda v: v["outputs"][0].update(dtype="int64"),
    ],
)
def test_a_manifest_of_another_graph(
    packed: Callable[..., Artifact], forge: Callable[..., None], edit: Any
) -> None:
    """A manifest with right digests that describes other inputs or outputs is refused."""
    folder = packed().folder
    forge(folder, edit)
    assert type(_refusal(folder)) is errors.ArtifactSchemaError


PARTS = (None, 5, "x", [], {}, [1], ["a"], {"a": 1}, True, "a\0b", "../x")


def _paths(values: Any, above: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The way to every part of a JSON document."""
    pairs = values.items() if isinstance(values, dict) else enumerate(values)
    found = [above] if above else []
    for key, value in pairs if isinstance(values, (dict, list)) else ():
        found += _paths(value, (*above, key)) if isinstance(value, (dict, list)) else []
        found += [] if isinstance(value, (dict, list)) else [(*above, key)]
    return found


def _replaced(values: Any, path: tuple[Any, ...], part: Any) -> None:
    for key in path[:-1]:
        values = values[key]
    values[path[-1]] = part


def test_any_other_manifest(packed: Callable[..., Artifact], forge: Callable[..., None]) -> None:
    """Each part of a manifest, made something else under right digests: our errors or none."""
    folder = packed(metrics={"auc": 0.7}).folder
    whole = (folder / "manifest.json").read_bytes()
    for path in _paths(json.loads(whole)):
        for part in PARTS:
            (folder / "manifest.json").write_bytes(whole)
            forge(folder, lambda v, path=path, part=part: _replaced(v, path, part))
            try:
                load(folder)
            except errors.ArtifactError:
                continue


def test_any_other_golden_rows(packed: Callable[..., Artifact], forge: Callable[..., None]) -> None:
    """Each part of the golden rows, made something else under right digests: our errors or none."""
    folder = packed().folder
    whole = (folder / "golden.json").read_bytes()
    refused = 0
    for path in _paths(json.loads(whole)):
        for part in PARTS:
            values = json.loads(whole)
            _replaced(values, path, part)
            forge(folder, lambda _: None, golden=canonical(values))
            try:
                load(folder).verify_golden()
            except errors.MlrefError:
                refused += 1
    assert refused > len(PARTS)


def test_a_graph_that_answers_otherwise(
    packed: Callable[..., Artifact], forge: Callable[..., None]
) -> None:
    """Golden rows show a graph that was exchanged together with its digest."""
    made = packed()
    values = json.loads((made.folder / "golden.json").read_text())
    values["predictions"][2] += 0.5
    forge(made.folder, lambda _: None, golden=canonical(values))
    with pytest.raises(errors.ArtifactParityError, match=r"by 0\.5 in row 2"):
        load(made.folder).verify_golden()


def test_predictions(packed: Callable[..., Artifact]) -> None:
    """Raw rows, missing values and unknown categories among them, give the sums done by hand."""
    rows = {"a": [1, 2.5], "b": [None, -4], "c": ["B6", "??"]}
    answers = packed().predict(rows)
    assert answers.dtype == np.float32
    assert answers.tolist() == [1 + 7 + 20, 2.5 - 4 - 1]


def test_no_rows(packed: Callable[..., Artifact]) -> None:
    """No rows give no predictions."""
    answers = packed().predict({"a": [], "b": [], "c": []})
    assert (answers.dtype, answers.shape) == (np.float32, (0,))


def test_an_unknown_category(packed: Callable[..., Artifact]) -> None:
    """An unknown category is predicted, or refused when that is asked for."""
    rows = {"a": [1], "b": [2], "c": ["??"]}
    assert packed().predict(rows).tolist() == [2]
    with pytest.raises(errors.InvalidInputError) as caught:
        packed("other").predict(rows, on_unknown="error")
    assert [type(each) for each in caught.value.exceptions] == [errors.UnknownCategoryError]


def test_rows_that_do_not_fit(packed: Callable[..., Artifact]) -> None:
    """Rows of another schema are refused by the artefact itself."""
    with pytest.raises(errors.InvalidInputError):
        packed().predict({"a": [1.0]})


def test_threads_share_an_artefact(packed: Callable[..., Artifact]) -> None:
    """Eight threads that ask at once get what one gets in turn."""
    made = packed()
    random = np.random.default_rng(0)

    def batch() -> dict[str, Any]:
        size = int(random.integers(1, 50))
        numbers = random.standard_normal((2, size))
        return {"a": numbers[0], "b": numbers[1], "c": random.choice(["UA", "B6", "x"], size)}

    batches = [batch() for _ in range(200)]
    one_by_one = [made.predict(rows) for rows in batches]
    with ThreadPoolExecutor(8) as pool:
        at_once = list(pool.map(made.predict, batches))
    for expected, got in zip(one_by_one, at_once, strict=True):
        np.testing.assert_array_equal(got, expected)


def test_the_inputs_are_those_packed(packed: Callable[..., Artifact]) -> None:
    """The schema in the manifest is the one that was given, categories and all."""
    inputs = packed().inputs
    assert isinstance(inputs, Schema)
    assert inputs["c"].categories == ("UA", "B6")


@pytest.mark.parametrize(
    ("predictions", "expected"),
    [
        ([1, 0.5, 3000], 3),
        ([1 + 0.9e-5, 0.5 - 0.9e-5, 3000 + 0.029], 3),
        ([1 + 1.1e-5, 0.5 - 1.1e-5, 3000 - 0.031], 0),
        ([1, np.nan, np.inf], 1),
        ([1, 0.5], 0),
        ([[1], [0.5], [3000]], 0),
    ],
)
def test_golden_rows_matched(predictions: Any, expected: int) -> None:
    """Rows within 1e-5, relative beyond 1, are counted; NaN and another shape never match."""
    golden = Golden(({"x": 1}, {"x": 2}, {"x": 3}), np.array([1.0, 0.5, 3000.0]))
    assert golden.matched(np.asarray(predictions, dtype=float)) == expected


def test_golden_rows_of_classes_matched() -> None:
    """A row of several numbers matches when all of them do."""
    golden = Golden(({"x": 1}, {"x": 2}), np.array([[0.25, 0.75], [0.5, 0.5]]))
    assert golden.matched(np.array([[0.25, 0.75], [0.5, 0.6]])) == 1
    assert golden.columns == {"x": [1, 2]}


def test_an_artefact_in_a_line(packed: Callable[..., Artifact]) -> None:
    """The representation is short, also when the folder is gone by now."""
    made = packed()
    size = sum(path.stat().st_size for path in made.folder.iterdir()) / 1000
    assert repr(made) == f"<Artifact sum 1.0.0, {size:.1f} kB, sha256 {made.digest[:12]}…>"
    shutil.rmtree(made.folder)
    assert repr(made) == f"<Artifact sum 1.0.0, sha256 {made.digest[:12]}…>"
