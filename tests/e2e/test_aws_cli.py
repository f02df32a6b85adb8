"""AWS's command line works with a local AWS when four variables are set, and no configuration.

A command costs a second of processor time, so that a test holds many of them.
"""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.aws_cli import AWS, Cli
from support.local_account import IMAGE, TRUST, LocalAccount, model_tar
from support.waiting import until

from mlref.artifact import TOLERANCE


@pytest.fixture
def aws(local_account: LocalAccount, require: Any, tmp_path: Path) -> Cli:
    """A terminal that leads to the local AWS."""
    require("awscli", AWS.exists(), "run `make awscli`")
    return Cli(tmp_path, local_account.environment)


def _said(aws: Cli, line: str) -> str:
    """What a person reads of a command that fails."""
    found = aws(line)
    assert found.status != 0, found.output
    assert found.output == ""
    assert "Traceback" not in found.error
    return found.error.strip()


def test_files_go_to_s3_and_come_back(aws: Cli) -> None:
    """mb, cp, ls, sync, presign, rm, rb; a file of several parts too."""
    aws.do("s3 mb s3://cli-files")
    large = os.urandom(20 * 2**20)
    (aws.folder / "large.bin").write_bytes(large)
    aws.do("s3 cp large.bin s3://cli-files/data/ --no-progress")
    folder = aws.folder / "folder"
    (folder / "below").mkdir(parents=True)
    (folder / "a b+ü.txt").write_text("one")
    (folder / "below" / "two.txt").write_text("two")
    for file in folder.rglob("*.txt"):
        os.utime(file, (1_500_000_000, 1_500_000_000))  # S3's times have no fractions of seconds
    said = aws.do("s3 sync folder s3://cli-files/synced --no-progress").output
    assert said.count("upload:") == 2
    assert aws.do("s3 sync folder s3://cli-files/synced").output == ""  # nothing is new
    listed = aws.do("s3 ls s3://cli-files --recursive").output
    assert [line.split(maxsplit=3)[3] for line in listed.splitlines()] == [
        "data/large.bin",
        "synced/a b+ü.txt",
        "synced/below/two.txt",
    ]
    assert "PRE data/" in aws.do("s3 ls s3://cli-files").output
    aws.do("s3 cp s3://cli-files/data/large.bin back.bin --no-progress")
    assert (aws.folder / "back.bin").read_bytes() == large
    aws.do("s3 cp s3://cli-files/data/large.bin s3://cli-files/copy.bin --no-progress")
    aws.do("s3 sync s3://cli-files/synced again --no-progress")
    assert (aws.folder / "again" / "a b+ü.txt").read_text() == "one"
    assert aws.do("s3 cp s3://cli-files/synced/below/two.txt -").output == "two"
    refused = aws("s3 rb s3://cli-files")
    assert (refused.status, "BucketNotEmpty" in refused.error) == (1, True)
    aws.do("s3 rm s3://cli-files/data/large.bin")
    aws.do("s3 rb s3://cli-files --force")
    assert "cli-files" not in aws.do("s3 ls").output


