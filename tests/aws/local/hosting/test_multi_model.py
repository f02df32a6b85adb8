"""Multi-model endpoints on the running local AWS: loaded when asked for, unloaded for others."""

from __future__ import annotations

import asyncio
import io
import json
import tarfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from botocore.exceptions import ClientError
from support.aws import world
from support.plant import FakeWorker, Launches
from support.waiting import until

from mlref.artifact import Artifact
from mlref.aws.local.hosting.fleet import Fleet
from mlref.aws.local.hosting.forwarding import Reply
from mlref.aws.local.hosting.meter import Meter
from mlref.aws.local.hosting.multi_model import TARGET_MODEL, Lease, MultiModel, Place

JSON = "application/json"
CSV_ROWS = b"red,3,0.5\r\nblue,4,\r\n"
GOLDEN = b"3.5\n8.0\n"  # red 1 x 3 + 0.5; blue 2 x 4, nothing on top


def _archive(folder: Path) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        archive.add(folder, arcname=".")
    return buffer.getvalue()


class Zoo:
    """A multi-model endpoint and its models."""

    def __init__(self, account: Any, endpoint_of: Callable[..., str]) -> None:
        self.account = account
        self.prefix = account.name("zoo")
        self._endpoint_of = endpoint_of
        self.endpoint = ""

    def put(self, target: str, content: bytes) -> None:
        """An object below the prefix."""
        key = f"{self.prefix}/{target}"
        self.account.s3.put_object(Bucket=self.account.bucket, Key=key, Body=content)

    def serve(self, *, variants: Any = None, capture: Any = None, **container: Any) -> None:
        """Create the endpoint."""
        uri = f"s3://{self.account.bucket}/{self.prefix}/"
        model = self.account.model_at(uri, Mode="MultiModel", **container)
        more = {} if capture is None else {"DataCaptureConfig": capture}
        self.endpoint = self._endpoint_of(self.account.config(model, variants=variants, **more))

    def ask(self, target: str | None, body: Any = CSV_ROWS, kind: str = "text/csv") -> bytes:
        """A model's answer."""
        named = {} if target is None else {"TargetModel": target}
        reply = self.account.sagemaker_runtime.invoke_endpoint(
            EndpointName=self.endpoint, ContentType=kind, Body=body, **named
        )
        return bytes(reply["Body"].read())

    def refused(self, target: str | None, **request: Any) -> Any:
        """What the client is told instead."""
        with pytest.raises(ClientError) as caught:
            self.ask(target, **request)
        return caught.value.response

    def metric(self, name: str, namespace: str = "AWS/SageMaker") -> Any:
        """All observations of a metric, as statistics."""
        now = self.account.now()
        (found,) = self.account.cloudwatch.get_metric_statistics(
            Namespace=namespace,
            MetricName=name,
            Dimensions=[
                {"Name": "EndpointName", "Value": self.endpoint},
                {"Name": "VariantName", "Value": "A"},
            ],
            StartTime=now - timedelta(hours=5),
            EndTime=now + timedelta(hours=1),
            Period=6 * 3600,
            Statistics=["Sum", "SampleCount", "Maximum"],
        )["Datapoints"] or [None]
        return found


@pytest.fixture
def zoo(account: Any, endpoint_of: Callable[..., str], colours: Artifact, diabetes: Any) -> Zoo:
    """Three models below a prefix; the endpoint is not there yet."""
    found = Zoo(account, endpoint_of)
    content = _archive(colours.folder)
    found.put("a.tar.gz", content)
    found.put("deep/b.tar.gz", content)
    found.put("diabetes.tar.gz", _archive(diabetes.artifact.folder))
    return found


