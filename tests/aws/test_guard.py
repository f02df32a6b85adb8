"""What a session on a real account is not let do; nothing here is sent to anybody."""

from __future__ import annotations

from typing import Any

import boto3
import pytest

from mlref.aws import guard
from mlref.aws.deletion import Deleter
from mlref.aws.models import service_model
from mlref.cost import Estimate, PriceBook
from mlref.errors import SpendingRefusedError

BOOK = PriceBook.load()
ENDPOINTS = (
    Estimate()
    .add("endpoint", BOOK.find("sagemaker", "hosting ml.m5.large"), 2)
    .add("job", BOOK.find("sagemaker", "training ml.m5.large"))
    .over(hours=2)
)
ROLE = "arn:aws:iam::123456789012:role/sagemaker"
NOTHING = "the estimate is Estimate"


def _ask(
    estimate: Estimate, service: str, operation: str, *, region: str = "us-east-1", **request: Any
) -> None:
    """Do with a request what a client does before it is checked and sent."""
    session = boto3.Session("test", "test", region_name="us-east-1")
    guard.install(session, estimate)
    model = service_model(service).operation_model(operation)
    event = f"before-parameter-build.{service}.{operation}"
    context = {"client_region": region}
    session.events.emit(event, params=request, model=model, context=context)


def _variant(**more: Any) -> dict[str, Any]:
    return {"VariantName": "A", "ModelName": "m", "InstanceType": "ml.m5.large", **more}


def _config(*variants: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"EndpointConfigName": "c", "ProductionVariants": list(variants), **more}


@pytest.mark.parametrize(
    ("service", "operation", "request_"),
    [
        ("sagemaker", "CreateEndpointConfig", _config(_variant(InitialInstanceCount=1))),
        ("sagemaker", "CreateModel", {"ModelName": "m", "ExecutionRoleArn": ROLE}),
        ("sagemaker", "StartNotebookInstance", {"NotebookInstanceName": "n"}),
        ("s3", "CreateBucket", {"Bucket": "b"}),
        ("s3", "PutObject", {"Bucket": "b", "Key": "k"}),
        ("ec2", "RunInstances", {"MinCount": 1, "MaxCount": 1}),
        ("lambda", "Invoke", {"FunctionName": "f"}),
        ("batch", "SubmitJob", {"jobName": "j", "jobQueue": "q", "jobDefinition": "d"}),
        ("devicefarm", "ScheduleRun", {}),
        ("comprehend", "DetectSentiment", {}),
    ],
)
def test_an_empty_estimate_creates_nothing(
    service: str, operation: str, request_: dict[str, Any]
) -> None:
    """It was said that nothing will cost."""
    with pytest.raises(SpendingRefusedError, match=f"^{operation} is refused.*{NOTHING}"):
        _ask(Estimate(), service, operation, **request_)


@pytest.mark.parametrize(
    ("service", "operation", "request_"),
    [
        ("sagemaker", "ListEndpoints", {}),
        ("sagemaker", "DescribeModel", {"ModelName": "m"}),
        ("sagemaker", "StopTrainingJob", {"TrainingJobName": "j"}),
        ("sagemaker", "DeleteEndpoint", {"EndpointName": "e"}),
        ("sagemaker-runtime", "InvokeEndpoint", {"EndpointName": "e", "Body": b""}),
        ("iam", "DetachRolePolicy", {"RoleName": "r", "PolicyArn": ROLE}),
        ("iam", "RemoveRoleFromInstanceProfile", {}),
        ("kms", "ScheduleKeyDeletion", {"KeyId": "k"}),
        ("s3", "AbortMultipartUpload", {"Bucket": "b", "Key": "k", "UploadId": "u"}),
        ("application-autoscaling", "DeregisterScalableTarget", {}),
        ("sts", "GetCallerIdentity", {}),
        ("ec2", "TerminateInstances", {"InstanceIds": ["i"]}),
        ("ecr", "BatchGetRepositoryScanningConfiguration", {}),
        ("ecr", "BatchDeleteImage", {}),
    ],
)
def test_an_empty_estimate_reads_and_deletes(
    service: str, operation: str, request_: dict[str, Any]
) -> None:
    """As `mlref cloud nuke` does; also of services whose things no sweep knows."""
    _ask(Estimate(), service, operation, **request_)


