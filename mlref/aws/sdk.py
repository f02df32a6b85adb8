"""The SageMaker SDK on the local AWS: three places of it that AWS_ENDPOINT_URL does not reach.

boto3 and the AWS CLI need nothing but AWS_ENDPOINT_URL. In the SDK (`sagemaker` 3),

    session_helper.sts_regional_endpoint        gives the client that asks who the caller is the
                                                address of the real STS, whatever the variable says;
    telemetry_logging._send_telemetry_request   tells AWS which functions are used: a thread for
                                                each call gets a file from a bucket of AWS;
    SageMakerClient._cache_key                  finds the clients that are kept from the first use
                                                on, with the address of that time. A notebook that
                                                had used a real account would go on in it.

`patch_sdk` replaces all three for as long as AWS_ENDPOINT_URL is an address of this machine. Each
call looks at the variable, so the order does not matter, and with real AWS the SDK is what it was:

    os.environ["AWS_ENDPOINT_URL"] = cloud.url
    patch_sdk()
    ModelBuilder(image_uri=..., s3_model_data_url=...).build().deploy(...)

tests/aws/test_sdk.py asks of each patch whether it is still needed.
"""

from __future__ import annotations

import functools
import os
import threading
from collections.abc import Callable
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

from mlref.aws.local.cloud import is_loopback
from mlref.runtime.lazy import extra

__all__ = ["Patched", "patch_sdk"]

_MARK = "mlref_replaces"
_lock = threading.Lock()


class Patched:
    """What `patch_sdk` has replaced.

    Attributes:
        names: of what was replaced; empty if all of it already was.
    """

    def __init__(self, replaced: list[_Replaced]) -> None:
        self.names = tuple(f"{each.owner.__name__}.{each.name}" for each in replaced)
        self._replaced = replaced

    def __repr__(self) -> str:
        return f"<Patched {', '.join(self.names) or 'nothing more'}>"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.undo()

    def undo(self) -> None:
        """Make the SDK what it was. Calling it again does nothing."""
        with _lock:
            while self._replaced:
                each = self._replaced.pop()
                setattr(each.owner, each.name, each.original)


def patch_sdk() -> Patched:
    """Let the whole SageMaker SDK work with a local AWS; see the module for what is replaced.

    With real AWS nothing changes. Calling it again does nothing more.

    Returns:
        what was replaced; `undo()`, or the end of a `with` block, takes it back.

    Raises:
        MissingExtraError: the SDK is not installed.
    """
    with extra("sagemaker"):
        from sagemaker.core.helper import session_helper
        from sagemaker.core.telemetry import telemetry_logging
        from sagemaker.core.utils.utils import SageMakerClient
    replaced = []
    with _lock:
        for owner, name, instead_of in (
            (session_helper, "sts_regional_endpoint", _local_sts),
            (telemetry_logging, "_send_telemetry_request", _no_telemetry),
            (SageMakerClient, "_cache_key", _fresh_clients),
        ):
            called = getattr(owner, name)
            if not hasattr(called, _MARK):
                replaced.append(_Replaced(owner, name, vars(owner)[name]))
                function = functools.update_wrapper(instead_of(called), called)
                setattr(function, _MARK, True)
                setattr(
                    owner, name, staticmethod(function) if isinstance(owner, type) else function
                )
    return Patched(replaced)


def _local_endpoint(service: str = "") -> str | None:
    """The address that clients take from the environment, if it is one of this machine."""
    if os.environ.get("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "").lower() == "true":
        return None
    own = os.environ.get(f"AWS_ENDPOINT_URL_{service}") if service else None
    url = own or os.environ.get("AWS_ENDPOINT_URL", "")
    return url if is_loopback(url) else None


def _local_sts(original: Callable[..., Any]) -> Callable[..., Any]:
    def sts_regional_endpoint(region: str) -> str:
        return _local_endpoint("STS") or str(original(region))

    return sts_regional_endpoint


def _no_telemetry(original: Callable[..., Any]) -> Callable[..., Any]:
    def send(*arguments: Any, **named: Any) -> Any:
        return None if _local_endpoint() else original(*arguments, **named)

    return send


def _fresh_clients(original: Callable[..., Any]) -> Callable[..., Any]:
    seen: str | None = None  # the local address that the kept clients have

    def _cache_key(*arguments: Any, **named: Any) -> Any:
        nonlocal seen
        address = _local_endpoint()
        if address != seen:
            _forget_clients()
            seen = address
        return original(*arguments, **named)

    return _cache_key


def _forget_clients() -> None:
    from sagemaker.core.utils.logs import CloudWatchLogsClient
    from sagemaker.core.utils.utils import SageMakerClient, SingletonMeta

    SageMakerClient.reset()
    SingletonMeta._instances.pop(CloudWatchLogsClient, None)  # noqa: SLF001 - it has no reset


@dataclass(frozen=True)
class _Replaced:
    """A function of the SDK that is not its own at the moment."""

    owner: Any
    name: str
    original: Any
