"""Requests that AWS takes and requests that it refuses, with what is to be said of these."""

from __future__ import annotations

import datetime as dt
import io
from typing import Any

__all__ = ["RIGHT", "VARIANT", "WRONG"]

ROLE = "arn:aws:iam::123456789012:role/service-role/sagemaker"
IMAGE = "123456789012.dkr.ecr.us-east-1.amazonaws.com/mlref:1.0.0"
VARIANT: dict[str, Any] = {
    "VariantName": "A",
    "ModelName": "m",
    "InstanceType": "ml.m5.large",
    "InitialInstanceCount": 1,
}


def _config(**changed: Any) -> dict[str, Any]:
    return {"EndpointConfigName": "c", "ProductionVariants": [{**VARIANT, **changed}]}


def _serverless(**sizes: int) -> dict[str, Any]:
    variant = {"VariantName": "A", "ModelName": "m", "ServerlessConfig": sizes}
    return {"EndpointConfigName": "c", "ProductionVariants": [variant]}


def _function(**changed: Any) -> dict[str, Any]:
    given: dict[str, Any] = {
        "FunctionName": "f",
        "Runtime": "python3.11",
        "Handler": "app.handler",
        "Role": "arn:aws:iam::123456789012:role/lambda",
        "Code": {"ZipFile": b"PK"},
    }
    return {**given, **changed}


