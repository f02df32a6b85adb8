"""What lies in S3 as a job names it: the objects under a prefix, or those of a manifest.

A prefix is the beginning of keys. The folder that it names is what the files are relative to:

    s3://b/train/            train/a.csv, train/x/b.csv   -> a.csv, x/b.csv
    s3://b/train             train/a.csv                  -> a.csv
    s3://b/train/a.csv       train/a.csv                  -> a.csv
    s3://b/tr                train/a.csv                  -> train/a.csv

A manifest is a list in JSON: an object with the prefix first, then what follows it in each key.

Source: the Amazon SageMaker API Reference, S3DataSource and TransformS3DataSource.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mlref.aws.local.errors import AwsError, validation
from mlref.aws.local.world import REGION, Objects, World, split_uri

__all__ = [
    "DownloadError",
    "Input",
    "download",
    "in_s3",
    "inputs_of",
    "manifest",
    "require_bucket",
    "require_inputs",
    "require_readable",
]

_HTTPS = "https://"


class DownloadError(Exception):
    """What was there when the job was made cannot be read; becomes its FailureReason."""


@dataclass(frozen=True)
class Input:
    """One object.

    Attributes:
        uri: where it lies.
        path: where its file goes, relative to the folder of all.
    """

    uri: str
    path: str


def in_s3(url: str) -> str:
    """An address as "s3://bucket/key"; SageMaker takes https addresses of S3 as well.

    >>> in_s3("https://models.s3.us-east-1.amazonaws.com/a.csv")
    's3://models/a.csv'

    Raises:
        AwsError: it is no address in S3.
    """
    if not url.startswith(_HTTPS):
        split_uri(url)
        return url
    host, _, path = url.removeprefix(_HTTPS).partition("/")
    if not host.endswith(".amazonaws.com"):
        raise validation(f"an address in S3 is s3://bucket/key, got {url!r}")
    if host.startswith(("s3.", "s3-")):
        return f"s3://{path}"
    return f"s3://{host.partition('.s3')[0]}/{path}"


def inputs_of(objects: Objects, kind: str, url: str) -> list[Input]:
    """The objects of a data source, in order.

    Args:
        objects: what lies in S3.
        kind: "S3Prefix" or "ManifestFile".
        url: of the prefix or the manifest.

    Raises:
        AwsError: there is no such bucket, or the manifest is none.
    """
    uri = in_s3(url)
    if kind == "ManifestFile":
        return _listed(objects, uri)
    found = [key for key in objects.keys(uri) if not key.endswith("/")]
    return [Input(key, _relative(key, uri)) for key in found]


def manifest(prefix: str, paths: list[str]) -> bytes:
    """A manifest that names some objects.

    Args:
        prefix: as in "s3://bucket/folder/".
        paths: what follows it in each.
    """
    return json.dumps([{"prefix": prefix}, *paths]).encode()


def require_inputs(world: World, kind: str, url: str, role: str | None) -> None:
    """Return if a data source holds anything, as SageMaker checks it before a job begins.

    Args:
        world: holds S3.
        kind: "S3Prefix" or "ManifestFile".
        url: of the prefix or the manifest.
        role: that the job will have.

    Raises:
        AwsError: it holds nothing.
    """
    bucket = split_uri(in_s3(url))[0]
    may_list = role is None or world.roles.allows(role, "s3:ListBucket", f"arn:aws:s3:::{bucket}")
    try:
        found = inputs_of(world.objects, kind, url)
    except AwsError as error:
        if error.code == "ValidationException":
            raise
        found = []
    if not found or not (may_list or kind == "ManifestFile"):
        raise validation(
            f'No S3 objects found under S3 URL "{url}" given in input data source. Please ensure '
            f"that the bucket exists in the selected region ({REGION}), that objects exist under "
            f'that S3 prefix, and that the role "{role}" has "s3:ListBucket" permissions on bucket '
            f'"{bucket}".'
        )


def require_bucket(world: World, url: str) -> None:
    """Return if there is the bucket of an address.

    Raises:
        AwsError: there is none.
    """
    try:
        world.objects.keys(in_s3(url))
    except AwsError as error:
        raise validation(f"the output path {url} cannot be used: {error.message}") from error


def require_readable(world: World, role: str | None, uri: str, *, to: str = "read") -> None:
    """Return if a role may read or write an object.

    Args:
        world: knows the roles.
        role: that the job has, or None.
        uri: of the object.
        to: "read" or "write".

    Raises:
        DownloadError: it may not.
    """
    action = "s3:GetObject" if to == "read" else "s3:PutObject"
    if role is not None and not world.roles.allows(role, action, f"arn:aws:s3:::{uri[5:]}"):
        raise DownloadError(f"Access denied: the role {role} lacks {action} on {uri}")


def download(
    world: World, kind: str, url: str, folder: Path, *, role: str | None = None
) -> Iterator[Path]:
    """Copy the objects of a data source into a folder, and give each file when it is there.

    Args:
        world: holds S3, and the roles.
        kind: "S3Prefix" or "ManifestFile".
        url: of the prefix or the manifest.
        folder: is made.
        role: that reads them.

    Raises:
        DownloadError: an object is not there any more, may not be read, or leads out of the folder.
    """
    folder.mkdir(parents=True, exist_ok=True)
    try:
        for each in inputs_of(world.objects, kind, url):
            require_readable(world, role, each.uri)
            path = (folder / each.path).resolve()
            if not path.is_relative_to(folder.resolve()):
                raise DownloadError(f"{each.uri} leads out of the folder of its data")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(world.objects.get(each.uri))
            yield path
    except (AwsError, OSError) as error:
        raise DownloadError(str(error)) from error


def _relative(key: str, prefix: str) -> str:
    if key == prefix:
        return key.rpartition("/")[2]
    for base in (prefix, f"{prefix}/"):
        if base.endswith("/") and key.startswith(base):
            return key.removeprefix(base)
    return key.removeprefix(prefix.rpartition("/")[0] + "/")


def _listed(objects: Objects, uri: str) -> list[Input]:
    try:
        found: Any = json.loads(objects.get(uri))
    except ValueError as error:
        raise validation(f"the manifest {uri} is not JSON: {error}") from error
    head, *rest = found if isinstance(found, list) and found else [None]
    prefix: Any = head.get("prefix") if isinstance(head, Mapping) else None
    if not isinstance(prefix, str) or not all(isinstance(each, str) for each in rest):
        raise validation(
            f'the manifest {uri} must be [{{"prefix": "s3://..."}}, "key", ...], got '
            f"{json.dumps(found)[:80]}"
        )
    split_uri(prefix)
    return [Input(f"{prefix}{each}", str(each)) for each in rest]
