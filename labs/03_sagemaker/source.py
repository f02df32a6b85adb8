# %% [markdown]
# # Lab 03 · SageMaker
#
# A managed service takes work away, not decisions. In this lab you make them: you write the requests
# that become an endpoint, reckon what it costs, and let a bad version take itself back. Then comes a
# night in which nothing goes up, a role that gets nothing, and a week in which all is up and wrong. Each
# exercise is a cell that begins with `# answer:`. Run the cells one after the other; in those, replace
# every `todo(...)` and run the cell again. Then run the last cell, or grade one exercise in a cell of
# your own with `check("03", "deploy")`.
#
# What you write is really sent: to a *local AWS*, with an account of its own for each exercise. It
# needs no account, costs nothing, and its models answer. Stuck? `hint("03", "deploy")` in a cell of
# your own gives the first of three hints. Nothing that you do here can break anything:
# `mlref labs reset 03` gives a fresh copy and keeps yours.

# %%
from mlref.study.labs import check, hint, todo

# %% [markdown]
# ## 1. Write the three requests that become an endpoint
#
# The model is ready: a container image in a registry, and an archive in S3 with what the container
# finds unpacked in `/opt/ml/model`. `model_data()` packs a small one, a logistic regression on four
# columns (`ROWS` has two rows of them), so that a deployment takes a few seconds.

# %% tags=["for:deploy", "for:canary"]
from mlref.study.labs.small_models import model_data

ACCOUNT = "123456789012"
IMAGE = f"{ACCOUNT}.dkr.ecr.us-east-1.amazonaws.com/flights:3.2.0"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/flights-endpoint"
MODEL_DATA = "s3://flights-models/flights/1.4.0/model.tar.gz"
ROWS = "360,42.0,39.0,18.0\n1125,93.0,71.0,69.0\n"

# %% [markdown]
# Write what `create_model`, `create_endpoint_config` and `create_endpoint` are called with, each as a
# dictionary, so that all of this holds:
#
# - Model and configuration are named after version 1.4.0. Neither can be changed afterwards: the next
#   version brings its own. The endpoint is what clients know, and is called `flights` for ever.
# - The model's `PrimaryContainer` is `IMAGE` with `MODEL_DATA`, and its role is `ROLE`.
# - One variant, `main`, on two instances of ml.m5.large: one may fail, and the other is in another
#   availability zone.
# - Every request and every answer is captured below `s3://flights-captures/live`. Clients send and get
#   `text/csv` and `application/json`, and whoever looks at a capture wants to read it.

# %%
# answer: deploy
# hole model: what create_model is called with
model = {
    "ModelName": "flights-1-4-0",
    "ExecutionRoleArn": ROLE,
    "PrimaryContainer": {"Image": IMAGE, "ModelDataUrl": MODEL_DATA},
}
# end
# hole config: what create_endpoint_config is called with
config = {
    "EndpointConfigName": "flights-1-4-0",
    "ProductionVariants": [
        {"VariantName": "main", "ModelName": "flights-1-4-0",
         "InstanceType": "ml.m5.large", "InitialInstanceCount": 2},
    ],
    "DataCaptureConfig": {
        "EnableCapture": True,
        "InitialSamplingPercentage": 100,
        "DestinationS3Uri": "s3://flights-captures/live",
        "CaptureOptions": [{"CaptureMode": "Input"}, {"CaptureMode": "Output"}],
        "CaptureContentTypeHeader": {"CsvContentTypes": ["text/csv"],
                                     "JsonContentTypes": ["application/json"]},
    },
}  # fmt: skip
# end
# hole endpoint: what create_endpoint is called with
endpoint = {"EndpointName": "flights", "EndpointConfigName": "flights-1-4-0"}
# end

# %% [markdown]
# Try it: this starts a local AWS, makes the role, puts the archive in its place, and sends your requests.
# The session checks each of them against AWS's own model before it is sent, so that a wrong one is
# told by its field. It does the same before a real account, where a mistake takes minutes to show.

# %% tags=["try"]
from mlref.study.labs.clouds import account

with account() as aws:
    aws.create_role(ROLE)
    aws.upload(MODEL_DATA, model_data())
    aws.create_bucket("flights-captures")
    steps = {"create_model": model, "create_endpoint_config": config, "create_endpoint": endpoint}
    for method, request in steps.items():
        aws.send("sagemaker", method, request)
    aws.running(endpoint["EndpointName"])
    print(aws.ask(endpoint["EndpointName"], ROWS).split())

