"""The policy simulator, asked by boto3."""

from __future__ import annotations

import json
from typing import Any

import pytest
from support.local_account import TRUST
from support.shop import refused

from mlref.aws.strict import check_response

FULL = "arn:aws:iam::aws:policy/AmazonSageMakerFullAccess"


def document(*statements: dict[str, Any]) -> str:
    """A policy; what a statement does not say is Allow, and everything."""
    whole = [{"Effect": "Allow", "Action": "*", "Resource": "*", **each} for each in statements]
    return json.dumps({"Version": "2012-10-17", "Statement": whole})


@pytest.fixture(scope="module")
def role(account: Any) -> str:
    """One that may read a bucket, and has a managed policy of AWS."""
    name = account.name("simulated")
    made = account.iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(TRUST))
    read = {"Action": ["s3:GetObject", "s3:ListBucket"], "Resource": "arn:aws:s3:::flights/*"}
    account.iam.put_role_policy(
        RoleName=name, PolicyName="read-flights", PolicyDocument=document(read)
    )
    account.iam.attach_role_policy(RoleName=name, PolicyArn=FULL)
    return str(made["Role"]["Arn"])


def simulated(account: Any, role: str, *actions: str, **more: Any) -> dict[str, Any]:
    """The results, by action and resource."""
    told = account.iam.simulate_principal_policy(
        PolicySourceArn=role, ActionNames=list(actions), **more
    )
    assert check_response("iam", "SimulatePrincipalPolicy", told) == []
    return {
        (each["EvalActionName"], each["EvalResourceName"]): each
        for each in told["EvaluationResults"]
    }


def test_it_tells_what_a_role_may_do(account: Any, role: str) -> None:
    """Each action with each resource, and which policy decided it."""
    inside, outside = "arn:aws:s3:::flights/a", "arn:aws:s3:::fares/a"
    actions = ("s3:GetObject", "s3:DeleteBucket", "sqs:SendMessage")
    found = simulated(account, role, *actions, ResourceArns=[inside, outside])
    assert {key: each["EvalDecision"] for key, each in found.items()} == {
        ("s3:GetObject", inside): "allowed",
        ("s3:GetObject", outside): "implicitDeny",
        ("s3:DeleteBucket", inside): "implicitDeny",
        ("s3:DeleteBucket", outside): "implicitDeny",
        ("sqs:SendMessage", inside): "implicitDeny",
        ("sqs:SendMessage", outside): "implicitDeny",
    }
    (matched,) = found["s3:GetObject", inside]["MatchedStatements"]
    assert (matched["SourcePolicyId"], matched["SourcePolicyType"]) == ("read-flights", "role")
    assert "s3:ExistingObjectTag/SageMaker".lower() in {
        name.lower() for name in found["s3:GetObject", outside]["MissingContextValues"]
    }


def test_without_a_resource_it_asks_for_all(account: Any, role: str) -> None:
    """A policy of one bucket does not allow everything."""
    found = simulated(account, role, "s3:GetObject", "s3:CreateBucket")
    assert found["s3:CreateBucket", "*"]["EvalDecision"] == "allowed"
    assert found["s3:GetObject", "*"]["EvalDecision"] == "implicitDeny"


def test_keys_that_are_given_decide_conditions(account: Any, role: str) -> None:
    """AmazonSageMakerFullAccess reads objects that carry the tag SageMaker."""
    entry = {
        "ContextKeyName": "s3:ExistingObjectTag/SageMaker",
        "ContextKeyValues": ["true"],
        "ContextKeyType": "string",
    }
    key = ("s3:GetObject", "arn:aws:s3:::fares/a")
    found = simulated(account, role, key[0], ResourceArns=[key[1]], ContextEntries=[entry])
    assert found[key]["EvalDecision"] == "allowed"
    assert found[key]["MatchedStatements"][0]["SourcePolicyId"] == "AmazonSageMakerFullAccess"


