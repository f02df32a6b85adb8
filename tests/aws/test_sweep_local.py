"""Sessions on a local AWS that runs: what they tag, and what of it is swept."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from mlref.artifact import Artifact
from mlref.aws.client import session
from mlref.aws.deletion import Arn, Deleter
from mlref.aws.local.cloud import Cloud
from mlref.aws.sweep import leftovers, nuke
from mlref.aws.tagging import SESSION
from mlref.cost import Estimate
from mlref.errors import StrictError

POLICY = json.dumps(
    {"Version": "2012-10-17",
     "Statement": [{"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*"}]}
)  # fmt: skip


def test_a_local_aws_lists_repositories_and_policies(account: Any) -> None:
    """Moto's own list of what has tags leaves both out."""
    aws = session(at=account.cloud, name=account.name("sweep"))
    aws.client("ecr").create_repository(repositoryName=account.name("images"))
    aws.client("iam").create_policy(PolicyName=account.name("p"), PolicyDocument=POLICY)
    sweeper = session(at=account.cloud, estimate=Estimate())  # as that of `mlref cloud nuke`
    done = nuke(sweeper, name=aws.name)
    assert [Arn.of(each).kind for each in done.deleted] == ["repository", "policy"]
    assert leftovers(aws, name=aws.name) == []


def test_a_group_goes_with_its_versions(account: Any) -> None:
    """On the local AWS: versions have no tags of their own."""
    aws = session(at=account.cloud)
    client, name = aws.client("sagemaker"), account.name("group")
    arn = client.create_model_package_group(ModelPackageGroupName=name)["ModelPackageGroupArn"]
    inference = {
        "Containers": [{"Image": "123456789012.dkr.ecr.us-east-1.amazonaws.com/mlref:1"}],
        "SupportedContentTypes": ["text/csv"],
        "SupportedResponseMIMETypes": ["text/csv"],
    }
    for _ in range(2):
        client.create_model_package(ModelPackageGroupName=name, InferenceSpecification=inference)
    Deleter(aws).delete(Arn.of(arn))
    groups = client.list_model_package_groups(NameContains=name)["ModelPackageGroupSummaryList"]
    assert groups == []


def test_a_scalable_target_is_tagged_once_and_changed_after_that(
    account: Any, colours: Artifact, endpoint_of: Callable[..., str]
) -> None:
    """To register it again is to change its bounds, which AWS refuses together with tags."""
    endpoint = endpoint_of(account.config(account.model(colours)))
    aws = session(at=account.cloud, name=account.name("targets"))
    scaling, resource = aws.client("application-autoscaling"), f"endpoint/{endpoint}/variant/A"
    place = {"ServiceNamespace": "sagemaker", "ResourceId": resource,
             "ScalableDimension": "sagemaker:variant:DesiredInstanceCount"}  # fmt: skip
    made = scaling.register_scalable_target(**place, MinCapacity=1, MaxCapacity=2)
    arn = made["ScalableTargetARN"]
    assert scaling.list_tags_for_resource(ResourceARN=arn)["Tags"][SESSION] == aws.name
    again = scaling.register_scalable_target(**place, MinCapacity=1, MaxCapacity=3)
    assert again["ScalableTargetARN"] == arn
    listed = {"ServiceNamespace": "sagemaker", "ResourceIds": [resource]}
    (found,) = scaling.describe_scalable_targets(**listed)["ScalableTargets"]
    assert found["MaxCapacity"] == 3
    assert nuke(aws, name=aws.name).deleted == (arn,)
    assert scaling.describe_scalable_targets(**listed)["ScalableTargets"] == []


def test_a_target_without_its_place_is_refused_as_any_request() -> None:
    """It is not looked for; the model says what is missing."""
    aws = session(at=Cloud("http://127.0.0.1:9"))  # nobody listens there
    scaling = aws.client("application-autoscaling")
    place = {"ServiceNamespace": "sagemaker", "ResourceId": "endpoint/e/variant/A"}
    with pytest.raises(StrictError, match="ScalableDimension: is missing"):
        scaling.register_scalable_target(**place)
    place |= {"ServiceNamespace": "sagmaker", "ScalableDimension": "sagemaker:variant:x"}
    with pytest.raises(StrictError, match=r"^RegisterScalableTarget: .*\n.*sagmaker"):
        scaling.register_scalable_target(**place)
