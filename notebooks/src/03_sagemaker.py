# %% [markdown]
# # 03 · SageMaker
#
# *Sixty minutes. Prerequisite: [02 Containers](02_containers.ipynb). Next: 04 Large language models.*
#
# **The question.** How do you deploy a model on SageMaker, and run it from the first request to the
# last bill?
#
# **The answer in five lines.**
#
# 1. A *model* is a container image plus weights in S3 plus a role. An *endpoint configuration* says
#    on what it runs. An *endpoint* is a running configuration, and it costs until it is deleted.
# 2. Nothing goes out that is not in the *model registry* and approved there.
# 3. A new version gets a share of the traffic first, and an alarm, not a person, takes it back.
# 4. Capture what is asked and answered. Without it nobody can tell why a model got worse.
# 5. Choose by traffic: steady, an endpoint that scales; rare, serverless; slow or large,
#    asynchronous; all at once, batch transform. The dearest endpoint is the one nobody remembers.
#
# ```text
#   script ─ training job ─> model.tar.gz ─> registry ─ approved ─> model ─> config ─> endpoint
#                                                                                      │   │
#                            alarms, autoscaling <─ CloudWatch <───────────────────────┘   └─> captures
# ```
#
# Every call below is plain boto3. It goes to a *local AWS* that comes with mlref: free, offline, and
# with a model that really answers. The same cells run on a real account; the last section but one
# says how, and what the local AWS does not tell you.

# %% tags=["parameters"]
cloud = "local"
quick = True
seed = 0
max_spend_usd = 0.0
out = "build/runs"

# %% [markdown]
# ## 1. First the bill
#
# What will be created in this notebook, and what it would cost by the hour on a real account. The
# prices are dated, and marked by how sure they are. On real AWS, the session refuses to begin unless
# the estimate is covered by `max_spend_usd`. On both clouds it then refuses each request that the
# estimate does not cover: another type of instance, one more of them, a service that costs.

# %%
from datetime import timedelta

from mlref import aws, cost, evidence

figures = evidence.Recorder("03_sagemaker", out)
book = cost.PriceBook.load()
hosting = book.find("sagemaker", "hosting ml.m5.large")
job = book.find("sagemaker", "training ml.m5.large")
estimate = (
    cost.Estimate()
    .add("endpoint: an instance for each of two variants", hosting, 2)
    .add("endpoint: two more instances, when it scales", hosting, 2)
    .add("two training jobs, at the same time", job, 2)
    .add("monitor: a job every hour", book.find("sagemaker", "processing ml.m5.large"))
    .add("batch transform", book.find("sagemaker", "transform ml.m5.large"))
    .add("alarms", book.find("cloudwatch", "alarm"), 2)
)
for item in estimate.items:
    price = f"{item.usd_per_hour:8.4f} USD an hour"
    print(f"{price}  {item.what} ({item.price.as_of}, {item.price.sure})")
month = hosting.usd * cost.HOURS_PER_MONTH
print(f"one instance that is forgotten: {month:.0f} USD a month")
_ = figures.record("03.forgotten_usd_month", month, unit="USD", kind="exact")

# %% [markdown]
# Jobs cost while they run and end by themselves. An endpoint costs while it stands, whether anybody
# asks it or not.
#
# The session below is a boto3 session. What it creates carries two tags: the session's name and the
# moment at which it may be deleted. That is how section 12 finds everything again.

# %% tags=["nbval-ignore-output"]
account = aws.session(
    cloud,
    estimate=estimate.over(hours=1),
    max_spend_usd=max_spend_usd,
    expires_after=timedelta(hours=2),
    at=aws.start(seed=seed) if cloud == "local" else None,
)
s3, iam, sagemaker = (account.client(name) for name in ("s3", "iam", "sagemaker"))
runtime, cloudwatch = account.client("sagemaker-runtime"), account.client("cloudwatch")
account_id = account.client("sts").get_caller_identity()["Account"]
bucket = f"mlref-{account_id}-{account.name}"
s3.create_bucket(Bucket=bucket)
print(account_id, bucket, account.expires)

# %% [markdown]
# ## 2. A role: what SageMaker may do for you
#
# SageMaker acts in a *role* of your account: a job reads S3 in it, an endpoint fetches its model in
# it. The role needs two things. Its *trust policy* says who may act in it; its *permissions* say what
# may be done. Most first attempts fail at one of the two. Take the narrowest permissions that work:
# here one bucket and the logs, and not `s3:*` on everything.

# %% tags=["nbval-ignore-output"]
import json


def make_role(name, principal, *allowed):
    """A role: who may act in it, and what they may do there, as (actions, resource)."""
    trust = {"Effect": "Allow", "Principal": principal, "Action": "sts:AssumeRole"}
    rights = [{"Effect": "Allow", "Action": what, "Resource": where} for what, where in allowed]
    documents = [
        json.dumps({"Version": "2012-10-17", "Statement": each}) for each in ([trust], rights)
    ]
    role = iam.create_role(RoleName=name, AssumeRolePolicyDocument=documents[0])["Role"]
    iam.put_role_policy(RoleName=name, PolicyName="work", PolicyDocument=documents[1])
    iam.get_waiter("role_exists").wait(RoleName=name)
    return role["Arn"]


role = make_role(
    f"{account.name}-sagemaker",
    {"Service": "sagemaker.amazonaws.com"},
    (["s3:GetObject", "s3:PutObject"], f"arn:aws:s3:::{bucket}/*"),
    ("s3:ListBucket", f"arn:aws:s3:::{bucket}"),
    (["logs:CreateLogGroup", "logs:CreateLogStream", "logs:PutLogEvents"], "*"),
    ("cloudwatch:PutMetricData", "*"),
)
print(role)

