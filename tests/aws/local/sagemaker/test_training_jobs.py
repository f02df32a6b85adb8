"""Training jobs: a script runs by SageMaker's contract, and what it leaves is in S3."""

from __future__ import annotations

import json
import signal
from typing import Any

import psutil
import pytest
from support.shop import refused
from support.trainer import Trainer
from support.waiting import until

from mlref.aws.strict import check_response

LOOK = """
import argparse, json, os, sys
parser = argparse.ArgumentParser()
parser.add_argument("--depth", type=int)
parser.add_argument("--kind")
found = vars(parser.parse_args())
data = os.environ["SM_CHANNEL_TRAIN"]
found["files"] = sorted(os.path.relpath(os.path.join(d, f), data)
                        for d, _, names in os.walk(data) for f in names)
found["rows"] = open(f"{data}/a.csv").read()
for name in ("hyperparameters", "inputdataconfig", "resourceconfig"):
    found[name] = json.load(open(f"/opt/ml/input/config/{name}.json"))
kinds = ("SM_", "TRAINING", "X_")
found["environment"] = {k: v for k, v in os.environ.items() if k.startswith(kinds)}
found["cwd"] = os.getcwd()
os.makedirs("/opt/ml/model/sub", exist_ok=True)
json.dump(found, open("/opt/ml/model/sub/found.json", "w"))
open("/opt/ml/output/data/notes.txt", "w").write("kept")
print("loss=0.5;")
print("loss=0.25;", file=sys.stderr)
"""
WAIT = """
import signal, sys, threading
stop = threading.Event()
signal.signal(signal.SIGTERM, lambda *_: stop.set())
open("/opt/ml/model/started", "w").write("yes")
print("waiting", flush=True)
stop.wait(60)
open("/opt/ml/model/saved", "w").write("yes")
"""
STUBBORN = """
import os, signal, subprocess, sys, threading
signal.signal(signal.SIGTERM, signal.SIG_IGN)
child = subprocess.Popen([sys.executable, "-c", "import threading; threading.Event().wait()"])
print("pids", os.getpid(), child.pid, flush=True)
threading.Event().wait()
"""


@pytest.fixture(scope="module")
def trainer(account: Any) -> Trainer:
    """For training jobs."""
    return Trainer(account)


@pytest.fixture(scope="module")
def looked(trainer: Trainer) -> tuple[dict[str, Any], dict[str, Any]]:
    """A job that has told all that it saw: what AWS tells of it, and what it saw."""
    definition = {"Name": "loss", "Regex": r"loss=([0-9.]+);"}
    name = trainer.begin(
        LOOK,
        HyperParameters={"depth": "3", "kind": '"quick"'},
        Environment={"X_OWN": "mine"},
        AlgorithmSpecification={"MetricDefinitions": [definition]},
    )
    told = trainer.ended(name)
    assert told["TrainingJobStatus"] == "Completed", (told, trainer.log(name))
    files = trainer.files(told["ModelArtifacts"]["S3ModelArtifacts"])
    return told, json.loads(files["sub/found.json"])


def test_the_script_gets_its_arguments_and_data(looked: tuple[Any, Any]) -> None:
    """Hyperparameters as arguments, the channel's objects as files."""
    _, saw = looked
    assert (saw["depth"], saw["kind"]) == (3, "quick")
    assert saw["files"] == ["a.csv", "x/b.csv"]
    assert saw["rows"] == "1,2\n"
    assert saw["cwd"] == "/opt/ml/code"


def test_the_files_of_the_contract_are_there(looked: tuple[Any, Any]) -> None:
    """As the Developer Guide describes /opt/ml/input/config."""
    _, saw = looked
    assert saw["hyperparameters"]["depth"] == "3"
    assert saw["hyperparameters"]["sagemaker_program"] == "train.py"
    assert saw["inputdataconfig"] == {
        "train": {
            "TrainingInputMode": "File",
            "S3DistributionType": "FullyReplicated",
            "RecordWrapperType": "None",
        }
    }
    assert saw["resourceconfig"]["hosts"] == ["algo-1"]
    assert saw["resourceconfig"]["current_instance_type"] == "ml.m5.large"


