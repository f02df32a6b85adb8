"""What a cloud's variables say of how to start: where the model is, and where to listen.

    Vertex AI   AIP_STORAGE_URI, AIP_HTTP_PORT, AIP_HEALTH_ROUTE, AIP_PREDICT_ROUTE
    SageMaker   SM_MODEL_DIR (default /opt/ml/model), SAGEMAKER_BIND_TO_PORT (default 8080);
                SAGEMAKER_MULTI_MODEL=true: models come and go below /opt/ml/models, at most
                MLREF_MAX_MODELS of them at a time

Where none of them is set, nobody but the user says anything. SageMaker itself sets no variable that
every container can rely on, so an image that is made for it sets SM_MODEL_DIR.

`for_container` is the same for our own image, which always has an answer: where no cloud says
anything, it follows the variables that other platforms set.

    any         MLREF_MODEL_DIR: the folder of the artefact (default /opt/ml/model)
    KServe      STORAGE_URI, which KServe sets to the folder that it filled, /mnt/models
    Knative, Cloud Run, App Runner and others
                PORT (default 8080)

KServe gives a custom predictor nothing more: the flags of its own servers (--model_name,
--http_port) are only passed by a ServingRuntime, and only as its author wrote them.

Source: the Vertex AI documentation, "Custom container requirements for inference"; the Amazon
SageMaker Developer Guide, "Use your own inference code with hosting services", and the variables of
sagemaker-inference-toolkit; the container contracts of Knative Serving and Cloud Run; the storage
initializer of KServe (pkg/webhook/admission/pod).
"""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import unquote, urlsplit

from mlref import errors

__all__ = [
    "MODELS_DIR",
    "Start",
    "fetch_storage",
    "find_artifact",
    "for_container",
    "from_environment",
    "locate",
]

MODELS_DIR = "/opt/ml/models"
"""Where SageMaker puts the models of a multi-model endpoint."""

_EVERYWHERE = "0.0.0.0"  # noqa: S104 - in a container, the cloud connects from outside
_PORT = 8080
_LAST_PORT = 65535
_MODEL_DIR = "/opt/ml/model"
_TRUE, _FALSE = {"true", "1"}, {"false", "0"}
_VERTEX = ("AIP_HTTP_PORT", "AIP_HEALTH_ROUTE", "AIP_PREDICT_ROUTE", "AIP_STORAGE_URI")
_SAGEMAKER = (
    "SAGEMAKER_BATCH",
    "SAGEMAKER_BIND_TO_PORT",
    "SAGEMAKER_MULTI_MODEL",
    "SAGEMAKER_PROGRAM",
    "SAGEMAKER_SAFE_PORT_RANGE",
    "SAGEMAKER_SUBMIT_DIRECTORY",
    "SM_MODEL_DIR",
)
_ROUTE = re.compile(r"/[A-Za-z0-9._~!$&'()*+,;=:@/-]*")  # a path of RFC 3986, nothing encoded
_MANIFEST = "manifest.json"
_SHOWN = 10
_MOST_DIGITS = 9


@dataclass(frozen=True)
class Start:
    """How to start a server; None where the variables say nothing.

    Attributes:
        platform: "vertex", "sagemaker", or "".
        artifact: where the artefact is: a folder, or a URI for `fetch_storage`. In a folder it may
            lie one level or more down: see `find_artifact`.
        host: the address to listen on.
        port: the port to listen on.
        health_route: the path that Vertex AI asks whether the server is ready.
        predict_route: the path that Vertex AI sends requests to.
        models: the folder below which SageMaker puts the models of a multi-model endpoint.
        max_models: how many of those may be loaded at a time.
    """

    platform: str = ""
    artifact: str | None = None
    host: str | None = None
    port: int | None = None
    health_route: str | None = None
    predict_route: str | None = None
    models: str | None = None
    max_models: int | None = None


