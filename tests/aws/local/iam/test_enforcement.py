"""Roles that count: to make models, and to read S3."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from support.local_account import TRUST, model_tar
from support.roles import ACCOUNT, ASSUMED, IMAGE, LIST, READ, Roles, document
from support.shop import refused


def test_a_model_needs_a_role_that_sagemaker_may_take(
    roles: Roles, create: Callable[..., str], model_uri: str
) -> None:
    """One that is not there, one that trusts others, and one that trusts SageMaker."""
    nobody = f"{ACCOUNT}:role/nobody"
    code, message = refused(create, nobody, model_uri)
    assert code == "ValidationException"
    assert message == (
        f"Could not assume role {nobody}. Please ensure that the role exists and allows principal "
        "'sagemaker.amazonaws.com' to assume the role."
    )
    assert "Could not assume role" in refused(create, roles.role(READ, trust=ASSUMED), model_uri)[1]
    assert create(roles.role(READ), model_uri)


@pytest.mark.parametrize(
    ("trust", "words"),
    [
        ("no json", "invalid Json"),
        ("[]", "a policy is an object"),
        ('{"Version": "2020-01-01", "Statement": []}', "Version must be"),
        ('{"Version": "2012-10-17"}', "Statement"),
        (document({"Principal": "*"}), "prohibited field Resource"),
        (
            '{"Statement": {"Effect": "Allow", "Action": "sts:AssumeRole"}}',
            "lacks a Principal",
        ),
        (
            (
                '{"Statement": {"Effect": "Allow", "Principal": "*", "Action": "sts:AssumeRole", '
                '"Condition": {"Equals": {"a": "b"}}}}'
            ),
            "Equals is no condition operator",
        ),
    ],
)
def test_what_is_no_trust_policy_is_refused(account: Any, trust: str, words: str) -> None:
    """When a role is made, and when its trust policy is changed."""
    code, message = refused(
        account.iam.create_role, RoleName="never", AssumeRolePolicyDocument=trust
    )
    assert (code, words in message) == ("MalformedPolicyDocument", True), message
    update = account.iam.update_assume_role_policy
    code, _ = refused(update, RoleName="sagemaker", PolicyDocument=trust)
    assert code == "MalformedPolicyDocument"


def test_a_role_with_a_path_and_a_condition_is_taken(
    roles: Roles, create: Callable[..., str], model_uri: str
) -> None:
    """As the console makes it; the keys by which AWS's guide keeps others out are there."""
    (statement,) = TRUST["Statement"]
    for account, fits in (("123456789012", True), ("999999999999", False)):
        condition = {
            "StringEquals": {"aws:SourceAccount": account},
            "ArnLike": {"aws:SourceArn": f"arn:aws:sagemaker:*:{account}:*"},
        }
        trust = {**TRUST, "Statement": [{**statement, "Condition": condition}]}
        role = roles.role(READ, trust=trust, Path="/service-role/")
        assert ":role/service-role/" in role
        if fits:
            assert create(role, model_uri)
        else:
            assert "Could not assume role" in refused(create, role, model_uri)[1]


def test_a_role_must_be_able_to_read_the_model(
    roles: Roles, create: Callable[..., str], model_uri: str
) -> None:
    """What is not there is only told to who may list the bucket."""
    assert create(roles.role(READ), model_uri)
    code, message = refused(create, roles.role(LIST), model_uri)
    assert code == "ValidationException"
    assert message.startswith(f"Could not access model data at {model_uri}. Please ensure that")
    missing = "s3://guarded/b/model.tar.gz"
    found = refused(create, roles.role(READ, LIST), missing)[1]
    assert found == f"Could not find model data at {missing}."
    assert "Could not access" in refused(create, roles.role(READ), missing)[1]


def test_full_access_to_sagemaker_is_none_to_any_bucket(
    account: Any, roles: Roles, create: Callable[..., str], model_uri: str, diabetes: Any
) -> None:
    """AmazonSageMakerFullAccess reads buckets with sagemaker in their name only."""
    role = roles.role()
    policy = "arn:aws:iam::aws:policy/AmazonSageMakerFullAccess"
    account.iam.attach_role_policy(RoleName=role.rpartition("/")[2], PolicyArn=policy)
    assert "Could not access model data" in refused(create, role, model_uri)[1]
    account.s3.create_bucket(Bucket="my-sagemaker-models")
    data = model_tar(diabetes.artifact.folder)
    account.s3.put_object(Bucket="my-sagemaker-models", Key="model.tar.gz", Body=data)
    assert create(role, "s3://my-sagemaker-models/model.tar.gz")


def test_the_policy_of_a_bucket_grants_and_denies(
    account: Any, roles: Roles, create: Callable[..., str], model_uri: str
) -> None:
    """It opens the bucket to a role that it names, and closes it to one that may read it."""
    named, other = roles.role(), roles.role(READ)
    closed = {**READ, "Effect": "Deny", "Principal": {"AWS": other}}
    opened = {**READ, "Principal": {"AWS": named}}
    account.s3.put_bucket_policy(Bucket="guarded", Policy=document(opened, closed))
    try:
        assert create(named, model_uri)
        assert "Could not access" in refused(create, other, model_uri)[1]
    finally:
        account.s3.delete_bucket_policy(Bucket="guarded")


