"""Tags in the local AWS: kept, changed, listed for all services, and what the sweep goes by."""

from __future__ import annotations

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError

from mlref import aws
from mlref.aws.strict import check_response
from mlref.aws.tagging import SESSION

TRUST = {
    "Version": "2012-10-17",
    "Statement": [
        {
            "Effect": "Allow",
            "Principal": {"Service": "sagemaker.amazonaws.com"},
            "Action": "sts:AssumeRole",
        }
    ],
}


def _group(account: Any) -> str:
    name = account.name("group")
    made = account.sagemaker.create_model_package_group(
        ModelPackageGroupName=name, Tags=[{"Key": "team", "Value": "ml"}]
    )
    return str(made["ModelPackageGroupArn"])


def _listed(account: Any, arn: str) -> dict[str, str]:
    told = account.sagemaker.list_tags(ResourceArn=arn)
    assert check_response("sagemaker", "ListTags", told) == []
    return {each["Key"]: each["Value"] for each in told["Tags"]}


def test_tags_are_added_replaced_and_deleted(account: Any) -> None:
    """Those of the creation stay; a key that is there already gets the new value."""
    arn = _group(account)
    told = account.sagemaker.add_tags(
        ResourceArn=arn, Tags=[{"Key": "team", "Value": "web"}, {"Key": "cost", "Value": "7"}]
    )
    assert check_response("sagemaker", "AddTags", told) == []
    assert _listed(account, arn) == {"team": "web", "cost": "7"}
    account.sagemaker.delete_tags(ResourceArn=arn, TagKeys=["team", "nothing"])
    assert _listed(account, arn) == {"cost": "7"}


def test_all_tags_of_a_resource_are_on_one_page(account: Any) -> None:
    """Unlike the items of other lists, of which there are ten."""
    arn = _group(account)
    tags = {f"key-{number}": "v" for number in range(49)}
    account.sagemaker.add_tags(
        ResourceArn=arn, Tags=[{"Key": key, "Value": value} for key, value in tags.items()]
    )
    assert _listed(account, arn) == {"team": "ml", **tags}


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        (["aws:cloudformation:stack-name"], "must not begin with aws:"),
        (["AWS:x"], "must not begin with aws:"),
        (["team", "cost", "team"], "'team' is given twice"),
    ],
)
def test_keys_of_awss_own_and_keys_that_are_there_twice_are_refused(
    account: Any, diabetes: Any, keys: list[str], message: str
) -> None:
    """When tags are added, and before anything is made; `awsome:x` is a key as any other."""
    arn, model = _group(account), account.model(diabetes.artifact)
    tags = [{"Key": key, "Value": "a"} for key in keys]
    with pytest.raises(ClientError, match=f"ValidationException.*{message}"):
        account.sagemaker.add_tags(ResourceArn=arn, Tags=tags)
    assert _listed(account, arn) == {"team": "ml"}
    name, container = account.name("model"), account.sagemaker.describe_model(ModelName=model)
    given = {key: container[key] for key in ("ExecutionRoleArn", "PrimaryContainer")}
    with pytest.raises(ClientError, match=f"ValidationException.*{message}"):
        account.sagemaker.create_model(ModelName=name, Tags=tags, **given)
    account.sagemaker.create_model(
        ModelName=name, Tags=[{"Key": "awsome:x", "Value": "b"}], **given
    )


def test_a_version_has_no_tags_of_its_own(account: Any) -> None:
    """The model: "you cannot supply a tag argument"; a session that tags all does not do it."""
    mine = aws.session("local", at=account.cloud, name=account.name("versions"), environ={})
    client, name = mine.client("sagemaker"), account.name("group")
    group = client.create_model_package_group(ModelPackageGroupName=name)
    container = {"Image": "123456789012.dkr.ecr.us-east-1.amazonaws.com/mlref:1"}
    contents = {"Containers": [container], "SupportedContentTypes": ["text/csv"],
                "SupportedResponseMIMETypes": ["text/csv"]}  # fmt: skip
    request = {"ModelPackageGroupName": name, "InferenceSpecification": contents}
    with pytest.raises(ClientError, match=r"ValidationException.*has the tags of its group"):
        client.create_model_package(**request, Tags=[{"Key": "team", "Value": "ml"}])
    assert client.list_model_packages(ModelPackageGroupName=name)["ModelPackageSummaryList"] == []
    assert client.create_model_package(**request)["ModelPackageArn"].endswith("/1")
    assert _listed(account, group["ModelPackageGroupArn"])[SESSION] == mine.name
    assert not aws.nuke(mine, name=mine.name).failed