def from_environment(environ: Mapping[str, str]) -> Start:
    """What a cloud's variables say of how to start.

    Args:
        environ: the variables, for instance `os.environ`. One that is empty counts as not set.

    Raises:
        ValueError: a variable that cannot be followed; the message names it.

    >>> from_environment({"SAGEMAKER_BIND_TO_PORT": "9000"}).port
    9000
    """
    given = {name: value for name, value in environ.items() if value}
    vertex = [name for name in _VERTEX if name in given]
    sagemaker = [name for name in _SAGEMAKER if name in given]
    if vertex and sagemaker:
        text = f"{vertex[0]} says Vertex AI and {sagemaker[0]} says SageMaker; unset one of the two"
        raise ValueError(text)
    if vertex:
        return _vertex(given)
    return _sagemaker(given) if sagemaker else Start()


def for_container(environ: Mapping[str, str]) -> Start:
    """How our own image starts: what a cloud says, and an artefact, host and port in any case.

    Where SageMaker brings the models later, there is no artefact.

    Args:
        environ: the variables, for instance `os.environ`. One that is empty counts as not set.

    Raises:
        ValueError: a variable that cannot be followed; the message names it.

    >>> start = for_container({"PORT": "9000"})
    >>> start.artifact, start.host, start.port
    ('/opt/ml/model', '0.0.0.0', 9000)
    """
    given = {name: value for name, value in environ.items() if value}
    start = from_environment(given)
    folder = given.get("MLREF_MODEL_DIR") or given.get("STORAGE_URI") or _MODEL_DIR
    if start.models is None:
        start = replace(start, artifact=start.artifact or folder)
    if start.port is None:
        start = replace(start, host=_EVERYWHERE, port=_port(given, "PORT"))
    return start


def locate(start: Start) -> Path:
    """The folder of the artefact that a start names; what is not on this machine is copied first.

    Raises:
        ValueError: it names none, or a URI that cannot be followed.
        ArtifactError: there is no artefact, or several.
        ResourceNotFoundError: nothing is there.
        MissingExtraError: google-cloud-storage is not installed.
    """
    if start.artifact is None:
        raise ValueError("the variables name no artefact; name its folder")
    if "://" not in start.artifact:
        return find_artifact(start.artifact)
    return find_artifact(fetch_storage(start.artifact, tempfile.mkdtemp(prefix="mlref-model-")))


def fetch_storage(uri: str, folder: str | os.PathLike[str], client: Any = None) -> Path:
    """The folder that holds what a URI of AIP_STORAGE_URI names.

    Args:
        uri: "gs://bucket/prefix", whose objects are copied; or a folder's path or file:// URI,
            which is used as it is.
        folder: where to put copies; made if it is not there.
        client: a `google.cloud.storage.Client`; None makes one with the container's own identity.

    Raises:
        ValueError: a URI of another kind, or an object whose name leads out of the folder.
        ResourceNotFoundError: nothing is there.
        MissingExtraError: google-cloud-storage is not installed.
    """
    parts = urlsplit(uri)
    if parts.scheme in {"", "file"} and not parts.netloc.replace("localhost", ""):
        local = Path(unquote(parts.path) if parts.scheme else uri)
        if not local.is_dir():
            raise errors.ResourceNotFoundError(f"AIP_STORAGE_URI: no folder {local}")
        return local
    if parts.scheme != "gs" or not parts.netloc:
        text = f"AIP_STORAGE_URI must be gs://bucket/prefix or a folder, got {uri!r}"
        raise ValueError(text)
    prefix = uri.removeprefix(f"gs://{parts.netloc}").strip("/")
    prefix = f"{prefix}/" if prefix else ""  # so that "model" is not also "model-2"
    target = Path(folder)
    blobs = (client or _google_client()).list_blobs(parts.netloc, prefix=prefix)
    found = []  # every name is looked at before anything is written
    for blob in blobs:
        name = blob.name.removeprefix(prefix)
        if name and not name.endswith("/"):  # which only marks a folder
            found.append((blob, _inside(target, name, blob.name)))
    if not found:
        raise errors.ResourceNotFoundError(f"AIP_STORAGE_URI: no object below {uri}")
    for blob, path in found:
        path.parent.mkdir(parents=True, exist_ok=True)
        blob.download_to_filename(os.fspath(path))
    return target


