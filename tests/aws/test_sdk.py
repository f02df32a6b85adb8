"""What is replaced in the SageMaker SDK: still needed, done only on this machine, taken back."""

from __future__ import annotations

import queue
import sys
import threading
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import boto3
import pytest
from botocore.awsrequest import AWSResponse

from mlref.aws.sdk import patch_sdk
from mlref.errors import MissingExtraError

LOCAL = "http://127.0.0.1:5999"
REAL_STS = "sts.us-east-1.amazonaws.com"
IDENTITY = (
    b'<GetCallerIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/">'
    b"<GetCallerIdentityResult><Arn>arn:aws:iam::111122223333:user/somebody</Arn>"
    b"<Account>111122223333</Account></GetCallerIdentityResult></GetCallerIdentityResponse>"
)


class _Raw:
    def stream(self, *_: object, **__: object) -> Iterator[bytes]:
        yield IDENTITY


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Credentials that nobody has, and the address of a local AWS."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", LOCAL)
    monkeypatch.delenv("AWS_ENDPOINT_URL_STS", raising=False)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")


@pytest.fixture
def asked() -> list[str]:
    """The hosts that the SDK's session asked who it is; no request leaves the process."""
    return []


@pytest.fixture
def session(asked: list[str]) -> Any:
    """A session of the SDK whose requests to STS are noted, and answered here."""
    from sagemaker.core.helper.session_helper import Session

    def answer(request: Any, **_: object) -> AWSResponse:
        asked.append(urlsplit(request.url).netloc)
        return AWSResponse(request.url, 200, {"content-type": "text/xml"}, _Raw())

    boto = boto3.Session(region_name="us-east-1")
    boto.events.register("before-send.sts", answer)
    return Session(boto_session=boto)


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> queue.Queue[str]:
    """The hosts that telemetry was sent to; it is not."""
    from sagemaker.core.telemetry import telemetry_logging

    found: queue.Queue[str] = queue.Queue()
    monkeypatch.setattr(
        telemetry_logging.requests, "get", lambda url, **_: found.put(urlsplit(url).netloc)
    )
    return found


def _used(session: Any) -> str:
    """Call a function whose use the SDK tells of."""
    from sagemaker.core.telemetry.constants import Feature
    from sagemaker.core.telemetry.telemetry_logging import _telemetry_emitter

    @_telemetry_emitter(Feature.MODEL_CUSTOMIZATION, "a.function")
    def function(*, sagemaker_session: Any) -> str:
        return str(sagemaker_session.boto_region_name)

    return str(function(sagemaker_session=session))


def test_without_the_patch_the_sdk_asks_the_real_sts(session: Any, asked: list[str]) -> None:
    """AWS_ENDPOINT_URL is passed over. Once this fails, the SDK is mended: remove the patch."""
    assert session.account_id() == "111122223333"
    assert session.generate_default_sagemaker_bucket_name(session.boto_session)
    assert asked == [REAL_STS, REAL_STS]


def test_without_the_patch_the_sdk_tells_of_its_use(session: Any, sent: queue.Queue[str]) -> None:
    """Also where AWS_ENDPOINT_URL is local. Once this fails, remove the patch."""
    assert _used(session) == "us-east-1"
    assert sent.get(timeout=30) == "sm-pysdk-t-us-east-1.s3.us-east-1.amazonaws.com"


def _address() -> str:
    """Where the SDK's resources send their calls."""
    from sagemaker.core.resources import Base

    return str(Base.get_sagemaker_client().meta.endpoint_url)


@pytest.fixture
def forgotten() -> Iterator[None]:
    """No clients are kept from before this test, nor after it."""
    from sagemaker.core.utils.utils import SageMakerClient

    SageMakerClient.reset()
    yield
    SageMakerClient.reset()


@pytest.mark.usefixtures("forgotten")
def test_without_the_patch_the_sdk_keeps_the_first_address(monkeypatch: pytest.MonkeyPatch) -> None:
    """The clients of its first use stay. Once this fails, remove the patch."""
    assert _address() == LOCAL
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:6000")
    assert _address() == LOCAL


