"""A model.tar.gz from S3, unpacked on this machine: each only once, however many workers use it."""

from __future__ import annotations

import hashlib
import shutil
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path

from mlref.aws.local.archives import ArchiveError, unpack
from mlref.aws.local.errors import AwsError
from mlref.aws.local.world import REGION, Objects, Roles
from mlref.runtime.scratch import Scratch

__all__ = ["ModelDataError", "ModelFolders", "require_readable"]

_DIGITS = 32  # of a digest that name a folder
_FOR_CONTAINERS = 0o755  # whose user is another one; nobody else gets through the root


class ModelDataError(Exception):
    """What SageMaker says of model data that it cannot use; becomes a FailureReason."""


def require_readable(
    objects: Objects, roles: Roles, uri: str, role: str | None, *, later: bool = False
) -> None:
    """Return if model data is there, and a role may read it.

    Args:
        objects: what lies in S3.
        roles: who may do what.
        uri: of an object; or of a prefix, if it ends in "/".
        role: the ARN of a model's role; None may read everything.
        later: whether it need not be there yet.

    Raises:
        ModelDataError: in SageMaker's words. Who may not list a bucket is not told either that an
            object is missing.
    """
    several = uri.endswith("/")
    try:
        found = objects.keys(uri) if several else [uri] if objects.exists(uri) else []
    except AwsError:
        found = []
    there = bool(found)
    may_list = role is None or roles.allows(role, "s3:ListBucket", _resource(uri).partition("/")[0])
    may_read = role is None or (
        (may_list or not several or later)
        and all(roles.allows(role, "s3:GetObject", _resource(each)) for each in found or [uri])
    )
    if may_read and (there or later):
        return
    if may_list and not (there or later):
        raise ModelDataError(f"Could not find model data at {uri}.")
    raise ModelDataError(
        f'Could not access model data at {uri}. Please ensure that the role "{role}" exists and '
        f'that its trust relationship policy allows the action "sts:AssumeRole" for the service '
        f'principal "sagemaker.amazonaws.com". Also ensure that the role has "s3:GetObject" '
        f"permissions and that the object is located in {REGION}."
    )


def _resource(uri: str) -> str:
    return f"arn:aws:s3:::{uri.removeprefix('s3://')}"


class ModelFolders:
    """Unpacked model data, by its content.

    Args:
        objects: what lies in S3.
        root: where to unpack; None makes a temporary folder, which `close` removes.

    Attributes:
        root: the folder below which everything is unpacked.
    """

    def __init__(self, objects: Objects, root: Path | None = None) -> None:
        self._objects = objects
        self._scratch = None if root else Scratch("mlref-models-")
        self.root = root or (self._scratch.path if self._scratch else Path())
        self._lock = threading.Lock()

    def unpacked(self, uri: str) -> Path:
        """The folder with what an archive holds, as /opt/ml/model would be.

        Args:
            uri: of a model.tar.gz; or of a prefix, if it ends in "/", whose objects are copied.

        Raises:
            ModelDataError: it is not there, or no such archive.
        """
        try:
            if uri.endswith("/"):
                files = {key: self._objects.get(key) for key in self._objects.keys(uri)}
                return self._placed(uri, files)
            content = self._objects.get(uri)
        except AwsError as error:
            raise ModelDataError(f"Could not find model data at {uri}.") from error
        digest = hashlib.sha256(content).hexdigest()
        return self._made(digest, lambda folder: _extract(uri, content, folder))

    def close(self) -> None:
        """Remove everything."""
        if self._scratch is not None:
            self._scratch.close()

    def _placed(self, prefix: str, files: dict[str, bytes]) -> Path:
        if not files:
            raise ModelDataError(f"Could not find model data at {prefix}.")
        digest = hashlib.sha256()
        for key, content in files.items():
            digest.update(key.encode() + b"\0" + hashlib.sha256(content).digest())
        return self._made(digest.hexdigest(), lambda folder: _copy(prefix, files, folder))

    def _made(self, digest: str, fill: Callable[[Path], None]) -> Path:
        """The folder of some content: all of it, or none."""
        with self._lock:
            target = self.root / digest[:_DIGITS]
            if not target.is_dir():
                self.root.mkdir(parents=True, exist_ok=True)
                making = Path(tempfile.mkdtemp(dir=self.root))
                making.chmod(_FOR_CONTAINERS)
                try:
                    fill(making)
                except BaseException:
                    shutil.rmtree(making)
                    raise
                making.rename(target)
        return target


def _copy(prefix: str, files: dict[str, bytes], folder: Path) -> None:
    for key, content in files.items():
        if key.endswith("/"):
            continue  # a folder, as the console of S3 makes it
        path = (folder / key.removeprefix(prefix)).resolve()
        if not path.is_relative_to(folder.resolve()):
            raise ModelDataError(f"the object {key} leads out of the model's folder")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        except OSError as error:  # a key that is the folder of another one
            raise ModelDataError(f"the object {key} cannot be a file: {error.strerror}") from error


def _extract(uri: str, content: bytes, folder: Path) -> None:
    """Unpack an archive.

    Raises:
        ModelDataError: it is none, or something in it leads out of the folder.
    """
    try:
        unpack(content, folder)
    except ArchiveError as error:
        raise ModelDataError(
            f"Failed to extract model data archive from URL {uri}. Please ensure that the object "
            f"located at the URL is a valid tar.gz archive ({error})"
        ) from error
