"""Requests checked against AWS's models: AWS's own examples pass, what is wrong is told."""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import Any

import boto3
import pytest
from botocore.awsrequest import AWSResponse
from botocore.exceptions import UnknownServiceError
from botocore.loaders import Loader
from botocore.validate import ParamValidator
from hypothesis import given, settings
from hypothesis import strategies as st
from support.aws_requests import RIGHT, VARIANT, WRONG

from mlref.aws.models import operation_model, service_model
from mlref.aws.strict import (
    Problem,
    check,
    check_response,
    check_shape,
    install,
    unreadable_patterns,
)
from mlref.errors import StrictError

SERVICES = (
    "application-autoscaling", "cloudwatch", "ecr", "iam", "kms", "lambda", "logs",
    "resourcegroupstaggingapi", "s3", "sagemaker", "sagemaker-runtime", "sns", "sqs", "sts",
)  # fmt: skip


@pytest.mark.parametrize(("service", "operation", "request_", "field", "message"), WRONG)
def test_a_wrong_request_is_told_by_field_and_by_what_is_allowed(
    service: str, operation: str, request_: dict[str, Any], field: str, message: str
) -> None:
    """The problem names the field as a path, what was got, and what is allowed."""
    found = {each.field: each.message for each in check(service, operation, request_)}
    assert message in found[field]


@pytest.mark.parametrize(
    ("service", "operation", "request_"), RIGHT, ids=[f"{each[1]}" for each in RIGHT]
)
def test_a_right_request_has_no_problem(
    service: str, operation: str, request_: dict[str, Any]
) -> None:
    """What AWS takes is not refused: operations and fields that the chapters use."""
    assert check(service, operation, request_) == []


def test_all_problems_are_told_at_once() -> None:
    """Somebody who mends a request wants to see all of it."""
    request = {"EndpointConfigName": "my config", "ProductionVariants": [{}, {**VARIANT, "x": 1}]}
    found = check("sagemaker", "CreateEndpointConfig", request)
    assert [str(each).partition(";")[0] for each in found] == [
        "EndpointConfigName: 'my config' does not match [a-zA-Z0-9](-*[a-zA-Z0-9]){0,62}",
        "ProductionVariants[0].VariantName: is missing",
        "ProductionVariants[1].x: is no field",
    ]  # fmt: skip


def test_what_is_sensitive_is_not_shown() -> None:
    """A password that has the wrong type does not land in a log."""
    found = check("secretsmanager", "CreateSecret", {"Name": "n", "SecretString": 20_26})
    assert [str(each) for each in found] == [
        "SecretString: must be text, got a int that is not shown, as it is sensitive"
    ]


def test_of_a_union_there_is_exactly_one() -> None:
    """Two members of a tagged union, or none, are refused, with what there may be."""
    shape = service_model("sagemaker").shape_for("AutoMLProblemTypeConfig")
    one, other = {"TargetAttributeName": "y"}, {"ContentColumn": "a", "TargetLabelColumn": "b"}
    assert check_shape(shape, {"TabularJobConfig": one}) == []
    for value in ({}, {"TabularJobConfig": one, "TextClassificationJobConfig": other}):
        (problem,) = check_shape(shape, value, "Config")
        assert problem.message.startswith("must have exactly one of ImageClassificationJobConfig")


@pytest.mark.parametrize("service", SERVICES)
def test_every_pattern_can_be_read(service: str) -> None:
    """Of the services that we use, no value goes unchecked for its pattern's dialect."""
    assert unreadable_patterns(service) == []


def test_few_patterns_of_other_services_cannot_be_read() -> None:
    """These are known; nothing is checked by them."""
    assert len(unreadable_patterns("rbin")) == 1
    tagged = {"ResourceArn": "no arn at all", "Tags": []}
    assert check("rbin", "TagResource", tagged) == []
    with pytest.raises(UnknownServiceError):
        unreadable_patterns("no-such-service")


