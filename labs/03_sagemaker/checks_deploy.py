"""What right requests of lab 03 satisfy: they are read as AWS would, and sent to a local AWS."""

import json

from mlref.study.labs.checks import exercise, reject
from mlref.study.labs.clouds import account, strictly

NAMES = (("model", "ModelName"), ("config", "EndpointConfigName"), ("endpoint", "EndpointName"))
OPERATIONS = {
    "model": "CreateModel",
    "config": "CreateEndpointConfig",
    "endpoint": "CreateEndpoint",
}


@exercise("deploy")
def aws_would_take_each(answer):
    """Each request is one that AWS's own model of the operation allows."""
    for name, operation in OPERATIONS.items():
        strictly("sagemaker", operation, getattr(answer, name), shown=f"`{name}`")


@exercise("deploy")
def each_names_the_one_before(answer):
    """The endpoint names its configuration, the configuration its model; versions are told apart."""
    for name, field in NAMES[:2]:
        value = getattr(answer, name)[field]
        if "1-4-0" not in value:
            reject(
                f"{field} is {value!r}, without the version 1-4-0",
                why="neither a model nor a configuration can be changed; under one name there is "
                "no next version, and no way back to the last",
            )
    if answer.endpoint["EndpointName"] != "flights":
        reject(
            f"the endpoint is called {answer.endpoint['EndpointName']!r}, not 'flights'",
            why="its name is the address that clients have; an update changes what is behind it",
        )
    for got, expected, what in (
        (answer.endpoint["EndpointConfigName"], answer.config["EndpointConfigName"],
         "the endpoint's configuration"),
        (_variant(answer).get("ModelName"), answer.model["ModelName"], "the variant's model"),
    ):  # fmt: skip
        if got != expected:
            reject(
                f"{what} is {got!r}; the one that you create is called {expected!r}",
                why="the three are told apart by their names alone",
            )


def _variant(answer):
    """The one variant of the answer."""
    variants = answer.config["ProductionVariants"]
    if len(variants) != 1:
        reject(f"there are {len(variants)} variants, not 1", why="each costs instances of its own")
    return variants[0]


@exercise("deploy")
def the_model_is_the_one_that_was_tested(answer):
    """The model runs the image with the archive, in the role of the exercise."""
    container = answer.model.get("PrimaryContainer", {})
    for got, expected, what, why in (
        (container.get("Image"), answer.IMAGE, "PrimaryContainer.Image", "no other one was tested"),
        (container.get("ModelDataUrl"), answer.MODEL_DATA, "PrimaryContainer.ModelDataUrl",
         "it is the archive itself, and not the folder that it lies in"),
        (answer.model.get("ExecutionRoleArn"), answer.ROLE, "ExecutionRoleArn",
         "without a role SageMaker may not read the archive"),
    ):  # fmt: skip
        if got != expected:
            reject(f"{what} is {got!r}, not {expected!r}", why=why)


@exercise("deploy")
def one_instance_may_fail(answer):
    """The variant `main` runs on two instances of ml.m5.large."""
    variant = _variant(answer)
    got = [variant.get(name) for name in ("VariantName", "InstanceType", "InitialInstanceCount")]
    if got != ["main", "ml.m5.large", 2]:
        reject(
            f"the variant is {got[0]!r} on {got[2]} x {got[1]}, not 'main' on 2 x ml.m5.large",
            why="one instance lies in one availability zone, and is out of service whenever it is "
            "replaced; alarms and scaling name the variant",
        )


@exercise("deploy")
def captures_can_be_read(answer):
    """Every request and every answer is captured, and not in Base64."""
    found = answer.config.get("DataCaptureConfig", {})
    modes = {each.get("CaptureMode") for each in found.get("CaptureOptions", ())}
    if not found.get("EnableCapture", bool(found)) or found.get("InitialSamplingPercentage") != 100:
        reject(
            "not every request is captured: EnableCapture must be True, InitialSamplingPercentage 100",
            why="what was not captured is gone; nobody can ask it again",
        )
    if modes not in ({"InputAndOutput"}, {"Input", "Output"}):
        reject(
            f"CaptureOptions keep {', '.join(sorted(map(str, modes)))}, not Input and Output",
            why="drift is seen in the inputs, and what it did to users in the outputs",
        )
    if found["DestinationS3Uri"].rstrip("/") != "s3://flights-captures/live":
        reject(
            f"DestinationS3Uri is {found['DestinationS3Uri']!r}, not 's3://flights-captures/live'",
            why="whoever analyses them looks in one place",
        )
    header = found.get("CaptureContentTypeHeader", {})
    for name, kind in (("CsvContentTypes", "text/csv"), ("JsonContentTypes", "application/json")):
        if kind not in header.get(name, ()):
            reject(
                f"CaptureContentTypeHeader does not list {kind} among {name}",
                why="AWS keeps the bodies of types that nobody lists in Base64",
            )


@exercise("deploy")
def it_is_deployed_and_answers(answer):
    """Sent to an empty account: it comes into service, answers, and the captures are in S3."""
    with account() as aws:
        aws.create_role(answer.ROLE)
        aws.upload(answer.MODEL_DATA, answer.model_data())
        aws.create_bucket("flights-captures")
        aws.send("sagemaker", "create_model", answer.model)
        aws.send("sagemaker", "create_endpoint_config", answer.config)
        aws.send("sagemaker", "create_endpoint", answer.endpoint)
        aws.running("flights")
        got = [float(each) for each in aws.ask("flights", answer.ROWS).split()]
        if [round(each, 3) for each in got] != [0.112, 0.403]:
            reject(f"it answers {got}, not 0.112 and 0.403", why="another model is served")
        lines = aws.lines("s3://flights-captures/live/flights/main/")
        data = json.loads(lines[0])["captureData"] if lines else {}
        if {each.get("encoding") for each in data.values()} != {"CSV"} or len(data) != 2:
            reject(
                "the captures in S3 do not hold request and answer",
                why="a model in doubt is judged by what it was asked and what it said",
            )
