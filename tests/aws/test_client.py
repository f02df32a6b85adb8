"""Sessions: where their requests go, what they carry, and what is refused before any."""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.awsrequest import AWSResponse
from botocore.config import Config

from mlref.aws.client import Session, session
from mlref.aws.local.cloud import Cloud
from mlref.cost import Estimate, PriceBook
from mlref.errors import CloudError, SpendingRefusedError, StrictError
from mlref.runtime.clock import ManualClock

URL = "http://127.0.0.1:9"  # nobody listens there
NOW = datetime(2026, 1, 5, 12, 0, tzinfo=UTC)
ALLOWED = {"MLREF_ALLOW_AWS": "1"}


class _Sent:
    """What a session would send; it is answered with nothing."""

    def __init__(self, made: Any) -> None:
        self.requests: list[Any] = []
        made.events.register("before-send", self._answer)

    def _answer(self, request: Any, **_: object) -> AWSResponse:
        self.requests.append(request)
        return AWSResponse(request.url, 200, {}, _Nothing())

    @property
    def urls(self) -> list[str]:
        """Scheme and host of each."""
        return ["/".join(each.url.split("/")[:3]) for each in self.requests]


class _Nothing:
    """An empty body, as urllib3 has it."""

    def stream(self, *_: object, **__: object) -> list[bytes]:
        """Its pieces: none."""
        return []


def _local(**options: Any) -> tuple[Session, _Sent]:
    given = {"at": Cloud(URL), "environ": {}, **options}
    made = session("local", **given)
    return made, _Sent(made)


def _real(**options: Any) -> tuple[Session, _Sent]:
    price = PriceBook.load().find("sagemaker", "hosting ml.m5.large")
    given = {"estimate": Estimate().add("endpoint", price), "max_spend_usd": 1, "show": str}
    given |= {"environ": ALLOWED, "region": "eu-west-1"}
    made = session("aws", **{**given, **options})
    return made, _Sent(made)


@pytest.fixture
def credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of no real account."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "no-secret")
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)


def test_every_client_of_a_local_session_speaks_to_the_local_aws() -> None:
    """Of every service that there is, also through a resource; with made-up credentials."""
    made, sent = _local()
    made.client("sagemaker").list_models()
    made.client("kms").list_keys()
    made.client("s3").list_buckets()
    list(made.resource("s3").buckets.all())
    made.client("dynamodb", "us-east-1").list_tables()
    assert sent.urls == [URL] * 5
    assert "Credential=test/" in sent.requests[0].headers["Authorization"].decode()
    assert "/us-east-1/" in sent.requests[0].headers["Authorization"].decode()


def test_invocations_may_go_to_an_address_of_their_own() -> None:
    """Of AWS_ENDPOINT_URL_SAGEMAKER_RUNTIME; all other services stay where they are."""
    environ = {"AWS_ENDPOINT_URL": URL, "AWS_ENDPOINT_URL_SAGEMAKER_RUNTIME": "http://[::1]:8"}
    made, sent = _local(at=None, environ=environ)
    made.client("sagemaker-runtime").invoke_endpoint(EndpointName="e", Body=b"")
    made.client("sagemaker").list_models()
    assert sent.urls == ["http://[::1]:8", URL]
    assert made.local is not None
    assert made.local.url == URL
    made, sent = _local()
    made.client("sagemaker-runtime").invoke_endpoint(EndpointName="e", Body=b"")
    assert sent.urls == [URL]


def test_a_local_session_never_leaves_this_machine() -> None:
    """Neither by a variable that points elsewhere, nor by an endpoint that is passed."""
    with pytest.raises(CloudError, match=r"AWS_ENDPOINT_URL is https://x\.org; unset it"):
        session("local", environ={"AWS_ENDPOINT_URL": "https://x.org"})
    made, sent = _local()
    with pytest.raises(CloudError, match="loopback only, got https://sts"):
        made.client("sts", endpoint_url="https://sts.amazonaws.com")
    made.client("kms", endpoint_url="http://localhost:7").list_keys()
    assert sent.urls == ["http://localhost:7"]