def _examples() -> list[tuple[str, str, dict[str, Any], dict[str, Any]]]:
    """What AWS publishes as examples: service, operation, request, response."""
    loader, found = Loader(include_default_search_paths=True), []
    for service in SERVICES:
        for operation, examples in loader.load_service_model(service, "examples-1")[
            "examples"
        ].items():
            found += [
                (service, operation, each.get("input", {}), each.get("output") or {})
                for each in examples
            ]
    return found


# Examples of AWS that AWS itself would refuse: an id that is shortened, and a 1 in one where the
# pattern has 2 to 7.
MISTAKEN = {"CloudHsmClusterId", "CustomKeyStores[0].CloudHsmClusterId", "UUID"}
MISTAKEN |= {"KeyMetadata.CloudHsmClusterId"}


def test_the_examples_that_aws_publishes_have_no_problem() -> None:
    """Requests and responses of AWS's documentation; botocore refuses the others, too."""
    examples = _examples()
    assert len(examples) > 250
    for service, operation, request, response in examples:
        model = operation_model(service, operation)
        for found, shape, value in (
            (check(service, operation, request), model.input_shape, request),
            (check_response(service, operation, response), model.output_shape, response),
        ):
            left = [each for each in found if each.field not in MISTAKEN]
            if left:
                assert ParamValidator().validate(value, shape).has_errors(), (operation, left)


def test_a_response_has_the_fields_that_aws_has() -> None:
    """What a local AWS answers is held to the model as well; boto3's own field is not."""
    assert check_response("sagemaker", "CreateEndpoint", {"ResponseMetadata": {}}) == [
        Problem("EndpointArn", "is missing; it is required")
    ]
    body = {"Body": io.BytesIO(b""), "InvokedProductionVariant": "A"}
    assert check_response("sagemaker-runtime", "InvokeEndpoint", body) == []
    assert check_response("sagemaker", "DeleteModel", {}) == []
    assert check_response("sagemaker", "DeleteModel", {"ModelName": "m"}) == [
        Problem("ModelName", "the operation answers with nothing")
    ]
    events = {"Body": iter([{"PayloadPart": {"Bytes": b"a"}}])}
    assert check_response("sagemaker-runtime", "InvokeEndpointWithResponseStream", events) == []


def _bounded() -> list[Any]:
    """Numbers and texts of SageMaker's model that have a maximum."""
    model = service_model("sagemaker")
    shapes = [model.shape_for(name) for name in model.shape_names]
    return [each for each in shapes if each.metadata.get("max") and each.type_name == "integer"]


def test_a_number_may_be_its_maximum_and_no_more() -> None:
    """Off by one in neither direction, for every bounded number of SageMaker."""
    assert len(_bounded()) > 50
    for shape in _bounded():
        most = shape.metadata["max"]
        assert check_shape(shape, most) == []
        assert len(check_shape(shape, most + 1)) == 1


_JUNK = st.one_of(
    st.none(), st.booleans(), st.integers(-3, 10_000), st.floats(allow_nan=False),
    st.text(max_size=5), st.binary(max_size=5), st.just([]), st.just({}), st.dates(),
    st.just("2026-01-01T00:00:00Z"),
)  # fmt: skip


def _values(shape: Any, depth: int = 3) -> st.SearchStrategy[Any]:
    """Values that are of a shape mostly, and junk now and then."""
    kind = shape.type_name
    if depth == 0:
        return _JUNK
    if kind == "structure":
        members = {name: _values(each, depth - 1) for name, each in shape.members.items()}
        right = st.fixed_dictionaries({}, optional={**members, "Stranger": _JUNK})
        return st.one_of(right, right, _JUNK)
    if kind == "list":
        return st.one_of(st.lists(_values(shape.member, depth - 1), max_size=2), _JUNK)
    if kind == "map":
        return st.one_of(st.dictionaries(st.text(max_size=3), _JUNK, max_size=2), _JUNK)
    fitting = {"string": st.text(max_size=8), "integer": st.integers(-3, 300)}
    return st.one_of(fitting.get(kind, _JUNK), _JUNK)