WRONG: list[tuple[str, str, dict[str, Any], str, str]] = [
    ("sagemaker", "CreateModel", {"ModelName": "my model"}, "ModelName", "does not match"),
    ("sagemaker", "CreateModel", {"ModelName": "x" * 64},
     "ModelName", "at most 63 characters, got 64"),
    ("sagemaker", "CreateModel", {}, "ModelName", "is missing; it is required"),
    ("sagemaker", "CreateModel", {"ModelName": None}, "ModelName", "got None; leave the field out"),
    ("sagemaker", "CreateModel",
     {"ModelName": "m", "PrimaryContainer": {"ModelDataUrl": "models/model.tar.gz"}},
     "PrimaryContainer.ModelDataUrl", "'models/model.tar.gz' does not match (https|s3)://"),
    ("sagemaker", "CreateModel", {"ModelName": "m", "ExecutionRoleArn": "sagemaker"},
     "ExecutionRoleArn", "at least 20 characters"),
    ("sagemaker", "CreateModel", {"ModelName": "m", "ExecutionRoleArn": ROLE.replace("iam", "s3")},
     "ExecutionRoleArn", "does not match arn:"),
    ("sagemaker", "CreateModel", {"ModelName": "m", "modelName": "m"},
     "modelName", "is no field; did you mean ModelName?"),
    ("sagemaker", "CreateModel", {"ModelName": "m", "Zone": "a"},
     "Zone", "is no field; there are ModelName, PrimaryContainer"),
    ("sagemaker", "CreateModel", {"ModelName": "m", "Containers": [{}] * 16},
     "Containers", "at most 15 items, got 16"),
    ("sagemaker", "CreateModel", {"ModelName": "m", "Containers": {}},
     "Containers", "must be a list"),
    ("sagemaker", "CreateModel",
     {"ModelName": "m", "PrimaryContainer": {"Environment": {"1ST": "x"}}},
     "PrimaryContainer.Environment.1ST (the key)", "does not match"),
    ("sagemaker", "CreateEndpointConfig", _config(InstanceType="ml.nope"),
     "ProductionVariants[0].InstanceType", "'ml.nope' is none of ml.t2.medium"),
    ("sagemaker", "CreateEndpointConfig", _config(InstanceType="m5.large"),
     "ProductionVariants[0].InstanceType", "did you mean ml.m5.large?"),
    ("sagemaker", "CreateEndpointConfig", _config(InitialInstanceCount="1"),
     "ProductionVariants[0].InitialInstanceCount", "must be a whole number, got '1'"),
    ("sagemaker", "CreateEndpointConfig", _config(InitialInstanceCount=1.0),
     "ProductionVariants[0].InitialInstanceCount", "must be a whole number, got 1.0"),
    ("sagemaker", "CreateEndpointConfig", _config(InitialInstanceCount=True),
     "ProductionVariants[0].InitialInstanceCount", "must be a whole number, got True"),
    ("sagemaker", "CreateEndpointConfig", _config(InitialInstanceCount=0),
     "ProductionVariants[0].InitialInstanceCount", "must be at least 1, got 0"),
    ("sagemaker", "CreateEndpointConfig", _config(InitialVariantWeight=-1),
     "ProductionVariants[0].InitialVariantWeight", "must be at least 0, got -1"),
    ("sagemaker", "CreateEndpointConfig", _serverless(MemorySizeInMB=9000, MaxConcurrency=5),
     "ProductionVariants[0].ServerlessConfig.MemorySizeInMB", "must be at most 6144, got 9000"),
    ("sagemaker", "CreateEndpointConfig", _serverless(MemorySizeInMB=1024, MaxConcurrency=900),
     "ProductionVariants[0].ServerlessConfig.MaxConcurrency", "must be at most 200, got 900"),
    ("sagemaker", "CreateEndpointConfig", {"EndpointConfigName": "c", "ProductionVariants": []},
     "ProductionVariants", "must have at least 1 items, got 0"),
    ("sagemaker", "ListModels", {"CreationTimeAfter": "yesterday"},
     "CreationTimeAfter", "must be a point in time, got 'yesterday'"),
    ("sagemaker", "ListEndpoints", {"StatusEquals": "inservice"},
     "StatusEquals", "did you mean InService?"),
    ("sagemaker-runtime", "InvokeEndpoint", {"EndpointName": "e", "Body": b"x" * 6_291_457},
     "Body", "must have at most 6291456 bytes, got 6291457"),
    ("sagemaker-runtime", "InvokeEndpoint", {"EndpointName": "e", "Body": [1.0]},
     "Body", "must be bytes, text or an open file"),
    ("lambda", "CreateFunction", _function(Runtime="python3.99"), "Runtime", "is none of nodejs"),
    ("lambda", "CreateFunction", _function(Role="me"), "Role", "'me' does not match arn:"),
    ("lambda", "CreateFunction", _function(MemorySize=64), "MemorySize", "at least 128, got 64"),
    ("cloudwatch", "PutMetricAlarm",
     {"AlarmName": "a", "EvaluationPeriods": 1, "ComparisonOperator": "GreaterThan"},
     "ComparisonOperator", "did you mean GreaterThanThreshold?"),
    ("application-autoscaling", "RegisterScalableTarget",
     {"ServiceNamespace": "sagemaker", "ResourceId": "endpoint/e/variant/A",
      "ScalableDimension": "sagemaker:variant:DesiredInstances"},
     "ScalableDimension", "did you mean sagemaker:variant:DesiredInstanceCount?"),
    ("iam", "CreateRole", {"RoleName": "émile", "AssumeRolePolicyDocument": "{}"},
     "RoleName", "'émile' does not match"),
]  # fmt: skip

