"""Which operations of moto may be asked for: those that a test has seen working, and no other.

moto answers some operations with a canned success, and others with a 500 that boto3 tries again.
Neither is any help. What is not listed here is refused as `UnsupportedOperation`, at once.
"""

from __future__ import annotations

from collections.abc import Mapping

__all__ = ["ALLOWED", "DATA_PLANE"]

DATA_PLANE = (
    "InvokeEndpoint",
    "InvokeEndpointAsync",
    "InvokeEndpointWithResponseStream",
)
"""The operations of sagemaker-runtime, which the data plane answers."""


def _of(text: str) -> frozenset[str]:
    return frozenset(text.split())


ALLOWED: Mapping[str, frozenset[str]] = {
    "s3": _of(
        "AbortMultipartUpload CompleteMultipartUpload CopyObject CreateBucket "
        "CreateMultipartUpload DeleteBucket DeleteBucketPolicy DeleteBucketTagging DeleteObject "
        "DeleteObjects GetBucketEncryption GetBucketLocation GetBucketPolicy GetBucketTagging "
        "GetBucketVersioning GetObject GetObjectTagging GetPublicAccessBlock HeadBucket HeadObject "
        "ListBuckets ListMultipartUploads ListObjectVersions ListObjects ListObjectsV2 ListParts "
        "PutBucketEncryption PutBucketLifecycleConfiguration PutBucketPolicy PutBucketTagging "
        "PutBucketVersioning PutObject PutObjectTagging PutPublicAccessBlock UploadPart "
        "UploadPartCopy"
    ),
    "iam": _of(
        "AttachRolePolicy CreatePolicy CreateRole DeletePolicy DeleteRole DeleteRolePolicy "
        "DetachRolePolicy GetPolicy GetPolicyVersion GetRole GetRolePolicy "
        "ListAttachedRolePolicies ListInstanceProfilesForRole ListPolicies ListPolicyTags "
        "ListPolicyVersions ListRolePolicies ListRoles ListRoleTags PutRolePolicy TagRole "
        "UntagRole UpdateAssumeRolePolicy"
    ),
    "sts": _of("AssumeRole GetCallerIdentity GetSessionToken"),
    "kms": _of(
        "CreateAlias CreateKey Decrypt DescribeKey Encrypt GenerateDataKey ListAliases ListKeys "
        "ScheduleKeyDeletion"
    ),
    "sns": _of(
        "CreateTopic DeleteTopic GetTopicAttributes ListSubscriptions ListSubscriptionsByTopic "
        "ListTagsForResource ListTopics Publish SetSubscriptionAttributes Subscribe TagResource "
        "Unsubscribe"
    ),
    "sqs": _of(
        "CreateQueue DeleteMessage DeleteMessageBatch DeleteQueue GetQueueAttributes GetQueueUrl "
        "ListQueues ListQueueTags PurgeQueue ReceiveMessage SendMessage SetQueueAttributes "
        "TagQueue"
    ),
    "logs": _of(
        "CreateLogGroup CreateLogStream DeleteLogGroup DeleteLogStream DescribeLogGroups "
        "DescribeLogStreams GetLogEvents ListTagsForResource PutLogEvents "
        "PutRetentionPolicy TagResource"
    ),
    "ecr": _of(
        "BatchDeleteImage BatchGetImage CreateRepository DeleteRepository DescribeImages "
        "DescribeRepositories GetAuthorizationToken ListImages ListTagsForResource PutImage "
        "TagResource"
    ),
}
"""Service -> the operations of it that reach moto."""