# %% [markdown]
# Before anything is started, the policy simulator tells what the role may do: `allowed`, or a deny that
# is explicit (a statement says so) or implicit (no statement allows it). Ask it whenever something says
# `AccessDenied`.

# %%
fetched, saved = "s3:GetObject", "s3:PutObject"
ours, theirs = f"arn:aws:s3:::{bucket}/model.tar.gz", "arn:aws:s3:::another-team/model.tar.gz"
simulated = iam.simulate_principal_policy(
    PolicySourceArn=role,
    ActionNames=[fetched, saved, "s3:DeleteBucket"],
    ResourceArns=[ours, theirs],
)["EvaluationResults"]
for each in simulated:
    whose = "our bucket" if each["EvalResourceName"] == ours else "another one"
    print(f"{each['EvalActionName']:16} {whose:12} {each['EvalDecision']}")

# %% [markdown]
# The deployment's own credentials (yours, in this notebook) are another matter: they create the role, and
# whoever *invokes* the endpoint needs a third set of permissions, `sagemaker:InvokeEndpoint` on this
# one endpoint. Section 5 tries that.
#
# ## 3. Train: a script, its data, and a tar file
#
# A training job is a container that is started for one script. SageMaker's side of the contract: the
# data of each *channel* lies under `/opt/ml/input/data/<channel>`, settings come as
# *hyperparameters*, and what the script leaves in `/opt/ml/model` becomes `model.tar.gz` in S3. The
# script's side: exit with 0, or write why not to `/opt/ml/output/failure`.
#
# Two versions are trained, on two windows of the same winter.

# %%
program = """
import argparse
from datetime import UTC, datetime
import pandas as pd
from mlref import models

given = argparse.ArgumentParser()
for name in ("train", "validation", "model", "version", "months"):
    given.add_argument(f"--{name}")
told = given.parse_args()
train = pd.read_parquet(f"{told.train}/flights.parquet")
train = train[train["month"].isin([int(month) for month in told.months.split(",")])]
champion = models.train_champion(train, seed=0)
judged = models.evaluate(champion, pd.read_parquet(f"{told.validation}/flights.parquet"))
print(f"mean_auc={judged.mean_auc:.4f};")
models.pack_model(told.model, champion, version=told.version, training=train, evaluation=judged,
                  created=datetime(2013, 4, 2, tzinfo=UTC), overwrite=True)
"""

# %% tags=["nbval-ignore-output"]
import io

from mlref import flights

validation = flights.load(flights.SERVING_MONTHS)[:: 40 if quick else 1]
frames = {"train": flights.load(flights.TRAINING_MONTHS), "validation": validation}
for channel, frame in frames.items():
    frame.to_parquet(packed := io.BytesIO())
    s3.put_object(Bucket=bucket, Key=f"{channel}/flights.parquet", Body=packed.getvalue())
s3.put_object(Bucket=bucket, Key="code/train.py", Body=program.encode())
image = f"{account_id}.dkr.ecr.{account.region_name}.amazonaws.com/flights:1.0.0"
data = "/opt/ml/input/data"
places = {name: f"{data}/{name}" for name in ("train", "validation")}
places["model"] = "/opt/ml/model/flights"
versions = {"1.0.0": "1,2,3", "1.1.0": "2,3"}  # and the months that each is trained on
channels = []
for name in ("code", "train", "validation"):
    source = {"S3DataType": "S3Prefix", "S3Uri": f"s3://{bucket}/{name}/"}
    channels.append({"ChannelName": name, "DataSource": {"S3DataSource": source}})


# %% tags=["nbval-ignore-output"]
def named(version):
    return f"{account.name}-{version.replace('.', '-')}"