def test_policies_that_are_given_count_too(account: Any, role: str) -> None:
    """A draft, and a boundary, before they are put anywhere."""
    key = ("s3:GetObject", "arn:aws:s3:::flights/a")
    deny = document({"Effect": "Deny", "Action": "s3:*"})
    asked = {"ResourceArns": [key[1]]}
    found = simulated(account, role, key[0], PolicyInputList=[deny], **asked)
    assert found[key]["EvalDecision"] == "explicitDeny"
    limit = document({"Action": "sagemaker:*"})
    found = simulated(account, role, key[0], PermissionsBoundaryPolicyInputList=[limit], **asked)
    assert found[key]["EvalDecision"] == "implicitDeny"
    assert found[key]["PermissionsBoundaryDecisionDetail"] == {
        "AllowedByPermissionsBoundary": False
    }
    assert simulated(account, role, key[0], **asked)[key]["EvalDecision"] == "allowed"


def test_a_draft_alone(account: Any) -> None:
    """SimulateCustomPolicy needs no role."""
    told = account.iam.simulate_custom_policy(
        PolicyInputList=[document({"Action": "s3:Get*"})],
        ActionNames=["s3:GetObject", "s3:PutObject"],
    )
    assert check_response("iam", "SimulateCustomPolicy", told) == []
    decisions = [each["EvalDecision"] for each in told["EvaluationResults"]]
    assert decisions == ["allowed", "implicitDeny"]


def test_a_policy_of_a_resource_names_its_caller(account: Any) -> None:
    """As the policy of a bucket does."""
    ann, bob = (f"arn:aws:iam::123456789012:user/{name}" for name in ("ann", "bob"))
    opened = document({"Action": "s3:GetObject", "Principal": {"AWS": ann}})
    root = "arn:aws:iam::123456789012:root"
    closed = document({"Effect": "Deny", "Principal": {"AWS": root}})
    for caller, policy, decision in (
        (ann, opened, "allowed"), (bob, opened, "implicitDeny"), (ann, closed, "explicitDeny"),
    ):  # fmt: skip
        told = account.iam.simulate_custom_policy(
            PolicyInputList=[document({"Action": "sqs:*"})],
            ActionNames=["s3:GetObject"],
            ResourcePolicy=policy,
            CallerArn=caller,
        )
        assert told["EvaluationResults"][0]["EvalDecision"] == decision


def test_results_come_in_pages(account: Any, role: str) -> None:
    """The paginator of boto3 finds them all, once."""
    actions = [f"s3:Get{letter}" for letter in "ABCDEFG"]
    pages = account.iam.get_paginator("simulate_principal_policy").paginate(
        PolicySourceArn=role, ActionNames=actions, PaginationConfig={"PageSize": 3}
    )
    got = [[each["EvalActionName"] for each in page["EvaluationResults"]] for page in pages]
    assert [len(page) for page in got] == [3, 3, 1]
    assert [action for page in got for action in page] == actions


def test_what_is_wrong_is_told(account: Any, role: str) -> None:
    """A role that is not there, a session, a wildcard, a draft that is none, a marker of nobody."""
    ask = account.iam.simulate_principal_policy
    nobody = "arn:aws:iam::123456789012:role/nobody-at-all"
    code, message = refused(ask, PolicySourceArn=nobody, ActionNames=["s3:GetObject"])
    assert (code, nobody in message) == ("NoSuchEntity", True)
    session = "arn:aws:sts::123456789012:assumed-role/sagemaker/ann"
    code, message = refused(ask, PolicySourceArn=session, ActionNames=["s3:GetObject"])
    assert (code, message) == ("InvalidInput", f"Invalid Entity Arn: {session}")
    code, message = refused(ask, PolicySourceArn=role, ActionNames=["s3:Get*"])
    assert (code, "without wildcards" in message) == ("InvalidInput", True)
    draft = {"PolicyInputList": ["{}"], "ActionNames": ["s3:GetObject"]}
    code, message = refused(account.iam.simulate_custom_policy, **draft)
    assert (code, "Statement" in message) == ("InvalidInput", True)
    given = {"PolicySourceArn": role, "ActionNames": ["s3:GetObject"]}
    code, message = refused(ask, **given, ResourcePolicy=draft["PolicyInputList"][0])
    assert (code, "SimulateCustomPolicy" in message) == ("InvalidInput", True)
    given["Marker"] = "x"
    assert refused(ask, **given)[0] == "InvalidInput"
