"""What alarms and a deployment of lab 03 satisfy: a bad version really takes itself back."""

from mlref.study.labs.checks import exercise, reject
from mlref.study.labs.clouds import account, strictly

ALARMS = {"errors": "flights-errors", "latency": "flights-latency"}
LABORATORY = "Laboratory"  # a namespace of our own, for alarms that are tried out
UNITS = {"Invocation5XXErrors": "None", "ModelLatency": "Microseconds"}
FAILS = "def predict_fn(data, model):\n    raise RuntimeError('1.5.0 divides by the weekday')\n"


@exercise("canary")
def aws_would_take_each(answer):
    """Both alarms and the deployment are ones that AWS's own model allows."""
    for name in ALARMS:
        strictly("cloudwatch", "PutMetricAlarm", getattr(answer, name), shown=f"`{name}`")
    update = {"EndpointName": "flights", "EndpointConfigName": "flights-1-5-0"}
    update["DeploymentConfig"] = answer.deployment
    strictly("sagemaker", "UpdateEndpoint", update, shown="an update with `deployment`")


@exercise("canary")
def each_alarm_has_its_metric(answer):
    """Each alarm watches the right metric of the right variant."""
    for name, metric, why in (
        ("errors", "Invocation5XXErrors",
         "4XX are mistakes of callers: one careless client would take a good version back"),
        ("latency", "ModelLatency",
         "OverheadLatency is the time of SageMaker itself, which a new version does not change"),
    ):  # fmt: skip
        alarm = getattr(answer, name)
        if alarm["AlarmName"] != ALARMS[name]:
            reject(
                f"`{name}` is called {alarm['AlarmName']!r}, not {ALARMS[name]!r}",
                why="a deployment names the alarms that it heeds",
            )
        if alarm.get("Namespace") != "AWS/SageMaker" or alarm.get("MetricName") != metric:
            reject(
                f"`{name}` watches {alarm.get('MetricName')} of {alarm.get('Namespace')}, not "
                f"{metric} of AWS/SageMaker",
                why=why,
            )
        got = {each["Name"]: each["Value"] for each in alarm.get("Dimensions", ())}
        if got != {"EndpointName": "flights", "VariantName": "main"}:
            reject(
                f"`{name}` has the dimensions {got}, not EndpointName and VariantName",
                why="CloudWatch keeps a metric for each set of dimensions, and adds nothing up: an "
                "alarm with another set sees no data, and never rings",
            )


@exercise("canary")
def each_alarm_has_its_statistic(answer):
    """The alarms look at a share, and at a percentile."""
    if answer.errors.get("Statistic") != "Average":
        got = answer.errors.get("Statistic") or answer.errors.get("ExtendedStatistic")
        reject(
            f"`errors` looks at the {got} of a metric in which each request counts as 1 or 0",
            why="a sum grows with the traffic, and a maximum is 1 with the first error: only the "
            "average is a share",
        )
    if answer.latency.get("ExtendedStatistic") != "p95":
        got = answer.latency.get("Statistic") or answer.latency.get("ExtendedStatistic")
        reject(
            f"`latency` looks at the {got}, not at the p95",
            why="an average hides one answer in twenty that takes seconds",
        )


def _limited(answer):
    """Nothing, if both thresholds are what was promised."""
    for name, right, told in (
        ("errors", 0.01, "one percent is 0.01"),
        ("latency", 200_000, "ModelLatency is in microseconds"),
    ):
        value = getattr(answer, name).get("Threshold")
        if value != right:
            reject(
                f"the threshold of `{name}` is {value}; {told}",
                why="with a limit that is too low every update is taken back, with one that is too "
                "high none, and both look well until the day",
            )


@exercise("canary")
def each_alarm_has_its_limit(answer):
    """The thresholds are one percent and 200 ms, in the units of the metrics; silence is no alarm."""
    _limited(answer)
    for name in ALARMS:
        alarm = getattr(answer, name)
        got = [alarm.get("Period"), alarm["EvaluationPeriods"], alarm["ComparisonOperator"]]
        least = alarm.get("DatapointsToAlarm", alarm["EvaluationPeriods"])
        if got != [60, 2, "GreaterThanThreshold"] or least != 2:
            reject(f"`{name}` is {got}, not two minutes above it", why="one minute is an accident")
        if alarm.get("TreatMissingData") != "notBreaching":
            got = alarm.get("TreatMissingData", "missing")
            reject(
                f"`{name}` takes missing data as {got!r}",
                why="at night nobody asks: 'breaching' rings then, and 'missing' keeps an alarm of "
                "the evening until the morning",
            )