def test_a_local_session_is_the_same_on_every_machine(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Profiles that are not there, endpoints in a file and proxies change nothing."""
    config = tmp_path / "config"
    config.write_text("[default]\nregion = eu-west-1\nendpoint_url = https://x.org\n")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(config))
    monkeypatch.setenv("AWS_PROFILE", "nobody")
    monkeypatch.setenv("HTTP_PROXY", "http://proxy.example:3128")
    made, sent = _local()
    client = made.client("kms")
    client.list_keys()
    assert sent.urls == [URL]
    assert client.meta.region_name == "us-east-1"
    assert client._endpoint.http_session._proxy_config.proxy_url_for(URL) is None


def test_settings_of_a_client_are_kept_and_completed() -> None:
    """Retries are the standard ones, unless somebody asks for others."""
    made, _ = _local()
    assert made.client("sts").meta.config.retries["mode"] == "standard"
    given = Config(read_timeout=3, retries={"mode": "adaptive"})
    config = made.client("s3", config=given).meta.config
    assert (config.read_timeout, config.retries["mode"]) == (3, "adaptive")
    assert config.s3["addressing_style"] == "path"


@pytest.mark.usefixtures("credentials")
def test_a_real_session_differs_in_endpoint_and_credentials_alone() -> None:
    """The same request is made by both: body and target; host and signature are of each its own."""
    bodies = []
    for made, sent in (
        _local(name="a", clock=ManualClock(NOW)),
        _real(name="a", clock=ManualClock(NOW)),
    ):
        made.client("sagemaker").create_model_package_group(ModelPackageGroupName="flights")
        request = sent.requests[0]
        bodies.append((request.headers["X-Amz-Target"], request.body))
        url = sent.urls[0]
    assert bodies[0] == bodies[1]
    assert b"2026-01-05T16:00:00Z" in bodies[0][1]
    assert url == "https://api.sagemaker.eu-west-1.amazonaws.com"
    assert made.local is None


@pytest.mark.parametrize("make", [_local, _real])
@pytest.mark.usefixtures("credentials")
def test_what_is_created_carries_session_and_expiry(make: Any) -> None:
    """Four hours after the clock's now, unless another time to live is asked for."""
    made, sent = make(name="lab", clock=ManualClock(NOW), expires_after=timedelta(hours=1))
    assert (made.name, made.expires) == ("lab", NOW + timedelta(hours=1))
    made.client("sagemaker").create_model_package_group(ModelPackageGroupName="flights")
    assert b'"mlref:session","Value":"lab"' in sent.requests[0].body.replace(b" ", b"")
    assert b"2026-01-05T13:00:00Z" in sent.requests[0].body


@pytest.mark.parametrize("make", [_local, _real])
@pytest.mark.usefixtures("credentials")
def test_requests_are_checked_before_they_are_sent(make: Any) -> None:
    """On both clouds; not where it is switched off."""
    made, sent = make()
    with pytest.raises(StrictError, match="'my model' does not match"):
        made.client("sagemaker").delete_model(ModelName="my model")
    assert sent.requests == []
    made, sent = make(strict=False)
    made.client("sagemaker").delete_model(ModelName="my model")
    assert len(sent.requests) == 1


def test_real_aws_is_refused_by_default() -> None:
    """Without the variable, and without a cap that covers what stands until it expires."""
    price = PriceBook.load().find("sagemaker", "hosting ml.m5.large")
    estimate = Estimate().add("endpoint", price).over(hours=1)  # 0.115 an hour
    with pytest.raises(SpendingRefusedError, match="set MLREF_ALLOW_AWS=1"):
        session("aws", estimate=estimate, max_spend_usd=100, environ={})
    with pytest.raises(SpendingRefusedError, match=r"0\.46 USD for 4 h, the cap 0\.2 USD"):
        session("aws", estimate=estimate, max_spend_usd=0.2, environ=ALLOWED)
    with pytest.raises(SpendingRefusedError, match="no estimate was given"):
        session("aws", environ=ALLOWED)


@pytest.mark.usefixtures("credentials")
def test_the_estimate_is_shown_before_real_aws_is_used() -> None:
    """Until everything expires; a longer estimate stays."""
    price = PriceBook.load().find("sagemaker", "hosting ml.m5.large")
    shown: list[str] = []
    estimate = Estimate().add("endpoint", price).over(hours=1)
    for hours in (1, 8):
        _real(estimate=estimate.over(hours), max_spend_usd=1, show=shown.append)
    assert "cap of 1.00 USD" in shown[0]
    assert "total for 4 h" in shown[0]
    assert "total for 8 h" in shown[1]


@pytest.mark.parametrize("make", [_local, _real])
@pytest.mark.usefixtures("credentials")
def test_a_session_does_what_was_estimated_and_no_more(make: Any) -> None:
    """On the local AWS, too: what is refused on a real account is found out where it is free."""
    made, sent = make(estimate=Estimate())
    with pytest.raises(SpendingRefusedError, match="CreateModelPackageGroup is refused"):
        made.client("sagemaker").create_model_package_group(ModelPackageGroupName="flights")
    assert sent.requests == []
    made.client("sagemaker").delete_model(ModelName="flights")
    assert len(sent.requests) == 1


def test_the_local_aws_needs_no_estimate() -> None:
    """It costs nothing, whatever is created."""
    made, sent = _local()
    made.client("sagemaker").create_model_package_group(ModelPackageGroupName="flights")
    assert len(sent.requests) == 1


def test_a_real_session_refuses_to_be_a_local_one() -> None:
    """A variable that was left set would send everything to the local AWS."""
    environ = {**ALLOWED, "AWS_ENDPOINT_URL_S3": "http://localhost:5000"}
    with pytest.raises(CloudError, match="AWS_ENDPOINT_URL_S3 is http://localhost:5000"):
        session("aws", estimate=Estimate(), environ=environ)


@pytest.mark.usefixtures("credentials")
def test_a_real_session_is_not_led_astray_by_a_file(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Also a profile can name the local AWS; a real account would seem to answer."""
    config = tmp_path / "config"
    config.write_text("[default]\nendpoint_url = http://127.0.0.1:9\n")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(config))
    made, _ = _real()
    with pytest.raises(CloudError, match=r"sagemaker of a real account is http://127\.0\.0\.1:9"):
        made.client("sagemaker")
    with pytest.raises(CloudError, match="s3 of a real account"):
        made.resource("s3")
    private = "https://vpce-1.sagemaker.example"
    assert made.client("sagemaker", endpoint_url=private).meta.endpoint_url == private


def test_what_is_no_cloud_is_refused() -> None:
    """The names are two; a time to live is above zero."""
    with pytest.raises(ValueError, match='cloud must be "local" or "aws", got \'azure\''):
        session("azure")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="expires_after must be above 0"):
        session(expires_after=timedelta(0))


def test_a_session_is_one_of_boto3() -> None:
    """Libraries that ask for a boto3 session take it."""
    made, _ = _local()
    assert isinstance(made, boto3.Session)
    assert made.name.startswith("mlref-")


def test_a_local_aws_is_started_where_there_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    """Once for all sessions of the process."""
    one = Cloud(URL)
    monkeypatch.setattr("mlref.aws.client.shared", lambda: one)
    assert session(environ={}).local is session(environ={}).local is one


def test_a_session_works_with_a_local_aws_that_runs(account: Any) -> None:
    """AWS_ENDPOINT_URL names it; what is created there is tagged."""
    made = session(environ={"AWS_ENDPOINT_URL": f"{account.cloud.url}/"}, name="lab")
    bucket = account.name("bucket")
    made.client("s3").create_bucket(Bucket=bucket)
    tags = account.s3.get_bucket_tagging(Bucket=bucket)["TagSet"]
    assert {"Key": "mlref:session", "Value": "lab"} in tags


def test_importing_mlref_aws_does_not_load_boto3() -> None:
    """The names are there; what they need is loaded on first use."""
    code = (
        "import sys, mlref.aws; from mlref.aws import session; assert 'session' in dir(mlref.aws)\n"
        "print([each for each in ('boto3', 'botocore', 'moto') if each in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_a_name_that_mlref_aws_has_not_is_told() -> None:
    """With the names that it has."""
    import mlref.aws

    with pytest.raises(AttributeError, match=r"mlref\.aws has no 'sesion'; it has .*session"):
        _ = mlref.aws.sesion