def test_each_model_is_loaded_when_it_is_asked_for(zoo: Zoo, diabetes: Any) -> None:
    """Different models with different columns; the same one under two keys; hits are counted."""
    zoo.serve()
    golden = json.loads((diabetes.artifact.folder / "golden.json").read_text())
    body = json.dumps({"instances": golden["instances"]})
    for _ in range(2):
        assert zoo.ask("a.tar.gz") == GOLDEN
        assert zoo.ask("/deep/b.tar.gz") == GOLDEN
        found = json.loads(zoo.ask("diabetes.tar.gz", body, JSON))["predictions"]
        np.testing.assert_allclose(found, golden["predictions"], rtol=1e-5)
    hits = zoo.metric("ModelCacheHit")
    assert (hits["Sum"], hits["SampleCount"]) == (3, 6)
    for name in ("ModelLoadingTime", "ModelDownloadingTime", "ModelLoadingWaitTime"):
        told = zoo.metric(name)
        assert (told["SampleCount"], told["Unit"]) == (3, "Microseconds"), name
        assert told["Sum"] > 0
    assert zoo.metric("ModelUnloadingTime") is None
    assert zoo.metric("Invocations")["Sum"] == 6
    zoo.account.cloud.advance(60)
    count = zoo.metric("LoadedModelCount", "/aws/sagemaker/Endpoints")
    assert count["Maximum"] == 3


def test_the_model_that_rested_longest_makes_room(zoo: Zoo) -> None:
    """With room for two, the third one takes the place of the one used least recently."""
    zoo.put("c.tar.gz", _archive_of(zoo, "a.tar.gz"))
    zoo.serve(Environment={"MLREF_MAX_MODELS": "2"})
    for target in ("a.tar.gz", "deep/b.tar.gz", "a.tar.gz", "c.tar.gz"):
        assert zoo.ask(target) == GOLDEN  # c is there, and b is not
    assert zoo.metric("ModelUnloadingTime")["SampleCount"] == 1
    before = zoo.metric("ModelCacheHit")["Sum"]
    for target in ("a.tar.gz", "c.tar.gz"):
        zoo.ask(target)
    assert zoo.metric("ModelCacheHit")["Sum"] == before + 2
    assert zoo.ask("deep/b.tar.gz") == GOLDEN
    assert zoo.metric("ModelCacheHit")["Sum"] == before + 2


def _archive_of(zoo: Zoo, target: str) -> bytes:
    key = f"{zoo.prefix}/{target}"
    return bytes(zoo.account.s3.get_object(Bucket=zoo.account.bucket, Key=key)["Body"].read())


def test_of_first_calls_at_the_same_time_one_loads(zoo: Zoo) -> None:
    """All are answered, also with several instances; the model was loaded once."""
    zoo.serve(variants={"A": {"InitialInstanceCount": 2}})
    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(zoo.ask, ["a.tar.gz"] * 8)) == {GOLDEN}
    assert zoo.metric("ModelLoadingTime")["SampleCount"] == 1
    assert zoo.metric("ModelDownloadingTime")["SampleCount"] == 1


def test_many_callers_of_more_models_than_fit_are_all_answered(zoo: Zoo) -> None:
    """Models are unloaded and loaded under load, and nobody is refused."""
    zoo.serve(Environment={"MLREF_MAX_MODELS": "1"})
    with ThreadPoolExecutor(6) as pool:
        answers = pool.map(zoo.ask, ["a.tar.gz", "deep/b.tar.gz"] * 20)
        assert set(answers) == {GOLDEN}
    assert zoo.metric("ModelUnloadingTime")["SampleCount"] >= 1


def test_a_new_object_is_used_only_after_the_old_model_was_unloaded(
    zoo: Zoo, diabetes: Any
) -> None:
    """The loaded one stays what it is; hence AWS's advice to give new models new keys."""
    zoo.serve(Environment={"MLREF_MAX_MODELS": "1"})
    assert zoo.ask("a.tar.gz") == GOLDEN
    zoo.put("a.tar.gz", _archive(diabetes.artifact.folder))
    assert zoo.ask("a.tar.gz") == GOLDEN
    assert zoo.ask("deep/b.tar.gz") == GOLDEN
    assert zoo.refused("a.tar.gz")["Error"]["Code"] == "ModelError"  # it has other columns now


