"""Each internal of moto that the adapter uses is still what it takes it for."""

from __future__ import annotations

import pytest

from mlref.aws.local.errors import AwsError
from mlref.aws.local.moto_adapter import Moto, MotoObjects, MotoTags

SIGNED = {
    "authorization": "AWS4-HMAC-SHA256 Credential=test/20260101/us-east-1/s3/aws4_request, "
    "SignedHeaders=host, Signature=0"
}


@pytest.fixture(scope="module")
def moto() -> Moto:
    """Moto's backends, with a bucket."""
    made = Moto()
    assert made.call("s3", "PUT", "/adapter", SIGNED, b"")[0] == 200
    return made


def test_a_request_is_answered_without_a_server(moto: Moto) -> None:
    """`BotocoreStubber.process_request` gives status, headers and body."""
    status, headers, body = moto.call("s3", "GET", "/", SIGNED, b"")
    assert status == 200
    assert b"<Name>adapter</Name>" in body
    assert all(isinstance(value, str) for value in headers.values())


def test_the_managed_policies_of_aws_are_there_once(moto: Moto) -> None:
    """A backend reads `default_user_config` when it is made; those of other partitions do not."""
    from moto.backends import get_backend
    from moto.core.config import default_user_config

    found = moto.backend("iam").managed_policies
    assert "arn:aws:iam::aws:policy/AmazonSageMakerFullAccess" in found
    assert default_user_config["iam"]["load_aws_managed_policies"] is False
    assert len(get_backend("iam")["123456789012"]["aws-cn"].managed_policies) == 0


def test_objects_are_those_of_the_backend(moto: Moto) -> None:
    """`buckets`, `get_object`, `put_object` and a key's `value` agree with the calls of S3."""
    objects = MotoObjects(moto)
    objects.put("s3://adapter/a/b", b"ours")
    assert moto.call("s3", "GET", "/adapter/a/b", SIGNED, b"")[2] == b"ours"
    moto.call("s3", "PUT", "/adapter/c", SIGNED, b"theirs")
    assert objects.get("s3://adapter/c") == b"theirs"
    assert objects.keys("s3://adapter/") == ["s3://adapter/a/b", "s3://adapter/c"]
    assert objects.exists("s3://adapter/c")
    assert not objects.exists("s3://adapter/nothing")
    with pytest.raises(AwsError, match="no bucket 'nobody'"):
        objects.get("s3://nobody/c")
    with pytest.raises(AwsError, match="no object s3://adapter/nothing"):
        objects.get("s3://adapter/nothing")


def test_an_object_that_is_sent_like_a_form_is_kept(moto: Moto) -> None:
    """Python's urllib says so of any body."""
    headers = {**SIGNED, "content-type": "application/x-www-form-urlencoded"}
    moto.call("s3", "PUT", "/adapter/form", headers, b"a=1&b=2")
    assert MotoObjects(moto).get("s3://adapter/form") == b"a=1&b=2"


def test_what_is_tagged_is_listed(moto: Moto) -> None:
    """`iter_taggable_backends` and `iter_tagged_resources`, with `arn` and `tags`."""
    assert MotoTags(moto).all() == []
    body = b"<Tagging><TagSet><Tag><Key>team</Key><Value>ml</Value></Tag></TagSet></Tagging>"
    assert moto.call("s3", "PUT", "/adapter?tagging", SIGNED, body)[0] in {200, 204}
    assert MotoTags(moto).all() == [("arn:aws:s3:::adapter", {"team": "ml"})]
