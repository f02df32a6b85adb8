"""What card 01 hears: in other words than its own, and not in their opposite."""

from __future__ import annotations

from support.hearing import HearsWhatIsMeant, Words

SAID = {
    "schema_check": [
        "First I validate the raw data, types and ranges, before any training.",
        "Rows with impossible values are thrown out before the model learns from them.",
        "We run data quality checks with Great Expectations.",
    ],
    "later_data": [
        "Evaluate on months that come after the training period, using a time-based split.",
        "Do not split at random; hold out the newest weeks as the future data.",
        "I backtest the model.",
        "Train on January to March and test on later months.",
    ],
    "still_ranks": [
        "I look at the AUC month by month to see whether it holds up.",
        "Half a year later it still ranks late flights first.",
    ],
    "second_model": [
        "Champion and challenger go through the same steps.",
        "The pipeline must be framework-agnostic.",
        "I do not want to be locked in to one library like PyTorch.",
    ],
    "preprocessing_inside": [
        "Export the preprocessing together with the model as one ONNX graph.",
        "After the conversion I check that it gives the same predictions as the original.",
        "The file holds the model and the feature engineering, which avoids training-serving skew.",
        "Encoders and imputation have to live inside the exported graph.",
    ],
    "faster_row": [
        "ONNX Runtime is a lot faster for single predictions.",
        "scikit-learn is slow for one row because of DataFrame overhead.",
    ],
    "cold_load": [
        "The graph also starts faster in a new process.",
        "It has fewer dependencies, so cold starts are short.",
    ],
    "pickle_is_code": [
        "Unpickling a file can execute arbitrary code.",
        "Pickles are dangerous, since loading one runs whatever is inside.",
        "There is a security risk in joblib files.",
    ],
    "onnx_no_code": [
        "An ONNX file is only data and does not execute Python.",
        "A safer format, such as safetensors or ONNX, is used.",
    ],
    "reproducible": [
        "The build should be reproducible.",
        "Packing it again yields an identical hash.",
    ],
    "refuses_tampering": [
        "Each file has a SHA-256 in the manifest that is verified at load time.",
        "The loader checks the hash of every file and refuses corrupted ones.",
        "A modified artefact must not load.",
    ],
    "golden_rows": [
        "Before going live I send a few known requests to the endpoint and compare the outputs.",
        "A smoke test with recorded examples tells whether the deployed service answers alike.",
        "The server returns the same predictions as the notebook.",
    ],
    "bad_input_refused": [
        "The API validates every request and returns 422 if something is off.",
        "Malformed input is rejected with a clear error.",
        "It never guesses when a field has the wrong type.",
    ],
    "batching": [
        "Dynamic batching raises throughput.",
        "Concurrent requests are grouped and sent through the model in one pass.",
    ],
    "overload": [
        "When there is too much traffic it sheds load with 503 and Retry-After.",
        "Rate limiting and a bounded queue protect the service.",
    ],
    "drain": [
        "Rolling updates with graceful shutdown.",
        "On shutdown it finishes the in-flight requests.",
        "Nothing is dropped: the old pods drain first.",
    ],
    "watch_outcomes": [
        "Then I monitor predictions, drift and accuracy once labels arrive.",
        "Compare the mean prediction with what really happened each day.",
        "We track the distribution of the inputs and the outputs, and the calibration.",
    ],
    "no_leak": [
        "Only features that are available at prediction time may be used.",
        "Avoid leakage.",
        "Features must be point-in-time correct.",
    ],
    "rollback": [
        "Start with a canary and roll back if something goes wrong.",
        "I send five percent of the traffic to the new one and keep the previous version around.",
    ],
    "owner": [
        "Alerts go to the on-call engineer, with a runbook.",
        "Somebody has to own it.",
    ],
}  # fmt: skip

DENIED = {
    "schema_check": "You do not need to validate the training data.",
    "later_data": "There is no need to test on later data.",
    "refuses_tampering": "Checksums are unnecessary for a model.",
    "bad_input_refused": "Input validation is overkill, so we can skip checking the requests.",
    "watch_outcomes": "Monitoring the predictions is not necessary after that.",
    "rollback": "You never need a rollback.",
    "preprocessing_inside": "It doesn't matter whether preprocessing is in the model file.",
}