def test_without_caching_a_model_is_unloaded_when_it_has_answered(zoo: Zoo) -> None:
    """MultiModelConfig: the next call of the same model loads it again."""
    zoo.serve(MultiModelConfig={"ModelCacheSetting": "Disabled"})
    assert zoo.ask("a.tar.gz") == GOLDEN
    until(lambda: zoo.metric("ModelUnloadingTime"))
    assert zoo.ask("a.tar.gz") == GOLDEN
    assert zoo.metric("ModelCacheHit")["Sum"] == 0


def test_a_request_must_name_a_model(zoo: Zoo) -> None:
    """In SageMaker's words: none, one that is not there, a prefix, and no archive."""
    zoo.put("text.tar.gz", b"no archive")
    zoo.serve()
    for target, words in (
        (None, "is missing a target model header"),
        ("none.tar.gz", "Failed to download model data"),
        ("deep/", "Failed to download model data"),
        ("text.tar.gz", "valid tar.gz archive"),
    ):
        refused = zoo.refused(target)
        assert refused["Error"]["Code"] == "ValidationError", target
        assert words in refused["Error"]["Message"]
    zoo.put("none.tar.gz", _archive_of(zoo, "a.tar.gz"))
    assert zoo.ask("none.tar.gz") == GOLDEN  # once it is there


def test_what_the_container_refuses_is_a_model_error(zoo: Zoo, tmp_path: Path) -> None:
    """An archive without an artefact is refused by the container, and so are wrong rows."""
    (tmp_path / "x").write_text("y")
    zoo.put("empty.tar.gz", _archive(tmp_path))
    zoo.serve()
    refused = zoo.refused("empty.tar.gz")
    assert (refused["Error"]["Code"], refused["OriginalStatusCode"]) == ("ModelError", 400)
    refused = zoo.refused("a.tar.gz", body=b"mauve,x\n")
    assert (refused["Error"]["Code"], refused["OriginalStatusCode"]) == ("ModelError", 422)


def test_a_dead_worker_is_replaced_and_loads_again(zoo: Zoo) -> None:
    """The new one has nothing, and gets what is asked for."""
    import psutil

    process = psutil.Process(zoo.account.cloud.pid)
    before = {each.pid for each in process.children(recursive=True)}
    zoo.serve()
    assert zoo.ask("a.tar.gz") == GOLDEN
    (worker,) = (c for c in process.children(recursive=True) if c.pid not in before)
    worker.kill()

    def answered() -> bytes:
        try:
            return zoo.ask("a.tar.gz")
        except ClientError:
            return b""

    assert until(answered) == GOLDEN
    assert zoo.metric("ModelLoadingTime")["SampleCount"] == 2


def test_exchanges_are_captured(zoo: Zoo) -> None:
    """As of any other endpoint."""
    zoo.serve(
        capture={
            "EnableCapture": True,
            "InitialSamplingPercentage": 100,
            "DestinationS3Uri": f"s3://{zoo.account.bucket}/captured",
            "CaptureOptions": [{"CaptureMode": "Input"}, {"CaptureMode": "Output"}],
            "CaptureContentTypeHeader": {"CsvContentTypes": ["text/csv"]},
        }
    )
    zoo.ask("a.tar.gz")
    s3, bucket = zoo.account.s3, zoo.account.bucket

    def listed() -> Any:
        return s3.list_objects_v2(Bucket=bucket, Prefix=f"captured/{zoo.endpoint}/A/").get(
            "Contents"
        )

    (each,) = until(listed)
    line = json.loads(s3.get_object(Bucket=bucket, Key=each["Key"])["Body"].read())
    assert line["captureData"]["endpointOutput"]["data"] == GOLDEN.decode()