def test_what_is_not_there_has_no_tags(account: Any) -> None:
    """Neither what never was nor what is deleted."""
    arn = _group(account)
    account.sagemaker.delete_model_package_group(ModelPackageGroupName=arn.rpartition("/")[2])
    for each in (arn, "arn:aws:sagemaker:us-east-1:123456789012:model/nobody"):
        with pytest.raises(ClientError, match="ResourceNotFound"):
            account.sagemaker.list_tags(ResourceArn=each)
        with pytest.raises(ClientError, match="ResourceNotFound"):
            account.sagemaker.add_tags(ResourceArn=each, Tags=[{"Key": "a", "Value": "b"}])


def test_resources_of_all_services_are_found_by_their_tags(account: Any) -> None:
    """Ours and those of S3 in pages; by key, by value, by kind."""
    client = account.client("resourcegroupstaggingapi")
    value = account.name("value")
    arns = [_group(account) for _ in range(3)]
    for arn in arns:
        account.sagemaker.add_tags(ResourceArn=arn, Tags=[{"Key": "found", "Value": value}])
    bucket = account.name("tagged")
    account.s3.create_bucket(Bucket=bucket)
    account.s3.put_bucket_tagging(
        Bucket=bucket, Tagging={"TagSet": [{"Key": "found", "Value": value}]}
    )

    def found(**more: Any) -> list[str]:
        filters = [{"Key": "found", "Values": [value]}]
        pages = client.get_paginator("get_resources").paginate(
            TagFilters=filters, PaginationConfig={"PageSize": 2}, **more
        )
        return [each["ResourceARN"] for page in pages for each in page["ResourceTagMappingList"]]

    assert found() == sorted([*arns, f"arn:aws:s3:::{bucket}"])
    assert found(ResourceTypeFilters=["s3"]) == [f"arn:aws:s3:::{bucket}"]
    assert found(ResourceTypeFilters=["sagemaker:model-package-group"]) == sorted(arns)
    assert found(ResourceTypeFilters=["sagemaker:model"]) == []
    assert client.get_resources(ResourceARNList=arns[:1])["ResourceTagMappingList"][0]["Tags"]
    with pytest.raises(ClientError, match="UnsupportedOperation"):
        client.get_resources(TagsPerPage=100)


def test_the_sweep_leaves_nothing_of_a_session(account: Any, diabetes: Any) -> None:
    """An endpoint that runs with all that it needs; those of others stay."""
    mine = aws.session("local", at=account.cloud, name=account.name("sweep"), environ={})
    iam, sagemaker = mine.client("iam"), mine.client("sagemaker")
    kept = _group(account)
    bucket = account.name("swept")
    mine.client("s3").create_bucket(Bucket=bucket)
    mine.client("s3").put_object(Bucket=bucket, Key="a", Body=b"b")
    role = iam.create_role(RoleName=mine.name, AssumeRolePolicyDocument=json.dumps(TRUST))["Role"]
    model = account.model(diabetes.artifact)  # not the session's: it stays
    variant = {"VariantName": "A", "ModelName": model, "InstanceType": "ml.m5.large",
               "InitialInstanceCount": 1}  # fmt: skip
    sagemaker.create_endpoint_config(EndpointConfigName=mine.name, ProductionVariants=[variant])
    sagemaker.create_endpoint(EndpointName=mine.name, EndpointConfigName=mine.name)
    account.settled(mine.name)
    kinds = {each.arn.split(":", 5)[5].partition("/")[0] for each in aws.leftovers(mine)}
    assert {"endpoint", "endpoint-config", "role"} <= kinds
    swept = aws.nuke(mine, name=mine.name)
    assert not swept.failed
    assert role["Arn"] in swept.deleted
    assert aws.leftovers(mine, name=mine.name) == []
    assert SESSION not in _listed(account, kept)
    assert account.sagemaker.describe_model(ModelName=model)["ModelName"] == model
    with pytest.raises(ClientError, match="Could not find endpoint"):
        sagemaker.describe_endpoint(EndpointName=mine.name)