def test_the_variables_of_the_training_toolkit_are_there(looked: tuple[Any, Any]) -> None:
    """SM_MODEL_DIR and the others, and those that the job was given."""
    told, saw = looked
    found = saw["environment"]
    assert found["SM_MODEL_DIR"] == "/opt/ml/model"
    assert found["SM_CHANNEL_TRAIN"] == "/opt/ml/input/data/train"
    assert found["SM_OUTPUT_DATA_DIR"] == "/opt/ml/output/data"
    assert json.loads(found["SM_CHANNELS"]) == ["train"]
    assert json.loads(found["SM_HPS"]) == {"depth": 3, "kind": "quick"}
    assert (found["SM_HP_DEPTH"], found["SM_HP_KIND"]) == ("3", "quick")
    assert json.loads(found["SM_USER_ARGS"]) == ["--depth", "3", "--kind", "quick"]
    assert (found["SM_HOSTS"], found["SM_CURRENT_HOST"]) == ('["algo-1"]', "algo-1")
    assert json.loads(found["SM_TRAINING_ENV"])["job_name"] == told["TrainingJobName"]
    assert found["TRAINING_JOB_NAME"] == told["TrainingJobName"]
    assert found["TRAINING_JOB_ARN"] == told["TrainingJobArn"]
    assert found["X_OWN"] == "mine"


def test_its_course_its_metrics_and_its_time_are_told(looked: tuple[Any, Any]) -> None:
    """Secondary statuses in order, the last value of a metric, seconds that are billed."""
    told, _ = looked
    assert [each["Status"] for each in told["SecondaryStatusTransitions"]] == [
        "Starting", "Downloading", "Training", "Uploading", "Completed",
    ]  # fmt: skip
    (metric,) = told["FinalMetricDataList"]
    assert (metric["MetricName"], metric["Value"]) == ("loss", 0.25)
    assert 1 <= told["BillableTimeInSeconds"] <= 60
    assert told["TrainingStartTime"] <= told["TrainingEndTime"]


def test_what_it_prints_is_in_the_logs_and_metrics_in_cloudwatch(
    account: Any, trainer: Trainer, looked: tuple[Any, Any]
) -> None:
    """Under the names that AWS has for them."""
    told, _ = looked
    assert [line for line in trainer.log(told["TrainingJobName"]) if "loss" in line] == [
        "loss=0.5;",
        "loss=0.25;",
    ]
    listed = account.cloudwatch.list_metrics(Namespace="/aws/sagemaker/TrainingJobs")["Metrics"]
    dimension = {"Name": "TrainingJobName", "Value": told["TrainingJobName"]}
    assert [dimension] in [each["Dimensions"] for each in listed if each["MetricName"] == "loss"]


def test_other_output_is_saved_beside_the_model(trainer: Trainer, looked: tuple[Any, Any]) -> None:
    """output.tar.gz, if there is any."""
    told, _ = looked
    uri = told["ModelArtifacts"]["S3ModelArtifacts"].replace("model.tar.gz", "output.tar.gz")
    assert trainer.files(uri) == {"notes.txt": b"kept"}


def test_nothing_of_a_job_is_left(looked: tuple[Any, Any]) -> None:
    """Its folder is gone, and /opt/ml of this machine was never touched."""
    import tempfile
    from pathlib import Path

    del looked
    until(lambda: not list(Path(tempfile.gettempdir()).glob("mlref-job-*")))
    assert not Path("/opt/ml/model/sub").exists()