RIGHT: list[tuple[str, str, dict[str, Any]]] = [
    ("sagemaker", "CreateModel",
     {"ModelName": "flights-1", "ExecutionRoleArn": ROLE,
      "PrimaryContainer": {"Image": IMAGE, "ModelDataUrl": "s3://models/flights/model.tar.gz",
                           "Mode": "SingleModel", "Environment": {"MLREF_THREADS": "1"}},
      "VpcConfig": {"SecurityGroupIds": ["sg-1"], "Subnets": ["subnet-1"]},
      "Tags": [{"Key": "mlref:session", "Value": "x"}]}),
    ("sagemaker", "CreateModel",
     {"ModelName": "m", "Containers": [{"ModelPackageName": "flights"}, {"Image": IMAGE}],
      "InferenceExecutionConfig": {"Mode": "Serial"}}),
    ("sagemaker", "CreateEndpointConfig",
     {**_config(InitialVariantWeight=0.9, ContainerStartupHealthCheckTimeoutInSeconds=60),
      "ShadowProductionVariants": [{**VARIANT, "VariantName": "B"}],
      "DataCaptureConfig": {
          "EnableCapture": True, "InitialSamplingPercentage": 100, "DestinationS3Uri": "s3://b/c",
          "CaptureOptions": [{"CaptureMode": "Input"}, {"CaptureMode": "Output"}],
          "CaptureContentTypeHeader": {"CsvContentTypes": ["text/csv"]}},
      "AsyncInferenceConfig": {
          "OutputConfig": {"S3OutputPath": "s3://b/out",
                           "NotificationConfig": {
                               "SuccessTopic": "arn:aws:sns:us-east-1:123456789012:done"}},
          "ClientConfig": {"MaxConcurrentInvocationsPerInstance": 4}}}),
    ("sagemaker", "CreateEndpointConfig", _serverless(MemorySizeInMB=2048, MaxConcurrency=200)),
    ("sagemaker", "CreateEndpoint",
     {"EndpointName": "e", "EndpointConfigName": "c",
      "DeploymentConfig": {
          "BlueGreenUpdatePolicy": {
              "TrafficRoutingConfiguration": {
                  "Type": "CANARY", "WaitIntervalInSeconds": 300,
                  "CanarySize": {"Type": "CAPACITY_PERCENT", "Value": 10}}},
          "AutoRollbackConfiguration": {"Alarms": [{"AlarmName": "errors"}]}}}),
    ("sagemaker", "UpdateEndpoint",
     {"EndpointName": "e", "EndpointConfigName": "c2", "RetainAllVariantProperties": True}),
    ("sagemaker", "UpdateEndpointWeightsAndCapacities",
     {"EndpointName": "e",
      "DesiredWeightsAndCapacities": [{"VariantName": "A", "DesiredWeight": 0.5}]}),
    ("sagemaker", "ListEndpoints",
     {"SortBy": "CreationTime", "CreationTimeAfter": dt.datetime(2026, 1, 1, tzinfo=dt.UTC)}),
    ("sagemaker", "CreateInferenceComponent",
     {"InferenceComponentName": "ic", "EndpointName": "e", "VariantName": "A",
      "RuntimeConfig": {"CopyCount": 1},
      "Specification": {"ModelName": "m", "ComputeResourceRequirements": {
          "NumberOfCpuCoresRequired": 0.5, "MinMemoryRequiredInMb": 256}}}),
    ("sagemaker", "CreateModelPackageGroup", {"ModelPackageGroupName": "flights"}),
    ("sagemaker", "CreateModelPackage",
     {"ModelPackageGroupName": "flights", "ModelApprovalStatus": "PendingManualApproval",
      "CustomerMetadataProperties": {"auc": "0.7"},
      "InferenceSpecification": {
          "Containers": [{"Image": IMAGE, "ModelDataUrl": "s3://m/model.tar.gz"}],
          "SupportedContentTypes": ["application/json"],
          "SupportedResponseMIMETypes": ["application/json"]}}),
    ("sagemaker", "UpdateModelPackage",
     {"ModelPackageArn": "arn:aws:sagemaker:us-east-1:123456789012:model-package/flights/1",
      "ModelApprovalStatus": "Approved"}),
    ("sagemaker", "CreateTransformJob",
     {"TransformJobName": "t", "ModelName": "m", "BatchStrategy": "MultiRecord",
      "MaxPayloadInMB": 6, "MaxConcurrentTransforms": 2,
      "TransformInput": {
          "DataSource": {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": "s3://b/in"}},
          "ContentType": "text/csv", "SplitType": "Line"},
      "TransformOutput": {"S3OutputPath": "s3://b/out", "AssembleWith": "Line"},
      "TransformResources": {"InstanceType": "ml.m5.large", "InstanceCount": 1},
      "DataProcessing": {
          "InputFilter": "$[1:]", "JoinSource": "Input", "OutputFilter": "$[0,-1]"}}),
    ("sagemaker", "CreateTrainingJob",
     {"TrainingJobName": "t", "RoleArn": ROLE, "HyperParameters": {"depth": "3"},
      "AlgorithmSpecification": {"TrainingImage": IMAGE, "TrainingInputMode": "File"},
      "InputDataConfig": [{"ChannelName": "train", "DataSource": {
          "S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": "s3://b/train"}}}],
      "OutputDataConfig": {"S3OutputPath": "s3://b/models"},
      "ResourceConfig": {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 1},
      "StoppingCondition": {"MaxRuntimeInSeconds": 3600}}),
    ("sagemaker", "CreateProcessingJob",
     {"ProcessingJobName": "p", "RoleArn": ROLE,
      "AppSpecification": {"ImageUri": IMAGE, "ContainerEntrypoint": ["python3", "run.py"]},
      "ProcessingInputs": [{"InputName": "i", "S3Input": {
          "S3Uri": "s3://b/in", "LocalPath": "/opt/ml/processing/input", "S3DataType": "S3Prefix",
          "S3InputMode": "File"}}],
      "ProcessingResources": {"ClusterConfig": {
          "InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 1}}}),
    ("sagemaker", "CreateMonitoringSchedule",
     {"MonitoringScheduleName": "s", "MonitoringScheduleConfig": {
         "ScheduleConfig": {"ScheduleExpression": "cron(0 * ? * * *)"},
         "MonitoringJobDefinitionName": "d", "MonitoringType": "DataQuality"}}),
    ("sagemaker-runtime", "InvokeEndpoint",
     {"EndpointName": "e", "Body": b'{"instances": []}', "ContentType": "application/json",
      "TargetVariant": "A", "InferenceId": "flight-1", "CustomAttributes": "trace=1"}),
    ("sagemaker-runtime", "InvokeEndpoint", {"EndpointName": "e", "Body": io.BytesIO(b"1,2")}),
    ("sagemaker-runtime", "InvokeEndpointAsync",
     {"EndpointName": "e", "InputLocation": "s3://b/in.json", "InvocationTimeoutSeconds": 3600}),
    ("application-autoscaling", "PutScalingPolicy",
     {"PolicyName": "p", "ServiceNamespace": "sagemaker", "ResourceId": "endpoint/e/variant/A",
      "ScalableDimension": "sagemaker:variant:DesiredInstanceCount",
      "PolicyType": "TargetTrackingScaling",
      "TargetTrackingScalingPolicyConfiguration": {
          "TargetValue": 70.0, "ScaleInCooldown": 300, "PredefinedMetricSpecification": {
              "PredefinedMetricType": "SageMakerVariantInvocationsPerInstance"}}}),
    ("cloudwatch", "PutMetricAlarm",
     {"AlarmName": "slow", "Namespace": "AWS/SageMaker", "MetricName": "ModelLatency",
      "ExtendedStatistic": "p95", "Period": 60, "EvaluationPeriods": 3, "Threshold": 1e5,
      "Dimensions": [{"Name": "EndpointName", "Value": "e"}],
      "ComparisonOperator": "GreaterThanThreshold", "TreatMissingData": "notBreaching"}),
    ("cloudwatch", "GetMetricData",
     {"MetricDataQueries": [{"Id": "p95", "MetricStat": {
         "Metric": {"Namespace": "AWS/SageMaker", "MetricName": "ModelLatency"},
         "Period": 60, "Stat": "p95"}}],
      "StartTime": "2026-01-01T00:00:00Z", "EndTime": 1_767_312_000}),
    ("s3", "PutObject", {"Bucket": "b", "Key": "k", "Body": io.BytesIO(b""), "Tagging": "a=b"}),
    ("kms", "Encrypt", {"KeyId": "alias/mlref", "Plaintext": b"secret"}),
    ("sns", "CreateTopic", {"Name": "done", "Tags": [{"Key": "a", "Value": "é"}]}),
    ("sqs", "CreateQueue", {"QueueName": "q", "tags": {"a": "b"}}),
    ("logs", "CreateLogGroup", {"logGroupName": "/aws/sagemaker/Endpoints/e"}),
    ("lambda", "CreateFunction", _function(MemorySize=1769, Timeout=30)),
]  # fmt: skip
