"""What policies allow and deny: the rules of the IAM User Guide, and moto as a peer."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from moto.iam.access_control import IAMPolicy

from mlref.aws.local.iam.conditions import Condition
from mlref.aws.local.iam.matching import glob, matches_resource
from mlref.aws.local.iam.policy import ALLOWED, EXPLICIT, IMPLICIT, Policy, Query, judge
from mlref.aws.local.moto_adapter import Moto

MODELS = "arn:aws:s3:::models"


def policy(*statements: dict[str, Any], version: str = "2012-10-17") -> Policy:
    """A policy of some statements, each of which is about everything unless it says otherwise."""
    whole = [{"Effect": "Allow", "Action": "*", "Resource": "*", **each} for each in statements]
    names = any({"Principal", "NotPrincipal"} & set(each) for each in whole)
    if names:
        whole = [each if "NotPrincipal" in each else {"Principal": "*", **each} for each in whole]
    kind = "resource" if names else "role"
    return Policy.of("test", kind, json.dumps({"Version": version, "Statement": whole}))


def decided(
    *statements: dict[str, Any],
    action: str = "s3:GetObject",
    resource: str = f"{MODELS}/a",
    principals: frozenset[str] = frozenset(),
    **context: Any,
) -> str:
    """What they say; keys of the context with underscores for colons."""
    keys = {
        key.replace("_", ":").lower(): value if isinstance(value, list) else [value]
        for key, value in context.items()
    }
    return judge([policy(*statements)], Query(action, resource, keys, principals)).decision


def test_a_deny_wins_and_what_nobody_allows_is_denied() -> None:
    """In whatever order they stand."""
    allow, deny = {"Effect": "Allow"}, {"Effect": "Deny"}
    assert decided(allow) == ALLOWED
    assert decided(allow, deny) == decided(deny, allow) == decided(deny) == EXPLICIT
    assert decided({"Action": "s3:PutObject"}) == IMPLICIT
    assert judge([], Query("s3:GetObject", "*", {})).decision == IMPLICIT


@pytest.mark.parametrize(
    ("pattern", "action", "fits"),
    [
        ("s3:GetObject", "S3:getobject", True),
        ("s3:Get*", "s3:GetObjectTagging", True),
        ("s3:*Object", "s3:GetObject", True),
        ("s3:?etObject", "s3:GetObject", True),
        ("s3:?etObject", "s3:etObject", False),
        ("s3:Get*", "sagemaker:GetRecord", False),
        ("*", "sagemaker:InvokeEndpoint", True),
    ],
)
def test_actions(pattern: str, action: str, *, fits: bool) -> None:
    """Wildcards, in any case."""
    assert decided({"Action": ["iam:PassRole", pattern]}, action=action) == (
        ALLOWED if fits else IMPLICIT
    )
    inverted = {"NotAction": pattern}
    statement = {"Effect": "Allow", "Resource": "*", **inverted}
    document = Policy.of("not", "role", {"Statement": statement})
    assert judge([document], Query(action, "*", {})).allowed is not fits


@pytest.mark.parametrize(
    ("pattern", "resource", "fits"),
    [
        (f"{MODELS}/*", f"{MODELS}/a/b/c", True),
        (f"{MODELS}/*", MODELS, False),
        (f"{MODELS}*", "arn:aws:s3:::models-of-others/a", True),
        (f"{MODELS}/a", f"{MODELS}/A", False),
        ("arn:aws:sagemaker:*:123456789012:endpoint/f*",
         "arn:aws:sagemaker:us-east-1:123456789012:endpoint/flights", True),
        ("arn:aws:sagemaker:us-?ast-1:*:endpoint/*",
         "arn:aws:sagemaker:us-east-1:123456789012:endpoint/flights", True),
        # A wildcard at the end of a part reaches over colons, another one does not.
        ("arn:aws:s3:*", f"{MODELS}/a", True),
        ("arn:aws:sagemaker:us-east-1:*",
         "arn:aws:sagemaker:us-east-1:123456789012:endpoint/flights", True),
        ("arn:aws:s*maker:us-east-1:123456789012:endpoint/flights",
         "arn:aws:sagemaker:us-east-1:123456789012:endpoint/flights", True),
        ("arn:aws:sagemaker:us*1:endpoint/flights",
         "arn:aws:sagemaker:us-east-1:123456789012:endpoint/flights", False),
        ("arn:aws:logs:us-east-1:123456789012:log-group:*",
         "arn:aws:logs:us-east-1:123456789012:log-group:/aws/x:log-stream:y", True),
        ("*", f"{MODELS}/a", True),
        (f"{MODELS}/*", "*", False),
    ],
)  # fmt: skip
def test_resources(pattern: str, resource: str, *, fits: bool) -> None:
    """By the parts of an ARN."""
    assert matches_resource(pattern, resource) is fits
    assert decided({"Resource": pattern}, resource=resource) == (ALLOWED if fits else IMPLICIT)


def test_a_pattern_is_no_regular_expression() -> None:
    """Its other characters stand for themselves."""
    assert glob("a.c[1](x)", "a.c[1](x)")
    assert not glob("a.c", "abc")
    assert glob("a*c", "a\nc")


CONDITIONS: list[tuple[str, str, Any, dict[str, Any], bool]] = [
    ("StringEquals", "aws:username", "ann", {"aws_username": "ann"}, True),
    ("StringEquals", "aws:username", ["bob", "ann"], {"aws_username": "ann"}, True),
    ("StringEquals", "aws:username", "ann", {"aws_username": "Ann"}, False),
    ("StringEquals", "aws:username", "ann", {}, False),
    ("StringEquals", "aws:username", "a*", {"aws_username": "ann"}, False),
    ("StringEqualsIgnoreCase", "AWS:UserName", "ann", {"aws_username": "ANN"}, True),
    ("StringNotEquals", "aws:username", ["ann", "bob"], {"aws_username": "bob"}, False),
    ("StringNotEquals", "aws:username", "ann", {}, True),
    ("StringLike", "aws:username", "a?n*", {"aws_username": "annabel"}, True),
    ("StringNotLike", "aws:username", "a*", {"aws_username": "annabel"}, False),
    ("StringEqualsIfExists", "aws:username", "ann", {}, True),
    ("StringEqualsIfExists", "aws:username", "ann", {"aws_username": "bob"}, False),
    ("NumericLessThanEquals", "s3:max-keys", "10", {"s3_max-keys": "10"}, True),
    ("NumericLessThan", "s3:max-keys", 10, {"s3_max-keys": "9.5"}, True),
    ("NumericGreaterThan", "s3:max-keys", "9", {"s3_max-keys": "10"}, True),
    ("NumericEquals", "s3:max-keys", "10", {"s3_max-keys": "ten"}, False),
    ("NumericNotEquals", "s3:max-keys", "10", {"s3_max-keys": "11"}, True),
    ("DateLessThan", "aws:CurrentTime", "2026-12-01T00:00:00Z",
     {"aws_currenttime": "2026-11-30T23:59:59+00:00"}, True),
    ("DateGreaterThan", "aws:EpochTime", "1767225600", {"aws_epochtime": "1767225601"}, True),
    ("Bool", "aws:SecureTransport", True, {"aws_securetransport": "true"}, True),
    ("Bool", "aws:SecureTransport", "false", {"aws_securetransport": "true"}, False),
    ("IpAddress", "aws:SourceIp", "203.0.113.0/24", {"aws_sourceip": "203.0.113.9"}, True),
    ("NotIpAddress", "aws:SourceIp", "203.0.113.0/24", {"aws_sourceip": "203.0.113.9"}, False),
    ("IpAddress", "aws:SourceIp", "2001:DB8::/32", {"aws_sourceip": "2001:db8::1"}, True),
    ("ArnLike", "aws:SourceArn", "arn:aws:sagemaker:*:*:endpoint/f*",
     {"aws_sourcearn": "arn:aws:sagemaker:us-east-1:1:endpoint/flights"}, True),
    ("ArnEquals", "aws:SourceArn", "arn:aws:sagemaker:*:endpoint/f",
     {"aws_sourcearn": "arn:aws:sagemaker:us-east-1:1:endpoint/f"}, False),
    ("Null", "aws:TokenIssueTime", "true", {}, True),
    ("Null", "aws:TokenIssueTime", "false", {}, False),
    ("Null", "aws:TokenIssueTime", "false", {"aws_tokenissuetime": "x"}, True),
    ("ForAllValues:StringEquals", "aws:TagKeys", ["a", "b"], {"aws_tagkeys": ["a"]}, True),
    ("ForAllValues:StringEquals", "aws:TagKeys", ["a", "b"], {"aws_tagkeys": ["a", "c"]}, False),
    ("ForAllValues:StringEquals", "aws:TagKeys", ["a"], {}, True),
    ("ForAnyValue:StringEquals", "aws:TagKeys", ["a", "b"], {"aws_tagkeys": ["c", "b"]}, True),
    ("ForAnyValue:StringEquals", "aws:TagKeys", ["a"], {}, False),
    ("ForAnyValue:StringNotEquals", "aws:TagKeys", ["a"], {}, False),
    ("ForAllValues:StringNotEquals", "aws:TagKeys", ["a"], {}, True),
    ("StringLike", "s3:prefix", "home/${aws:username}/*",
     {"s3_prefix": "home/ann/x", "aws_username": "ann"}, True),
    ("StringLike", "s3:prefix", "home/${aws:username}/*", {"s3_prefix": "home/ann/x"}, False),
    ("StringEquals", "s3:prefix", "${*}", {"s3_prefix": "*"}, True),
]  # fmt: skip
"""Operator, key, values, the request's keys, and whether it holds."""