# %% [markdown]
# ## 2. Reckon what stands, what is updated, and what is forgotten
#
# Prices of us-east-1, on demand, from mlref's dated price book; the data that goes in and out is left
# out here. A month has 730 hours.

# %% tags=["for:bill"]
from mlref import cost

book = cost.PriceBook.load()
HOUR = book.find("sagemaker", "hosting ml.m5.large").usd  # of one instance
GB_SECOND = book.find("sagemaker", "serverless compute").usd
for item in ("hosting ml.m5.large", "serverless compute"):
    print(book.find("sagemaker", item))

# %% [markdown]
# 1. `month_usd`: what does the endpoint of exercise 1 cost in a month, if nobody asks it anything?
# 2. `update_usd`: what does one update cost *on top of it*? Blue/green: a whole second fleet is started,
#    the canary bakes for 15 minutes, all traffic moves, bakes as long, and the old fleet stays 10 more.
# 3. `serverless_usd`: what would a month cost on a serverless endpoint, with 400,000 requests of 0.15 s
#    each and 2 GB of memory?
# 4. `even_requests`: from how many requests a month on is the endpoint of exercise 1 the cheaper one?
# 5. `forgotten_usd`: a notebook made an endpoint with two variants, one ml.m5.large each, and
#    crashed on Friday at 18:00, before the cell that deletes it. Somebody sees it on Monday at 9:00.

# %%
# answer: bill
month_usd = 2 * HOUR * 730  # hole: two instances that stand
update_usd = 2 * HOUR * 40 / 60  # hole: the second fleet, as long as both stand
serverless_usd = 400_000 * 0.15 * 2 * GB_SECOND  # hole: what is paid by use
even_requests = 2 * HOUR * 730 / (0.15 * 2 * GB_SECOND)  # hole: as many as cost the same
forgotten_usd = 2 * HOUR * (6 + 24 + 24 + 9)  # hole: from Friday evening to Monday morning

# %% [markdown]
# > The fourth figure is large, but the price is not all. On a serverless endpoint the first request
# > after a pause waits for a cold start, and there is no second variant and no data capture.
#
# ## 3. Let a bad version take itself back
#
# Version 1.5.0 is on its way. The endpoint gets 20 requests a second by day and none at night. On
# usual days one request in a thousand fails, and 95 of 100 answers come within 60 ms. Users were
# promised 200 ms. Write two alarms and the deployment that heeds them:
#
# - `errors`, an alarm named `flights-errors`: more than one percent of the requests to `main` end in an
#   error of the server, in two minutes one after the other.
# - `latency`, an alarm named `flights-latency`: the p95 of the model's latency is above 200 ms, in two
#   minutes one after the other.
# - A night without requests rings neither.
# - `deployment`: blue/green with a canary. One of the two new instances gets traffic first. After ten
#   minutes all of it moves and bakes as long; the old fleet stays five more. Either alarm takes all back.
#
# The first two are what `put_metric_alarm` is called with, the third is the `DeploymentConfig` of
# `update_endpoint`. The metrics of an endpoint are in the namespace `AWS/SageMaker`. Their dimensions are
# `EndpointName` and `VariantName`, both of them. Each request counts as 1 or 0 in a metric of errors.

# %% tags=["for:canary"]
EACH_MINUTE = {"Period": 60, "EvaluationPeriods": 2, "ComparisonOperator": "GreaterThanThreshold"}

# %%
# answer: canary
# hole errors: the alarm flights-errors
errors = {
    "AlarmName": "flights-errors",
    "Namespace": "AWS/SageMaker", "MetricName": "Invocation5XXErrors",
    "Dimensions": [{"Name": "EndpointName", "Value": "flights"},
                   {"Name": "VariantName", "Value": "main"}],
    "Statistic": "Average", "Threshold": 0.01,
    "TreatMissingData": "notBreaching", **EACH_MINUTE,
}  # fmt: skip
# end
# hole latency: the alarm flights-latency
latency = {
    "AlarmName": "flights-latency",
    "Namespace": "AWS/SageMaker", "MetricName": "ModelLatency",
    "Dimensions": errors["Dimensions"],
    "ExtendedStatistic": "p95", "Threshold": 200_000,
    "TreatMissingData": "notBreaching", **EACH_MINUTE,
}  # fmt: skip
# end
# hole deployment: the way of the traffic, and what takes it back
deployment = {
    "BlueGreenUpdatePolicy": {
        "TrafficRoutingConfiguration": {"Type": "CANARY", "WaitIntervalInSeconds": 600,
                                        "CanarySize": {"Type": "INSTANCE_COUNT", "Value": 1}},
        "TerminationWaitInSeconds": 300,
    },
    "AutoRollbackConfiguration": {
        "Alarms": [{"AlarmName": "flights-errors"}, {"AlarmName": "flights-latency"}]},
}  # fmt: skip
# end

