# answer: deploy
# rejected: not the folder that it lies in
model = {
    "ModelName": "flights-1-4-0",
    "ExecutionRoleArn": ROLE,
    "PrimaryContainer": {"Image": IMAGE, "ModelDataUrl": MODEL_DATA.removesuffix("model.tar.gz")},
}
config = {
    "EndpointConfigName": "flights-1-4-0",
    "ProductionVariants": [
        {
            "VariantName": "main",
            "ModelName": "flights-1-4-0",
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
endpoint = {"EndpointName": "flights", "EndpointConfigName": "flights-1-4-0"}