@pytest.mark.parametrize(("operator", "key", "values", "context", "holds"), CONDITIONS)
def test_conditions(
    operator: str, key: str, values: Any, context: dict[str, Any], *, holds: bool
) -> None:
    """As the pages on condition operators, multivalued keys and IfExists have it."""
    found = decided({"Condition": {operator: {key: values}}}, **context)
    assert found == (ALLOWED if holds else IMPLICIT)


def test_all_operators_and_all_keys_must_hold() -> None:
    """A condition is an and; the values of one key are an or."""
    both = {"StringEquals": {"aws:a": "1", "aws:b": ["2", "3"]}, "Bool": {"aws:c": "true"}}
    assert decided({"Condition": both}, aws_a="1", aws_b="3", aws_c="true") == ALLOWED
    assert decided({"Condition": both}, aws_a="1", aws_b="4", aws_c="true") == IMPLICIT
    assert decided({"Condition": both}, aws_a="1", aws_b="3", aws_c="false") == IMPLICIT


def test_a_value_of_the_request_is_no_pattern() -> None:
    """Whoever is called * reads his own folder only."""
    own = {"Resource": f"{MODELS}/${{aws:username}}/*"}
    assert decided(own, resource=f"{MODELS}/ann/x", aws_username="ann") == ALLOWED
    assert decided(own, resource=f"{MODELS}/ann/x", aws_username="*") == IMPLICIT
    assert decided(own, resource=f"{MODELS}/*/x", aws_username="*") == ALLOWED
    assert decided(own, resource=f"{MODELS}/ann/x") == IMPLICIT
    other = {"Resource": f"{MODELS}/${{aws:username, 'guest'}}/*"}
    assert decided(other, resource=f"{MODELS}/guest/x") == ALLOWED


