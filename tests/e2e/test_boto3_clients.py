"""What boto3 has besides plain calls, and s3fs: all of it with nothing set but the environment."""

from __future__ import annotations

import hashlib
import io
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError
from support.local_account import LocalAccount

MIB = 2**20


@pytest.fixture(scope="module", autouse=True)
def account(aws_environment: LocalAccount) -> LocalAccount:
    """A local AWS, which the environment leads to."""
    return aws_environment


@pytest.fixture
def bucket(request: pytest.FixtureRequest) -> Iterator[Any]:
    """A bucket of the test's own, as a resource; emptied and deleted after it."""
    name = hashlib.sha256(request.node.name.encode()).hexdigest()[:20]
    found = boto3.resource("s3").create_bucket(Bucket=name)
    yield found
    found.object_versions.delete()
    found.objects.delete()
    found.delete()


def _fetched(url: str, data: bytes | None = None, method: str = "GET") -> bytes:
    with urlopen(Request(url, data, method=method), timeout=30) as reply:  # noqa: S310 - ours
        return bytes(reply.read())


def test_a_large_file_goes_in_parts_and_comes_back(bucket: Any, tmp_path: Path) -> None:
    """20 MB in parts of 8, at once; told meanwhile; copied within S3, and cut by a range."""
    content = os.urandom(20 * MIB)
    (tmp_path / "large").write_bytes(content)
    seen: list[int] = []
    bucket.upload_file(
        str(tmp_path / "large"), "large", Callback=seen.append, ExtraArgs={"Metadata": {"a": "b"}}
    )
    assert sum(seen) == len(content)
    bucket.download_file("large", str(tmp_path / "back"))
    assert (tmp_path / "back").read_bytes() == content
    found = bucket.Object("large")
    assert found.e_tag.endswith('-3"')  # three parts
    assert (found.content_length, found.metadata) == (len(content), {"a": "b"})
    bucket.copy({"Bucket": bucket.name, "Key": "large"}, "copy")
    assert bucket.Object("copy").get()["Body"].read() == content
    part = found.get(Range="bytes=1000-1999")
    assert (part["Body"].read(), part["ContentRange"]) == (
        content[1000:2000],
        f"bytes 1000-1999/{len(content)}",
    )
    buffer = io.BytesIO()
    bucket.upload_fileobj(io.BytesIO(b"small"), "small")
    bucket.download_fileobj("small", buffer)
    assert buffer.getvalue() == b"small"


def test_lists_have_pages_prefixes_and_versions(bucket: Any) -> None:
    """2,100 objects: in pages, below a prefix, by folder; versions of one; deleted together."""
    client = bucket.meta.client
    for number in range(2100):
        client.put_object(Bucket=bucket.name, Key=f"{number % 3}/{number:04}", Body=b"")
    pages = list(client.get_paginator("list_objects_v2").paginate(Bucket=bucket.name))
    assert [each["KeyCount"] for each in pages] == [1000, 1000, 100]
    assert len(list(bucket.objects.filter(Prefix="1/"))) == 700
    folders = client.list_objects_v2(Bucket=bucket.name, Delimiter="/")["CommonPrefixes"]
    assert [each["Prefix"] for each in folders] == ["0/", "1/", "2/"]
    found = client.get_paginator("list_objects_v2").paginate(Bucket=bucket.name)
    assert len(list(found.search("Contents[?starts_with(Key, '2/')].Key"))) == 700
    bucket.objects.delete()
    assert list(bucket.objects.all()) == []

    bucket.Versioning().enable()
    for text in (b"one", b"two"):
        client.put_object(Bucket=bucket.name, Key="key", Body=text)
    versions = list(bucket.object_versions.filter(Prefix="key"))
    assert sorted(each.get()["Body"].read() for each in versions) == [b"one", b"two"]
    bucket.Object("key").delete()
    with pytest.raises(ClientError, match="NoSuchKey"):
        bucket.Object("key").get()


def _refused(url: str) -> tuple[int, str]:
    """The status, and S3's code in XML."""
    with pytest.raises(HTTPError) as found:
        _fetched(url)
    with found.value as error:
        text = error.read().decode()
    return error.code, text.partition("<Code>")[2].partition("</Code>")[0]


@pytest.mark.parametrize("version", [None, "s3v4"])
def test_an_address_can_be_signed_for_others(bucket: Any, version: str | None) -> None:
    """Somebody without credentials puts and gets, until it expires; unsigned, nothing is given."""
    client = boto3.client("s3", config=Config(signature_version=version))
    what = {"Bucket": bucket.name, "Key": "a b/ü+.txt"}
    _fetched(client.generate_presigned_url("put_object", what, ExpiresIn=60), b"content", "PUT")
    get = client.generate_presigned_url("get_object", what, ExpiresIn=60)
    assert _fetched(get) == b"content"
    assert _refused(get.partition("?")[0]) == (403, "AccessDenied")
    late = client.generate_presigned_url("get_object", what, ExpiresIn=-60)
    assert _refused(late) == (403, "AccessDenied")
    nothing = {**what, "Key": "nothing"}
    assert _refused(client.generate_presigned_url("get_object", nothing)) == (404, "NoSuchKey")


def test_encryption_and_checksums_are_kept(bucket: Any) -> None:
    """SSE-S3, SSE-KMS with a key, a bucket's default, and checksums of AWS's kinds."""
    client = bucket.meta.client
    name = {"Bucket": bucket.name}
    client.put_object(**name, Key="s3", Body=b"x", ServerSideEncryption="AES256")
    assert client.head_object(**name, Key="s3")["ServerSideEncryption"] == "AES256"
    key = boto3.client("kms").create_key()["KeyMetadata"]["Arn"]
    client.put_object(**name, Key="kms", Body=b"x", ServerSideEncryption="aws:kms", SSEKMSKeyId=key)
    told = client.get_object(**name, Key="kms")
    assert (told["ServerSideEncryption"], told["SSEKMSKeyId"]) == ("aws:kms", key)
    rule = {"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}
    client.put_bucket_encryption(**name, ServerSideEncryptionConfiguration={"Rules": [rule]})
    assert client.get_bucket_encryption(**name)["ServerSideEncryptionConfiguration"]["Rules"]
    for algorithm in ("CRC32", "SHA256"):
        client.put_object(**name, Key=algorithm, Body=b"content", ChecksumAlgorithm=algorithm)
        told = client.get_object(**name, Key=algorithm, ChecksumMode="ENABLED")
        assert told["Body"].read() == b"content"
        assert told[f"Checksum{algorithm}"]
    with pytest.raises(ClientError, match="PreconditionFailed"):
        client.put_object(**name, Key="SHA256", Body=b"other", IfNoneMatch="*")
    with pytest.raises(ClientError, match="PreconditionFailed"):
        client.get_object(**name, Key="SHA256", IfMatch='"nothing"')