@pytest.mark.parametrize(
    ("service", "operation"),
    [
        ("cloudwatch", "PutDashboard"),
        ("iam", "CreateUser"),
        ("iam", "CreateAccessKey"),
        ("kms", "CreateCustomKeyStore"),
        ("lambda", "PutProvisionedConcurrencyConfig"),
        ("ec2", "RunInstances"),
        ("rds", "CreateDBInstance"),
        ("sagemaker", "CreateNotebookInstance"),
        ("sagemaker", "CreateHyperParameterTuningJob"),
        ("sagemaker", "CreateCluster"),
        ("sagemaker", "StartPipelineExecution"),
        ("sagemaker", "ExtendTrainingPlan"),
        ("redshift", "RestoreFromClusterSnapshot"),
    ],
)
def test_what_no_sweep_would_find_is_not_made(service: str, operation: str) -> None:
    """Whatever the estimate: it would stand until somebody sees the bill."""
    with pytest.raises(SpendingRefusedError, match="could not find and delete what it makes"):
        _ask(ENDPOINTS, service, operation)


@pytest.mark.parametrize(
    ("service", "operation", "request_"),
    [
        ("sagemaker", "CreateEndpointConfig", _config(_variant(InitialInstanceCount=2))),
        ("sagemaker", "CreateEndpointConfig", _config(_variant(), _variant(VariantName="B"))),
        ("sagemaker", "CreateTrainingJob", {
            "ResourceConfig": {"InstanceType": "ml.m5.large", "InstanceCount": 1},
            "StoppingCondition": {"MaxRuntimeInSeconds": 7200}}),
        ("sagemaker", "UpdateTrainingJob", {
            "TrainingJobName": "j", "ResourceConfig": {"KeepAlivePeriodInSeconds": 0}}),
        ("sagemaker", "CreateEndpointConfig", _config(_variant(
            ManagedInstanceScaling={"Status": "DISABLED", "MaxInstanceCount": 50}))),
        ("sagemaker", "CreateDataQualityJobDefinition", {}),
        ("sagemaker", "StartMonitoringSchedule", {"MonitoringScheduleName": "m"}),
        ("sagemaker", "UpdateInferenceComponent", {"InferenceComponentName": "c"}),
        ("sagemaker", "AddTags", {"ResourceArn": ROLE, "Tags": []}),
        ("sagemaker", "UpdateEndpointWeightsAndCapacities", {
            "DesiredWeightsAndCapacities": [{"VariantName": "A", "DesiredInstanceCount": 2}]}),
        ("application-autoscaling", "RegisterScalableTarget", {
            "ScalableDimension": "sagemaker:variant:DesiredInstanceCount", "MaxCapacity": 2}),
        ("application-autoscaling", "PutScheduledAction", {
            "ScalableDimension": "sagemaker:variant:DesiredInstanceCount",
            "ScalableTargetAction": {"MinCapacity": 1, "MaxCapacity": 2}}),
        ("application-autoscaling", "RegisterScalableTarget", {
            "ScalableDimension": "sagemaker:inference-component:DesiredCopyCount",
            "MaxCapacity": 50}),
        ("resourcegroupstaggingapi", "TagResources", {"ResourceARNList": [], "Tags": {}}),
        ("cloudwatch", "PutMetricAlarm", {"AlarmName": "a"}),
        ("ecr", "InitiateLayerUpload", {"repositoryName": "r"}),
    ],
)  # fmt: skip
def test_what_is_estimated_is_made(service: str, operation: str, request_: dict[str, Any]) -> None:
    """Up to its number, and what goes with it."""
    _ask(ENDPOINTS, service, operation, **request_)


