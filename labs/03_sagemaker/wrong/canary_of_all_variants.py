# answer: canary
# rejected: has the dimensions
errors = {
    "AlarmName": "flights-errors",
    "Namespace": "AWS/SageMaker",
    "MetricName": "Invocation5XXErrors",
    "Dimensions": [
        {"Name": "EndpointName", "Value": "flights"},
    ],
    "Statistic": "Average",
    "Threshold": 0.01,
    "TreatMissingData": "notBreaching",
    **EACH_MINUTE,
}
latency = {
    "AlarmName": "flights-latency",
    "Namespace": "AWS/SageMaker",
    "MetricName": "ModelLatency",
    "Dimensions": errors["Dimensions"],
    "ExtendedStatistic": "p95",
    "Threshold": 200_000,
    "TreatMissingData": "notBreaching",
    **EACH_MINUTE,
}
deployment = {
    "BlueGreenUpdatePolicy": {
        "TrafficRoutingConfiguration": {
            "Type": "CANARY",
            "CanarySize": {"Type": "INSTANCE_COUNT", "Value": 1},
            "WaitIntervalInSeconds": 600,
        },
        "TerminationWaitInSeconds": 300,
    },
    "AutoRollbackConfiguration": {
        "Alarms": [{"AlarmName": "flights-errors"}, {"AlarmName": "flights-latency"}]
    },
}
