"""Processing jobs: objects in, a program, objects out."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest
from support.shop import refused
from support.waiting import until

from mlref.aws.strict import check_response

ENDED = {"Completed", "Failed", "Stopped"}
IMAGE = "123456789012.dkr.ecr.us-east-1.amazonaws.com/process:1"
PLACE = "/opt/ml/processing"
SUMS = """
import json, os, pathlib, sys
rows = pathlib.Path("/opt/ml/processing/input/data")
out = pathlib.Path("/opt/ml/processing/output")
for each in sorted(rows.rglob("*.csv")):
    total = sum(float(x) for x in each.read_text().split(","))
    (out / each.name).write_text(f"{total}")
found = {name: json.load(open(f"/opt/ml/config/{name}.json"))
         for name in ("processingjobconfig", "resourceconfig")}
found["arguments"], found["own"] = sys.argv[1:], os.environ.get("X_OWN")
(out / "sub").mkdir()
(out / "sub/found.json").write_text(json.dumps(found))
pathlib.Path("/opt/ml/output/message").write_text("two files")
print("summed")
"""


class Processor:
    """Starts processing jobs and looks at them."""

    def __init__(self, account: Any) -> None:
        self.account = account
        self.bucket: str = account.bucket

    def begin(
        self,
        program: str,
        *arguments: str,
        data: Mapping[str, bytes] | None = None,
        mode: str = "EndOfJob",
        **more: Any,
    ) -> str:
        """A job that runs a program; returns its name."""
        name = str(self.account.name("processing"))
        put = self.account.s3.put_object
        put(Bucket=self.bucket, Key=f"{name}/code/run.py", Body=program.encode())
        for key, content in (data or {"a.csv": b"1,2", "x/b.csv": b"3,4"}).items():
            put(Bucket=self.bucket, Key=f"{name}/in/{key}", Body=content)
        request: dict[str, Any] = {
            "ProcessingJobName": name,
            "RoleArn": "arn:aws:iam::123456789012:role/sagemaker",
            "AppSpecification": {
                "ImageUri": IMAGE,
                "ContainerEntrypoint": ["python3", f"{PLACE}/input/code/run.py"],
                **({"ContainerArguments": list(arguments)} if arguments else {}),
            },
            "ProcessingInputs": [
                self.source("code", f"{name}/code/"), self.source("data", f"{name}/in/"),
            ],
            "ProcessingOutputConfig": {"Outputs": [
                {"OutputName": "sums", "S3Output": {
                    "S3Uri": f"s3://{self.bucket}/{name}/out", "LocalPath": f"{PLACE}/output",
                    "S3UploadMode": mode}},
            ]},
            "ProcessingResources": {"ClusterConfig": {
                "InstanceCount": 1, "InstanceType": "ml.m5.large", "VolumeSizeInGB": 1}},
        }  # fmt: skip
        for member, value in more.items():
            given = request.get(member)
            request[member] = {**given, **value} if isinstance(given, dict) else value
        self.account.sagemaker.create_processing_job(**request)
        return name

    def source(self, name: str, prefix: str, **more: Any) -> dict[str, Any]:
        """An input of all below a prefix."""
        given = {
            "S3Uri": f"s3://{self.bucket}/{prefix}",
            "LocalPath": f"{PLACE}/input/{name}",
            "S3DataType": "S3Prefix",
            "S3InputMode": "File",
        }
        return {"InputName": name, "S3Input": {**given, **more}}

    def told(self, name: str) -> dict[str, Any]:
        """What DescribeProcessingJob tells."""
        describe = self.account.sagemaker.describe_processing_job
        told: dict[str, Any] = describe(ProcessingJobName=name)
        assert check_response("sagemaker", "DescribeProcessingJob", told) == []
        return told

    def ended(self, name: str) -> dict[str, Any]:
        """The same, when it has ended."""
        until(lambda: self.told(name)["ProcessingJobStatus"] in ENDED)
        return self.told(name)

    def log(self, name: str) -> list[str]:
        """Its log."""
        found = self.account.logs.filter_log_events(
            logGroupName="/aws/sagemaker/ProcessingJobs", logStreamNamePrefix=f"{name}/"
        )
        return [each["message"] for each in found["events"]]

    def saved(self, name: str) -> dict[str, bytes]:
        """What it has saved."""
        prefix = f"{name}/out/"
        listed = self.account.s3.list_objects_v2(Bucket=self.bucket, Prefix=prefix)
        keys = [each["Key"] for each in listed.get("Contents", ())]
        get = self.account.s3.get_object
        return {
            key.removeprefix(prefix): get(Bucket=self.bucket, Key=key)["Body"].read()
            for key in keys
        }


@pytest.fixture(scope="module")
def processor(account: Any) -> Processor:
    """For processing jobs."""
    made = Processor(account)
    account.logs.create_log_group(logGroupName="/aws/sagemaker/ProcessingJobs")
    return made


@pytest.fixture(scope="module")
def summed(processor: Processor) -> tuple[dict[str, Any], dict[str, bytes]]:
    """A job that is done: what is told of it, and what it has saved."""
    name = processor.begin(SUMS, "--by", "file", Environment={"X_OWN": "mine"})
    told = processor.ended(name)
    assert told["ProcessingJobStatus"] == "Completed", (told, processor.log(name))
    return told, processor.saved(name)


def test_objects_go_in_and_come_out(summed: tuple[Any, Any]) -> None:
    """Folders included; the message is told."""
    told, saved = summed
    assert {name: saved[name] for name in ("a.csv", "b.csv")} == {"a.csv": b"3.0", "b.csv": b"7.0"}
    assert told["ExitMessage"] == "two files"
    assert "FailureReason" not in told
    assert told["ProcessingStartTime"] <= told["ProcessingEndTime"]


def test_the_program_is_told_of_its_job(summed: tuple[Any, Any]) -> None:
    """By the two files of the contract, its arguments and its variables."""
    told, saved = summed
    found = json.loads(saved["sub/found.json"])
    assert found["arguments"] == ["--by", "file"]
    assert found["own"] == "mine"
    job = found["processingjobconfig"]
    assert job["ProcessingJobArn"] == told["ProcessingJobArn"]
    assert [each["InputName"] for each in job["ProcessingInputs"]] == ["code", "data"]
    assert found["resourceconfig"]["current_host"] == "algo-1"


def test_what_it_prints_is_in_the_logs(processor: Processor, summed: tuple[Any, Any]) -> None:
    """Under the name of the job."""
    assert processor.log(summed[0]["ProcessingJobName"]) == ["summed"]


def test_a_program_that_fails_fails_its_job(processor: Processor) -> None:
    """With AWS's words and the message that it left; what was to come at the end is not saved."""
    program = """
import pathlib
pathlib.Path("/opt/ml/processing/output/half").write_text("x")
pathlib.Path("/opt/ml/output/message").write_text("no rows")
raise SystemExit(2)
"""
    name = processor.begin(program)
    told = processor.ended(name)
    assert told["ProcessingJobStatus"] == "Failed"
    assert told["FailureReason"] == "AlgorithmError: See job logs for more information"
    assert told["ExitMessage"] == "no rows"
    assert processor.saved(name) == {}


