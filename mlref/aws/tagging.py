"""Tags on all that is created: whose it is, and when it may be deleted.

    install(session, tags_for("chapter-03", expires))

From then on every client of the session adds `mlref:session` and `mlref:expires` to each request
that creates something and can carry tags. A tag of the user's own with the same key stays. The tags
are what `mlref.aws.sweep` finds forgotten things by.

What exists already is not tagged: it may be somebody else's, and would be swept. So buckets and
scalable targets, which are changed by the operation that creates them, are looked for first. One
thing to know: creating a topic of SNS once more is refused if it has other tags, so two sessions do
not share one.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlencode

from mlref.errors import StrictError
from mlref.runtime.lazy import extra

if TYPE_CHECKING:
    import boto3

__all__ = ["EXPIRES", "SESSION", "expiry_of", "install", "tags_for"]

SESSION = "mlref:session"
"""The key of the tag that says in which session something was created."""

EXPIRES = "mlref:expires"
"""The key of the tag that says when it may be deleted, in ISO 8601."""

_CREATING = ("Create", "Import", "Put", "Register", "Replicate", "Upload")
"""How operations begin that make something; others with tags change or filter what is there."""

_PAIRS = (("Key", "Value"), ("TagKey", "TagValue"), ("key", "value"))
"""How AWS calls key and value, where tags are a list."""


def tags_for(session: str, expires: datetime) -> dict[str, str]:
    """The tags of a session.

    Args:
        session: its name.
        expires: with a time zone.

    >>> tags_for("a", datetime(2026, 1, 5, 16, tzinfo=UTC))
    {'mlref:session': 'a', 'mlref:expires': '2026-01-05T16:00:00Z'}
    """
    moment = expires.astimezone(UTC).replace(tzinfo=None)
    return {SESSION: session, EXPIRES: f"{moment.isoformat(timespec='seconds')}Z"}


def expiry_of(tags: Mapping[str, str]) -> datetime | None:
    """When something with these tags expires; None if they do not tell.

    >>> expiry_of({"mlref:expires": "2026-01-05T16:00:00Z"})
    datetime.datetime(2026, 1, 5, 16, 0, tzinfo=datetime.timezone.utc)
    """
    try:
        found = datetime.fromisoformat(tags.get(EXPIRES, ""))
    except ValueError:
        return None
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def install(session: boto3.Session, tags: Mapping[str, str]) -> None:
    """Let every client that a session makes from now on tag what it creates.

    Args:
        session: a boto3 session; others are not changed.
        tags: key -> value.
    """

    def add(params: dict[str, Any], model: Any, **_: object) -> None:
        if model.input_shape is not None and model.name.startswith(_CREATING):
            _add(params, model, tags)

    def tag_buckets(class_attributes: dict[str, Any], **_: object) -> None:
        class_attributes["create_bucket"] = _tagging(class_attributes["create_bucket"], tags)

    def tag_targets(class_attributes: dict[str, Any], **_: object) -> None:
        register = class_attributes["register_scalable_target"]
        class_attributes["register_scalable_target"] = _registering(register, tags)

    for event, call, name in (
        ("before-parameter-build", add, "mlref-tags"),
        ("creating-client-class.s3", tag_buckets, "mlref-bucket-tags"),
        ("creating-client-class.application-autoscaling", tag_targets, "mlref-target-tags"),
    ):
        session.events.register(event, call, unique_id=name)


def _add(params: dict[str, Any], model: Any, tags: Mapping[str, str]) -> None:
    """Add tags to a request, in the form that its model has, if it has one."""
    members = model.input_shape.members
    name = next((each for each in ("Tags", "tags") if each in members), None)
    if name is None or _is_no_creation(params, model):
        return
    shape, given = members[name], params.get(name)
    if shape.type_name == "map":
        params[name] = {**tags, **(given or {})}
    elif shape.type_name == "string":
        params[name] = urlencode({**tags, **dict(parse_qsl(given or ""))})
    elif shape.type_name == "list" and (pair := _pair(shape.member)):
        key, value = pair
        theirs = list(given or ())
        taken = {each.get(key) for each in theirs if isinstance(each, Mapping)}
        ours = [{key: tag, value: text} for tag, text in tags.items() if tag not in taken]
        params[name] = theirs + ours


def _is_no_creation(params: Mapping[str, Any], model: Any) -> bool:
    """Whether tags do not belong there: sessions of STS, and versions, which have their group's."""
    if model.name == "CreateModelPackage":
        return "ModelPackageGroupName" in params
    return bool(model.name == "RegisterScalableTarget" or model.service_model.service_name == "sts")


def _pair(shape: Any) -> tuple[str, str] | None:
    """How a list of tags calls key and value; None if it is no list of tags."""
    members = getattr(shape, "members", {})
    return next((pair for pair in _PAIRS if set(pair) <= set(members)), None)


def _tagging(create_bucket: Any, tags: Mapping[str, str]) -> Any:
    """S3's create_bucket, followed by a put_bucket_tagging.

    In us-east-1, creating a bucket of one's own again succeeds; it would not be a new one.
    """
    with extra("aws"):
        from botocore.exceptions import ClientError

    def is_there(client: Any, bucket: str) -> bool:
        try:
            client.head_bucket(Bucket=bucket)
        except ClientError as error:
            return bool(error.response["ResponseMetadata"]["HTTPStatusCode"] != _NOT_FOUND)
        return True

    def tagged(self: Any, *args: Any, **kwargs: Any) -> Any:
        new = "Bucket" in kwargs and not is_there(self, kwargs["Bucket"])
        response = create_bucket(self, *args, **kwargs)
        if new:
            given = (kwargs.get("CreateBucketConfiguration") or {}).get("Tags", [])
            merged = {**tags, **{each["Key"]: each["Value"] for each in given}}
            listed = [{"Key": key, "Value": value} for key, value in merged.items()]
            self.put_bucket_tagging(Bucket=kwargs["Bucket"], Tagging={"TagSet": listed})
        return response

    tagged.__name__, tagged.__doc__ = "create_bucket", create_bucket.__doc__
    return tagged


def _registering(register: Any, tags: Mapping[str, str]) -> Any:
    """Application Auto Scaling's register_scalable_target, with tags if the target is new.

    Registering it again is how its bounds are changed, and is refused where it has tags.
    """

    def is_there(client: Any, wanted: Mapping[str, Any]) -> bool:
        try:
            found = client.describe_scalable_targets(
                ServiceNamespace=wanted["ServiceNamespace"],
                ResourceIds=[wanted["ResourceId"]],
                ScalableDimension=wanted["ScalableDimension"],
            )
        except StrictError:  # which the request itself meets, too
            return True
        return bool(found["ScalableTargets"])

    def tagged(self: Any, *args: Any, **kwargs: Any) -> Any:
        named = all(kwargs.get(each) for each in _TARGET)  # or else AWS says what is missing
        if named and not is_there(self, kwargs):
            kwargs = {**kwargs, "Tags": {**tags, **(kwargs.get("Tags") or {})}}
        return register(self, *args, **kwargs)

    tagged.__name__, tagged.__doc__ = "register_scalable_target", register.__doc__
    return tagged


_TARGET = ("ServiceNamespace", "ResourceId", "ScalableDimension")


_NOT_FOUND = 404