def test_a_resource_whose_variable_has_no_value_means_nothing() -> None:
    """The others of its statement count, and a deny of all but it denies all."""
    own, shared = f"{MODELS}/${{aws:username}}/*", f"{MODELS}/shared/*"
    assert decided({"Resource": [shared, own]}, resource=f"{MODELS}/shared/x") == ALLOWED
    all_but = {"Effect": "Deny", "Action": "*", "NotResource": own}
    document = {"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Action": "*", "Resource": "*"}, all_but,
    ]}  # fmt: skip
    query = Query("s3:GetObject", f"{MODELS}/ann/x", {})
    assert judge([Policy.of("p", "role", document)], query).decision == EXPLICIT


def test_the_old_language_has_no_variables() -> None:
    """There ${...} is text."""
    old = policy({"Resource": f"{MODELS}/${{aws:username}}"}, version="2008-10-17")
    context = {"aws:username": ["ann"]}
    assert not judge([old], Query("s3:GetObject", f"{MODELS}/ann", context)).allowed
    assert judge([old], Query("s3:GetObject", f"{MODELS}/${{aws:username}}", context)).allowed


def test_what_a_request_lacks_is_told() -> None:
    """Of statements that are about it; a key behind IfExists is not missed."""
    asks = {"Condition": {"StringEquals": {"aws:a": "1"}, "StringEqualsIfExists": {"aws:b": "1"}}}
    elsewhere = {"Action": "sqs:*", "Condition": {"StringEquals": {"aws:c": "1"}}}
    found = judge([policy(asks, elsewhere)], Query("s3:GetObject", "*", {}))
    assert found.missing == ("aws:a",)