@pytest.mark.parametrize(
    ("service", "operation"),
    [
        ("sagemaker", "CreateEndpointConfig"),
        ("sagemaker", "CreateTransformJob"),
        ("cloudwatch", "PutMetricData"),
        ("s3", "PutObject"),
    ],
)
def test_what_botocore_refuses_is_refused(service: str, operation: str) -> None:
    """Whatever botocore's own validator finds wrong, the check finds wrong, too."""
    shape = operation_model(service, operation).input_shape

    @given(_values(shape))
    @settings(max_examples=60, deadline=None)
    def holds(value: object) -> None:
        if isinstance(value, Mapping) and _is_refused(value, shape):
            assert check_shape(shape, value)

    holds()


def _is_refused(value: Mapping[str, Any], shape: Any) -> bool:
    """Whether botocore's validator finds something wrong, or breaks on it as on the year 10000."""
    try:
        return bool(ParamValidator().validate(value, shape).has_errors())
    except RuntimeError:
        return True


def test_a_moment_beyond_all_calendars_is_refused() -> None:
    """Botocore's own validator breaks on it."""
    shape = operation_model("s3", "PutObject").input_shape
    value = {"Bucket": "b", "Key": "k", "Expires": 6.77680361916768e16}
    assert _is_refused(value, shape)
    assert [each.field for each in check_shape(shape, value)] == ["Expires"]


class _Wire:
    """A session that sends nothing: what would be sent is kept, and answered with nothing."""

    def __init__(self) -> None:
        self.sent: list[str] = []
        self.session = boto3.Session("test", "test", region_name="us-east-1")
        self.session.events.register("before-send", self._answer)

    def _answer(self, request: Any, **_: object) -> AWSResponse:
        self.sent.append(request.headers.get("X-Amz-Target", b"").decode() or request.method)
        return AWSResponse(request.url, 200, {}, _Nothing())

    def client(self, service: str) -> Any:
        """A client of it."""
        return self.session.client(service, endpoint_url="http://127.0.0.1:9")


class _Nothing(io.BytesIO):
    """An empty body, as urllib3 has it."""

    def stream(self, *_: object, **__: object) -> list[bytes]:
        """Its pieces: none."""
        return []


def test_a_wrong_request_is_not_sent_and_a_right_one_is() -> None:
    """The hook stands before the wire; the error lists every problem."""
    wire = _Wire()
    install(wire.session)
    client = wire.client("sagemaker")
    with pytest.raises(StrictError) as caught:
        client.create_model(ModelName="my model", ExecutionRoleArn="sagemaker")
    lines = str(caught.value).splitlines()
    assert lines[0].startswith("CreateModel: 2 problems by the model of botocore ")
    assert lines[0].endswith("; nothing was sent")
    assert lines[1].startswith("  - ModelName: 'my model' does not match ")
    assert wire.sent == []
    client.delete_model(ModelName="my-model")
    assert wire.sent == ["SageMaker.DeleteModel"]


def test_a_session_without_it_sends_what_is_wrong() -> None:
    """It is installed on one session; others are as they were."""
    wire = _Wire()
    wire.client("sagemaker").delete_model(ModelName="my model")
    assert wire.sent == ["SageMaker.DeleteModel"]


def test_what_botocore_completes_is_no_problem() -> None:
    """The check comes after botocore's own handlers: a source as a mapping, a token it makes up."""
    wire = _Wire()
    install(wire.session)
    copied = {"Bucket": "models", "Key": "a"}
    wire.client("s3").copy_object(Bucket="models", Key="b", CopySource=copied)
    wire.client("sagemaker").create_model_package(ModelPackageGroupName="flights")
    assert wire.sent == ["PUT", "SageMaker.CreateModelPackage"]


def test_installing_it_twice_is_installing_it_once() -> None:
    """The problems are told once."""
    wire = _Wire()
    install(wire.session)
    install(wire.session)
    with pytest.raises(StrictError, match=r"^DeleteModel: 1 problem "):
        wire.client("sagemaker").delete_model(ModelName="my model")
