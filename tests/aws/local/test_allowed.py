"""Each operation of moto that may be asked for is asked for here; all that there is not is refused.

What is called is taken down by a hook of the client, and each response is held against botocore's
own model of it.
"""

from __future__ import annotations

import contextlib
import io
import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError
from support.local_account import TRUST
from support.requests_of import made_up, sent_as

from mlref.aws.local.allowed import ALLOWED
from mlref.aws.models import service_model
from mlref.aws.strict import check_response

ALL = {"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "*", "Resource": "*"}}
CLOSED = {
    "BlockPublicAcls": True,
    "IgnorePublicAcls": True,
    "BlockPublicPolicy": True,
    "RestrictPublicBuckets": True,
}
KEEP_A_WEEK = {"Rules": [{"ID": "a", "Status": "Enabled", "Filter": {"Prefix": "a"},
                          "Expiration": {"Days": 7}}]}  # fmt: skip
MANIFEST = json.dumps({
    "schemaVersion": 2,
    "mediaType": "application/vnd.docker.distribution.manifest.v2+json",
    "config": {"mediaType": "application/vnd.docker.container.image.v1+json", "size": 2,
               "digest": "sha256:" + "0" * 64},
    "layers": [],
})  # fmt: skip


def _s3(s3: Any, name: str) -> None:
    s3.create_bucket(Bucket=name)
    here = {"Bucket": name}
    assert name in [each["Name"] for each in s3.list_buckets()["Buckets"]]
    s3.head_bucket(**here)
    assert s3.get_bucket_location(**here)["LocationConstraint"] is None  # as us-east-1 says it
    s3.put_bucket_versioning(**here, VersioningConfiguration={"Status": "Enabled"})
    assert s3.get_bucket_versioning(**here)["Status"] == "Enabled"
    s3.put_bucket_tagging(**here, Tagging={"TagSet": [{"Key": "k", "Value": "v"}]})
    assert s3.get_bucket_tagging(**here)["TagSet"] == [{"Key": "k", "Value": "v"}]
    s3.delete_bucket_tagging(**here)
    s3.put_public_access_block(**here, PublicAccessBlockConfiguration=CLOSED)
    found = s3.get_public_access_block(**here)["PublicAccessBlockConfiguration"]
    assert found == CLOSED
    rule = {"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}
    s3.put_bucket_encryption(**here, ServerSideEncryptionConfiguration={"Rules": [rule]})
    (kept,) = s3.get_bucket_encryption(**here)["ServerSideEncryptionConfiguration"]["Rules"]
    assert kept["ApplyServerSideEncryptionByDefault"]["SSEAlgorithm"] == "AES256"
    s3.put_bucket_lifecycle_configuration(**here, LifecycleConfiguration=KEEP_A_WEEK)
    policy = json.dumps({**ALL, "Statement": {**ALL["Statement"], "Principal": "*"}})  # type: ignore[dict-item]
    s3.put_bucket_policy(**here, Policy=policy)
    assert json.loads(s3.get_bucket_policy(**here)["Policy"]) == json.loads(policy)
    s3.delete_bucket_policy(**here)
    _s3_objects(s3, here)
    for each in s3.list_object_versions(**here)["Versions"]:
        s3.delete_object(**here, Key=each["Key"], VersionId=each["VersionId"])
    for each in s3.list_object_versions(**here).get("DeleteMarkers", ()):
        s3.delete_object(**here, Key=each["Key"], VersionId=each["VersionId"])
    s3.delete_bucket(**here)


def _s3_objects(s3: Any, here: dict[str, str]) -> None:
    content = b"line\n" * 3
    s3.put_object(**here, Key="a/1", Body=content)
    assert s3.head_object(**here, Key="a/1")["ContentLength"] == len(content)
    assert s3.get_object(**here, Key="a/1")["Body"].read() == content
    s3.copy_object(**here, Key="a/2", CopySource={**here, "Key": "a/1"})
    tags = {"TagSet": [{"Key": "k", "Value": "v"}]}
    s3.put_object_tagging(**here, Key="a/1", Tagging=tags)
    assert s3.get_object_tagging(**here, Key="a/1")["TagSet"] == tags["TagSet"]
    assert [each["Key"] for each in s3.list_objects(**here)["Contents"]] == ["a/1", "a/2"]
    assert s3.list_objects_v2(**here, Prefix="a/2")["KeyCount"] == 1
    upload = s3.create_multipart_upload(**here, Key="big")["UploadId"]
    part = {**here, "Key": "big", "UploadId": upload}
    first = s3.upload_part(**part, PartNumber=1, Body=b"x" * (5 * 2**20))["ETag"]
    source = {**here, "Key": "a/1"}
    second = s3.upload_part_copy(**part, PartNumber=2, CopySource=source)
    assert len(s3.list_parts(**part)["Parts"]) == 2
    assert [each["Key"] for each in s3.list_multipart_uploads(**here)["Uploads"]] == ["big"]
    parts = [
        {"PartNumber": 1, "ETag": first},
        {"PartNumber": 2, "ETag": second["CopyPartResult"]["ETag"]},
    ]
    s3.complete_multipart_upload(**part, MultipartUpload={"Parts": parts})
    whole = s3.get_object(**here, Key="big")["Body"].read()
    assert whole == b"x" * (5 * 2**20) + content
    other = s3.create_multipart_upload(**here, Key="never")["UploadId"]
    s3.abort_multipart_upload(**here, Key="never", UploadId=other)
    told = s3.delete_objects(**here, Delete={"Objects": [{"Key": "a/1"}, {"Key": "big"}]})
    assert {each["Key"] for each in told["Deleted"]} == {"a/1", "big"}
    s3.delete_object(**here, Key="a/2")


def _iam(iam: Any, name: str) -> None:
    text = json.dumps(ALL)
    arn = iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(TRUST))["Role"]["Arn"]
    role = {"RoleName": name}
    iam.update_assume_role_policy(**role, PolicyDocument=json.dumps(TRUST))
    assert iam.get_role(**role)["Role"]["AssumeRolePolicyDocument"] == TRUST
    assert arn in [each["Arn"] for each in iam.list_roles()["Roles"]]
    iam.tag_role(**role, Tags=[{"Key": "k", "Value": "v"}])
    assert iam.list_role_tags(**role)["Tags"] == [{"Key": "k", "Value": "v"}]
    iam.untag_role(**role, TagKeys=["k"])
    assert iam.list_instance_profiles_for_role(**role)["InstanceProfiles"] == []
    iam.put_role_policy(**role, PolicyName="inline", PolicyDocument=text)
    assert iam.list_role_policies(**role)["PolicyNames"] == ["inline"]
    assert iam.get_role_policy(**role, PolicyName="inline")["PolicyDocument"] == ALL
    iam.delete_role_policy(**role, PolicyName="inline")
    tags = [{"Key": "k", "Value": "v"}]
    made = iam.create_policy(PolicyName=name, PolicyDocument=text, Tags=tags)
    policy = made["Policy"]["Arn"]
    assert iam.list_policy_tags(PolicyArn=policy)["Tags"] == tags
    assert iam.get_policy(PolicyArn=policy)["Policy"]["PolicyName"] == name
    (version,) = iam.list_policy_versions(PolicyArn=policy)["Versions"]
    kept = iam.get_policy_version(PolicyArn=policy, VersionId=version["VersionId"])
    assert kept["PolicyVersion"]["Document"] == ALL
    local = iam.list_policies(Scope="Local")["Policies"]
    assert policy in [each["Arn"] for each in local]
    iam.attach_role_policy(**role, PolicyArn=policy)
    (attached,) = iam.list_attached_role_policies(**role)["AttachedPolicies"]
    assert attached["PolicyArn"] == policy
    iam.detach_role_policy(**role, PolicyArn=policy)
    iam.delete_policy(PolicyArn=policy)
    iam.delete_role(**role)


def _sts(sts: Any, name: str) -> None:
    del name
    assert sts.get_caller_identity()["Account"] == "123456789012"
    role = "arn:aws:iam::123456789012:role/assumable"
    given = sts.assume_role(RoleArn=role, RoleSessionName="ann")
    assert given["AssumedRoleUser"]["Arn"].endswith(":assumed-role/assumable/ann")
    assert sts.get_session_token()["Credentials"]["SessionToken"]


def _kms(kms: Any, name: str) -> None:
    key = kms.create_key(Description=name)["KeyMetadata"]["KeyId"]
    assert kms.describe_key(KeyId=key)["KeyMetadata"]["Description"] == name
    assert key in [each["KeyId"] for each in kms.list_keys()["Keys"]]
    kms.create_alias(AliasName=f"alias/{name}", TargetKeyId=key)
    assert f"alias/{name}" in [each["AliasName"] for each in kms.list_aliases()["Aliases"]]
    hidden = kms.encrypt(KeyId=f"alias/{name}", Plaintext=b"secret")["CiphertextBlob"]
    assert b"secret" not in hidden
    assert kms.decrypt(CiphertextBlob=hidden)["Plaintext"] == b"secret"
    data = kms.generate_data_key(KeyId=key, KeySpec="AES_256")
    assert kms.decrypt(CiphertextBlob=data["CiphertextBlob"])["Plaintext"] == data["Plaintext"]
    kms.schedule_key_deletion(KeyId=key, PendingWindowInDays=7)


def _sns(sns: Any, name: str) -> None:
    arn = sns.create_topic(Name=name)["TopicArn"]
    assert arn in [each["TopicArn"] for each in sns.list_topics()["Topics"]]
    sns.tag_resource(ResourceArn=arn, Tags=[{"Key": "k", "Value": "v"}])
    assert sns.list_tags_for_resource(ResourceArn=arn)["Tags"] == [{"Key": "k", "Value": "v"}]
    queue = f"arn:aws:sqs:us-east-1:123456789012:{name}"
    made = sns.subscribe(TopicArn=arn, Protocol="sqs", Endpoint=queue)["SubscriptionArn"]
    raw = {"AttributeName": "RawMessageDelivery", "AttributeValue": "true"}
    sns.set_subscription_attributes(SubscriptionArn=made, **raw)
    assert sns.get_topic_attributes(TopicArn=arn)["Attributes"]["TopicArn"] == arn
    (found,) = sns.list_subscriptions_by_topic(TopicArn=arn)["Subscriptions"]
    assert found["SubscriptionArn"] == made
    everywhere = [each["SubscriptionArn"] for each in sns.list_subscriptions()["Subscriptions"]]
    assert made in everywhere
    sns.unsubscribe(SubscriptionArn=made)
    assert sns.publish(TopicArn=arn, Message="text")["MessageId"]
    sns.delete_topic(TopicArn=arn)


def _sqs(sqs: Any, name: str) -> None:
    url = sqs.create_queue(QueueName=name)["QueueUrl"]
    queue = {"QueueUrl": url}
    assert sqs.get_queue_url(QueueName=name)["QueueUrl"] == url
    assert url in sqs.list_queues()["QueueUrls"]
    sqs.set_queue_attributes(**queue, Attributes={"VisibilityTimeout": "1"})
    told = sqs.get_queue_attributes(**queue, AttributeNames=["All"])["Attributes"]
    assert told["VisibilityTimeout"] == "1"
    sqs.tag_queue(**queue, Tags={"k": "v"})
    assert sqs.list_queue_tags(**queue)["Tags"] == {"k": "v"}
    for text in ("one", "two"):
        sqs.send_message(**queue, MessageBody=text)
    got = sqs.receive_message(**queue, MaxNumberOfMessages=10)["Messages"]
    assert {each["Body"] for each in got} == {"one", "two"}
    sqs.delete_message(**queue, ReceiptHandle=got[0]["ReceiptHandle"])
    entry = {"Id": "1", "ReceiptHandle": got[1]["ReceiptHandle"]}
    assert len(sqs.delete_message_batch(**queue, Entries=[entry])["Successful"]) == 1
    sqs.send_message(**queue, MessageBody="three")
    sqs.purge_queue(**queue)
    assert "Messages" not in sqs.receive_message(**queue)
    sqs.delete_queue(**queue)


def _logs(logs: Any, name: str) -> None:
    group = {"logGroupName": f"/{name}"}
    stream = {**group, "logStreamName": "a"}
    logs.create_log_group(**group)
    logs.put_retention_policy(**group, retentionInDays=7)
    (told,) = logs.describe_log_groups(logGroupNamePrefix=f"/{name}")["logGroups"]
    assert told["retentionInDays"] == 7
    arn = f"arn:aws:logs:us-east-1:123456789012:log-group:/{name}"
    logs.tag_resource(resourceArn=arn, tags={"k": "v"})
    assert logs.list_tags_for_resource(resourceArn=arn)["tags"] == {"k": "v"}
    logs.create_log_stream(**stream)
    (found,) = logs.describe_log_streams(**group)["logStreams"]
    assert found["logStreamName"] == "a"
    now = found["creationTime"]
    logs.put_log_events(**stream, logEvents=[{"timestamp": now, "message": "line"}])
    (event,) = logs.get_log_events(**stream)["events"]
    assert event["message"] == "line"
    logs.delete_log_stream(**stream)
    logs.delete_log_group(**group)


def _ecr(ecr: Any, name: str) -> None:
    made = ecr.create_repository(repositoryName=name)["repository"]
    here = {"repositoryName": name}
    assert ecr.get_authorization_token()["authorizationData"]
    (found,) = ecr.describe_repositories(repositoryNames=[name])["repositories"]
    assert found["repositoryUri"] == made["repositoryUri"]
    ecr.tag_resource(resourceArn=made["repositoryArn"], tags=[{"Key": "k", "Value": "v"}])
    told = ecr.list_tags_for_resource(resourceArn=made["repositoryArn"])
    assert told["tags"] == [{"Key": "k", "Value": "v"}]
    ecr.put_image(**here, imageManifest=MANIFEST, imageTag="1.0.0")
    (listed,) = ecr.list_images(**here)["imageIds"]
    assert listed["imageTag"] == "1.0.0"
    (image,) = ecr.batch_get_image(**here, imageIds=[{"imageTag": "1.0.0"}])["images"]
    assert json.loads(image["imageManifest"])["schemaVersion"] == 2
    (described,) = ecr.describe_images(**here)["imageDetails"]
    assert described["imageDigest"] == listed["imageDigest"]
    gone = ecr.batch_delete_image(**here, imageIds=[{"imageDigest": listed["imageDigest"]}])
    assert gone["imageIds"]
    ecr.delete_repository(**here)


SCENES: dict[str, Callable[[Any, str], None]] = {
    "s3": _s3, "iam": _iam, "sts": _sts, "kms": _kms,
    "sns": _sns, "sqs": _sqs, "logs": _logs, "ecr": _ecr,
}  # fmt: skip


def _as_sent(told: Any) -> Any:
    """A response before botocore has read the policies in it, and without what is empty."""
    if isinstance(told, list):
        return [_as_sent(each) for each in told]
    if not isinstance(told, dict):
        return told
    if {"Version", "Statement"} <= set(told):
        return json.dumps(told)
    return {name: _as_sent(value) for name, value in told.items() if value is not None}


@pytest.fixture(scope="module", autouse=True)
def assumable(account: Any) -> None:
    """A role that the account may act in."""
    principal = {"AWS": "arn:aws:iam::123456789012:root"}
    statement = {"Effect": "Allow", "Principal": principal, "Action": "sts:AssumeRole"}
    account.iam.create_role(
        RoleName="assumable",
        AssumeRolePolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [statement]}),
    )