def test_principals() -> None:
    """A statement with a Principal is for those it names."""
    service = {"Principal": {"Service": ["lambda.amazonaws.com", "sagemaker.amazonaws.com"]}}
    asks = frozenset({"sagemaker.amazonaws.com"})
    assert decided(service, principals=asks) == ALLOWED
    assert decided(service, principals=frozenset({"ec2.amazonaws.com"})) == IMPLICIT
    for everybody in ("*", {"AWS": "*"}):
        assert decided({"Principal": everybody}, principals=asks) == ALLOWED
    barred = {"Effect": "Deny", "NotPrincipal": {"Service": "sagemaker.amazonaws.com"}}
    assert decided({}, barred, principals=asks) == ALLOWED
    assert decided({}, barred, principals=frozenset({"ec2.amazonaws.com"})) == EXPLICIT


def test_the_names_of_an_account_mean_everybody_in_it() -> None:
    """In a Principal; a NotPrincipal with the account leaves out nobody who acts in it."""
    root, bob, ann = (
        f"arn:aws:iam::123456789012:{each}" for each in ("root", "user/bob", "user/ann")
    )
    by_ann = Query("s3:GetObject", "*", {}, frozenset({ann}), frozenset({root, "123456789012"}))
    closed = policy({"Effect": "Deny", "Principal": {"AWS": root}})
    assert judge([closed], by_ann).decision == EXPLICIT
    all_but_bob = policy({}, {"Effect": "Deny", "NotPrincipal": {"AWS": [bob, root]}})
    assert judge([all_but_bob], by_ann).decision == EXPLICIT
    by_bob = replace(by_ann, principals=frozenset({bob}))
    assert judge([all_but_bob], by_bob).allowed


