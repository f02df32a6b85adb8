"""What Vertex AI and SageMaker tell in variables, and the fetching of a model from a bucket."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import pytest

from mlref import errors
from mlref.artifact import Artifact, load
from mlref.serving.environment import (
    Start,
    fetch_storage,
    find_artifact,
    for_container,
    from_environment,
    locate,
)


class Blob:
    """An object in a bucket, with the two things that are asked of one."""

    def __init__(self, name: str, data: bytes) -> None:
        self.name, self.data = name, data

    def download_to_filename(self, path: str) -> None:
        """Write the object's bytes, as the real one does."""
        Path(path).write_bytes(self.data)


class Bucket:
    """A client of Cloud Storage in memory: it lists by prefix, a text and not a folder."""

    def __init__(self, objects: dict[str, bytes], name: str = "models") -> None:
        self.objects, self.name = objects, name

    def list_blobs(self, bucket: str, *, prefix: str = "") -> list[Blob]:
        """The objects whose names begin so."""
        assert bucket == self.name
        return [Blob(name, data) for name, data in self.objects.items() if name.startswith(prefix)]


@pytest.mark.parametrize("environ", [{}, {"HOME": "/root", "PORT": "80"}, {"AIP_HTTP_PORT": ""}])
def test_without_a_cloud_nothing_is_said(environ: dict[str, str]) -> None:
    """Everything is None, so that the user's own options and defaults hold."""
    assert from_environment(environ) == Start()
    assert (Start().host, Start().port, Start().artifact) == (None, None, None)


def test_the_variables_of_vertex_ai() -> None:
    """The routes that the documentation shows as its defaults, on all addresses."""
    health = "/v1/endpoints/123/deployedModels/456"
    environ = {
        "AIP_HTTP_PORT": "8081",
        "AIP_HEALTH_ROUTE": health,
        "AIP_PREDICT_ROUTE": f"{health}:predict",
        "AIP_STORAGE_URI": "gs://bucket/model",
        "AIP_MODE": "PREDICTION",
    }
    assert from_environment(environ) == Start(
        platform="vertex",
        artifact="gs://bucket/model",
        host="0.0.0.0",
        port=8081,
        health_route=health,
        predict_route=f"{health}:predict",
    )


def test_the_variables_of_sagemaker() -> None:
    """/opt/ml/model and 8080 unless told otherwise, on all addresses."""
    assert from_environment({"SAGEMAKER_BIND_TO_PORT": "9000"}) == Start(
        platform="sagemaker", artifact="/opt/ml/model", host="0.0.0.0", port=9000
    )
    assert from_environment({"SM_MODEL_DIR": "/elsewhere"}) == Start(
        platform="sagemaker", artifact="/elsewhere", host="0.0.0.0", port=8080
    )
    assert from_environment({"SAGEMAKER_MULTI_MODEL": "false"}).platform == "sagemaker"


def test_a_developers_own_sagemaker_variable_is_no_cloud() -> None:
    """Settings of SageMaker's SDK on a laptop do not open the server to the network."""
    assert from_environment({"SAGEMAKER_SUPPRESS_V2_WARNING": "1"}) == Start()