@pytest.mark.parametrize(
    ("operation", "request_", "why"),
    [
        ("CreateEndpointConfig",
         _config(_variant(InstanceType="ml.p5.48xlarge", InitialInstanceCount=100)),
         r"no hosting ml\.p5\.48xlarge, and the request asks for 100"),
        ("CreateEndpointConfig", _config(_variant(InitialInstanceCount=3)),
         r"2 hosting ml\.m5\.large, and the request asks for 3"),
        ("CreateEndpointConfig",
         _config(_variant(InitialInstanceCount=1), ShadowProductionVariants=[
             _variant(VariantName="S", InitialInstanceCount=2)]),
         r"2 hosting ml\.m5\.large, and the request asks for 3"),
        ("CreateEndpointConfig", _config(_variant(
            InitialInstanceCount=1,
            ManagedInstanceScaling={"Status": "ENABLED", "MaxInstanceCount": 8})),
         "and the request asks for 8"),
        ("CreateEndpointConfig",
         _config({"VariantName": "A", "ModelName": "m",
                  "ServerlessConfig": {"MemorySizeInMB": 1024, "MaxConcurrency": 1}}),
         "no serverless compute"),
        ("CreateTrainingJob",
         {"ResourceConfig": {"InstanceType": "ml.m5.large", "InstanceCount": 2}},
         r"1 training ml\.m5\.large, and the request asks for 2"),
        ("CreateTrainingJob", {"StoppingCondition": {"MaxRuntimeInSeconds": 28 * 86400}},
         "may run for 2419200 s, and the estimate is for 2 h"),
        ("CreateProcessingJob",
         {"ProcessingResources": {"ClusterConfig": {
             "InstanceType": "ml.m5.large", "InstanceCount": 1}}},
         r"no processing ml\.m5\.large"),
        ("CreateTransformJob",
         {"TransformResources": {"InstanceType": "ml.m5.large", "InstanceCount": 1}},
         r"no transform ml\.m5\.large"),
        ("CreateMonitoringSchedule",
         {"MonitoringScheduleConfig": {"MonitoringJobDefinition": {"MonitoringResources": {
             "ClusterConfig": {"InstanceType": "ml.m5.large", "InstanceCount": 1}}}}},
         r"no processing ml\.m5\.large"),
        ("CreateEndpointConfig", _config(_variant(
            ManagedInstanceScaling={"Status": "ENABLED", "MinInstanceCount": 50})),
         "and the request asks for 50"),
        ("CreateEndpointConfig",
         _config({"VariantName": "A", "InitialInstanceCount": 50, "InstancePools": [
             {"InstanceType": "ml.m5.large", "Priority": 1}]}),
         "and the request asks for 50"),
        ("CreateTrainingJob",
         {"ServerlessJobConfig": {"JobType": "FineTuning"}}, "no serverless training"),
        ("CreateTrainingJob", {}, "may run for 86400 s"),
        ("CreateProcessingJob", {}, "may run for 86400 s"),
        ("CreateTrainingJob",
         {"ResourceConfig": {"InstanceType": "ml.m5.large", "KeepAlivePeriodInSeconds": 21600},
          "StoppingCondition": {"MaxRuntimeInSeconds": 60}}, "may run for 21600 s"),
        ("UpdateTrainingJob", {"TrainingJobName": "j"},
         "may keep instances for longer.*only KeepAlivePeriodInSeconds of 0"),
        ("CreateModelPackage",
         {"ModelPackageName": "m", "ValidationSpecification": {"ValidationRole": ROLE}},
         "AWS then begins transform jobs.*leave ValidationSpecification out"),
        ("UpdateEndpointWeightsAndCapacities",
         {"DesiredWeightsAndCapacities": [
             {"VariantName": "A", "ServerlessUpdateConfig": {"ProvisionedConcurrency": 200}}]},
         "no serverless compute"),
        ("UpdateEndpointWeightsAndCapacities",
         {"DesiredWeightsAndCapacities": [
             {"VariantName": name, "DesiredInstanceCount": 1} for name in "ABC"]},
         "2 instances for hosting, and the request asks for 3"),
        ("UpdateEndpointWeightsAndCapacities",
         {"DesiredWeightsAndCapacities": [{"VariantName": "A", "DesiredInstanceCount": 500}]},
         "2 instances for hosting, and the request asks for 500"),
    ],
)  # fmt: skip
def test_what_is_not_estimated_is_refused(
    operation: str, request_: dict[str, Any], why: str
) -> None:
    """By use, type, number and time, with what to do."""
    with pytest.raises(SpendingRefusedError, match=f"^{operation} is refused.*{why}"):
        _ask(ENDPOINTS, "sagemaker", operation, **request_)


def test_half_an_instance_is_one() -> None:
    """A job of a quarter of an hour may be estimated as a quarter of an instance."""
    price = BOOK.find("sagemaker", "training ml.m5.large")
    job = {"ResourceConfig": {"InstanceType": "ml.m5.large", "InstanceCount": 1},
           "StoppingCondition": {"MaxRuntimeInSeconds": 900}}  # fmt: skip
    _ask(Estimate().add("a short job", price, 0.25), "sagemaker", "CreateTrainingJob", **job)