def test_other_endpoints_take_no_target_model(
    account: Any, diabetes: Any, endpoint_of: Callable[..., str]
) -> None:
    """In SageMaker's words."""
    name = endpoint_of(account.config(account.model(diabetes.artifact)))
    text = "is not a multi-model endpoint and does not support target model header"
    with pytest.raises(ClientError, match=text) as caught:
        account.sagemaker_runtime.invoke_endpoint(
            EndpointName=name, Body=b"{}", ContentType=JSON, TargetModel="a.tar.gz"
        )
    assert caught.value.response["Error"]["Code"] == "ValidationError"


def test_only_plain_endpoints_have_many_models(account: Any) -> None:
    """Neither serverless nor asynchronous ones; and a container needs the models' prefix."""
    model = account.model_at(f"s3://{account.bucket}/zoo/", Mode="MultiModel")
    output = {"OutputConfig": {"S3OutputPath": "s3://models/out"}}
    with pytest.raises(ClientError, match="neither serverless nor asynchronous"):
        account.config(model, AsyncInferenceConfig=output)
    serverless = {"MemorySizeInMB": 2048, "MaxConcurrency": 1}
    with pytest.raises(ClientError, match="neither serverless nor asynchronous"):
        account.sagemaker.create_endpoint_config(
            EndpointConfigName="many",
            ProductionVariants=[
                {"VariantName": "A", "ModelName": model, "ServerlessConfig": serverless}
            ],
        )
    with pytest.raises(ClientError, match="needs ModelDataUrl"):
        account.sagemaker.create_model(
            ModelName="many",
            ExecutionRoleArn="arn:aws:iam::123456789012:role/sagemaker",
            PrimaryContainer={"Image": "x", "Mode": "MultiModel"},
        )


def test_many_models_do_not_stream(zoo: Zoo) -> None:
    """InvokeEndpointWithResponseStream has no TargetModel."""
    zoo.serve()
    with pytest.raises(ClientError, match="cannot stream"):
        zoo.account.sagemaker_runtime.invoke_endpoint_with_response_stream(
            EndpointName=zoo.endpoint, Body=CSV_ROWS
        )


class OneEach:
    """A forwarder to workers that have room for one model each; one with a model is full."""

    def __init__(self) -> None:
        self.loaded: dict[int, str] = {}
        self.full = asyncio.Event()

    async def send(
        self, slot: Any, path: str, headers: Any, body: bytes, *, timeout_s: float, method: str = ""
    ) -> Reply:
        """See `Forwarder.send`."""
        del path, body, timeout_s
        if method == "DELETE":
            self.loaded.pop(slot.port)
        elif slot.port in self.loaded:
            self.full.set()
            return Reply(507, "", b"")
        else:
            self.loaded[slot.port] = headers[TARGET_MODEL]
        return Reply(200, "", b"")


def test_who_waits_for_room_on_a_worker_that_is_let_go_is_answered(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """As soon as another model is free, also if others have asked meanwhile."""
    monkeypatch.setattr(FakeWorker, "seen", lambda _, folder: str(folder), raising=False)
    metrics: Any = world().metrics
    models = MultiModel("e", "A", "s3://b/zoo", Path, Meter(metrics, "e", "A"))
    fleet = Fleet("e/A", Launches(), 0)
    fleet.resize(2)
    stays, goes = fleet.slots

    async def answered() -> None:
        forwarder: Any = OneEach()

        def place(target: str) -> Place:
            return Place(models, fleet, target, forwarder, lost=lambda: None, timeout_s=10)

        stays.in_flight = 50
        first = await place("a").take()
        assert isinstance(first, Lease)
        assert first.slot is goes
        waiting = asyncio.create_task(place("b").take())
        await asyncio.wait_for(forwarder.full.wait(), 10)
        fleet._out([goes])
        await place("c").take()
        place("a").give(first)
        second = await asyncio.wait_for(waiting, 10)
        assert forwarder.loaded == {goes.port: "b", stays.port: "c"}
        models.measure(metrics)
        place("b").give(second)
        assert goes not in models._shelves

    asyncio.run(answered())
    (count,) = metrics.of("LoadedModelCount")
    assert count["values"] == {1.0: 1}  # of the worker that stays
