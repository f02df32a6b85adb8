"""moto, as the local AWS uses it: the only module that knows how it looks inside.

What we do not have ourselves and moto has (S3, IAM, STS, KMS, SNS, SQS, Logs, ECR) is passed to its
in-memory backends, without a server of its own. Only the operations that `mlref.aws.local.allowed`
lists get here. moto's exact version is pinned, and tests/aws/local/test_moto_adapter.py asks each
of its internals that is used here whether it is still what we think.
"""

from __future__ import annotations

import functools
import logging
import threading
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC
from typing import Any

from mlref.aws.local.errors import AwsError
from mlref.aws.local.iam.directory import Document, Login, Role
from mlref.aws.local.world import ACCOUNT, REGION, split_uri
from mlref.runtime.clock import Clock
from mlref.runtime.lazy import extra

__all__ = [
    "GLOBAL",
    "Answer",
    "Moto",
    "MotoDirectory",
    "MotoLogs",
    "MotoObjects",
    "MotoTags",
    "MotoTopics",
]

logger = logging.getLogger(__name__)

Answer = tuple[int, Mapping[str, str], bytes]
"""Status, headers and body."""

GLOBAL = frozenset({"iam", "sts", "s3"})
"""The services whose state belongs to an account, not to a region."""

_FORM = "application/x-www-form-urlencoded"
_DELIVERY_S = 15.0  # that a subscriber of SNS has for its answer
_DOMAINS = {"ecr": "api.ecr"}  # where the name in a domain is another one


class Moto:
    """The backends of one account; they are moto's own and live as long as the process."""

    def __init__(self) -> None:
        with extra("aws"):
            from moto.core.botocore_stubber import BotocoreStubber
            from moto.core.config import default_user_config
        self._stubber = BotocoreStubber()
        self._lock = threading.RLock()  # moto's backends know nothing of threads
        # AmazonSageMakerFullAccess and the others, which a backend reads when it is made. Ours
        # alone: moto makes one for each partition of AWS, and each would take its time.
        settings = default_user_config["iam"]
        before = settings["load_aws_managed_policies"]
        settings["load_aws_managed_policies"] = True
        try:
            self.backend("iam")
        finally:
            settings["load_aws_managed_policies"] = before

    def call(
        self, service: str, method: str, target: str, headers: Mapping[str, str], body: bytes
    ) -> Answer:
        """What moto answers to a request.

        Args:
            service: the name that boto3 knows it by.
            method: of HTTP.
            target: path and query, as they came.
            headers: as they came.
            body: as it came.

        Raises:
            AwsError: moto cannot do it.
        """
        from botocore.awsrequest import AWSPreparedRequest
        from botocore.compat import HTTPHeaders

        given = HTTPHeaders()
        for name, value in headers.items():
            if service == "s3" and value.startswith(_FORM):
                continue  # moto would read an object as a form, and keep nothing of it
            given[name] = value
        domain = _DOMAINS.get(service, service)
        url = f"https://{domain}.{REGION}.amazonaws.com{target}"
        request = AWSPreparedRequest(method, url, given, body, False)  # noqa: FBT003 - its own
        try:
            with self._lock:
                found = self._stubber.process_request(request)
        except NotImplementedError as error:
            text = f"the local AWS does not do this of {service}: {error}"
            raise AwsError("UnsupportedOperation", text) from error
        if found is None:
            raise AwsError("UnsupportedOperation", f"the local AWS has no {service} {method}")
        status, answered, content = found
        content = content.encode() if isinstance(content, str) else bytes(content or b"")
        return int(status), {str(name): str(value) for name, value in answered.items()}, content

    def backend(self, service: str) -> Any:
        """Moto's own object for a service of the account."""
        from moto.backends import get_backend

        region = "aws" if service in GLOBAL else REGION
        return get_backend(service)[ACCOUNT][region]

    def locked(self) -> threading.RLock:
        """To be held around any use of a backend."""
        return self._lock