def test_half_an_instance_of_an_endpoint_is_none() -> None:
    """It stands until somebody deletes it, so half of its price would not pay for it."""
    price = BOOK.find("sagemaker", "hosting ml.m5.large")
    estimate = Estimate().add("by day", price, 0.75).add("by night", price, 0.75)
    _ask(estimate, "sagemaker", "CreateEndpointConfig", **_config(_variant()))
    with pytest.raises(SpendingRefusedError, match=r"1\.5 hosting.*asks for 2"):
        _ask(estimate, "sagemaker", "CreateEndpointConfig",
             **_config(_variant(InitialInstanceCount=2)))  # fmt: skip


@pytest.mark.parametrize("service", ["sagemaker", "s3"])
def test_nothing_is_made_where_no_sweep_looks(service: str) -> None:
    """A sweep looks in the region of its session."""
    operation = {"sagemaker": "CreateModel", "s3": "CreateBucket"}[service]
    _ask(ENDPOINTS, service, operation)
    _ask(ENDPOINTS, service, operation.replace("Create", "Delete"), region="eu-west-1")
    why = 'one of eu-west-1, .* found in us-east-1; open a session with region="eu-west-1"'
    with pytest.raises(SpendingRefusedError, match=f"^{operation} is refused.*{why}"):
        _ask(ENDPOINTS, service, operation, region="eu-west-1")
    _ask(ENDPOINTS, "iam", "CreateRole", region="aws-global")


INSTANCES = {"ScalableDimension": "sagemaker:variant:DesiredInstanceCount"}
CONCURRENCY = {"ScalableDimension": "sagemaker:variant:DesiredProvisionedConcurrency"}


@pytest.mark.parametrize(
    ("operation", "request_", "why"),
    [
        ("RegisterScalableTarget", {**INSTANCES, "MaxCapacity": 100},
         "2 instances for hosting, and the request asks for 100"),
        ("PutScheduledAction",
         {**INSTANCES, "ScalableTargetAction": {"MinCapacity": 50, "MaxCapacity": 50}},
         "2 instances for hosting, and the request asks for 50"),
        ("RegisterScalableTarget", {**CONCURRENCY, "MaxCapacity": 1}, "no serverless compute"),
        ("RegisterScalableTarget", {"ServiceNamespace": "ecs", "MaxCapacity": 1},
         "could not find and delete"),
    ],
)  # fmt: skip
def test_nothing_scales_beyond_the_estimate(
    operation: str, request_: dict[str, Any], why: str
) -> None:
    """The bound of a scalable target is what it may cost some day."""
    with pytest.raises(SpendingRefusedError, match=f"^{operation} is refused.*{why}"):
        _ask(ENDPOINTS, "application-autoscaling", operation, **request_)


@pytest.mark.parametrize("wrong", ["two", None, [1], True])
def test_what_is_no_number_is_left_to_the_check_of_requests(wrong: object) -> None:
    """Which names the field."""
    _ask(ENDPOINTS, "sagemaker", "CreateEndpointConfig",
         **_config(_variant(InitialInstanceCount=wrong, ManagedInstanceScaling=wrong)))  # fmt: skip


@pytest.mark.parametrize("service", guard.CHANGES)
def test_every_change_that_is_listed_is_one_of_aws(service: str) -> None:
    """Of a service whose things are swept, or of the one that tags."""
    kinds = Deleter(boto3.Session("test", "test", region_name="us-east-1")).kinds
    assert service in {each for each, _ in kinds} | {"resourcegroupstaggingapi"}
    assert set(service_model(service).operation_names) >= guard.CHANGES[service]


def test_serverless_endpoints_are_estimated_once() -> None:
    """They cost by use, so their number says nothing."""
    estimate = Estimate().add("a second", BOOK.find("sagemaker", "serverless compute"), 2)
    variants = [{"VariantName": name, "ModelName": "m",
                 "ServerlessConfig": {"MemorySizeInMB": 1024, "MaxConcurrency": 1}}
                for name in "ABC"]  # fmt: skip
    _ask(estimate, "sagemaker", "CreateEndpointConfig", **_config(*variants))