def train(version, months):
    words = {**places, "version": version, "months": months}
    sagemaker.create_training_job(
        TrainingJobName=named(version),
        AlgorithmSpecification={
            "TrainingImage": image,
            "TrainingInputMode": "File",
            "ContainerEntrypoint": ["python3", f"{data}/code/train.py"],
            "ContainerArguments": [part for word in words for part in (f"--{word}", words[word])],
            "MetricDefinitions": [{"Name": "mean_auc", "Regex": "mean_auc=([0-9.]+);"}],
        },
        RoleArn=role,
        InputDataConfig=channels,
        OutputDataConfig={"S3OutputPath": f"s3://{bucket}/trained"},
        ResourceConfig={"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 10},
        StoppingCondition={"MaxRuntimeInSeconds": 600},
    )


for version, months in versions.items():
    train(version, months)

# %%
trained, auc = {}, {}
for version in versions:
    waiter = sagemaker.get_waiter("training_job_completed_or_stopped")
    waiter.wait(TrainingJobName=named(version), WaiterConfig={"Delay": 1, "MaxAttempts": 600})
    told = sagemaker.describe_training_job(TrainingJobName=named(version))
    trained[version] = told["ModelArtifacts"]["S3ModelArtifacts"]
    auc[version] = told["FinalMetricDataList"][0]["Value"]
    print(version, *(each["Status"] for each in told["SecondaryStatusTransitions"]), sep=" > ")
print(f"mean AUC of 1.0.0: {auc['1.0.0']:.3f}, of 1.1.0: {auc['1.1.0']:.3f}")
_ = figures.record("03.auc", auc["1.0.0"], unit="", kind="exact")

# %% [markdown]
# The metric came out of the log, by a regular expression: SageMaker reads what the script prints.
# `MaxRuntimeInSeconds` is the cheapest insurance there is. Without it a script that hangs is
# billed for a day.
#
# ## 4. Register, and approve
#
# A file in S3 says nothing about who may use it. A *model package* is a version in a group, with a
# status that somebody decides. Here the gate is a rule: the mean AUC of the months that follow. What
# is not approved cannot be deployed.

# %%
from botocore.exceptions import ClientError

group = f"{account.name}-flights"
sagemaker.create_model_package_group(ModelPackageGroupName=group)


def register(version, uri, score):
    kinds = ["application/json", "text/csv"]
    return sagemaker.create_model_package(
        ModelPackageGroupName=group,
        InferenceSpecification={
            "Containers": [{"Image": image, "ModelDataUrl": uri}],
            "SupportedContentTypes": kinds,
            "SupportedResponseMIMETypes": kinds,
        },
        ModelApprovalStatus="PendingManualApproval",
        CustomerMetadataProperties={"version": version, "mean_auc": f"{score:.4f}"},
    )["ModelPackageArn"]


packages = {version: register(version, trained[version], auc[version]) for version in versions}


# %%
def create_model(version):
    container = {"ModelPackageName": packages[version]}
    sagemaker.create_model(ModelName=named(version), ExecutionRoleArn=role, Containers=[container])


def decide(version, score):
    status = "Approved" if score >= 0.6 else "Rejected"
    sagemaker.update_model_package(ModelPackageArn=packages[version], ModelApprovalStatus=status)
    print(f"{version}: {status}")


try:
    create_model("1.0.0")
except ClientError as error:
    print("1.0.0: pending, so no model:", error.response["Error"]["Code"])
for version in versions:
    decide(version, auc[version])
    create_model(version)

# %% [markdown]
# A model is a name for "this image with these weights in this role". It costs nothing yet.
#
# ### What is wrong is told before it is sent
#
# A request to AWS that is wrong comes back after seconds with one complaint, and sometimes it is
# accepted and fails ten minutes later. Each session of `mlref` checks a request against the model of
# the service that boto3 itself has inside, on either cloud:

# %%
container = {"Image": image, "ModelDataUrl": trained["1.0.0"]}
wrong = {
    "a name with dots": {"ModelName": "flights.1.0", "PrimaryContainer": container},
    "a role that is no ARN": {"ModelName": "flights", "ExecutionRoleArn": "sagemaker-role"},
    "weights outside S3": {
        "ModelName": "flights",
        "PrimaryContainer": {**container, "ModelDataUrl": "./model.tar.gz"},
    },
}
refused = 0
for what, request in wrong.items():
    try:
        sagemaker.create_model(**{"ExecutionRoleArn": role, **request})
    except Exception as error:  # noqa: BLE001 - whatever it is, it is shown
        refused += 1
        print(f"{what}: {str(error).splitlines()[1].strip():.110}")
_ = figures.record("03.wrong_requests_refused", refused / len(wrong), unit="share", kind="exact")

# %% [markdown]
# ## 5. An endpoint, and the first answer
#
# Three objects: the *model* exists already, the *endpoint configuration* says which models run on what,
# and the *endpoint* is the thing with an address. Creating it takes minutes on AWS: machines are
# started, the image is pulled, the weights are fetched, and `GET /ping` must answer 200.


# %% tags=["nbval-ignore-output"]
def configure(name, variants, **more):
    """An endpoint configuration: variant -> (version, instances, weight)."""
    sagemaker.create_endpoint_config(
        EndpointConfigName=f"{account.name}-{name}",
        ProductionVariants=[
            {
                "VariantName": variant,
                "ModelName": named(version),
                "InstanceType": "ml.m5.large",
                "InitialInstanceCount": instances,
                "InitialVariantWeight": weight,
            }
            for variant, (version, instances, weight) in variants.items()
        ],
        **more,
    )
    return f"{account.name}-{name}"


endpoint = account.name
one = configure("one", {"stable": ("1.0.0", 1, 1)})
sagemaker.create_endpoint(EndpointName=endpoint, EndpointConfigName=one)
waiter = sagemaker.get_waiter("endpoint_in_service")
patience = {"Delay": 1, "MaxAttempts": 1800}
waiter.wait(EndpointName=endpoint, WaiterConfig=patience)

# %% [markdown]
# The training left a few *golden rows* in the archive, with the answers that the model gave there.
# The endpoint must give the same.

# %%
import tarfile

import numpy as np

from mlref import artifact


def download(version):
    prefix = f"s3://{bucket}/"
    reply = s3.get_object(Bucket=bucket, Key=trained[version].removeprefix(prefix))
    with tarfile.open(fileobj=io.BytesIO(reply["Body"].read())) as archive:
        archive.extractall(f"{out}/03/{version}", filter="data")
    return artifact.load(f"{out}/03/{version}/flights")


champion = download("1.0.0")
golden = {"instances": [dict(row) for row in champion.golden.instances]}
reply = runtime.invoke_endpoint(
    EndpointName=endpoint, ContentType="application/json", Body=json.dumps(golden)
)
predictions = json.loads(reply["Body"].read())["predictions"]
far = np.abs(np.array(predictions) - champion.golden.predictions).max()
print(f"{len(predictions)} answers of the variant {reply['InvokedProductionVariant']}")
print("the same as in the training:", bool(far <= artifact.TOLERANCE))
_ = figures.record("03.golden_matched", float(far <= artifact.TOLERANCE), unit="", kind="exact")

# %% [markdown]
# A model that refuses is not a service that is broken. What the container says comes back as a
# `ModelError`, with status 424 and the container's own status and words inside:

# %%
try:
    runtime.invoke_endpoint(
        EndpointName=endpoint, ContentType="application/json", Body=b'{"instances": [{}]}'
    )
except runtime.exceptions.ModelError as error:
    told = error.response
    print(
        told["ResponseMetadata"]["HTTPStatusCode"],
        "of SageMaker,",
        told["OriginalStatusCode"],
        "of us",
    )
    print(told["OriginalMessage"][:58], "...")

# %% [markdown]
# ### Who may ask
#
# An application does not invoke with your keys. It acts in a role of its own, which allows one action on
# one endpoint; the credentials of `assume_role` end after an hour. Anything else is a 403. (On AWS it can
# take some seconds until a role that is new may be assumed.)

# %%
import boto3

address = f"arn:aws:sagemaker:{account.region_name}:{account_id}:endpoint/{endpoint.lower()}"
caller = make_role(
    f"{account.name}-caller", {"AWS": account_id}, ("sagemaker:InvokeEndpoint", address)
)
given = account.client("sts").assume_role(RoleArn=caller, RoleSessionName="app")["Credentials"]
application = boto3.client(
    "sagemaker-runtime",
    endpoint_url=account.local.url if account.local else None,
    region_name=account.region_name,
    aws_access_key_id=given["AccessKeyId"],
    aws_secret_access_key=given["SecretAccessKey"],
    aws_session_token=given["SessionToken"],
)
for name in (endpoint, "fares"):
    try:
        application.invoke_endpoint(
            EndpointName=name, ContentType="application/json", Body=json.dumps(golden)
        )
        print("ours: answered")
    except application.exceptions.ClientError as error:
        why = error.response["Error"]["Message"].partition("because")[2]
        print(f"another one: {error.response['Error']['Code']},{why}")

# %% [markdown]
# ### The same with SageMaker's own SDK
#
# The Python SDK puts objects over the same calls. What boto3 has shown is what it does; take it when
# its objects save you work. `patch_sdk` is for the local AWS only: the SDK has one address fixed in
# its code, and reports usage to AWS.

# %% tags=["nbval-ignore-output"]
import os

from mlref.aws.sdk import patch_sdk

if account.local:
    keys = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"}
    os.environ |= {**keys, "AWS_ENDPOINT_URL": account.local.url}
    os.environ["AWS_DEFAULT_REGION"] = account.region_name
    patch_sdk()
from sagemaker.core.resources import Endpoint

found = Endpoint.get(endpoint)
reply = found.invoke(body=json.dumps(golden), content_type="application/json")
again = json.loads(reply.body.read())["predictions"]
print(found.endpoint_status, "- the same answers:", again == predictions)

# %% [markdown]
# ## 6. Two variants behind one address
#
# An endpoint can hold several *production variants*, and share the requests out by *weight*. That is
# an A/B test (chapter 14) without a second address. `UpdateEndpoint` changes a running endpoint:
# new machines are started beside the old ones, and only when all of them answer does the traffic
# move.

# %%
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

names = [column.name for column in champion.inputs.columns]
april = flights.load([4])[names][:: 20 if quick else 1]
rows = april.to_csv(header=False, index=False).splitlines()


def ask(row, **more):
    reply = runtime.invoke_endpoint(
        EndpointName=endpoint, ContentType="text/csv", Accept="text/csv", Body=row, **more
    )
    return reply["InvokedProductionVariant"], reply["Body"].read()


# %% tags=["nbval-ignore-output"]
two = configure("two", {"stable": ("1.0.0", 1, 9), "candidate": ("1.1.0", 1, 1)})
sagemaker.update_endpoint(EndpointName=endpoint, EndpointConfigName=two)
waiter.wait(EndpointName=endpoint, WaiterConfig=patience)
expected = {variant: ask(rows[0], TargetVariant=variant)[1] for variant in ("stable", "candidate")}
with ThreadPoolExecutor(8) as pool:
    replies = list(pool.map(ask, [rows[0]] * 500))
share = Counter(variant for variant, _ in replies)["candidate"] / len(replies)
wrong = sum(answer != expected[variant] for variant, answer in replies)
print(f"weights 9 to 1: the candidate answered {share:.0%} of {len(replies)} requests")
print(f"{wrong} answers were not those of the variant that the reply names")
figures.record("03.variant_share", share, unit="share", kind="ratio")
_ = figures.record("03.wrong_variant", wrong, unit="requests", kind="exact")

# %% [markdown]
# `TargetVariant` asks one of them on purpose: for a test, or for a caller who must keep to one. The
# weight is a share of *requests*, not of users: the same user meets both.
#
# Weights move without an update, and at once. Here the candidate was no better, so it gets nothing:

# %%
sagemaker.update_endpoint_weights_and_capacities(
    EndpointName=endpoint,
    DesiredWeightsAndCapacities=[{"VariantName": "candidate", "DesiredWeight": 0}],
)
waiter.wait(EndpointName=endpoint, WaiterConfig=patience)
print(Counter(variant for variant, _ in map(ask, rows[:100])))

# %% [markdown]
# ## 7. A release that takes itself back
#
# Version 1.2.0 has the same weights and one change: somebody has set the limits of `temp` to what
# the training data had, January to March, so that nonsense is refused. All tests pass: they have
# rows of the same winter. In April, a warm day is nonsense.

# %% tags=["nbval-ignore-output"]
from dataclasses import replace


def too_strict(column):
    return replace(column, high=64.4) if column.name == "temp" else column


cold = [i for i, row in enumerate(golden["instances"]) if (row["temp"] or 0) <= 64.4]
bad = artifact.pack(
    f"{out}/03/1.2.0/flights",
    model=(champion.folder / "model.onnx").read_bytes(),
    name="flights",
    version="1.2.0",
    inputs=replace(
        champion.inputs, columns=tuple(too_strict(each) for each in champion.inputs.columns)
    ),
    golden=[golden["instances"][i] for i in cold],
    expected=champion.golden.predictions[cold],
    overwrite=True,
)

# %%
with tarfile.open(fileobj=(packed := io.BytesIO()), mode="w:gz") as archive:
    archive.add(bad.folder, arcname="flights")
s3.put_object(Bucket=bucket, Key="trained/1.2.0/model.tar.gz", Body=packed.getvalue())
packages["1.2.0"] = register("1.2.0", f"s3://{bucket}/trained/1.2.0/model.tar.gz", auc["1.0.0"])
decide("1.2.0", auc["1.0.0"])
create_model("1.2.0")

# %% [markdown]
# Its AUC is that of 1.0.0, so the registry approves it. What helps now is the way it goes out. First the
# stable version alone, on two instances, with *data capture*: each request and each answer goes to S3,
# for the next section. Then an alarm on the errors of the variant:

# %%
capture = {
    "EnableCapture": True,
    "InitialSamplingPercentage": 100,
    "DestinationS3Uri": f"s3://{bucket}/captured",
    "CaptureOptions": [{"CaptureMode": "Input"}, {"CaptureMode": "Output"}],
    "CaptureContentTypeHeader": {"CsvContentTypes": ["text/csv"]},
}
stable = configure("stable", {"live": ("1.0.0", 2, 1)}, DataCaptureConfig=capture)
sagemaker.update_endpoint(EndpointName=endpoint, EndpointConfigName=stable)
waiter.wait(EndpointName=endpoint, WaiterConfig=patience)
alarm = f"{account.name}-refused"
dimensions = {"EndpointName": endpoint, "VariantName": "live"}
_ = cloudwatch.put_metric_alarm(
    AlarmName=alarm,
    Namespace="AWS/SageMaker",
    MetricName="Invocation4XXErrors",
    Dimensions=[{"Name": name, "Value": value} for name, value in dimensions.items()],
    Statistic="Average",  # of 0 and 1: the share of the requests that were refused
    Period=60,
    EvaluationPeriods=1,
    Threshold=0.02,
    ComparisonOperator="GreaterThanThreshold",
    TreatMissingData="notBreaching",
)

# %% [markdown]
# The *canary*: one of two instances gets the new version for ten minutes; then the rest follows, and is
# watched for ten minutes more. If the alarm rings meanwhile, SageMaker takes the traffic back.

# %%
import threading

canary = {
    "BlueGreenUpdatePolicy": {
        "TrafficRoutingConfiguration": {
            "Type": "CANARY",
            "CanarySize": {"Type": "CAPACITY_PERCENT", "Value": 50},
            "WaitIntervalInSeconds": 600,
        },
        "TerminationWaitInSeconds": 0,
    },
    "AutoRollbackConfiguration": {"Alarms": [{"AlarmName": alarm}]},
}


# %%
def pass_time(seconds):
    """On the local AWS, the clock is moved on; on the real one, time passes."""
    if account.local:
        account.local.advance(seconds)
    else:
        threading.Event().wait(seconds)


def refusals(requests):
    """The share of the requests that are refused."""
    with ThreadPoolExecutor(8) as pool:
        return sum(pool.map(is_refused, requests)) / len(requests)


def is_refused(row):
    try:
        ask(row)
    except runtime.exceptions.ModelError:
        return True
    return False


# %% tags=["nbval-ignore-output"]
new = configure("new", {"live": ("1.2.0", 2, 1)}, DataCaptureConfig=capture)
sagemaker.update_endpoint(EndpointName=endpoint, EndpointConfigName=new, DeploymentConfig=canary)
while (
    not (told := sagemaker.describe_endpoint(EndpointName=endpoint))
    .get("PendingDeploymentSummary", {})
    .get("ProductionVariants")
):
    threading.Event().wait(0.5)
steps = {"before": 0.0, "with the canary": refusals(rows)}
pass_time(120)
while told["EndpointStatus"] in {"Updating", "RollingBack"}:
    threading.Event().wait(0.5)
    told = sagemaker.describe_endpoint(EndpointName=endpoint)
steps["taken back"] = refusals(rows)
too_warm = float((april["temp"] > 64.4).mean())
rolled_back = told["EndpointConfigName"] == stable and steps["taken back"] == 0
print(told["EndpointStatus"], "-", told["FailureReason"].replace(account.name, "..."))
print(f"refused: {steps['with the canary']:.1%} with the canary, then {steps['taken back']:.0%};")
print(f"all at once it would have been {too_warm:.1%}, until somebody wakes up")
figures.record("03.canary_rolled_back", float(rolled_back), unit="", kind="exact")
_ = figures.record("03.canary_refused_share", steps["with the canary"], unit="share", kind="ratio")

# %% [markdown]
# Nobody was woken. The price of the canary is its time, and a second fleet for as long.
#
# An alarm can only be as good as its metric. This one counts refusals. A model that answers nonsense,
# quickly and with status 200, passes it. For that there is the next section.

# %% [markdown]
# ## 8. What no log shows: a change of units
#
# Data capture has written each request and each answer to S3, a line of JSON each, in a folder for
# each hour. A *monitor* compares each hour with a *baseline*: what the columns looked like when all
# was well. The baseline is two files, `statistics.json` and `constraints.json`. On AWS a processing
# job writes them; here the same analysis is a function.
#
# The baseline is other flights of April than those that will be asked for. (Take the training data,
# and every spring is an alarm: true, and of no use.) The monitor puts the answer before the columns of the
# request, so the baseline has it, too.

# %%
from mlref import plotting
from mlref.drift import baseline
from mlref.drift.documents.codec import dump

other = flights.load([4])[names][10 :: 20 if quick else 1]
with ThreadPoolExecutor(8) as pool:
    answers = pool.map(ask, other.to_csv(header=False, index=False).splitlines())
    table = {"prediction": [float(answer) for _, answer in answers], **other.to_dict("list")}
documents = dict(zip(("Statistics", "Constraints"), baseline.suggest(table), strict=True))
for kind, document in documents.items():
    s3.put_object(Bucket=bucket, Key=f"baseline/{kind.lower()}.json", Body=dump(document))
threshold = documents["Constraints"].monitoring_config.distribution_constraints.comparison_threshold
for feature in documents["Constraints"].features:
    if feature.name in {"temp", "origin"}:
        print(feature.name, feature.inferred_type, f"{feature.completeness:.1%} present")
print("a column has drifted when its distribution is further away than", threshold)

# %% tags=["nbval-ignore-output"]
analyzer = f"{account.name}-hourly"
place = "/opt/ml/processing"
report = {"S3Uri": f"s3://{bucket}/reports", "LocalPath": f"{place}/output"}
sagemaker.create_data_quality_job_definition(
    JobDefinitionName=analyzer,
    DataQualityBaselineConfig={
        f"{kind}Resource": {"S3Uri": f"s3://{bucket}/baseline/{kind.lower()}.json"}
        for kind in documents
    },
    DataQualityAppSpecification={  # Amazon's image; the account is that of us-east-1
        "ImageUri": "156813124566.dkr.ecr.us-east-1.amazonaws.com/sagemaker-model-monitor-analyzer",
        "Environment": {"publish_cloudwatch_metrics": "Enabled"},
    },
    DataQualityJobInput={
        "EndpointInput": {"EndpointName": endpoint, "LocalPath": f"{place}/input"}
    },
    DataQualityJobOutputConfig={"MonitoringOutputs": [{"S3Output": report}]},
    JobResources={
        "ClusterConfig": {"InstanceCount": 1, "InstanceType": "ml.m5.large", "VolumeSizeInGB": 10}
    },
    RoleArn=role,
)

# %% tags=["nbval-ignore-output"]
_ = sagemaker.create_monitoring_schedule(
    MonitoringScheduleName=analyzer,
    MonitoringScheduleConfig={
        "ScheduleConfig": {"ScheduleExpression": "cron(0 * ? * * *)"},
        "MonitoringJobDefinitionName": analyzer,
        "MonitoringType": "DataQuality",
    },
)

# %% [markdown]
# An hour of requests as they should be. In the next hour a new client sends the temperature in °C,
# where the model was trained on °F. All requests are of the same flights, and all are answered with
# status 200.


# %% tags=["nbval-ignore-output"]
def last_execution():
    """The last one of the schedule; {} before the first."""
    told = sagemaker.list_monitoring_executions(
        MonitoringScheduleName=analyzer,
        SortBy="ScheduledTime",
        SortOrder="Descending",
        MaxResults=1,
    )["MonitoringExecutionSummaries"]
    return told[0] if told else {}


def execution():
    """The next one, when it has ended."""
    before = last_execution().get("ScheduledTime")
    while last_execution().get("ScheduledTime") == before:
        pass_time(600)
    while (told := last_execution())["MonitoringExecutionStatus"] in {"Pending", "InProgress"}:
        threading.Event().wait(0.5)
    return told


# %% tags=["nbval-ignore-output"]
april_celsius = april.assign(temp=(april["temp"] - 32) / 1.8)
hours = {"fahrenheit": april, "celsius": april_celsius}
answered, reports, moments = {}, {}, {}
execution()  # of the hour that has begun already
for unit, frame in hours.items():
    with ThreadPoolExecutor(8) as pool:
        replies = list(pool.map(ask, frame.to_csv(header=False, index=False).splitlines()))
    answered[unit] = np.array([float(answer) for _, answer in replies])
    told = execution()
    moments[unit] = told["ScheduledTime"]
    hour = f"{endpoint}/{analyzer}/{moments[unit]:%Y/%m/%d/%H}"
    found = s3.get_object(Bucket=bucket, Key=f"reports/{hour}/constraint_violations.json")
    reports[unit] = json.load(found["Body"])["violations"]
    print(unit, told["MonitoringExecutionStatus"], told.get("FailureReason", ""))

# %%
for unit, violations in reports.items():
    told = [f"{each['feature_name']}: {each['constraint_check_type']}" for each in violations]
    print(f"{unit}: {'; '.join(told) or 'no violation'}")
    figures.record(f"03.drift_violations.{unit}", len(violations), unit="columns", kind="exact")
moved = np.abs(answered["celsius"] - answered["fahrenheit"]).mean()
print(f"the probability of a delay moved by {moved:.3f} on average")
_ = figures.record("03.celsius_moved", moved, unit="probability", kind="exact")

# %% [markdown]
# The same figures are metrics, by the monitor's schedule and the column. So an alarm can ring on them, as
# on any other, and somebody is told within the hour.


# %% tags=["nbval-ignore-output"]
def drift(column, unit):
    """How far a column was from the baseline in an hour, as CloudWatch has it."""
    dimensions = {"Endpoint": endpoint, "MonitoringSchedule": analyzer}
    points = cloudwatch.get_metric_statistics(
        Namespace="aws/sagemaker/Endpoints/data-metrics",
        MetricName=f"feature_baseline_drift_{column}",
        Dimensions=[{"Name": name, "Value": value} for name, value in dimensions.items()],
        StartTime=moments[unit],
        EndTime=moments[unit] + timedelta(minutes=1),
        Period=60,
        Statistics=["Maximum"],
    )["Datapoints"]
    return points[0]["Maximum"] if points else 0.0


# %% tags=["nbval-ignore-output"]
figure, axes = plotting.new_figure(width=8, height=3.6)
with plotting.style():
    for place, unit in enumerate(hours):
        far = [drift(column, unit) for column in table]
        label, size = f"hour of °{unit[0].upper()}", (70, 20)[place]
        axes.scatter(far, list(table), s=size, color=plotting.COLOURS[place], label=label)
    axes.axvline(threshold, color="grey", linestyle="--", label="threshold")
    axes.set(xlabel="distance from the baseline, less what chance explains", xlim=(-0.02, 1))
    axes.set_title("One column has changed, and the answers with it")
    axes.legend()
figure

# %% [markdown]
# Read what is found with its price in mind: an hour is the shortest interval, and what a monitor has not
# been told of (a bias in who is asked, an outcome that has changed) it does not see. Chapter 9 goes on
# from here. Amazon's guide has a notice that new customers cannot begin with Model Monitor since July
# 2026: ask before you plan with it. The files and the analysis are open, and run as any job of yours.

# %% [markdown]
# ## 9. As many machines as the load needs
#
# *Target tracking* keeps a metric at a value, as a thermostat does: here so many requests a minute
# for each instance. It takes three bad minutes to add instances and fifteen quiet ones to remove
# them, so a peak of two minutes is over before anything happens.

# %% tags=["nbval-ignore-output"]
pass_time(600)  # so that the burst of the last section does not count
scaling = account.client("application-autoscaling")
target = {
    "ServiceNamespace": "sagemaker",
    "ResourceId": f"endpoint/{endpoint}/variant/live",
    "ScalableDimension": "sagemaker:variant:DesiredInstanceCount",
}
scaling.register_scalable_target(**target, MinCapacity=1, MaxCapacity=4)
per_instance = 20  # requests a minute; measure yours: a real instance does thousands
_ = scaling.put_scaling_policy(
    **target,
    PolicyName="keep",
    PolicyType="TargetTrackingScaling",
    TargetTrackingScalingPolicyConfiguration={
        "TargetValue": float(per_instance),
        "PredefinedMetricSpecification": {
            "PredefinedMetricType": "SageMakerVariantInvocationsPerInstance"
        },
        "ScaleInCooldown": 60,
        "ScaleOutCooldown": 60,
    },
)


# %% tags=["nbval-ignore-output"]
def minute(requests):
    """A minute with so many requests; how many instances there are at its end."""
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(ask, rows[:requests]))
    pass_time(60)
    waiter.wait(EndpointName=endpoint, WaiterConfig=patience)
    told = sagemaker.describe_endpoint(EndpointName=endpoint)
    return told["ProductionVariants"][0]["CurrentInstanceCount"]