FLAGGED = {
    "random_split": [
        "I shuffle the rows and do an 80/20 split, then train_test_split gives the score.",
        "Hold out twenty percent of the rows at random and report accuracy.",
    ],
    "ship_the_pickle": [
        "Save the model with joblib and upload it.",
        "I would pickle it and put the pickle on the server.",
    ],
    "prepared_twice": [
        "The backend team reimplements the feature engineering in Java.",
        "Preprocessing is done by the client before it calls the API.",
    ],
    "guess_on_bad_input": [
        "For invalid values I just use a default value.",
        "The service should always return some prediction.",
    ],
    "status_200_is_proof": [
        "If the health check passes, that means the deployment is working.",
        "It returns 200, so everything is fine.",
    ],
    "done_when_deployed": [
        "Once it is live, we are done.",
        "We only monitor latency and CPU.",
    ],
    "queue_everything": [
        "I put an unbounded queue in front of it.",
        "All requests are queued until there is capacity.",
    ],
    "checksum_stops_attackers": ["The hash makes sure that no attacker can swap the file."],
    "onnx_is_safe": ["ONNX is completely safe, whoever made it."],
}

REJECTED = [
    "Never split at random when time matters.",
    "A random split would be a mistake here, as it flatters the model.",
    "I do not pickle the model, because a pickle runs code when it is loaded.",
    "It would be wrong to let the client prepare the features again.",
    "A green health check does not mean that the deployment works.",
    "Many people think that the work is done once the model is deployed.",
    "Instead of an unbounded queue I refuse what is beyond the limit.",
    "Do not assume that ONNX is completely safe.",
]

WHOLE = {
    "experienced": (
        """I'd start from the contract: which columns come in, their dtypes and allowed
        ranges, and I enforce that contract on the training set as well as at inference.
        Evaluation has to mimic production, so my holdout is the last few months, not a
        random sample. I look at how the metric decays over those months. Everything
        between the raw columns and the score goes into one exported object, typically
        ONNX, and I diff its output against the sklearn pipeline on a few thousand rows
        including nulls and unseen categories. I avoid pickle: deserialising it runs
        arbitrary Python and it ties you to exact library versions. The bundle gets a
        manifest with hashes, so a corrupted or swapped file fails at startup. Before the
        new instance takes traffic it must reproduce a handful of stored request/response
        pairs. The service replies 422 to anything that violates the schema rather than
        imputing silently. Under load it micro-batches, caps the queue and returns 503
        with Retry-After when saturated; on SIGTERM it stops accepting and finishes what's
        in flight. Rollout is canary, with one-click revert. Finally log predictions, join
        them with the ground truth when it arrives, and alert the owning team when the
        calibration is off.""",
        set(SAID)
        - {"second_model", "faster_row", "cold_load", "onnx_no_code", "reproducible", "no_leak"},
        set(),
    ),
    "textbook": (
        """First you'd train and validate the model, serialize it using pickle or joblib,
        wrap it in a Flask or FastAPI REST API, containerize it with Docker, push the
        image to ECR and deploy it on EC2, ECS or Kubernetes. Then set up a load balancer
        and autoscaling, a CI/CD pipeline, monitoring with CloudWatch or Prometheus, and
        retrain periodically. Security: IAM roles and HTTPS.""",
        set(),
        {"ship_the_pickle"},
    ),
    "wrong": (
        """Split the data 80/20 randomly and check the accuracy on the test set. If the
        accuracy is high, dump the model with joblib and upload it to the server. The web
        team rewrites the feature engineering in TypeScript so the browser can call the
        API. If a value is missing or wrong we substitute a default so that the user
        always gets a prediction. When the health check is green that means we're done.
        After deployment the model does not change, so its performance stays constant; we
        only monitor CPU and latency.""",
        set(),
        {"random_split", "ship_the_pickle", "prepared_twice", "guess_on_bad_input"}
        | {"status_200_is_proof", "done_when_deployed"},
    ),
    "denying": (
        """Data drift is not a concern as the model was tested. No schema is needed,
        pandas infers it. I wouldn't bother with checksums. Golden rows are optional.
        There's no need for graceful shutdown since clients retry. A random split is
        enough.""",
        set(),
        {"random_split"},
    ),
    "beside the point": (
        """We optimise inference time with load tests, since load balancing is faster than
        one big machine. Some requests fail, so the client sends them together with an API
        key. There was a memory leak, and the nightly batch inference job uses another
        cluster.""",
        set(),
        set(),
    ),
}  # fmt: skip
"""Whole answers, labelled by reading them: the points they make, the red flags they raise."""


class TestCard01(HearsWhatIsMeant):
    """Each of the words above, tried on the card."""

    words = Words(
        card="01", said=SAID, denied=DENIED, flagged=FLAGGED, rejected=REJECTED, whole=WHOLE
    )