# %% [markdown]
# ## 4. Incident: five deployments, one night
#
# *Thursday, 22:50.* The fares team moves its models to SageMaker before the holiday. Five of them were
# sent on their way; one answers. The team's chat says "the ping is broken" and asks for larger
# instances. This is what CreateModel refused, what DescribeEndpoint says, and what stands in the
# log group `/aws/sagemaker/Endpoints/NAME`. The texts are those of the local AWS; folders are called as
# in a container.

# %% tags=["for:diagnose"]
PING = (
    "The primary container for production variant main did not pass the ping health check. "
    "Please check CloudWatch logs for this endpoint."
)


def case(status="Failed", reason="", log=(), refused=""):
    """What is known of a deployment."""
    return {"refused": refused, "status": status, "reason": reason, "log": list(log)}


CASES = {
    "fares-lisbon": case(reason=PING, log=[
        "error: inference.py cannot be imported: ModuleNotFoundError: No module named 'xgboost'"]),
    "fares-madrid": case(reason=PING, log=[
        "no artefact in /opt/ml/model: neither it nor a folder below it holds manifest.json"]),
    "fares-oslo": case(reason=PING, log=[
        f"part {part} of 8 is loaded, 0 errors" for part in (1, 2, 3, 4)]),
    "fares-paris": case(status="none", refused=(
        "ValidationException: Could not access model data at s3://fares-models/paris/model.tar.gz. "
        'Please ensure that the role "arn:aws:iam::123456789012:role/fares" exists and that its '
        'trust relationship policy allows the action "sts:AssumeRole" for the service principal '
        '"sagemaker.amazonaws.com". Also ensure that the role has "s3:GetObject" permissions and '
        "that the object is located in us-east-1.")),
    "fares-rome": case(status="InService", log=[
        "ValueError: a client sent no fare; answered with 400"]),
}  # fmt: skip
CAUSES = {
    "access": "the role may not read the model data, or it is not there",
    "archive": "the archive cannot be unpacked, or does not hold what the container looks for",
    "code": "the container's own code fails when it starts",
    "slow": "it was still loading when its time was up",
    "fine": "it is in service",
    "other": "none of these: look further",
}

# %% [markdown]
# Write `diagnose`: of one such case, the name of the cause. It will also be given cases that you do not
# see here. Refusal, reason and log come from different moments: access to the model data is checked
# before anything starts, the archive is unpacked before the container runs, and only the container
# itself knows why it does not answer a ping.


# %%
# answer: diagnose
def diagnose(case):
    """The cause of a case: one of the names in CAUSES."""
    # hole: the cause, told from refusal, status, reason and log
    if case["status"] == "InService":
        return "fine"
    if "Could not access model data" in case["refused"] + case["reason"]:
        return "access"
    log = "\n".join(case["log"])
    if "model data archive" in case["reason"] or "no artefact" in log or "was changed" in log:
        return "archive"
    if "ping" not in case["reason"] or not log:
        return "other"
    return "code" if "Error:" in log or "Traceback" in log else "slow"
    # end


# %% tags=["try"]
for name, found in CASES.items():
    print(name, "-", CAUSES.get(diagnose(found), "that is no cause"))

# %% [markdown]
# ## 5. Incident: a role that gets nothing from S3
#
# *23:15.* `fares-paris` has a role that somebody wrote by hand this afternoon. These are its two
# documents: the *trust policy* says who may act in the role, the *policy* what may be done in it. The chat
# now proposes `s3:*` on `*`, "until the holidays are over".

