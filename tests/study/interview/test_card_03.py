"""What card 03 hears: in other words than its own, and not in their opposite."""

from __future__ import annotations

from support.hearing import HearsWhatIsMeant, Words

SAID = {
    "three_objects": [
        "You create a model, then an endpoint config, then the endpoint.",
        "UpdateEndpoint points it at another configuration.",
        "To release, I give the endpoint a new configuration and its name stays the same.",
        "CreateModel, CreateEndpointConfig, CreateEndpoint.",
    ],
    "container_contract": [
        "The container answers /ping and /invocations.",
        "It listens on port 8080 and the weights are under /opt/ml/model.",
        "I bring my own container; it only has to fulfil the HTTP contract.",
        "A health check at GET /ping, and predictions are posted to /invocations.",
    ],
    "registry_gate": [
        "Nothing is deployed unless its model package is approved.",
        "Register the version; somebody else signs off in the registry.",
        "The pipeline deploys only what was approved.",
        "New versions are PendingManualApproval at first.",
    ],
    "least_privilege_role": [
        "The role can read only that bucket.",
        "Least privilege for the execution role.",
        "An IAM policy with one prefix instead of s3:*.",
        "Take the narrowest permissions that work.",
    ],
    "checked_requests": [
        "Requests are validated locally against botocore's service model.",
        "I check each request before it goes out to AWS.",
        "A wrong ARN is found before anything is sent.",
    ],
    "variants_share": [
        "Two production variants split the traffic.",
        "With weights of 9 and 1 between the variants I run an A/B test.",
        "TargetVariant asks one of them on purpose.",
        "We keep two versions behind one endpoint.",
    ],
    "canary_first": [
        "Roll it out as a canary.",
        "Ten percent of the traffic goes to the new version first.",
        "Linear traffic shifting over half an hour.",
        "The new version gets a small share of the requests.",
    ],
    "guarded_update": [
        "If the alarm fires, the deployment is rolled back automatically.",
        "Auto-rollback on CloudWatch alarms.",
        "An alarm takes the traffic back without a person.",
        "Alarms only see errors and latency.",
    ],
    "capture_monitor": [
        "Turn on data capture.",
        "Log the inputs and the predictions to S3.",
        "A monitor compares every hour with the baseline.",
        "Capture the requests to be able to see drift.",
    ],
    "scaling_lags": [
        "Target tracking on invocations per instance.",
        "Scaling out takes minutes, so keep two instances.",
        "The spike is over before new machines are there.",
        "Autoscaling lags behind the load.",
    ],
    "four_ways": [
        "Real-time, serverless, async or batch transform, depending on the traffic.",
        "Batch transform for the nightly rows, asynchronous for videos.",
        "Serverless for rare calls and batch for files.",
    ],
    "serverless_limits": [
        "Serverless has cold starts.",
        "There is no GPU: serverless endpoints have no GPUs.",
        "Above forty requests per second the instance is cheaper.",
        "Serverless pays off when traffic is sparse, not when it is steady.",
    ],
    "idle_costs": [
        "An endpoint is billed even if nobody calls it.",
        "You pay for the instance whether it gets requests or not.",
        "You forget the endpoint, and the bill comes.",
        "It costs money every hour until you delete it.",
        "Unused endpoints still cost money.",
    ],
    "bill_ends": [
        "Tag everything with an owner and an expiry.",
        "A sweeper deletes whatever has expired.",
        "The deletion is in a finally block.",
        "A cleanup job removes resources by tag.",
    ],
}

DENIED = {
    "canary_first": "You do not need a canary deployment.",
    "capture_monitor": "Data capture is unnecessary.",
    "registry_gate": "There is no need for manual approval.",
    "scaling_lags": "Target tracking is overkill.",
    "least_privilege_role": "You don't need to bother with least privilege.",
}

FLAGGED = {
    "idle_is_free": [
        "An idle endpoint is free.",
        "The endpoint only costs money when it is called.",
        "An endpoint without traffic costs nothing.",
        "An endpoint with no requests doesn't cost anything.",
        "It costs only when requests come in.",
    ],
    "serverless_is_cheaper": [
        "Serverless is always cheaper.",
        "Serverless inference is the cheapest option.",
        "We put everything on serverless to save money.",
    ],
    "alarms_see_quality": [
        "The alarm fires when the accuracy drops.",
        "CloudWatch notices when the predictions get worse.",
        "If the quality degrades, the alarm rolls it back.",
    ],
    "full_access_role": [
        "I attach AmazonSageMakerFullAccess so that everything works.",
        "The role has admin rights.",
        "In the policy I just use a wildcard: the permissions use * for everything.",
    ],
    "scales_at_once": [
        "Autoscaling adds machines instantly.",
        "Spikes are no problem with autoscaling.",
        "New instances are there right away.",
    ],
    "delete_and_recreate": [
        "To update I delete the endpoint and create it again.",
        "We tear down the endpoint and redeploy.",
        "Delete and recreate it under the same name.",
    ],
}

REJECTED = [
    "An idle endpoint is not free.",
    "It is a myth that an endpoint without traffic costs nothing.",
    "A serverless endpoint only costs money when it is called.",
    "Serverless is not always cheaper.",
    "Serverless is simply cheaper for rare requests.",
    "The alarm does not notice when the accuracy drops.",
    "It's a misconception that alarms see the quality of predictions.",
    "Never give the role full access.",
    "Full access is a bad idea because the container could read everything.",
    "Autoscaling does not react instantly.",
    "You must not delete the endpoint and create it again.",
    "Instead of deleting the endpoint and creating it anew I update it.",
]

WHOLE = {
    "experienced": (
        """The artefact of the training job is registered with its metrics, and the pipeline
        deploys only what somebody approved. A model is image, archive and role; the endpoint
        config names instances; the endpoint keeps its name across updates. Our image answers
        /ping and /invocations. The role can read one prefix, no wildcards. Requests are checked
        against botocore's model before they go out. Variants with weights for an A/B test. A
        release starts as a canary on ten percent, and CloudWatch alarms roll it back. Since an
        alarm knows nothing about quality, data capture is on and a monitor uses a baseline.
        Target tracking, with a minimum of two. Real-time for us, serverless for demos with
        their cold starts, async for documents, batch transform at night. An endpoint is billed
        whether it is called or not, so each has a tag with an expiry, and a sweeper deletes it.""",
        set(SAID),
        set(),
    ),
    "textbook": (
        """SageMaker is a managed service for machine learning. I train in a notebook, deploy the
        estimator, and call predict on the returned object. It is integrated with other AWS
        services, and there are dashboards in CloudWatch.""",
        set(),
        set(),
    ),
    "wrong": (
        """I attach AmazonSageMakerFullAccess so it works. Serverless is always cheaper. Otherwise
        an idle endpoint is free anyway. Autoscaling reacts instantly. The alarms detect when
        predictions get worse. For a new version I delete the endpoint and deploy again.""",
        set(),
        set(FLAGGED),
    ),
    "beside the point": (
        """The canary is a small bird, and a model of our house stands in the hall. We share the
        costs of the office, tag our luggage, and approve holidays in the registry office. The
        spikes on the fence were painted, and the alarm clock rings at six.""",
        set(),
        set(),
    ),
}  # fmt: skip
"""Whole answers, labelled by reading them: the points they make, the red flags they raise."""


class TestCard03(HearsWhatIsMeant):
    """Each of the words above, tried on the card."""

    words = Words(
        card="03", said=SAID, denied=DENIED, flagged=FLAGGED, rejected=REJECTED, whole=WHOLE
    )
