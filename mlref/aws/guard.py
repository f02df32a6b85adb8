"""What a session may ask for that has an estimate: what that covers, and a sweep can find.

    install(session, estimate)

The cap of `mlref.aws.spending` is held against an estimate, and an estimate is what somebody
thought would be created. From then on each request of the session is held against it before it is
sent:

- with `Estimate()`, nothing that costs, the session reads, asks endpoints and deletes;
- otherwise it may create and change what `mlref.aws.sweep` finds again and can delete, and nothing
  else: an instance of EC2 would stand for ever;
- instances must be in the estimate, by their use, their type and their number; when an endpoint is
  scaled its type is not told, so all that were estimated for hosting count;
- serverless compute must be in the estimate, however much of it;
- half an instance in the estimate is one for half the time: a job may have it, an endpoint not;
- what is made in another region than the session's, no sweep of it would find;
- no training or processing job may run for longer than what was estimated stands. AWS stops them
  after a day unless they say less; it does not stop transform jobs.

What requests ask for together, `mlref.aws.ledger` adds up. What costs little (requests, storage,
alarms) is not counted.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from mlref.aws import counting
from mlref.aws.asked import (
    CONCURRENCY,
    INSTANCES,
    KEEP_ALIVE,
    SERVERLESS,
    WITHOUT_TYPE,
    asked,
    at_once,
    in_words,
    numbers,
    quantities,
    refuse,
    run_s,
)
from mlref.aws.deletion import Deleter
from mlref.cost import Estimate

if TYPE_CHECKING:
    import boto3

__all__ = ["CHANGES", "install"]


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_VERB = re.compile("Batch(Check|Delete|Describe|Get)|[A-Z][a-z]*")
_READS = _words(
    "Assume BatchCheck BatchDescribe BatchGet Check Decode Decrypt Describe Filter Get Head List "
    "Lookup Query Receive Scan Search Select Simulate Validate Verify"
)
_ENDS = _words(
    "Abort BatchDelete Cancel Deactivate Delete Deregister Detach Disable Disassociate Purge "
    "Reject Remove Revoke Stop Terminate Unsubscribe Untag"
)
_ALSO_ENDS = "ScheduleKeyDeletion"
_ASKING = "sagemaker-runtime"  # it creates nothing; the endpoint that it asks is there already

CHANGES: Mapping[str, frozenset[str]] = {
    "application-autoscaling": _words(
        "PutScalingPolicy PutScheduledAction RegisterScalableTarget TagResource"
    ),
    "cloudwatch": _words(
        "EnableAlarmActions PutCompositeAlarm PutMetricAlarm PutMetricData SetAlarmState "
        "TagResource"
    ),
    "ecr": _words(
        "CompleteLayerUpload CreateRepository InitiateLayerUpload PutImage PutImageTagMutability "
        "PutLifecyclePolicy SetRepositoryPolicy TagResource UploadLayerPart"
    ),
    "iam": _words(
        "AttachRolePolicy CreatePolicy CreatePolicyVersion CreateRole PutRolePermissionsBoundary "
        "PutRolePolicy SetDefaultPolicyVersion TagPolicy TagRole UpdateAssumeRolePolicy UpdateRole"
    ),
    "kms": _words("CreateAlias CreateKey Encrypt GenerateDataKey PutKeyPolicy TagResource"),
    "lambda": _words(
        "AddPermission CreateAlias CreateFunction CreateFunctionUrlConfig Invoke PublishVersion "
        "PutFunctionConcurrency TagResource UpdateAlias UpdateFunctionCode "
        "UpdateFunctionConfiguration"
    ),
    "logs": _words("CreateLogGroup CreateLogStream PutLogEvents PutRetentionPolicy TagResource"),
    "resourcegroupstaggingapi": _words("TagResources"),
    "s3": _words(
        "CompleteMultipartUpload CopyObject CreateBucket CreateMultipartUpload PutBucketCors "
        "PutBucketEncryption PutBucketLifecycleConfiguration PutBucketNotificationConfiguration "
        "PutBucketOwnershipControls PutBucketPolicy PutBucketTagging PutBucketVersioning PutObject "
        "PutObjectTagging PutPublicAccessBlock UploadPart UploadPartCopy"
    ),
    "sns": _words(
        "AddPermission ConfirmSubscription CreateTopic Publish PublishBatch "
        "SetSubscriptionAttributes SetTopicAttributes Subscribe TagResource"
    ),
    "sqs": _words(
        "AddPermission ChangeMessageVisibility ChangeMessageVisibilityBatch CreateQueue "
        "SendMessage SendMessageBatch SetQueueAttributes TagQueue"
    ),
}
"""What creates or changes what a sweep deletes, by service; of SageMaker it follows from names."""

_HOUR_S = 3600
_ADD = "add it to the estimate (see mlref.cost), and open a new session with that"


def install(session: boto3.Session, estimate: Estimate) -> None:
    """Refuse from now on what an estimate does not cover, in every client of a session.

    Args:
        session: a boto3 session; others are not changed.
        estimate: what its user has said will be created, and for how long it stands.

    The clients then raise `SpendingRefusedError`; nothing is sent.
    """
    nouns = frozenset(_camel(kind) for each, kind in Deleter(session).kinds if each == "sagemaker")

    def hold(params: dict[str, Any], model: Any, context: dict[str, Any], **_: object) -> None:
        if _is_free(model):
            return
        _check(params, model, estimate, nouns)
        if model.service_model.service_name != "iam":  # which has no regions
            _check_region(model.name, context.get("client_region"), session.region_name)

    session.events.register("before-parameter-build", hold, unique_id="mlref-guard")
    counting.install(session, estimate)


def _is_free(model: Any) -> bool:
    """Whether an operation only reads, asks or ends."""
    verb, service = _VERB.match(model.name), model.service_model.service_name
    free = verb is not None and verb.group() in _READS | _ENDS
    return free or service in {_ASKING, "sts"} or model.name == _ALSO_ENDS


def _check(
    params: Mapping[str, Any], model: Any, estimate: Estimate, nouns: frozenset[str]
) -> None:
    """Raise if a request is not covered."""
    service, operation = model.service_model.service_name, model.name
    if not estimate.items:
        refuse(
            operation,
            "the estimate is Estimate(), nothing that costs: the session reads and deletes only",
            "pass an estimate of what will be created",
        )
    elsewhere = params.get("ServiceNamespace", "sagemaker") != "sagemaker"
    if elsewhere or not _is_swept(service, operation, nouns):
        refuse(
            operation,
            f"mlref could not find and delete what it makes in {service}, so it might stand for "
            "ever",
            "use a boto3 session of your own for it, and delete it yourself",
        )
    _check_countable(operation, params)
    _check_asked(operation, params, model.input_shape, estimate)
    _check_scaled(operation, params, estimate)
    _check_hours(operation, params, estimate)


def _check_countable(operation: str, params: Mapping[str, Any]) -> None:
    """Raise if something would run that has no name by which it could be counted."""
    if "ValidationSpecification" in params:
        why = "AWS then begins transform jobs, which could not be counted by their names"
        refuse(operation, why, "leave ValidationSpecification out, and begin such a job yourself")
    ends_pool = set(params) <= {"TrainingJobName", "ResourceConfig"}
    if operation == "UpdateTrainingJob" and not (ends_pool and numbers(params, KEEP_ALIVE) == [0]):
        why = "it may keep instances for longer, or begin jobs of the profiler; neither is counted"
        refuse(operation, why, f"only {KEEP_ALIVE} of 0 is allowed, which lets instances go")


def _check_region(operation: str, region: str | None, swept: str | None) -> None:
    """Raise if something would be made where no sweep of this session looks."""
    if region not in {None, swept}:
        refuse(
            operation,
            f"its client is one of {region}, and what this session makes is found in {swept}",
            f'open a session with region="{region}"',
        )


def _is_swept(service: str, operation: str, nouns: frozenset[str]) -> bool:
    """Whether a sweep deletes what an operation makes or changes; tags may always be added."""
    if service != "sagemaker":
        return operation in CHANGES.get(service, ())
    noun = _VERB.sub("", operation, count=1)
    if operation.startswith("Create"):
        return noun in nouns
    return noun == "Tags" or any(noun.startswith(each) for each in nouns)


def _check_asked(operation: str, params: Any, shape: Any, estimate: Estimate) -> None:
    """Raise if instances are asked for that the estimate has not, or not as many."""
    covered = at_once(estimate)
    wanted: Counter[str] = Counter()
    for what, count in asked(params, shape):
        wanted[what] += count
    if params.get("ScalableDimension") == CONCURRENCY:
        wanted[SERVERLESS] += 1
    for what, count in sorted(wanted.items()):
        if what in WITHOUT_TYPE.values():
            if what not in covered:
                refuse(operation, f"the estimate has no {what}", _ADD)
        elif count > covered[what]:
            text = f"the estimate has {in_words(quantities(estimate)[what], what)}"
            refuse(operation, f"{text}, and the request asks for {count}", _ADD)


def _check_scaled(operation: str, params: Mapping[str, Any], estimate: Estimate) -> None:
    """Raise if an endpoint is to have more instances than were estimated for hosting."""
    covered = at_once(estimate)
    most = sum(covered[what] for what in covered if what.startswith("hosting "))
    count = sum(numbers(params, "DesiredInstanceCount"))
    if params.get("ScalableDimension") == INSTANCES:
        count = max(numbers(params, "MinCapacity", "MaxCapacity"), default=0)
    if count > most:
        text = f"the estimate has {most} instances for hosting, and the request asks for {count}"
        refuse(operation, text, _ADD)


def _check_hours(operation: str, params: Any, estimate: Estimate) -> None:
    """Raise if a job may run for longer than what was estimated stands."""
    for seconds in run_s(operation, params):
        if seconds > estimate.hours * _HOUR_S:
            text = f"it may run for {seconds} s, and the estimate is for {estimate.hours:g} h"
            todo = "give it a smaller MaxRuntimeInSeconds, or the session a longer expires_after"
            refuse(operation, text, todo)


def _camel(kind: str) -> str:
    """A kind as names of operations spell it: "endpoint-config" is "EndpointConfig"."""
    return "".join(word.capitalize() for word in kind.split("-"))