@pytest.mark.parametrize(
    ("script", "words"),
    [
        ("raise SystemExit(3)", ["AlgorithmError: ExecuteUserScriptError", "exit code: 3"]),
        ("x = 1 / 0", ["ZeroDivisionError: division by zero", "exit code: 1"]),
        (
            "open('/opt/ml/output/failure', 'w').write('no rows'); raise SystemExit(1)",
            ["AlgorithmError: no rows, exit code: 1"],
        ),
        ("import os; os.kill(os.getpid(), 9)", ["exit code: 137"]),
    ],
)
def test_a_script_that_fails_fails_its_job(trainer: Trainer, script: str, words: list[str]) -> None:
    """With what it has written to the failure file, or what its log ends with; without a model."""
    told = trainer.ended(trainer.begin(script))
    assert told["TrainingJobStatus"] == told["SecondaryStatus"] == "Failed"
    for word in words:
        assert word in told["FailureReason"]
    uri = told["ModelArtifacts"]["S3ModelArtifacts"]
    with pytest.raises(trainer.account.s3.exceptions.NoSuchKey):
        trainer.files(uri)


def test_a_job_that_is_stopped_saves_its_model(trainer: Trainer) -> None:
    """SIGTERM gives the script time; the job is Stopped, and its model is there."""
    name = trainer.begin(WAIT)
    until(lambda: "waiting" in trainer.log(name))
    trainer.account.sagemaker.stop_training_job(TrainingJobName=name)
    told = trainer.ended(name)
    assert (told["TrainingJobStatus"], told["SecondaryStatus"]) == ("Stopped", "Stopped")
    assert "Stopping" in [each["Status"] for each in told["SecondaryStatusTransitions"]]
    assert set(trainer.files(told["ModelArtifacts"]["S3ModelArtifacts"])) == {"started", "saved"}
    code, message = refused(trainer.account.sagemaker.stop_training_job, TrainingJobName=name)
    assert (code, "in status Stopped" in message) == ("ValidationException", True)


def test_a_job_is_stopped_when_its_time_is_up(trainer: Trainer) -> None:
    """By the clock of the local AWS, which can be moved on."""
    name = trainer.begin(WAIT, StoppingCondition={"MaxRuntimeInSeconds": 3600})
    until(lambda: "waiting" in trainer.log(name))
    trainer.account.cloud.advance(3601)
    told = trainer.ended(name)
    assert (told["TrainingJobStatus"], told["SecondaryStatus"]) == ("Stopped", "MaxRuntimeExceeded")
    assert "saved" in trainer.files(told["ModelArtifacts"]["S3ModelArtifacts"])


def test_a_script_that_does_not_listen_is_killed_with_its_children(trainer: Trainer) -> None:
    """120 seconds after SIGTERM, by the same clock."""
    name = trainer.begin(STUBBORN)
    line = until(lambda: next((x for x in trainer.log(name) if x.startswith("pids")), None))
    pids = [int(word) for word in str(line).split()[1:]]
    assert all(map(psutil.pid_exists, pids))
    trainer.account.sagemaker.stop_training_job(TrainingJobName=name)
    trainer.account.cloud.advance(121)
    assert trainer.ended(name)["TrainingJobStatus"] == "Stopped"
    until(lambda: not any(map(psutil.pid_exists, pids)))


def test_the_process_between_may_be_killed(trainer: Trainer) -> None:
    """Kill -9 of whoever watches over a script: the script ends, and the job fails."""
    name = trainer.begin(STUBBORN)
    line = until(lambda: next((x for x in trainer.log(name) if x.startswith("pids")), None))
    pids = [int(word) for word in str(line).split()[1:]]
    psutil.Process(pids[0]).parent().send_signal(signal.SIGKILL)  # type: ignore[union-attr]
    assert trainer.ended(name)["TrainingJobStatus"] == "Failed"
    until(lambda: not psutil.pid_exists(pids[0]))
    if psutil.pid_exists(pids[1]):  # orphaned by a kill that nobody can catch
        psutil.Process(pids[1]).kill()