def test_a_model_is_deployed_asked_and_removed(aws: Cli, local_account: LocalAccount) -> None:
    """From a role and a file to an answer and back to nothing, as AWS's documentation has it."""
    artifact = local_account.artifact
    assert aws.do("sts get-caller-identity").json["Account"] == "123456789012"
    (aws.folder / "trust.json").write_text(json.dumps(TRUST))
    role = aws.do(
        "iam create-role --role-name cli --assume-role-policy-document file://trust.json"
        " --query Role.Arn --output text"
    ).output.strip()
    aws.do(
        "iam attach-role-policy --role-name cli"
        " --policy-arn arn:aws:iam::aws:policy/AmazonSageMakerFullAccess"
    )
    (aws.folder / "model.tar.gz").write_bytes(model_tar(artifact.folder))
    aws.do("s3 mb s3://cli-sagemaker")
    aws.do("s3 cp model.tar.gz s3://cli-sagemaker/ --no-progress")
    data = "s3://cli-sagemaker/model.tar.gz"
    made = aws.do(
        f"sagemaker create-model --model-name cli --execution-role-arn {role}"
        f" --primary-container Image={IMAGE},ModelDataUrl={data}"
    )
    assert made.json == {"ModelArn": "arn:aws:sagemaker:us-east-1:123456789012:model/cli"}
    variant = "VariantName=A,ModelName=cli,InstanceType=ml.m5.large,InitialInstanceCount=1"
    aws.do(
        f"sagemaker create-endpoint-config --endpoint-config-name cli"
        f" --production-variants {variant}"
    )
    aws.do(
        "sagemaker create-endpoint --endpoint-name cli --endpoint-config-name cli"
        " --tags Key=project,Value=handbook"
    )
    describe = local_account.client("sagemaker").describe_endpoint
    until(lambda: describe(EndpointName="cli")["EndpointStatus"] != "Creating")
    aws.do("sagemaker wait endpoint-in-service --endpoint-name cli")  # looks every 30 s
    told = aws.do("sagemaker describe-endpoint --endpoint-name cli").json
    assert told["EndpointStatus"] == "InService"

    (aws.folder / "rows.json").write_bytes(local_account.request)
    invoke = "sagemaker-runtime invoke-endpoint --endpoint-name cli"
    said = aws.do(f"{invoke} --content-type application/json --body fileb://rows.json out.json")
    assert said.json["InvokedProductionVariant"] == "A"
    answer = json.loads((aws.folder / "out.json").read_text())
    expected = artifact.golden.predictions
    np.testing.assert_allclose(answer["predictions"], expected, atol=TOLERANCE)
    aws.do(
        f"{invoke} --content-type application/json --body fileb://rows.json --target-variant A"
        " --inference-id one out.json"
    )

    refused = _said(aws, f"{invoke} --content-type application/json --body {{}} out.json")
    assert "(ModelError) when calling the InvokeEndpoint operation" in refused
    assert "Received client error (422) from primary" in refused
    refused = _said(aws, f"{invoke} --body {{}} --target-variant B out.json")
    assert "Variant B not found for endpoint cli: it has A" in refused

    names = "--query Endpoints[].EndpointName --output text"
    assert "cli" in aws.do(f"sagemaker list-endpoints {names}").output.split()
    aws.do("sagemaker delete-endpoint --endpoint-name cli")
    aws.do("sagemaker wait endpoint-deleted --endpoint-name cli")
    aws.do("sagemaker delete-endpoint-config --endpoint-config-name cli")
    aws.do("sagemaker delete-model --model-name cli")
    assert "cli" not in aws.do(f"sagemaker list-endpoints {names}").output.split()


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (
            "sagemaker describe-endpoint --endpoint-name nobody",
            (
                r"\(ValidationException\) when calling the DescribeEndpoint operation: Could not "
                r'find endpoint "arn:aws:sagemaker:us-east-1:123456789012:endpoint/nobody"\.'
            ),
        ),
        (
            "sagemaker create-model --model-name my_model --primary-container Image=x",
            r"\(ValidationException\) .* ModelName: 'my_model' does not match ",
        ),
        (
            (
                "sagemaker create-endpoint-config --endpoint-config-name one --production-variants "
                "VariantName=A,ModelName=nobody,InstanceType=ml.nope,InitialInstanceCount=1"
            ),
            r"ProductionVariants\[0\]\.InstanceType: 'ml\.nope' is none of ml\.",
        ),
        (
            (
                "sagemaker create-model --model-name one --execution-role-arn "
                "arn:aws:iam::123456789012:role/deployer --primary-container "
                f"Image={IMAGE},ModelDataUrl=s3://clients/nothing.tar.gz"
            ),
            r"Could not find model data at s3://clients/nothing\.tar\.gz",
        ),
        (
            "sagemaker-runtime invoke-endpoint --endpoint-name nobody --body x out",
            r"\(ValidationError\) .* Endpoint nobody of account 123456789012 not found\.",
        ),
        (
            (
                "sagemaker create-notebook-instance --notebook-instance-name one --instance-type "
                "ml.t3.medium --role-arn arn:aws:iam::123456789012:role/deployer"
            ),
            r"\(UnsupportedOperation\) .* does not have sagemaker CreateNotebookInstance",
        ),
        ("ec2 describe-instances", r"\(UnsupportedOperation\) .* does not have ec2"),
        ("s3 ls s3://nobody", r"\(NoSuchBucket\) when calling the ListObjectsV2 operation"),
        ("s3 cp s3://clients/nothing here", r"\(404\) when calling the HeadObject operation"),
        ("iam get-role --role-name nobody", r"\(NoSuchEntity\) when calling the GetRole"),
        ("sagemaker list-endpoints --region eu-west-1", r"has one region, us-east-1"),
    ],
    ids=lambda value: value.split(" --")[0] if value[0] != "\\" else "",
)
def test_a_wrong_command_is_told_what_is_wrong(aws: Cli, line: str, message: str) -> None:
    """One line with AWS's code, at once: nothing is tried again, and there is no stack trace."""
    said = _said(aws, line)
    assert re.search(message, said), said
    assert len(said.splitlines()) == 1
    assert "reached max retries" not in said