@exercise("canary")
def the_canary_bakes_long_enough(answer):
    """One of two instances for ten minutes, the old fleet for five more, both alarms heeded."""
    policy = answer.deployment.get("BlueGreenUpdatePolicy", {})
    routing = policy.get("TrafficRoutingConfiguration", {})
    if routing.get("Type") != "CANARY":
        reject(
            f"the traffic moves by {routing.get('Type')}, not CANARY",
            why="a canary is one small step, and then all; without a step everybody gets a bad "
            "version before any alarm can ring",
        )
    size = routing.get("CanarySize", {})
    if (size.get("Type"), size.get("Value")) not in {
        ("INSTANCE_COUNT", 1),
        ("CAPACITY_PERCENT", 50),
    }:
        reject(
            f"CanarySize is {dict(size)}, not one of the two instances",
            why="the canary is what a bad version may hurt, and what its alarms can see",
        )
    got = routing["WaitIntervalInSeconds"], policy.get("TerminationWaitInSeconds", 0)
    if got != (600, 300):
        alarm = answer.errors["Period"] * answer.errors["EvaluationPeriods"]
        reject(
            f"it waits for {got[0]} s and then for {got[1]} s, not for 600 and 300",
            why=f"the alarms need {alarm} s of bad answers before they ring, and a canary that "
            "moves on before has asked nobody",
        )
    rollback = answer.deployment.get("AutoRollbackConfiguration", {}).get("Alarms", ())
    names = {each.get("AlarmName") for each in rollback}
    if names != set(ALARMS.values()):
        reject(
            f"the deployment heeds {', '.join(sorted(names)) or 'no alarm'}, not both",
            why="an alarm that no deployment heeds only wakes somebody up",
        )


def _rings(aws, alarm, minutes):
    """Whether an alarm rings after some minutes: value -> how often it was seen, for each of them."""
    aws.send("cloudwatch", "put_metric_alarm", {**alarm, "Namespace": LABORATORY})
    for seen in minutes:
        if seen:
            data = {"MetricName": alarm["MetricName"], "Dimensions": alarm["Dimensions"]}
            data |= {"Values": list(seen), "Counts": list(seen.values())}
            data["Unit"] = UNITS[alarm["MetricName"]]
            metric = {"Namespace": LABORATORY, "MetricData": [data]}
            aws.send("cloudwatch", "put_metric_data", metric)
        aws.cloud.advance(60)
    aws.cloud.advance(60)
    asked = {"AlarmNames": [alarm["AlarmName"]]}
    told = aws.send("cloudwatch", "describe_alarms", asked)["MetricAlarms"][0]["StateValue"]
    aws.cloud.advance(600)
    return told == "ALARM"


@exercise("canary")
def a_bad_version_takes_itself_back(answer):
    """Tried out: the alarms ring when they should; a good version stays, and a bad one does not."""
    with account() as aws:
        aws.create_role(answer.ROLE)
        usual, slow = {60_000.0: 195, 90_000.0: 5}, {60_000.0: 180, 250_000.0: 20}
        for name, minutes, right, what in (
            ("latency", [usual, usual, usual], False, "usual minutes"),
            ("latency", [usual, slow, slow], True, "two slow minutes"),
            ("errors", [{0.0: 999, 1.0: 1}] * 3, False, "one error in a thousand"),
            ("errors", [{0.0: 950, 1.0: 50}] * 3, True, "one error in twenty"),
            ("errors", [None] * 3, False, "a night without requests"),
        ):
            if _rings(aws, getattr(answer, name), minutes) is not right:
                told = "rings" if not right else "does not ring"
                reject(
                    f"`{name}` {told} after {what}",
                    why="an alarm is tried out before it counts; one with a Unit that its metric "
                    "does not have sees no data, and never rings",
                )
        _endpoint(aws, answer)
        for version, code, stays in (("1-4-1", "", True), ("1-5-0", FAILS, False)):
            got = _updated(aws, answer, version, code)
            if (got["EndpointConfigName"] == f"flights-{version}") is not stays:
                told = "was taken back" if stays else "went to everybody"
                reject(
                    f"a {'good' if stays else 'bad'} version {told}: "
                    f"{got.get('FailureReason', 'no alarm rang')}",
                    why="this is what the alarms and the deployment are for",
                )


def _model(aws, answer, version, code=""):
    """A model and its configuration, both of one version."""
    name = f"flights-{version}"
    uri = f"s3://flights-models/flights/{version}/model.tar.gz"
    aws.upload(uri, answer.model_data(code))
    container = {"Image": answer.IMAGE, "ModelDataUrl": uri}
    aws.send("sagemaker", "create_model", {
        "ModelName": name, "ExecutionRoleArn": answer.ROLE, "PrimaryContainer": container,
    })  # fmt: skip
    variant = {"VariantName": "main", "ModelName": name, "InstanceType": "ml.m5.large"}
    aws.send("sagemaker", "create_endpoint_config", {
        "EndpointConfigName": name, "ProductionVariants": [{**variant, "InitialInstanceCount": 2}],
    })  # fmt: skip
    return name


def _endpoint(aws, answer):
    """The endpoint of the exercise with its two alarms."""
    name = _model(aws, answer, "1-4-0")
    aws.send("sagemaker", "create_endpoint", {
        "EndpointName": "flights", "EndpointConfigName": name,
    })  # fmt: skip
    aws.running("flights")
    for alarm in ALARMS:
        aws.send("cloudwatch", "put_metric_alarm", getattr(answer, alarm))


def _updated(aws, answer, version, code):
    """What DescribeEndpoint tells when an update is over, with requests all the time."""
    aws.send("sagemaker", "update_endpoint", {
        "EndpointName": "flights",
        "EndpointConfigName": _model(aws, answer, version, code),
        "DeploymentConfig": answer.deployment,
    })  # fmt: skip
    aws.baking("flights")
    for _ in range(15):
        for _ in range(4):
            aws.tried("flights", answer.ROWS)
        aws.cloud.advance(60)
        if aws.describe("flights")["EndpointStatus"] == "InService":
            break
    aws.cloud.advance(900)  # the final baking period, and the wait before the old fleet ends
    return aws.settled("flights")