def test_checkpoints_are_restored_and_saved(trainer: Trainer) -> None:
    """What lies in S3 is there at the start, what the script adds is in S3 at its end."""
    script = """
import pathlib
here = pathlib.Path("/opt/ml/checkpoints")
step = sum(1 for each in here.iterdir())
(here / f"step-{step}").write_text("x")
"""
    where = f"s3://{trainer.bucket}/{trainer.account.name('checkpoints')}"
    for _ in range(2):
        told = trainer.ended(trainer.begin(script, CheckpointConfig={"S3Uri": where}))
        assert told["TrainingJobStatus"] == "Completed", told
    prefix = where.removeprefix(f"s3://{trainer.bucket}/")
    found = trainer.account.s3.list_objects_v2(Bucket=trainer.bucket, Prefix=prefix)["Contents"]
    assert [each["Key"].rpartition("/")[2] for each in found] == ["step-0", "step-1"]


def test_checkpoints_are_saved_while_the_script_runs(trainer: Trainer) -> None:
    """The guide has them "stored in real time": whoever kills the job finds the last ones."""
    script = "open('/opt/ml/checkpoints/step-1', 'w').write('x')\n" + WAIT
    prefix = str(trainer.account.name("checkpoints"))
    name = trainer.begin(script, CheckpointConfig={"S3Uri": f"s3://{trainer.bucket}/{prefix}"})
    listed = trainer.account.s3.list_objects_v2
    found = until(lambda: listed(Bucket=trainer.bucket, Prefix=f"{prefix}/").get("Contents"))
    assert trainer.told(name)["SecondaryStatus"] == "Training"
    assert [each["Key"] for each in found] == [f"{prefix}/step-1"]
    trainer.account.sagemaker.stop_training_job(TrainingJobName=name)
    assert trainer.ended(name)["TrainingJobStatus"] == "Stopped"


def test_no_instance_is_kept_for_the_next_job(trainer: Trainer) -> None:
    """KeepAlivePeriodInSeconds is described; there is no warm pool to tell of."""
    name = trainer.begin("pass", ResourceConfig={"KeepAlivePeriodInSeconds": 600})
    told = trainer.ended(name)
    assert told["ResourceConfig"]["KeepAlivePeriodInSeconds"] == 600
    assert "WarmPoolStatus" not in told
    for status in ("Available", "InUse", "Reused", "Terminated"):
        listed = trainer.account.sagemaker.list_training_jobs(WarmPoolStatusEquals=status)
        assert listed["TrainingJobSummaries"] == []


def test_an_entry_point_replaces_script_mode(trainer: Trainer) -> None:
    """ContainerEntrypoint and ContainerArguments, as own containers are started."""
    command = {
        "ContainerEntrypoint": ["sh", "-c"],
        "ContainerArguments": ["ls /opt/ml/input/data/train > /opt/ml/model/list"],
    }
    told = trainer.ended(trainer.begin("", AlgorithmSpecification=command))
    assert told["TrainingJobStatus"] == "Completed", told
    files = trainer.files(told["ModelArtifacts"]["S3ModelArtifacts"])
    assert files == {"list": b"a.csv\nx\n"}


def test_a_role_that_may_not_read_fails_the_download(trainer: Trainer) -> None:
    """Who may not list is refused at once; who lists and may not read begins, and fails."""
    iam, name = trainer.account.iam, trainer.account.name("reader")
    trust = {"Effect": "Allow", "Principal": {"Service": "sagemaker.amazonaws.com"},
             "Action": "sts:AssumeRole"}  # fmt: skip
    role = iam.create_role(
        RoleName=name,
        AssumeRolePolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [trust]}),
    )["Role"]["Arn"]
    code, message = refused(trainer.begin, LOOK, RoleArn=role)
    assert (code, '"s3:ListBucket" permissions' in message) == ("ValidationException", True)
    lists = {"Effect": "Allow", "Action": "s3:ListBucket", "Resource": "*"}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [lists]})
    iam.put_role_policy(RoleName=name, PolicyName="list", PolicyDocument=policy)
    told = trainer.ended(trainer.begin(LOOK, RoleArn=role))
    assert told["TrainingJobStatus"] == "Failed"
    assert "ClientError: Data download failed: Access denied" in told["FailureReason"]
    assert "s3:GetObject" in told["FailureReason"]