@pytest.mark.parametrize(
    ("document", "word"),
    [
        ("not json", "policy p"),
        ("[]", "a policy is an object"),
        ('{"Version": "2012-10-17"}', "'Statement' is missing"),
        ('{"Version": "2020-01-01", "Statement": []}', "Version must be 2012-10-17 or 2008-10-17"),
        ('{"Statement": [], "Statment": []}', "'Statment' is no element"),
        ('{"Statement": [{"Effect": "allow", "Action": "*", "Resource": "*"}]}',
         "Effect must be Allow or Deny"),
        ('{"Statement": [{"Effect": "Allow", "Resource": "*"}]}', "give Action or NotAction"),
        ('{"Statement": [{"Effect": "Allow", "Action": "*"}]}', "give Resource or NotResource"),
        ('{"Statement": [{"Effect": "Allow", "Action": "*", "NotAction": "*"}]}', "exactly one"),
        ('{"Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*", "Principal": "*"}]}',
         "a statement has a Principal; those of role policies have none"),
        ('{"Statement": {"Effect": "Allow", "Action": "*", "Resource": "*", "Conditon": {}}}',
         "'Conditon' is no element"),
        (('{"Statement": {"Effect": "Allow", "Action": "*", "Resource": "*", "Condition": '
         '{"Equals": {"a": "b"}}}}'), "Equals is no condition operator"),
        (('{"Statement": {"Effect": "Deny", "Action": "*", "Resource": "*", "Condition": '
         '{"NullIfExists": {"a": 1}}}}'), "NullIfExists is no condition operator"),
    ],
)  # fmt: skip
def test_what_is_no_policy_is_told(document: str, word: str) -> None:
    """With its name, and what is wrong."""
    with pytest.raises(ValueError, match=word):
        Policy.of("p", "role", document)


def test_a_trust_policy_names_who_and_no_resource() -> None:
    """The policy of a bucket names both."""
    bare = {"Effect": "Allow", "Action": "sts:AssumeRole"}
    somebody = {**bare, "Principal": "*"}
    assert Policy.of("p", "trust", {"Statement": somebody}).statements
    with pytest.raises(ValueError, match="lacks a Principal; those of trust policies need one"):
        Policy.of("p", "trust", {"Statement": bare})
    with pytest.raises(ValueError, match="Has prohibited field Resource"):
        Policy.of("p", "trust", {"Statement": {**somebody, "Resource": "*"}})
    with pytest.raises(ValueError, match="lacks a Principal; those of resource policies"):
        Policy.of("p", "resource", {"Statement": {**bare, "Resource": "*"}})


def test_every_managed_policy_of_aws_is_read() -> None:
    """Some 1500 documents that AWS itself wrote, with all operators that they use."""
    found = Moto().backend("iam").managed_policies
    assert len(found) > 1000
    for each in found.values():
        (text,) = [version.document for version in each.versions if version.is_default]
        assert Policy.of(each.name, "role", text).statements


words = st.sampled_from(["a", "b", "ab", "*", "a*", "*b", "ba", "a*b"])
actions = words.map(lambda word: f"s3:{word}")
resources = words.map(lambda word: f"arn:aws:s3:::{word}")
statements = st.fixed_dictionaries(
    {
        "Effect": st.sampled_from(["Allow", "Deny"]),
        "Action": st.lists(actions, min_size=1, max_size=2),
        "Resource": st.lists(resources, min_size=1, max_size=2),
    }
)
names = st.sampled_from(["a", "b", "ab", "ba", "aab", "c"])


@given(st.lists(statements, min_size=1, max_size=4), names, names)
def test_without_conditions_moto_says_the_same(
    given_statements: list[dict[str, Any]], action: str, resource: str
) -> None:
    """Its own evaluation is a peer for actions, resources and effects."""
    document = json.dumps({"Version": "2012-10-17", "Statement": given_statements})
    asked = f"s3:{action}", f"arn:aws:s3:::{resource}"
    theirs = IAMPolicy(document).is_action_permitted(*asked).name
    ours = judge([Policy.of("p", "role", document)], Query(*asked, {})).decision
    assert {"PERMITTED": ALLOWED, "DENIED": EXPLICIT, "NEUTRAL": IMPLICIT}[theirs] == ours


def test_a_condition_knows_its_operator() -> None:
    """It is kept without its quantifier and IfExists."""
    found = Condition.of("ForAnyValue:StringLikeIfExists", "AWS:TagKeys", ["a*"])
    assert (found.operator, found.quantifier, found.if_exists) == (
        "StringLike",
        "ForAnyValue",
        True,
    )
    assert found.key == "aws:tagkeys"
