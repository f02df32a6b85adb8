# answer: deploy
# rejected: without the version 1-4-0
model = {
    "ModelName": "flights-model",
    "ExecutionRoleArn": ROLE,
    "PrimaryContainer": {"Image": IMAGE, "ModelDataUrl": MODEL_DATA},
}
config = {
    "EndpointConfigName": "flights-model",
    "ProductionVariants": [
        {
            "VariantName": "main",
            "ModelName": "flights-model",
            "InstanceType": "ml.m5.large",
            "InitialInstanceCount": 2,
        }
    ],
    "DataCaptureConfig": {
        "EnableCapture": True,
        "InitialSamplingPercentage": 100,
        "DestinationS3Uri": "s3://flights-captures/live",
        "CaptureOptions": [{"CaptureMode": "Input"}, {"CaptureMode": "Output"}],
        "CaptureContentTypeHeader": {
            "CsvContentTypes": ["text/csv"],
            "JsonContentTypes": ["application/json"],
        },
    },
}
endpoint = {"EndpointName": "flights", "EndpointConfigName": "flights-model"}
