"""Who may invoke an endpoint: whoever acts in a role that allows it, and the account itself."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from support.roles import ASSUMED, READ, SAGEMAKER, Roles, document
from support.shop import refused


@pytest.fixture(scope="module")
def endpoint(
    account: Any, roles: Roles, create: Callable[..., str], model_uri: str
) -> Iterator[str]:
    """An endpoint in service."""
    found = account.endpoint(account.config(create(roles.role(READ), model_uri)))
    yield found
    account.remove(found)


@pytest.fixture(scope="module")
def ask(diabetes: Any) -> Callable[..., int]:
    """Invokes an endpoint; returns the status."""
    body = json.dumps({"instances": [dict(diabetes.artifact.golden.instances[0])]}).encode()

    def invoke(runtime: Any, endpoint: str) -> int:
        told = runtime.invoke_endpoint(
            EndpointName=endpoint, ContentType="application/json", Body=body
        )
        assert json.loads(told["Body"].read())["predictions"]
        return int(told["ResponseMetadata"]["HTTPStatusCode"])

    return invoke


def denied(ask: Callable[..., int], runtime: Any, endpoint: str) -> str:
    """The message of a refusal, which must be a 403."""
    with pytest.raises(ClientError) as caught:
        ask(runtime, endpoint)
    answer = caught.value.response
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 403
    assert answer["Error"]["Code"] == "AccessDeniedException"
    return str(answer["Error"]["Message"])


def test_who_acts_in_a_role_invokes_what_its_policy_allows(
    account: Any, roles: Roles, endpoint: str, ask: Callable[..., int]
) -> None:
    """And nothing else; a change of the policy counts from the next request on."""
    resource = f"{SAGEMAKER}:endpoint/{endpoint}"
    allowed = {"Action": "sagemaker:InvokeEndpoint", "Resource": resource}
    role = roles.role(allowed, trust=ASSUMED)
    runtime = roles.runtime(role)
    assert ask(runtime, endpoint) == 200
    who = f"arn:aws:sts::123456789012:assumed-role/{role.rpartition('/')[2]}/ann"
    begin = f"User: {who} is not authorized to perform: sagemaker:InvokeEndpoint on resource: "
    other = f"{SAGEMAKER}:endpoint/another"
    assert denied(ask, runtime, "another") == (
        f"{begin}{other} because no identity-based policy allows the "
        "sagemaker:InvokeEndpoint action"
    )
    roles.put(role, allowed, {**allowed, "Effect": "Deny"})
    told = denied(ask, runtime, endpoint)
    assert told == f"{begin}{resource} with an explicit deny in an identity-based policy"
    roles.put(role, {**allowed, "Action": "sagemaker:Invoke*"})
    assert ask(runtime, endpoint) == 200
    account.iam.delete_role_policy(RoleName=role.rpartition("/")[2], PolicyName="work")
    assert "no identity-based policy" in denied(ask, runtime, endpoint)


def test_streams_and_asynchronous_invocations_are_actions_of_their_own(
    roles: Roles, endpoint: str
) -> None:
    """Whoever may invoke may not do these."""
    runtime = roles.runtime(roles.role({"Action": "sagemaker:InvokeEndpoint"}, trust=ASSUMED))
    for name, more in (
        ("invoke_endpoint_async", {"InputLocation": "s3://models/x"}),
        ("invoke_endpoint_with_response_stream", {"Body": b"x"}),
    ):
        code, message = refused(getattr(runtime, name), EndpointName=endpoint, **more)
        assert code == "AccessDeniedException"
        words = "".join(word.capitalize() for word in name.split("_"))
        assert f"sagemaker:{words} on resource" in message


def test_boundary_and_session_narrow_what_a_role_may_do(
    account: Any, roles: Roles, endpoint: str, ask: Callable[..., int]
) -> None:
    """Each is the most that there is; the message tells which one it was."""
    name = account.name("boundary")
    policy = account.iam.create_policy(
        PolicyName=name, PolicyDocument=document({"Action": "sagemaker:Describe*"})
    )["Policy"]["Arn"]
    bounded = roles.role({}, trust=ASSUMED, PermissionsBoundary=policy)
    assert "because no permissions boundary allows" in denied(ask, roles.runtime(bounded), endpoint)
    free = roles.role({}, trust=ASSUMED)
    assert ask(roles.runtime(free), endpoint) == 200
    narrow = document({"Action": "s3:*"})
    told = denied(ask, roles.runtime(free, Policy=narrow), endpoint)
    assert "because no session policy allows" in told
    wide = document({"Action": "sagemaker:*"})
    assert ask(roles.runtime(free, Policy=wide), endpoint) == 200


def test_a_condition_on_tags_of_the_endpoint(
    account: Any, roles: Roles, endpoint: str, ask: Callable[..., int]
) -> None:
    """aws:ResourceTag, as teams share an account."""
    mine = {
        "Action": "sagemaker:InvokeEndpoint",
        "Condition": {"StringEquals": {"aws:ResourceTag/Team": "flights"}},
    }
    runtime = roles.runtime(roles.role(mine, trust=ASSUMED))
    assert "not authorized" in denied(ask, runtime, endpoint)
    account.sagemaker.add_tags(
        ResourceArn=f"{SAGEMAKER}:endpoint/{endpoint}", Tags=[{"Key": "Team", "Value": "flights"}]
    )
    assert ask(runtime, endpoint) == 200


def test_keys_of_the_account_may_do_everything(
    account: Any, endpoint: str, ask: Callable[..., int]
) -> None:
    """As test/test does; enforcement is for who acts in a role."""
    assert ask(account.sagemaker_runtime, endpoint) == 200


def test_another_session_token_is_refused(roles: Roles, account: Any, endpoint: str) -> None:
    """A key without its token, as AWS says it."""
    given = account.sts.assume_role(RoleArn=roles.role({}, trust=ASSUMED), RoleSessionName="ann")[
        "Credentials"
    ]
    wrong = boto3.client(
        "sagemaker-runtime",
        endpoint_url=account.cloud.url,
        region_name="us-east-1",
        aws_access_key_id=given["AccessKeyId"],
        aws_secret_access_key=given["SecretAccessKey"],
        aws_session_token="another",  # noqa: S106 - it is wrong on purpose
    )
    code, message = refused(wrong.invoke_endpoint, EndpointName=endpoint, Body=b"x")
    assert (code, message) == (
        "UnrecognizedClientException",
        "The security token included in the request is invalid.",
    )