WRONG: list[tuple[dict[str, Any], str, str]] = [
    ({"RoleArn": "arn:aws:iam::123456789012:role/nobody"}, "ValidationException", "assume role"),
    ({"OutputDataConfig": {"S3OutputPath": "s3://no-such-bucket-here/x"}},
     "ValidationException", "no-such-bucket-here"),
    ({"ResourceConfig": {"InstanceCount": 2}}, "ResourceLimitExceeded", "asks for 2"),
    ({"DebugRuleConfigurations": [{"RuleConfigurationName": "a", "RuleEvaluatorImage": "b"}]},
     "UnsupportedOperation", "DebugRuleConfigurations"),
    ({"AlgorithmSpecification": {"MetricDefinitions": [{"Name": "a", "Regex": "("}]}},
     "ValidationException", "cannot be read"),
    ({"StoppingCondition": {"MaxWaitTimeInSeconds": 5000}}, "ValidationException",
     "EnableManagedSpotTraining only"),
]  # fmt: skip


@pytest.mark.parametrize(("more", "code", "words"), WRONG)
def test_what_is_wrong_is_refused_before_anything_starts(
    trainer: Trainer, more: dict[str, Any], code: str, words: str
) -> None:
    """With AWS's code, and words that name it."""
    told = refused(trainer.begin, LOOK, **more)
    assert (told[0], words in told[1]) == (code, True), told


def test_a_channel_without_objects_is_refused(trainer: Trainer) -> None:
    """Before the job begins, as AWS does."""
    empty = trainer.channel("train", "nothing/is/here/")
    code, message = refused(trainer.begin, LOOK, InputDataConfig=[empty])
    assert (code, "No S3 objects found" in message) == ("ValidationException", True)


def test_a_name_is_used_once_until_its_job_is_deleted(trainer: Trainer) -> None:
    """A job that runs is not deleted; afterwards the name is free."""
    delete = trainer.account.sagemaker.delete_training_job
    name = trainer.begin(WAIT)
    code, message = refused(delete, TrainingJobName=name)
    assert (code, "in status InProgress" in message) == ("ResourceInUse", True)
    trainer.account.sagemaker.stop_training_job(TrainingJobName=name)
    trainer.ended(name)
    delete(TrainingJobName=name)
    assert refused(delete, TrainingJobName=name)[0] == "ResourceNotFound"
    assert trainer.begin("pass", TrainingJobName=name)
    assert trainer.ended(name)["TrainingJobStatus"] == "Completed"


def test_jobs_are_listed_by_name(trainer: Trainer) -> None:
    """And one of the same name is refused."""
    name = trainer.begin("pass")
    trainer.ended(name)
    code, _ = refused(trainer.begin, "pass", TrainingJobName=name)
    assert code == "ResourceInUse"
    listed = trainer.account.sagemaker.list_training_jobs(NameContains=name)
    assert check_response("sagemaker", "ListTrainingJobs", listed) == []
    assert [each["TrainingJobName"] for each in listed["TrainingJobSummaries"]] == [name]
    code, _ = refused(trainer.account.sagemaker.describe_training_job, TrainingJobName="nobody")
    assert code == "ValidationException"


def test_what_a_script_needs_and_is_not_there_is_told(trainer: Trainer) -> None:
    """A script that is not in the archive."""
    told = trainer.ended(trainer.begin("pass", HyperParameters={"sagemaker_program": "other.py"}))
    assert told["TrainingJobStatus"] == "Failed"
    assert "holds no other.py; it holds train.py" in told["FailureReason"]