class MotoObjects:
    """What lies in S3; see `mlref.aws.local.world.Objects`.

    Attributes:
        before_read: called before anything is read: whoever still holds objects back saves them.
    """

    def __init__(self, moto: Moto) -> None:
        self._moto = moto
        self.before_read: list[Callable[[], object]] = []

    def settle(self) -> None:
        """Let everybody save what they still hold back."""
        for call in self.before_read:
            call()

    def get(self, uri: str) -> bytes:
        """The content of an object; see `Objects.get`.

        Raises:
            AwsError: there is no such bucket or object.
        """
        self.settle()
        bucket, key = split_uri(uri)
        with self._moto.locked():
            self._bucket(bucket)
            found = self._moto.backend("s3").get_object(bucket, key)
            if found is None:
                raise AwsError("NoSuchKey", f"there is no object {uri}", status=404)
            return bytes(found.value)

    def put(self, uri: str, content: bytes) -> None:
        """Save an object; see `Objects.put`."""
        bucket, key = split_uri(uri)
        with self._moto.locked():
            self._bucket(bucket)
            self._moto.backend("s3").put_object(bucket, key, content)

    def keys(self, prefix: str) -> list[str]:
        """The objects that begin so, in order; see `Objects.keys`."""
        self.settle()
        bucket, begin = split_uri(prefix)
        with self._moto.locked():
            found = self._bucket(bucket).keys
            names = sorted(name for name in found if name.startswith(begin))
        return [f"s3://{bucket}/{name}" for name in names]

    def exists(self, uri: str) -> bool:
        """Whether there is such an object; see `Objects.exists`."""
        self.settle()
        bucket, key = split_uri(uri)
        with self._moto.locked():
            backend = self._moto.backend("s3")
            return bucket in backend.buckets and backend.get_object(bucket, key) is not None

    def _bucket(self, name: str) -> Any:
        found = self._moto.backend("s3").buckets.get(name)
        if found is None:
            raise AwsError("NoSuchBucket", f"there is no bucket {name!r}; create it", status=404)
        return found


class MotoLogs:
    """What stands in CloudWatch Logs."""

    def __init__(self, moto: Moto, clock: Clock) -> None:
        self._moto = moto
        self._clock = clock

    def put(self, group: str, stream: str, lines: Iterable[str]) -> None:
        """Append lines to a stream; see `Logs.put`.

        Args:
            group: is made if it is not there.
            stream: is made if it is not there.
            lines: empty ones are left out, as AWS takes none.
        """
        at_ms = int(self._clock.now().timestamp() * 1000)
        events = [{"timestamp": at_ms, "message": line} for line in lines if line]
        if not events:
            return
        with self._moto.locked():
            backend = self._moto.backend("logs")
            if group not in backend.groups:
                backend.create_log_group(group, {})
            streams = backend.groups[group].streams
            if stream not in streams:
                backend.create_log_stream(group, stream)
            streams[stream].put_log_events(events)  # the backend's own refuses the far future

    def events(self, group: str) -> list[tuple[str, int, str, int, str]] | None:
        """All lines of a group; see `KeptLogs.events`."""
        with self._moto.locked():
            found = self._moto.backend("logs").groups.get(group)
            if found is None:
                return None
            return [
                (name, each.timestamp, each.message, each.ingestion_time, str(each.event_id))
                for name, stream in found.streams.items()
                for each in stream.events
            ]


class MotoTopics:
    """What passes messages on: SNS.

    Args:
        moto: whose topics; from now on it delivers by HTTP in threads, whoever publishes. Itself
            it would wait for each subscriber's answer, and let nobody else do anything meanwhile.
    """

    def __init__(self, moto: Moto) -> None:
        from moto.sns import models

        self._moto = moto
        setattr(models, "requests", _Deliveries())  # noqa: B010 - its own is a module

    def publish(self, topic: str, subject: str, text: str) -> None:
        """Send a message to all that listen to a topic.

        Args:
            topic: its ARN.
            subject: one line, of at most 100 characters.
            text: the message.

        Raises:
            AwsError: there is no such topic.
        """
        with self._moto.locked():
            backend = self._moto.backend("sns")
            if topic not in backend.topics:
                raise AwsError("NotFound", f"there is no topic {topic}; create it", status=404)
            backend.publish(message=text, arn=topic, subject=subject[:100])