@pytest.mark.usefixtures("forgotten")
def test_with_the_patch_the_sdk_goes_where_the_variable_says(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """From a real account to a local one, to another local one, and back."""
    monkeypatch.delenv("AWS_ENDPOINT_URL")
    real = "https://api.sagemaker.us-east-1.amazonaws.com"
    assert _address() == real
    with patch_sdk():
        assert _address() == real
        for url in ("http://127.0.0.1:6000", "http://127.0.0.1:6001"):
            monkeypatch.setenv("AWS_ENDPOINT_URL", url)
            assert _address() == url
        monkeypatch.delenv("AWS_ENDPOINT_URL")
        assert _address() == real


@pytest.mark.usefixtures("forgotten")
def test_with_the_patch_clients_are_still_kept() -> None:
    """One client for all calls, as long as the address is the same."""
    from sagemaker.core.resources import Base

    with patch_sdk():
        assert Base.get_sagemaker_client() is Base.get_sagemaker_client()


def _told(sent: queue.Queue[str]) -> list[str]:
    """What was sent, when every thread that sends has ended."""
    for thread in threading.enumerate():
        if thread.name == "sagemaker-telemetry":
            thread.join()
    return list(sent.queue)


def test_with_the_patch_nothing_leaves_the_machine(
    session: Any, asked: list[str], sent: queue.Queue[str]
) -> None:
    """Who the caller is, is asked here, and nothing is told."""
    with patch_sdk():
        assert session.account_id() == "111122223333"
        assert _used(session) == "us-east-1"
    assert asked == [urlsplit(LOCAL).netloc]
    assert _told(sent) == []


def test_a_service_may_have_an_address_of_its_own(
    session: Any, asked: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """AWS_ENDPOINT_URL_STS goes before AWS_ENDPOINT_URL, as in boto3."""
    monkeypatch.setenv("AWS_ENDPOINT_URL_STS", "http://localhost:6000")
    with patch_sdk():
        session.account_id()
    assert asked == ["localhost:6000"]


@pytest.mark.parametrize(
    "variable",
    [
        "AWS_ENDPOINT_URL=",
        "AWS_ENDPOINT_URL=https://vpce-1.execute-api.us-east-1.vpce.amazonaws.com",
        "AWS_ENDPOINT_URL=http://10.0.0.7:4566",
        "AWS_ENDPOINT_URL=http://127.0.0.1.example.com",
        "AWS_ENDPOINT_URL=http://[half",
        "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS=true",
    ],
)
def test_with_another_address_the_sdk_is_what_it_was(
    session: Any,
    asked: list[str],
    sent: queue.Queue[str],
    monkeypatch: pytest.MonkeyPatch,
    variable: str,
) -> None:
    """A patch that is in place does nothing unless the address is one of this machine."""
    with patch_sdk():
        monkeypatch.setenv(*variable.split("="))
        session.account_id()
        _used(session)
    assert set(asked) >= {REAL_STS}
    assert _told(sent) == ["sm-pysdk-t-us-east-1.s3.us-east-1.amazonaws.com"]


def test_it_is_done_once_and_taken_back_once() -> None:
    """A second call replaces nothing more, and its end takes nothing back."""
    from sagemaker.core.helper import session_helper
    from sagemaker.core.telemetry import telemetry_logging
    from sagemaker.core.utils.utils import SageMakerClient

    def found() -> tuple[Any, ...]:
        return (
            session_helper.sts_regional_endpoint,
            telemetry_logging._send_telemetry_request,
            vars(SageMakerClient)["_cache_key"],
        )

    before = found()
    first = patch_sdk()
    try:
        assert first.names == (
            "sagemaker.core.helper.session_helper.sts_regional_endpoint",
            "sagemaker.core.telemetry.telemetry_logging._send_telemetry_request",
            "SageMakerClient._cache_key",
        )
        with patch_sdk() as second:
            assert second.names == ()
            assert repr(second) == "<Patched nothing more>"
        assert session_helper.sts_regional_endpoint("us-east-1") == LOCAL
    finally:
        first.undo()
        first.undo()
    assert found() == before


def test_without_the_sdk_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    """The extra's name, not a missing module."""
    monkeypatch.setitem(sys.modules, "sagemaker.core.helper", None)
    with pytest.raises(MissingExtraError, match=r"mlref\[sagemaker\]"):
        patch_sdk()