@pytest.mark.parametrize("service", sorted(ALLOWED))
def test_each_operation_that_is_allowed_works(account: Any, service: str) -> None:
    """All of a service's, and each response has the form that AWS's has."""
    client, called = account.client(service), set()

    def look(model: Any, parsed: dict[str, Any], http_response: Any, **_: Any) -> None:
        assert http_response.status_code < 300, (model.name, parsed)
        called.add(model.name)
        told = _as_sent({**parsed, "ResponseMetadata": None})
        if "Body" in told:
            told["Body"] = io.BytesIO()
        assert check_response(service, model.name, told) == [], model.name

    client.meta.events.register("after-call", look)
    SCENES[service](client, account.name("allowed"))
    assert called == ALLOWED[service]


def _refused() -> Iterator[tuple[str, str]]:
    """All operations of the services that are there, and of some that are not."""
    for service in (
        *ALLOWED,
        *("sagemaker", "cloudwatch", "application-autoscaling", "resourcegroupstaggingapi"),
        *("lambda", "dynamodb", "ec2", "athena"),
    ):
        for operation in service_model(service).operation_names:
            yield service, operation


def test_what_is_not_there_is_refused_by_its_name(account: Any) -> None:
    """Everything else of these services: a 4xx that names it, which boto3 does not send twice."""
    there, wrong, count = account.cloud.status()["operations"], [], 0
    clients: dict[str, Any] = {}
    for service, operation in _refused():
        if operation in there.get(service, ()):
            continue
        if service_model(service).operation_model(operation).deprecated:
            continue  # some look like what has followed them
        if service not in clients:
            clients[service] = account.client(service, inject_host_prefix=False)
        model = service_model(service).operation_model(operation)
        sent, answer = sent_as(clients[service], operation, made_up(model.input_shape))
        told = answer["Error"]
        status = answer["ResponseMetadata"]["HTTPStatusCode"]
        fits = (
            told["Code"] == "UnsupportedOperation" and f"{service} {operation}" in told["Message"]
        )
        if operation in {"ListDirectoryBuckets", "WriteGetObjectResponse"}:
            fits = told["Code"] == "UnsupportedOperation"  # of services that S3's client signs for
        if model.auth_type == "none":  # nobody knows whose it is
            fits, status = (
                told["Code"] in {"MissingAuthenticationToken", "AccessDenied"},
                status - 3,
            )
        if not fits or sent != 1 or status != 400:
            wrong.append((service, operation, sent, status, told))
        count += 1
    assert not wrong, "\n".join(map(str, wrong))
    assert count > 1800


def test_a_service_that_nobody_has_is_refused_too(account: Any) -> None:
    """The same for one call through boto3 as a person writes it."""
    for service, method, given in (
        ("dynamodb", "list_tables", {}),
        ("sagemaker", "create_notebook_instance_lifecycle_config",
         {"NotebookInstanceLifecycleConfigName": "x"}),
    ):  # fmt: skip
        with pytest.raises(ClientError, match="UnsupportedOperation"), contextlib.ExitStack():
            getattr(account.client(service), method)(**given)