class _Deliveries:
    """Posts in a thread each, in the place of the library `requests`."""

    def post(self, url: str, **what: Any) -> None:
        """Send something, and wait for nothing.

        Args:
            url: of the subscriber.
            what: as `requests.post` takes it.
        """
        work = functools.partial(self._send, url, what)
        threading.Thread(target=work, name="delivery", daemon=True).start()

    @staticmethod
    def _send(url: str, what: Mapping[str, Any]) -> None:
        import requests

        try:
            requests.post(url, timeout=_DELIVERY_S, **what)
        except requests.RequestException as error:
            logger.warning("a message of SNS did not reach %s: %s", url, error)


class MotoTags:
    """The tags of what moto keeps."""

    def __init__(self, moto: Moto) -> None:
        self._moto = moto

    def all(self) -> list[tuple[str, dict[str, str]]]:
        """The ARN of each resource that has tags, and the tags."""
        from moto.resourcegroupstaggingapi.models import iter_taggable_backends

        with self._moto.locked():
            listed = [
                (each.arn, dict(each.tags))
                for backend in iter_taggable_backends(ACCOUNT, REGION)
                for each in backend.iter_tagged_resources()
                if each.tags
            ]
            ecr = self._moto.backend("ecr")  # which moto's own list leaves out
            arns = [each.arn for each in ecr.repositories.values()]
            found = [(arn, ecr.tagger.get_tag_dict_for_resource(arn)) for arn in arns]
        return listed + [(arn, tags) for arn, tags in found if tags]


class MotoDirectory:
    """What IAM and STS know; see `mlref.aws.local.iam.directory.Directory`."""

    def __init__(self, moto: Moto) -> None:
        self._moto = moto

    def role(self, arn: str) -> Role | None:
        """A role by its ARN; see `Directory.role`."""
        with self._moto.locked():
            backend = self._moto.backend("iam")
            found = next((each for each in backend.roles.values() if each.arn == arn), None)
            if found is None:
                return None
            inline = [Document(name, text) for name, text in found.policies.items()]
            managed = [_managed(each) for each in found.managed_policies.values()]
            boundary = backend.managed_policies.get(found.permissions_boundary_arn)
            return Role(
                arn,
                found.assume_role_policy_document,
                (*inline, *managed),
                None if boundary is None else _managed(boundary),
                {each["Key"]: each["Value"] for each in found.tags or ()},
            )

    def login(self, access_key: str) -> Login | None:
        """Whose access key it is; see `Directory.login`."""
        with self._moto.locked():
            found = self._moto.backend("sts").get_assumed_role_from_access_key(access_key)
            if found is None:
                return None
            return Login(
                found.role_arn,
                found.arn,
                found.session_token,
                found.expiration.replace(tzinfo=UTC),
                Document("session", found.policy) if found.policy else None,
            )

    def object_tags(self, bucket: str, key: str) -> Mapping[str, str]:
        """The tags of an object; see `Directory.object_tags`.

        Args:
            bucket: its name.
            key: of the object.
        """
        with self._moto.locked():
            backend = self._moto.backend("s3")
            found = backend.get_object(bucket, key) if bucket in backend.buckets else None
            if found is None:
                return {}
            tags: dict[str, str] = backend.tagger.get_tag_dict_for_resource(found.arn)
            return tags

    def bucket_policy(self, bucket: str) -> str | None:
        """The policy of a bucket; see `Directory.bucket_policy`."""
        with self._moto.locked():
            found = self._moto.backend("s3").buckets.get(bucket)
            text = None if found is None else found.policy
            return text.decode() if isinstance(text, bytes) else text


def _managed(policy: Any) -> Document:
    """The version of a managed policy that counts."""
    (text,) = [each.document for each in policy.versions if each.is_default]
    theirs = policy.arn.startswith("arn:aws:iam::aws:")
    return Document(policy.name, text, "aws-managed" if theirs else "user-managed")