WAIT = """
import pathlib, signal, threading
out, stop = pathlib.Path("/opt/ml/processing/output"), threading.Event()
signal.signal(signal.SIGTERM, lambda *_: stop.set())
(out / "early").write_text("x")
print("waiting", flush=True)
stop.wait(60)
(out / "late").write_text("x")
"""


def test_continuous_outputs_are_saved_while_it_runs(processor: Processor) -> None:
    """And what came last is there when it has ended, also if it was stopped."""
    name = processor.begin(WAIT, mode="Continuous")
    until(lambda: "early" in processor.saved(name))
    assert processor.told(name)["ProcessingJobStatus"] == "InProgress"
    processor.account.sagemaker.stop_processing_job(ProcessingJobName=name)
    assert processor.ended(name)["ProcessingJobStatus"] == "Stopped"
    assert set(processor.saved(name)) == {"early", "late"}
    code, message = refused(processor.account.sagemaker.stop_processing_job, ProcessingJobName=name)
    assert (code, "in status Stopped" in message) == ("ValidationException", True)


def test_a_job_is_stopped_when_its_time_is_up(processor: Processor) -> None:
    """By the clock of the local AWS; outputs of the end are not saved."""
    name = processor.begin(WAIT, StoppingCondition={"MaxRuntimeInSeconds": 3600})
    until(lambda: "waiting" in processor.log(name))
    processor.account.cloud.advance(3601)
    told = processor.ended(name)
    assert told["ProcessingJobStatus"] == "Stopped"
    assert "MaxRuntimeInSeconds" in told["FailureReason"]
    assert processor.saved(name) == {}


