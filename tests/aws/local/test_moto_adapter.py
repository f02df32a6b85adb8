"""Each internal of moto that the adapter uses is still what it takes it for."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from support.odd_server import odd_server
from support.waiting import until

from mlref.aws.local.errors import AwsError
from mlref.aws.local.moto_adapter import (
    Moto,
    MotoDirectory,
    MotoLogs,
    MotoObjects,
    MotoTags,
    MotoTopics,
)
from mlref.runtime.clock import ManualClock

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


def test_tagged_repositories_are_listed_too(moto: Moto) -> None:
    """`repositories`, each with its `arn`, and `tagger`, of which moto's own list knows nothing."""
    ecr = moto.backend("ecr")
    tags = [{"Key": "team", "Value": "ml"}]
    made = ecr.create_repository("adapter", "", {}, None, "", tags)
    ecr.create_repository("plain", "", {}, None, "", [])
    assert (made.arn, {"team": "ml"}) in MotoTags(moto).all()
    assert not any("plain" in arn for arn, _ in MotoTags(moto).all())


def test_a_log_is_kept_whatever_the_clock_tells(moto: Moto) -> None:
    """A stream takes events of any time, unlike PutLogEvents, which drops those of next month."""
    clock = ManualClock(datetime.now(UTC))
    logs = MotoLogs(moto, clock)
    logs.put("/adapter", "stream", ["now", ""])
    clock.advance(60 * 24 * 3600)
    logs.put("/adapter", "stream", ["in two months"])
    found = logs.events("/adapter")
    assert found is not None
    assert [(each[0], each[2]) for each in found] == [
        ("stream", "now"),
        ("stream", "in two months"),
    ]
    assert found[1][1] - found[0][1] == 60 * 24 * 3600 * 1000
    assert logs.events("/nobody") is None


def test_a_slow_subscriber_keeps_nobody_waiting(moto: Moto) -> None:
    """`requests.post` of `moto.sns.models` is ours: it posts in a thread, without the lock."""
    topics, sns = MotoTopics(moto), moto.backend("sns")
    topic = sns.create_topic("adapter")
    with odd_server() as server:
        sns.subscribe(topic.arn, f"{server.url}/hang", "http")
        topics.publish(topic.arn, "subject", "ours")
        until(lambda: server.bodies)
        assert not server.release.is_set()
        assert moto.call("s3", "GET", "/", SIGNED, b"")[0] == 200
        message = json.loads(server.bodies[0])
        assert (message["Message"], message["Subject"]) == ("ours", "subject")


def test_a_subscriber_that_is_not_there_is_logged(moto: Moto, caplog: Any) -> None:
    """Whoever publishes is not told, as on AWS; queues of the same topic get theirs."""
    topics, sns = MotoTopics(moto), moto.backend("sns")
    topic = sns.create_topic("nobody-listens")
    sns.subscribe(topic.arn, "http://127.0.0.1:1/", "http")
    topics.publish(topic.arn, "subject", "ours")
    until(lambda: "did not reach http://127.0.0.1:1/" in caplog.text)
    assert [each[1] for each in topic.sent_notifications] == ["ours"]


def test_roles_are_those_of_iam(moto: Moto) -> None:
    """`roles`, their policies, boundary, tags; of a managed policy, its default version."""
    iam, found = moto.backend("iam"), MotoDirectory(moto)
    version = {"Version": "2012-10-17"}
    deny = {"Effect": "Deny", "Action": "*", "Resource": "*"}
    allow = json.dumps({**version, "Statement": [{**deny, "Effect": "Allow"}]})
    boundary = iam.create_policy("", "/", allow, "adapter-boundary", [])
    role = iam.create_role(
        "adapter", "{}", "/service-role/", boundary.arn, "", [{"Key": "k", "Value": "v"}], "3600"
    )
    iam.put_role_policy("adapter", "inline", allow)
    managed = iam.create_policy("", "/", allow, "adapter-managed", [])
    iam.attach_role_policy(managed.arn, "adapter")
    newer = json.dumps({**version, "Statement": [deny]})
    iam.create_policy_version(managed.arn, newer, "true")
    told = found.role("arn:aws:iam::123456789012:role/service-role/adapter")
    assert told is not None
    assert (told.trust, told.tags) == ("{}", {"k": "v"})
    assert [(each.name, each.text) for each in told.policies] == [
        ("inline", allow),
        ("adapter-managed", newer),
    ]
    assert told.boundary is not None
    assert told.boundary.text == allow
    assert found.role(role.arn.replace("adapter", "nobody")) is None


def test_logins_are_those_of_sts(moto: Moto) -> None:
    """`get_assumed_role_from_access_key`, with a time that has no zone and is UTC."""
    sts, found = moto.backend("sts"), MotoDirectory(moto)
    arn = "arn:aws:iam::123456789012:role/service-role/adapter"
    made = sts.assume_role("us-east-1", "ann", arn, "", 900, "")
    told = found.login(made.access_key_id)
    assert told is not None
    assert made.access_key_id.startswith("ASIA")
    assert (told.role, told.token, told.policy) == (arn, made.session_token, None)
    assert told.arn == "arn:aws:sts::123456789012:assumed-role/adapter/ann"
    assert 890 < (told.expires - datetime.now(UTC)).total_seconds() <= 900
    assert found.login("ASIANOBODY") is None


def test_the_policy_of_a_bucket_is_that_of_s3(moto: Moto) -> None:
    """A bucket's `policy` is what was put, or None."""
    found = MotoDirectory(moto)
    assert found.bucket_policy("adapter") is None
    assert found.bucket_policy("nobody") is None
    policy = b'{"Version": "2012-10-17", "Statement": []}'
    assert moto.call("s3", "PUT", "/adapter?policy", SIGNED, policy)[0] in {200, 204}
    assert found.bucket_policy("adapter") == policy.decode()