@pytest.mark.parametrize(
    ("environ", "named"),
    [
        ({"AIP_HTTP_PORT": "http"}, "AIP_HTTP_PORT"),
        ({"AIP_HTTP_PORT": "0"}, "AIP_HTTP_PORT"),
        ({"AIP_HTTP_PORT": "65536"}, "AIP_HTTP_PORT"),
        ({"AIP_HTTP_PORT": "\u0661"}, "AIP_HTTP_PORT"),
        ({"SAGEMAKER_BIND_TO_PORT": "-1"}, "SAGEMAKER_BIND_TO_PORT"),
        ({"SAGEMAKER_BIND_TO_PORT": "9" * 5000}, "SAGEMAKER_BIND_TO_PORT"),
        ({"SAGEMAKER_MULTI_MODEL": "yes"}, "SAGEMAKER_MULTI_MODEL"),
        ({"AIP_HEALTH_ROUTE": "health", "AIP_PREDICT_ROUTE": "/p"}, "AIP_HEALTH_ROUTE"),
        ({"AIP_HEALTH_ROUTE": "/h", "AIP_PREDICT_ROUTE": "/p?x=1"}, "AIP_PREDICT_ROUTE"),
        ({"AIP_HEALTH_ROUTE": "/{name}", "AIP_PREDICT_ROUTE": "/p"}, "AIP_HEALTH_ROUTE"),
        ({"AIP_HEALTH_ROUTE": "/h"}, "AIP_PREDICT_ROUTE"),
        ({"AIP_PREDICT_ROUTE": "/p"}, "AIP_HEALTH_ROUTE"),
        ({"AIP_HEALTH_ROUTE": "/x", "AIP_PREDICT_ROUTE": "/x"}, "AIP_PREDICT_ROUTE"),
        ({"AIP_HTTP_PORT": "80", "SM_MODEL_DIR": "/m"}, "SM_MODEL_DIR"),
    ],
)
def test_a_variable_that_cannot_be_followed_is_named(environ: dict[str, str], named: str) -> None:
    """The message names the variable, so that it can be found in the cloud's console."""
    with pytest.raises(ValueError, match=named):
        from_environment(environ)


def test_a_folder_is_used_as_it_is(tmp_path: Path) -> None:
    """A path and a file:// URI, also with spaces, need no client and copy nothing."""
    folder = tmp_path / "my model"
    folder.mkdir()
    assert fetch_storage(str(folder), tmp_path / "copy") == folder
    assert fetch_storage(folder.as_uri(), tmp_path / "copy") == folder
    assert not (tmp_path / "copy").exists()


def test_a_model_comes_from_a_bucket(colours: Artifact, tmp_path: Path) -> None:
    """The objects below the prefix, and only those, become an artefact that loads."""
    objects = {f"a/m/{path.name}": path.read_bytes() for path in colours.folder.iterdir()}
    bucket = Bucket({**objects, "a/m/": b"", "a/m-2/manifest.json": b"other", "a/x": b""})
    for uri in ("gs://models/a/m", "gs://models/a/m/"):
        target = tmp_path / uri.replace("/", "_")
        assert fetch_storage(uri, target, bucket) == target
        assert load(target).digest == colours.digest


def test_a_whole_bucket_may_be_the_model(tmp_path: Path) -> None:
    """Without a prefix all objects are copied, folders in their names included."""
    target = fetch_storage("gs://models", tmp_path, Bucket({"deep/er/file": b"1", "top": b"2"}))
    assert (target / "deep/er/file").read_bytes() == b"1"
    assert (target / "top").read_bytes() == b"2"


@pytest.mark.parametrize("name", ["m/../../evil", "m//etc/evil", "m/a/../../evil", "m/a\\..\\evil"])
def test_an_object_cannot_leave_the_folder(name: str, tmp_path: Path) -> None:
    """A name that leads out is refused before anything at all is written."""
    bucket = Bucket({"m/model.onnx": b"good", name: b"bad"})
    with pytest.raises(ValueError, match="leads out"):
        fetch_storage("gs://models/m", tmp_path / "copy", bucket)
    assert [*tmp_path.iterdir()] == []


@pytest.mark.parametrize("uri", ["s3://bucket/m", "https://host/m", "gs://", "file://host/m"])
def test_another_kind_of_uri_is_refused(uri: str, tmp_path: Path) -> None:
    """The message names the variable and the kinds that there are."""
    with pytest.raises(ValueError, match="AIP_STORAGE_URI must be gs://"):
        fetch_storage(uri, tmp_path)


def test_nothing_there_is_an_error(tmp_path: Path) -> None:
    """An empty prefix and an absent folder do not start a server without a model."""
    with pytest.raises(errors.ResourceNotFoundError, match="no object"):
        fetch_storage("gs://models/m", tmp_path, Bucket({"m-2/x": b""}))
    with pytest.raises(errors.ResourceNotFoundError, match="no folder"):
        fetch_storage(str(tmp_path / "absent"), tmp_path)


