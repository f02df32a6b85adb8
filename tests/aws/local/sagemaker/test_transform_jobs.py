"""Batch transform: every line is answered as the endpoint answers it, in order, and saved in S3."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError
from support.waiting import until

from mlref.aws.strict import check_response

LINES = [
    f"{colour},{number},{number / 7:.3f}" for number in range(40) for colour in ("red", "blue")
]
ENDED = {"Completed", "Failed", "Stopped"}


@pytest.fixture
def run(account: Any, colour: str) -> Callable[..., dict[str, Any]]:
    """Runs a job over some objects; returns what DescribeTransformJob tells at its end."""

    def call(objects: dict[str, bytes], **more: Any) -> dict[str, Any]:
        name = account.name("transform")
        for key, content in objects.items():
            account.s3.put_object(Bucket=account.bucket, Key=f"{name}/in/{key}", Body=content)
        source = {"S3DataType": "S3Prefix", "S3Uri": f"s3://{account.bucket}/{name}/in/"}
        request: dict[str, Any] = {
            "TransformJobName": name,
            "ModelName": colour,
            "TransformInput": {
                "DataSource": {"S3DataSource": source},
                "ContentType": "text/csv",
                "SplitType": "Line",
            },
            "TransformOutput": {
                "S3OutputPath": f"s3://{account.bucket}/{name}/out",
                "Accept": "text/csv",
                "AssembleWith": "Line",
            },
            "TransformResources": {"InstanceType": "ml.m5.large", "InstanceCount": 1},
        }
        for member, value in more.items():
            given = request.get(member)
            request[member] = {**given, **value} if isinstance(given, dict) else value
        account.sagemaker.create_transform_job(**request)

        def found() -> dict[str, Any] | None:
            told = account.sagemaker.describe_transform_job(TransformJobName=name)
            return told if told["TransformJobStatus"] in ENDED else None

        told: dict[str, Any] = until(found)
        assert check_response("sagemaker", "DescribeTransformJob", told) == []
        return told

    return call


def _saved(account: Any, told: dict[str, Any]) -> dict[str, bytes]:
    prefix = f"{told['TransformJobName']}/out/"
    listed = account.s3.list_objects_v2(Bucket=account.bucket, Prefix=prefix).get("Contents", [])
    return {
        each["Key"].removeprefix(prefix): account.s3.get_object(
            Bucket=account.bucket, Key=each["Key"]
        )["Body"].read()
        for each in listed
    }


@pytest.fixture(scope="module")
def expected(account: Any, colour: str) -> list[str]:
    """What an endpoint answers to each line alone."""
    name = account.endpoint(account.config(colour))
    found = [
        account.sagemaker_runtime.invoke_endpoint(
            EndpointName=name, ContentType="text/csv", Accept="text/csv", Body=line
        )["Body"].read()
        for line in LINES
    ]
    account.remove(name)
    return [each.decode().strip() for each in found]


@pytest.mark.parametrize(
    "more",
    [
        {},
        {"BatchStrategy": "SingleRecord", "MaxConcurrentTransforms": 8},
        {"BatchStrategy": "MultiRecord", "MaxPayloadInMB": 1, "MaxConcurrentTransforms": 4},
        {"MaxPayloadInMB": 0, "MaxConcurrentTransforms": 20},
    ],
)
def test_answers_are_those_of_an_endpoint_in_order(
    account: Any, run: Callable[..., Any], expected: list[str], more: dict[str, Any]
) -> None:
    """However the lines are cut and however many are asked at once."""
    body = "\n".join(LINES).encode()
    told = run({"a.csv": body, "deep/er/b.csv": body + b"\n"}, **more)
    assert told["TransformJobStatus"] == "Completed", told
    saved = _saved(account, told)
    assert set(saved) == {"a.csv.out", "deep/er/b.csv.out"}
    for content in saved.values():
        assert content.decode().splitlines() == expected
        assert content.endswith(b"\n")
    assert told["TransformEndTime"] >= told["TransformStartTime"] >= told["CreationTime"]


def test_lines_are_filtered_and_joined(
    account: Any, run: Callable[..., Any], expected: list[str]
) -> None:
    """An id in front is not sent, and comes back with the answer; nothing else does."""
    body = "\n".join(f"id-{number},{line}" for number, line in enumerate(LINES))
    processing = {"InputFilter": "$[1:]", "JoinSource": "Input", "OutputFilter": "$[0,-1]"}
    told = run({"a.csv": body.encode()}, DataProcessing=processing)
    assert told["TransformJobStatus"] == "Completed", told
    assert _saved(account, told)["a.csv.out"].decode().splitlines() == [
        f"id-{number},{answer}" for number, answer in enumerate(expected)
    ]


def test_a_whole_object_and_gzip(
    account: Any, run: Callable[..., Any], expected: list[str]
) -> None:
    """Without SplitType the object is one request; with Gzip it is unpacked before."""
    body = "\n".join(LINES).encode()
    told = run(
        {"a.csv.gz": gzip.compress(body)},
        TransformInput={"SplitType": "None", "CompressionType": "Gzip"},
        TransformOutput={"AssembleWith": "None"},
    )
    assert told["TransformJobStatus"] == "Completed", told
    assert _saved(account, told)["a.csv.gz.out"].decode().splitlines() == expected


def test_a_line_that_is_refused_fails_the_job(account: Any, run: Callable[..., Any]) -> None:
    """The object with the bad line gets nothing, the others are answered; the log tells why."""
    good = "\n".join(LINES[:4]).encode()
    told = run({"a.csv": good, "b.csv": good + b"\nred,many,1", "c.csv": good})
    assert told["TransformJobStatus"] == "Failed"
    assert "b.csv" in told["FailureReason"]
    assert "422" in told["FailureReason"]
    assert set(_saved(account, told)) == {"a.csv.out", "c.csv.out"}
    lines = account.logs.filter_log_events(
        logGroupName="/aws/sagemaker/TransformJobs", logStreamNamePrefix=told["TransformJobName"]
    )["events"]
    assert any("b.csv" in each["message"] for each in lines)


def test_a_model_that_does_not_start_fails_the_job(account: Any, run: Callable[..., Any]) -> None:
    """As an endpoint would."""
    account.s3.put_object(Bucket=account.bucket, Key="none/model.tar.gz", Body=b"no archive")
    model = account.model_at(f"s3://{account.bucket}/none/model.tar.gz")
    told = run({"a.csv": b"red,1,1"}, ModelName=model)
    assert told["TransformJobStatus"] == "Failed"
    assert "valid tar.gz" in told["FailureReason"]


def test_jobs_are_listed_and_an_ended_one_is_not_stopped(
    account: Any, run: Callable[..., Any]
) -> None:
    """By name and status; nobody has a name twice."""
    told = run({"a.csv": b"red,1,1"})
    name = told["TransformJobName"]
    listed = account.sagemaker.list_transform_jobs(NameContains=name, StatusEquals="Completed")
    assert check_response("sagemaker", "ListTransformJobs", listed) == []
    assert [each["TransformJobName"] for each in listed["TransformJobSummaries"]] == [name]
    with pytest.raises(ClientError, match="is in status Completed"):
        account.sagemaker.stop_transform_job(TransformJobName=name)
    with pytest.raises(ClientError, match="Could not find requested job with name: nobody"):
        account.sagemaker.describe_transform_job(TransformJobName="nobody")


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"ModelName": "nobody"}, "Could not find model"),
        ({"MaxPayloadInMB": 60, "MaxConcurrentTransforms": 2}, "must not exceed 100 MB"),
        ({"TransformInput": {"SplitType": "RecordIO"}}, "UnsupportedOperation.*RecordIO"),
        ({"DataProcessing": {"InputFilter": "id"}}, "no filter that SageMaker has"),
        (
            {"TransformInput": {"SplitType": "None"}, "DataProcessing": {"JoinSource": "Input"}},
            "needs SplitType Line",
        ),
        (
            {"TransformOutput": {"AssembleWith": "None"},
             "DataProcessing": {"JoinSource": "Input"}},
            "needs AssembleWith Line",
        ),
        (
            {"TransformOutput": {"Accept": "application/jsonlines"},
             "DataProcessing": {"JoinSource": "Input"}},
            "needs an Accept that is the ContentType, got 'application/jsonlines' and 'text/csv'",
        ),
        (
            {"TransformInput": {"ContentType": "application/jsonlines"},
             "TransformOutput": {"Accept": "application/jsonlines", "AssembleWith": "None"},
             "DataProcessing": {"JoinSource": "Input"}},
            "needs an AssembleWith that is the SplitType",
        ),
        (
            {"TransformInput": {"ContentType": "application/jsonlines", "SplitType": "None"},
             "TransformOutput": {"Accept": "application/jsonlines", "AssembleWith": "None"},
             "DataProcessing": {"InputFilter": "$.x"}},
            "UnsupportedOperation.*jsonlines with SplitType None",
        ),
        ({"TransformOutput": {"S3OutputPath": "s3://no-such-bucket/x"}}, "cannot be used"),
        ({"TransformResources": {"InstanceCount": 3}}, "ResourceLimitExceeded"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_refused_before_anything_starts(
    run: Callable[..., Any], more: dict[str, Any], message: str
) -> None:
    """In AWS's codes."""
    with pytest.raises(ClientError, match=message):
        run({"a.csv": b"red,1,1"}, **more)


def test_json_lines_get_a_member_with_the_answer(account: Any, run: Callable[..., Any]) -> None:
    """A list of values on each line, answered by a list."""
    body = "\n".join(json.dumps([colour, 3, 0.5]) for colour in ("red", "blue"))
    kind = {"ContentType": "application/jsonlines"}
    told = run(
        {"a.jsonl": body.encode()},
        TransformInput=kind,
        TransformOutput={"Accept": "application/jsonlines"},
        DataProcessing={"JoinSource": "Input"},
    )
    assert told["TransformJobStatus"] == "Completed", told
    lines = _saved(account, told)["a.jsonl.out"].decode().splitlines()
    assert [json.loads(line)["SageMakerInput"][0] for line in lines] == ["red", "blue"]
