"""What the role of lab 03 satisfies: it does its work, and nobody can do more with it."""

import json

from mlref.study.labs.checks import exercise, reject
from mlref.study.labs.clouds import account
from mlref.study.labs.policies import says

MODELS, CAPTURES = "arn:aws:s3:::fares-models", "arn:aws:s3:::fares-captures"
ASSUME = "sts:AssumeRole"


def _said(answer, name, *asked, **who):
    """What a document of the answer says; rejects one that is no policy."""
    try:
        return says(getattr(answer, name), *asked, **who)
    except (TypeError, ValueError) as error:
        reject(f"`{name}` is no policy: {error}", why="IAM refuses it with MalformedPolicyDocument")


@exercise("role")
def sagemaker_acts_in_it(answer):
    """SageMaker may act in the role, and nobody else."""
    if _said(answer, "trust", ASSUME, who="sagemaker.amazonaws.com") != "allowed":
        reject(
            "`trust` does not let sagemaker.amazonaws.com act in the role",
            why="then CreateModel is refused: Could not assume role",
        )
    for who in ("ec2.amazonaws.com", "arn:aws:iam::999999999999:root"):
        if _said(answer, "trust", ASSUME, who=who) == "allowed":
            reject(
                f"`trust` lets {who} act in the role",
                why="a role is as open as its trust policy: whoever acts in it may do what it may",
            )


@exercise("role")
def it_does_its_work(answer):
    """All models can be read, the bucket listed, captures written."""
    for action, resource, what in (
        ("s3:GetObject", f"{MODELS}/paris/model.tar.gz", "read the archive of paris"),
        ("s3:GetObject", f"{MODELS}/oslo/2/model.tar.gz", "read the archive of oslo"),
        ("s3:ListBucket", MODELS, "list the bucket fares-models"),
        ("s3:PutObject", f"{CAPTURES}/live/fares-paris/main/1.jsonl", "write captures"),
    ):
        if _said(answer, "policy", action, resource) != "allowed":
            reject(
                f"the role may not {what}: {action} on {resource} is denied",
                why="what an endpoint may not read it does not serve, and what it may not write is lost",
            )


@exercise("role")
def it_does_nothing_else(answer):
    """Not in other buckets, and not in its own what its work does not need."""
    for action, resource, why in (
        ("s3:GetObject", "arn:aws:s3:::payroll/2026.csv", "it is not the fares team's bucket"),
        ("s3:GetObject", "arn:aws:s3:::fares-models-of-others/a",
         "a star right behind the name of a bucket means its neighbours, too"),
        ("s3:PutObject", f"{MODELS}/paris/model.tar.gz",
         "whoever takes over the container could replace the model for everybody"),
        ("s3:GetObject", f"{CAPTURES}/live/fares-paris/main/1.jsonl",
         "captures hold what customers have asked; the endpoint need not read them"),
        ("s3:DeleteObject", f"{CAPTURES}/live/fares-paris/main/1.jsonl",
         "whoever breaks in could remove the traces"),
        ("s3:PutObject", f"{CAPTURES}/baselines/constraints.json",
         "a monitor compares with the baseline; nobody who is watched may write it"),
        ("s3:ListBucket", "arn:aws:s3:::payroll", "names of objects tell a lot"),
        ("iam:PassRole", "*", "with it the role could start anything in any other role"),
        ("sagemaker:DeleteEndpoint", "*", "an endpoint need not be able to delete endpoints"),
    ):  # fmt: skip
        if _said(answer, "policy", action, resource) == "allowed":
            reject(f"`policy` also allows {action} on {resource}", why=why)


@exercise("role")
def it_is_taken_and_reads(answer):
    """Tried out: IAM takes both documents, and the model of paris is made in this role."""
    with account() as aws:
        aws.upload("s3://fares-models/paris/model.tar.gz", b"an archive")
        iam = aws.client("iam")
        role = iam.create_role(RoleName="fares", AssumeRolePolicyDocument=json.dumps(answer.trust))[
            "Role"
        ]["Arn"]
        iam.put_role_policy(
            RoleName="fares", PolicyName="work", PolicyDocument=json.dumps(answer.policy)
        )
        container = {
            "Image": "123456789012.dkr.ecr.us-east-1.amazonaws.com/fares:1",
            "ModelDataUrl": "s3://fares-models/paris/model.tar.gz",
        }
        request = {"ExecutionRoleArn": role, "PrimaryContainer": container}
        aws.send("sagemaker", "create_model", {"ModelName": "fares-paris", **request})