def test_a_grant_of_a_bucket_keeps_within_the_boundary(
    account: Any, roles: Roles, create: Callable[..., str], model_uri: str
) -> None:
    """Whom the policy of a bucket names may still be denied by his own, and by their limit."""
    limit = account.iam.create_policy(
        PolicyName=account.name("limit"), PolicyDocument=document({"Action": "sagemaker:*"})
    )["Policy"]["Arn"]
    bounded = roles.role(PermissionsBoundary=limit)
    account.s3.put_bucket_policy(
        Bucket="guarded", Policy=document({**READ, "Principal": {"AWS": bounded}})
    )
    try:
        assert "Could not access" in refused(create, bounded, model_uri)[1]
    finally:
        account.s3.delete_bucket_policy(Bucket="guarded")


def test_what_is_no_policy_is_refused_by_buckets_and_sessions(account: Any, roles: Roles) -> None:
    """Before anything depends on it; and limits of a session that would be lost."""
    put = account.s3.put_bucket_policy
    assert refused(put, Bucket="guarded", Policy="no json")[0] == "MalformedPolicy"
    assume, role = account.sts.assume_role, roles.role(trust=ASSUMED)
    given = {"RoleArn": role, "RoleSessionName": "ann"}
    assert refused(assume, **given, Policy="{}")[0] == "MalformedPolicyDocument"
    arns = [{"arn": "arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess"}]
    assert refused(assume, **given, PolicyArns=arns)[0] == "UnsupportedOperation"
    tags = [{"Key": "team", "Value": "flights"}]
    assert refused(assume, **given, Tags=tags)[0] == "UnsupportedOperation"


def test_a_role_is_assumed_by_whom_it_trusts(account: Any, roles: Roles) -> None:
    """Not one that is not there, and not one for services."""
    assume = account.sts.assume_role
    for role in (f"{ACCOUNT}:role/nobody", roles.role()):
        code, message = refused(assume, RoleArn=role, RoleSessionName="ann")
        assert code == "AccessDenied"
        assert message.endswith(f"to perform: sts:AssumeRole on resource: {role}")
    assert assume(RoleArn=roles.role(trust=ASSUMED), RoleSessionName="ann")["Credentials"]


def test_objects_are_told_apart_by_their_tags(
    account: Any, roles: Roles, create: Callable[..., str], model_uri: str
) -> None:
    """AmazonSageMakerFullAccess reads objects that are tagged SageMaker=true."""
    role = roles.role()
    policy = "arn:aws:iam::aws:policy/AmazonSageMakerFullAccess"
    account.iam.attach_role_policy(RoleName=role.rpartition("/")[2], PolicyArn=policy)
    here = {"Bucket": "guarded", "Key": "a/model.tar.gz"}
    assert "Could not access model data" in refused(create, role, model_uri)[1]
    account.s3.put_object_tagging(
        **here, Tagging={"TagSet": [{"Key": "SageMaker", "Value": "true"}]}
    )
    assert create(role, model_uri)
    account.s3.put_object_tagging(**here, Tagging={"TagSet": [{"Key": "a", "Value": "b"}]})


def test_model_data_under_a_prefix_is_asked_for_object_by_object(
    account: Any, roles: Roles, model_uri: str
) -> None:
    """A prefix needs to be listed, and each of its objects to be read."""
    del model_uri  # makes the bucket
    for key in ("p/", "p/model.bin", "p/secret/key"):
        account.s3.put_object(Bucket="guarded", Key=key, Body=b"x")
    source = {"S3Uri": "s3://guarded/p/", "S3DataType": "S3Prefix", "CompressionType": "None"}

    def make(role: str) -> str:
        name = str(account.name("guarded"))
        account.sagemaker.create_model(
            ModelName=name,
            ExecutionRoleArn=role,
            PrimaryContainer={"Image": IMAGE, "ModelDataSource": {"S3DataSource": source}},
        )
        return name

    secret = {"Effect": "Deny", "Action": "*", "Resource": "arn:aws:s3:::guarded/p/secret/*"}
    assert make(roles.role(READ, LIST))
    assert "Could not access" in refused(make, roles.role(READ))[1]
    assert "Could not access" in refused(make, roles.role(READ, LIST, secret))[1]


def test_an_endpoint_fails_when_its_role_has_lost_s3(
    account: Any, roles: Roles, create: Callable[..., str], model_uri: str
) -> None:
    """Access is asked for again when a worker starts; the reason is told."""
    role = roles.role(READ)
    config = account.config(create(role, model_uri))
    roles.put(role, LIST)
    endpoint = account.endpoint(config, wait=False)
    told = account.settled(endpoint)
    assert told["EndpointStatus"] == "Failed"
    assert "Could not access model data at s3://guarded/a/model.tar.gz" in told["FailureReason"]
    account.remove(endpoint)