# %% tags=["for:role"]
VERSION = {"Version": "2012-10-17"}
FOUND_TRUST = {**VERSION, "Statement": {
    "Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}}  # fmt: skip
FOUND_POLICY = {**VERSION, "Statement": {
    "Effect": "Allow", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::fares-models"}}  # fmt: skip

# %% tags=["try"]
from mlref.study.labs.policies import says

archive = "arn:aws:s3:::fares-models/paris/model.tar.gz"
print("who:", says(FOUND_TRUST, "sts:AssumeRole", who="sagemaker.amazonaws.com"))
print("what:", says(FOUND_POLICY, "s3:GetObject", archive))

# %% [markdown]
# Write both anew, so that all of this holds and nothing else:
#
# - SageMaker may act in the role, and nobody else.
# - In the role, every object of the bucket `fares-models` can be read, and the bucket can be listed
#   (`s3:ListBucket`): who may not list is not told that an archive is missing.
# - Objects below `live/` of the bucket `fares-captures` can be written. What was captured can neither be
#   read nor deleted.
#
# > A bucket and the objects in it are two resources: `arn:aws:s3:::NAME` and `arn:aws:s3:::NAME/*`.
# > Other teams have buckets, too, and some of their names begin like ours.

# %%
# answer: role
# hole trust: who may act in the role
trust = {**VERSION, "Statement": [
    {"Effect": "Allow", "Action": "sts:AssumeRole",
     "Principal": {"Service": "sagemaker.amazonaws.com"}},
]}  # fmt: skip
# end
# hole policy: what may be done in it
policy = {**VERSION, "Statement": [
    {"Effect": "Allow", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::fares-models/*"},
    {"Effect": "Allow", "Action": "s3:ListBucket", "Resource": "arn:aws:s3:::fares-models"},
    {"Effect": "Allow", "Action": "s3:PutObject", "Resource": "arn:aws:s3:::fares-captures/live/*"},
]}  # fmt: skip
# end

# %% [markdown]
# ## 6. Incident: every answer is 200, and one column is not what it says
#
# *Monday, 08:30.* Version 1.4.0 has run for weeks without an error. Since some moment of last week more
# flights are called late than come late. Some say winter has come, and the model is right. The
# data capture has kept every request. `recorded` gives its files, one for each hour, as they lie in S3
# (the week is made up, the format is AWS's), and `hourly` reads them:

# %% tags=["for:captures"]
import numpy as np

from mlref.aws.formats import capture
from mlref.study.labs.weather import NAMES, humidity, recorded


# %% tags=["for:captures"]
def hourly(files):
    """Of each hour, as in "2026-03-02T14", the columns of its requests: name -> array."""
    found = {}
    for address, content in files.items():
        table = capture.columns(
            capture.load(content, file=address), names=NAMES, sides=("endpointInput",)
        )
        hour = f"{capture.moment_of(address):%Y-%m-%dT%H}"
        found[hour] = {name: np.array(values, dtype=float) for name, values in table.items()}
    return found


drawn = np.random.default_rng(302)  # so that nobody can read off here what happened
SINCE, CHANGED = int(drawn.integers(50, 80)), [NAMES[drawn.integers(2, 4)]]
CAPTURED = hourly(recorded(7, celsius=CHANGED, since=SINCE, stuck=[20]))

# %% [markdown]
# Look first. What moved, and could it be the weather?

# %% tags=["try"]
for hour in list(CAPTURED)[::8]:
    print(hour, {name: round(float(v.mean()), 1) for name, v in CAPTURED[hour].items()})

# %% [markdown]
# Write `unit_change`: of such hours, `None` if no column has changed its unit; otherwise the first hour
# of the change, and the set of the columns that have come in °C since then, until the end. It will be
# given other weeks: a cold front, a sensor that says nonsense for an hour or for good, another column,
# two columns at once, a value that is missing, hours in any order.
#
# > A limit on the mean cannot tell a cold day from a change of unit: 68 °F in °C is 20, and 20 °F is
# > a winter's day. But nature binds three of the columns together: `humidity(temp, dewp)` is the
# > relative humidity in % that belongs to a temperature and a dew point in °F. A cold front keeps that
# > law. A client that converts one column, or two, breaks it.


# %%
# answer: captures
def unit_change(hours):
    """None, or the first hour of the change and the columns: ("2026-03-02T14", {"temp"})."""

    # hole: find the hours that the law does not hold for, and what would mend them
    def off(columns, celsius):
        read = {n: columns[n] * 1.8 + 32 if n in celsius else columns[n] for n in ("temp", "dewp")}
        return float(np.nanmedian(np.abs(humidity(**read) - columns["humid"])))

    def changed(columns):
        candidates = [set(), {"temp"}, {"dewp"}, {"temp", "dewp"}]
        best = min(candidates, key=lambda celsius: off(columns, celsius))
        return best if off(columns, best) < 3 else None

    found = None
    for hour in sorted(hours, reverse=True):
        columns = changed(hours[hour])
        if not columns or (found and columns != found[1]):
            break
        found = hour, columns
    return found
    # end


# %% tags=["try"]
unit_change(CAPTURED)

# %% [markdown]
# ## Grade it
#
# This grades what you have *run*, not what is saved. In a terminal, `mlref watch 03` does the same
# for every file that you save.

# %% tags=["try"]
check("03")

# %% [markdown]
# **When all are solved:** `mlref labs solution 03 canary` shows how we would have written it. Then say
# the chapter's answer out loud: `mlref drill --topic 03`.