def test_without_googles_library_the_message_says_what_to_install(tmp_path: Path) -> None:
    """gs:// with no client needs google-cloud-storage, which is named as pip knows it."""
    try:
        found = importlib.util.find_spec("google.cloud.storage")
    except ModuleNotFoundError:
        found = None
    if found is not None:
        pytest.skip("google-cloud-storage is installed")
    with pytest.raises(errors.MissingExtraError, match="pip install google-cloud-storage"):
        fetch_storage("gs://models/m", tmp_path)


def test_an_artifact_is_found_below_a_folder(colours: Artifact, tmp_path: Path) -> None:
    """The folder itself, or the one below it that holds a manifest; files beside it are ignored."""
    assert find_artifact(colours.folder) == colours.folder
    deep = tmp_path / "azureml-models/colours/1/colours-0.1.0"
    deep.mkdir(parents=True)
    (tmp_path / "code").mkdir()
    (tmp_path / "code/inference.py").touch()
    with pytest.raises(errors.ArtifactMissingFileError, match="no artefact"):
        find_artifact(tmp_path)
    (deep / "manifest.json").touch()
    assert find_artifact(tmp_path) == deep


def test_two_artifacts_are_not_guessed_between(tmp_path: Path) -> None:
    """The message lists them."""
    names: list[Any] = ["one", "two"]
    for name in names:
        (tmp_path / name).mkdir()
        (tmp_path / name / "manifest.json").touch()
    with pytest.raises(errors.ArtifactSchemaError, match="one, two"):
        find_artifact(tmp_path)


def test_our_image_starts_where_no_cloud_says_anything() -> None:
    """The model's folder, the address and the port that the documentation of the image promises."""
    assert for_container({}) == Start(artifact="/opt/ml/model", host="0.0.0.0", port=8080)
    assert for_container({"PORT": "9000", "MLREF_MODEL_DIR": "/m"}) == Start(
        artifact="/m", host="0.0.0.0", port=9000
    )


def test_our_image_follows_a_cloud_first() -> None:
    """Where a cloud speaks, PORT and our own folder only fill in what it leaves out."""
    mine = {"PORT": "9000", "MLREF_MODEL_DIR": "/m"}
    assert for_container({"SM_MODEL_DIR": "/sm", **mine}) == Start(
        platform="sagemaker", artifact="/sm", host="0.0.0.0", port=8080
    )
    assert for_container({"AIP_HTTP_PORT": "80", **mine}) == Start(
        platform="vertex", artifact="/m", host="0.0.0.0", port=80
    )


def test_our_image_takes_the_folder_that_kserve_filled() -> None:
    """KServe puts it into STORAGE_URI; a folder that the user names goes first."""
    assert for_container({"STORAGE_URI": "/mnt/models"}).artifact == "/mnt/models"
    both = {"STORAGE_URI": "/mnt/models", "MLREF_MODEL_DIR": "/m"}
    assert for_container(both).artifact == "/m"


def test_a_port_that_is_none_is_named() -> None:
    """PORT is checked like the clouds' own variables."""
    with pytest.raises(ValueError, match="PORT must be a port from 1 to 65535, got '8080/tcp'"):
        for_container({"PORT": "8080/tcp"})


def test_what_a_start_names_is_found(colours: Artifact, tmp_path: Path) -> None:
    """A folder above the artefact, as a path or a URI; nothing named, and nothing there."""
    for named in (str(colours.folder.parent), colours.folder.as_uri()):
        assert locate(Start(artifact=named)) == colours.folder
    with pytest.raises(ValueError, match="name no artefact"):
        locate(Start())
    with pytest.raises(errors.ArtifactMissingFileError, match="no artefact in"):
        locate(Start(artifact=str(tmp_path)))