quiet, busy = 17, 9
load = [4] * quiet + [90] * busy + [4] * 32
instances = [minute(requests) for requests in load]

# %% tags=["nbval-ignore-output"]
figure, axes = plotting.new_figure(width=8, height=2.8)
with plotting.style():
    needed = [requests / per_instance for requests in load]
    axes.step(
        range(len(load)), needed, where="mid", color=plotting.COLOURS[1], label="load / target"
    )
    axes.step(
        range(len(load)), instances, where="mid", color=plotting.COLOURS[0], label="instances"
    )
    axes.set(xlabel="minute", ylabel="instances", ylim=(0, 5))
    axes.set_title("Instances follow the load, late on the way up and later on the way down")
    axes.legend(loc="upper right")
peak, after = max(instances), instances[-1]
figures.record("03.instances_at_peak", peak, unit="instances", kind="exact")
figures.record("03.instances_after", after, unit="instances", kind="exact")
slow = next(i for i, count in enumerate(instances[quiet:], start=1) if count > 1)
figures.record("03.minutes_to_scale_out", slow, unit="min", kind="exact")
figure

# %%
print(f"at the peak {peak:.0f} instances, half an hour after it {after:.0f}")

# %% [markdown]
# The price of an hour follows: `InstanceCount` times the hourly price, by the second. An endpoint of
# instances never scales to zero by this metric: without an instance there is no request for each
# instance. Serverless endpoints, and inference components, can.