def test_a_role_that_may_not_write_fails_the_upload(processor: Processor) -> None:
    """The program has run, and the reason tells what was missing."""
    iam, name = processor.account.iam, processor.account.name("reader")
    version = {"Version": "2012-10-17"}
    trust = {"Effect": "Allow", "Principal": {"Service": "sagemaker.amazonaws.com"},
             "Action": "sts:AssumeRole"}  # fmt: skip
    read = {"Effect": "Allow", "Action": ["s3:GetObject", "s3:ListBucket"], "Resource": "*"}
    role = iam.create_role(
        RoleName=name, AssumeRolePolicyDocument=json.dumps({**version, "Statement": [trust]})
    )["Role"]["Arn"]
    policy = json.dumps({**version, "Statement": [read]})
    iam.put_role_policy(RoleName=name, PolicyName="read", PolicyDocument=policy)
    told = processor.ended(processor.begin(SUMS, RoleArn=role))
    assert told["ProcessingJobStatus"] == "Failed"
    assert "ClientError: Upload failed: Access denied" in told["FailureReason"]
    assert "s3:PutObject" in told["FailureReason"]


def test_what_is_wrong_is_refused_before_anything_starts(processor: Processor) -> None:
    """Names, places, inputs that are not there, and what there is not here."""
    code = processor.source("code", "x/")
    wrong: list[tuple[dict[str, Any], str, str]] = [
        ({"ProcessingInputs": [code, code]}, "ValidationException", "two inputs 'code'"),
        (
            {"ProcessingInputs": [processor.source("a", "x/", LocalPath="/opt/ml/model")]},
            "ValidationException",
            "must be a path under /opt/ml/processing, got '/opt/ml/model'",
        ),
        (
            {"ProcessingInputs": [processor.source("a", "x/", LocalPath=f"{PLACE}/../x")]},
            "ValidationException",
            "must be a path under",
        ),
        ({"ProcessingInputs": [code]}, "ValidationException", "No S3 objects found"),
        (
            {"ProcessingInputs": [processor.source("a", "x/", S3InputMode="Pipe")]},
            "UnsupportedOperation",
            "Pipe mode",
        ),
        ({"RoleArn": "arn:aws:iam::123456789012:role/nobody"}, "ValidationException", "assume"),
        (
            {"ProcessingResources": {"ClusterConfig": {
                "InstanceCount": 2, "InstanceType": "ml.m5.large", "VolumeSizeInGB": 1}}},
            "ResourceLimitExceeded",
            "for processing job usage",
        ),
    ]  # fmt: skip
    for more, expected, words in wrong:
        found, message = refused(processor.begin, SUMS, **more)
        assert (found, words in message) == (expected, True), (found, message)
    image = {"ImageUri": IMAGE}
    request = {
        "ProcessingJobName": "x",
        "RoleArn": "arn:aws:iam::123456789012:role/sagemaker",
        "AppSpecification": image,
        "ProcessingResources": {"ClusterConfig": {
            "InstanceCount": 1, "InstanceType": "ml.m5.large", "VolumeSizeInGB": 1}},
    }  # fmt: skip
    found, message = refused(processor.account.sagemaker.create_processing_job, **request)
    assert (found, "ContainerEntrypoint" in message) == ("UnsupportedOperation", True)


def test_jobs_are_listed_and_a_name_is_used_once(
    processor: Processor, summed: tuple[Any, Any]
) -> None:
    """By name and status, with their messages."""
    name = summed[0]["ProcessingJobName"]
    listed = processor.account.sagemaker.list_processing_jobs(
        NameContains=name, StatusEquals="Completed"
    )
    assert check_response("sagemaker", "ListProcessingJobs", listed) == []
    (found,) = listed["ProcessingJobSummaries"]
    assert (found["ProcessingJobName"], found["ExitMessage"]) == (name, "two files")
    assert refused(processor.begin, SUMS, ProcessingJobName=name)[0] == "ResourceInUse"
    describe = processor.account.sagemaker.describe_processing_job
    assert refused(describe, ProcessingJobName="nobody")[0] == "ValidationException"
    gone = processor.begin("pass")
    processor.ended(gone)
    processor.account.sagemaker.delete_processing_job(ProcessingJobName=gone)
    assert refused(describe, ProcessingJobName=gone)[0] == "ValidationException"


def test_boto3_waits_for_a_job_and_finds_its_tags(processor: Processor) -> None:
    """By its waiter, and as they were given."""
    tags = [{"Key": "team", "Value": "flights"}]
    name = processor.begin("pass", Tags=tags)
    client = processor.account.sagemaker
    waiter = client.get_waiter("processing_job_completed_or_stopped")
    waiter.wait(ProcessingJobName=name, WaiterConfig={"Delay": 1, "MaxAttempts": 60})
    arn = processor.told(name)["ProcessingJobArn"]
    assert client.list_tags(ResourceArn=arn)["Tags"] == tags