def find_artifact(folder: str | os.PathLike[str]) -> Path:
    """The artefact's folder: the folder itself, or the one below it that holds a manifest.

    Clouds unpack a model somewhere below the folder that they name, beside other files.

    Args:
        folder: where to look.

    Raises:
        ArtifactMissingFileError: there is none.
        ArtifactSchemaError: there are several.
    """
    top = Path(folder)
    found = [top] if (top / _MANIFEST).is_file() else _below(top)
    if len(found) == 1:
        return found[0]
    if not found:
        text = f"no artefact in {top}: neither it nor a folder below it holds {_MANIFEST}"
        raise errors.ArtifactMissingFileError(text, file=_MANIFEST)
    names = ", ".join(str(each.relative_to(top)) for each in found[:_SHOWN])
    text = f"{len(found)} artefacts in {top}, expected one: {names}; name one of them"
    raise errors.ArtifactSchemaError(text, file=_MANIFEST)


def _below(top: Path) -> list[Path]:
    return sorted(path.parent for path in top.rglob(_MANIFEST) if path.is_file())


def _vertex(given: Mapping[str, str]) -> Start:
    routes = [_route(given, name) for name in ("AIP_HEALTH_ROUTE", "AIP_PREDICT_ROUTE")]
    if (routes[0] is None) != (routes[1] is None):
        missing = "AIP_HEALTH_ROUTE" if routes[0] is None else "AIP_PREDICT_ROUTE"
        raise ValueError(f"{missing} is not set, but the other of the two routes is; set both")
    if routes[0] is not None and routes[0] == routes[1]:
        raise ValueError(f"AIP_HEALTH_ROUTE and AIP_PREDICT_ROUTE are both {routes[0]!r}")
    return Start(
        platform="vertex",
        artifact=given.get("AIP_STORAGE_URI"),
        host=_EVERYWHERE,
        port=_port(given, "AIP_HTTP_PORT"),
        health_route=routes[0],
        predict_route=routes[1],
    )


def _sagemaker(given: Mapping[str, str]) -> Start:
    port = _port(given, "SAGEMAKER_BIND_TO_PORT")
    start = Start(platform="sagemaker", host=_EVERYWHERE, port=port)
    several = given.get("SAGEMAKER_MULTI_MODEL", "false")
    if several.lower() in _TRUE:
        return replace(start, models=MODELS_DIR, max_models=_count(given, "MLREF_MAX_MODELS"))
    if several.lower() not in _FALSE:
        raise ValueError(f"SAGEMAKER_MULTI_MODEL must be true or false, got {several!r}")
    return replace(start, artifact=given.get("SM_MODEL_DIR", _MODEL_DIR))


def _count(given: Mapping[str, str], name: str) -> int | None:
    """A number of things, or None where the variable is not set."""
    text = given.get(name)
    if text is None:
        return None
    if not (text.isascii() and text.isdigit() and len(text) <= _MOST_DIGITS and int(text)):
        raise ValueError(f"{name} must be a whole number of at least 1, got {text!r}")
    return int(text)


def _port(given: Mapping[str, str], name: str) -> int:
    text = given.get(name, str(_PORT))
    short = text.isascii() and text.isdigit() and len(text) <= len(str(_LAST_PORT))
    if not short or not 1 <= int(text) <= _LAST_PORT:
        raise ValueError(f"{name} must be a port from 1 to {_LAST_PORT}, got {text!r}")
    return int(text)


def _route(given: Mapping[str, str], name: str) -> str | None:
    route = given.get(name)
    if route is not None and not _ROUTE.fullmatch(route):
        raise ValueError(f"{name} must be a path like /predict, without a query, got {route!r}")
    return route


def _inside(folder: Path, name: str, full_name: str) -> Path:
    """Where an object of that name goes.

    Raises:
        ValueError: that is not inside the folder.
    """
    parts = PurePosixPath(name).parts
    if ".." in parts or PurePosixPath(name).is_absolute() or "\\" in name or "\0" in name:
        text = f"AIP_STORAGE_URI: the object {full_name!r} leads out of its folder"
        raise ValueError(f"{text}; nothing was copied")
    return folder.joinpath(*parts)


def _google_client() -> Any:
    try:
        from google.cloud import storage  # type: ignore[import-untyped,import-not-found,unused-ignore]
    except ImportError as error:
        text = "google-cloud-storage is not installed, and AIP_STORAGE_URI needs it"
        advice = "pip install google-cloud-storage"
        raise errors.MissingExtraError(f"{text}: {advice}", name="google.cloud.storage") from error
    return storage.Client()