# %% [markdown]
# ## 10. All at once: batch transform
#
# For a million rows every night, an endpoint is the wrong tool. A *transform job* starts machines, sends
# them the lines of the files in S3, writes the answers back in the same order, and ends by itself.
# `DataProcessing` joins each answer to its line, so that nobody has to count lines.

# %% tags=["nbval-ignore-output"]
s3.put_object(Bucket=bucket, Key="batch/april.csv", Body="\n".join(rows).encode())
source = {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": f"s3://{bucket}/batch/"}}
sagemaker.create_transform_job(
    TransformJobName=f"{account.name}-april",
    ModelName=named("1.0.0"),
    BatchStrategy="MultiRecord",
    MaxPayloadInMB=1,
    TransformInput={"DataSource": source, "ContentType": "text/csv", "SplitType": "Line"},
    TransformOutput={
        "S3OutputPath": f"s3://{bucket}/predicted",
        "Accept": "text/csv",
        "AssembleWith": "Line",
    },
    DataProcessing={"JoinSource": "Input"},
    TransformResources={"InstanceType": "ml.m5.large", "InstanceCount": 1},
)
done = sagemaker.get_waiter("transform_job_completed_or_stopped")
done.wait(TransformJobName=f"{account.name}-april", WaiterConfig=patience)

# %%
reply = s3.get_object(Bucket=bucket, Key="predicted/april.csv.out")
lines = reply["Body"].read().decode().splitlines()
live = [answer.decode().strip() for _, answer in map(ask, rows[:200])]
batch = [line.rpartition(",")[2] for line in lines]
same = np.abs(np.array(batch[:200], float) - np.array(live, float)).max() <= artifact.TOLERANCE
kept = [line.rpartition(",")[0] for line in lines] == rows
print(f"{len(lines)} answers, in the order of the rows: {kept}; the endpoint's own: {bool(same)}")
_ = figures.record("03.batch_same", float(same and kept), unit="", kind="exact")

# %% [markdown]
# ## 11. Which of the four
#
# | | real time | serverless | asynchronous | batch transform |
# |---|---|---|---|---|
# | pays for | each hour | each answer | each hour, down to 0 instances | the job |
# | first answer | at once | at once, or after a cold start | seconds to minutes | when the job is done |
# | largest request | 25 MB | 4 MB | 1 GB | 100 MB a request |
# | longest answer | 60 s | 60 s | 1 h | 1 h a request |
# | choose it when | steady traffic | rare or in bursts | large or slow | all rows are there already |
#
# *Asynchronous inference* takes requests from a queue: the caller leaves the input in S3 and is told
# where the answer will be. A serverless endpoint can keep some containers warm for a price by the
# hour: that is *provisioned concurrency*, and it ends the cold starts that it covers.
#
# Two more have the same calls. A *shadow* variant gets a copy of the requests, and nobody sees its
# answers: the safest way to try a release, at the price of a second fleet. A *multi-model endpoint*
# keeps hundreds of models behind one address, and loads each when it is asked for: for many small
# models that are rarely used. The local AWS has them all.
#
# Between the first two columns it is arithmetic. Serverless bills the memory for as long as an answer takes:

# %%
compute = book.find("sagemaker", "serverless compute")
memory_gb, answer_s = 2, 0.02
per_request = compute.usd * memory_gb * answer_s
even = hosting.usd / per_request / 3600
figures.record("03.break_even_per_s", even, unit="requests/s", kind="exact")
print(f"serverless: {per_request * 1e6:.2f} USD for a million answers of {answer_s * 1000:.0f} ms")
print(f"the endpoint is cheaper from {even:.0f} requests a second on, night and day")
print(f"at one request a second: {per_request * 3600 * cost.HOURS_PER_MONTH:.2f} USD a month,")
print(f"instead of {hosting.usd * cost.HOURS_PER_MONTH:.0f}, and one cold start after each pause")

# %% [markdown]
# One instance could not answer twice for redundancy; count two, and the point moves up by as much. The price
# of a cold start is not in dollars: measure how long yours takes, and who waits for it.
#
# ## 12. Leave nothing behind
#
# Deleting an endpoint is not enough, and deleting a model first is an outage. The order is: schedule
# and scaling, endpoint, configurations, models, packages, role, bucket. Everything here carries
# the session's tags, so one call finds it all, by its tags and not by our memory.

# %% tags=["nbval-ignore-output"]
print(aws.nuke(account, name=account.name))
left = aws.leftovers(account, name=account.name)
print("left behind:", len(left))
_ = figures.record("03.leftovers", len(left), unit="resources", kind="exact")

# %% [markdown]
# On real AWS, `mlref cloud nuke --cloud aws` does the same from a terminal, for all sessions whose time is
# over. Some things carry no tags: what CloudWatch Logs keeps of an endpoint stays, and is billed by
# the GB until you delete the log group or give it a retention.
#
# ## The same cells on real AWS
#
# Three parameters change, and no cell:
#
# ```text
# export MLREF_ALLOW_AWS=1
# papermill notebooks/03_sagemaker.ipynb out.ipynb -p cloud aws -p max_spend_usd 3
# ```
#
# The session refuses to begin unless the cap covers the estimate for as long as things may stand.
# The image must be in a registry of the account: push that of chapter 2, as its last section says. Waiting
# is real then: an endpoint takes minutes, a canary its ten, a monitor the rest of the hour.
# No cell of this chapter has been run on a real account by us; the requests are checked
# against AWS's own models, and the formats against its documentation.
#
# What the local AWS does not tell you (docs/local-aws.md also lists what it refuses, and where we had to
# read AWS's documentation one way or another):

# %%
from mlref.aws.local import honesty

honesty.table("differs")

# %% [markdown]
# ## The answer again, with its evidence

# %% tags=["nbval-ignore-output"]
from mlref import resources

if account.local:
    account.local.close()
claims = evidence.load_claims(resources.folder("cards") / "03_sagemaker.toml")
evidence.answer(claims, figures.evidence)

# %%
violations = evidence.check(claims, figures.evidence)
print(f"{len(claims)} claims, {len(violations)} not borne out")

# %% [markdown]
# ## Practice
#
# - **The lab**, 90 minutes, grades itself: `labs/03_sagemaker`. Deploy a model, read a bill, and find out
#   why an endpoint fails its ping, why a role gets nothing from S3, and since when temperatures
#   are in °C.
# - **The interview**: `mlref drill --topic 03`.
# - Give `register_scalable_target` a minimum of 2. What does the night cost, and what do you get for it?
# - Let the candidate of section 6 have half of the traffic. After how many requests can you tell
#   which is better? (Chapter 14 answers.)
# - Change the alarm of section 7 to a sum above 3. How many requests must a canary get to ring it?
#
# **Follow-up questions**, as an interviewer would ask them, with a hint each:
#
# 1. An endpoint is stuck in Creating for twenty minutes and then Failed. Where do you look?
#    *(Its log group: no log at all is the image or the role; a log is the container, or its ping.)*
# 2. What does `InvokeEndpoint` answer when the model raises an exception? *(424 ModelError, with the
#    container's status and message inside; it is not retried for you.)*
# 3. Why two instances at least? *(They are spread over availability zones; with one, each
#    replacement is an outage.)*
# 4. When does blue/green cost more than a rolling update? *(It runs a second fleet for as long as it takes;
#    where the type is scarce, the second fleet does not start.)*
# 5. Who may approve a model? *(A different role than the one that trains: the registry's
#    status is an IAM action of its own.)*
#
# Words that are new to you: `mlref glossary canary`, for instance.
#
# **Next:** 04 Large language models.
