"""Sessions: the same boto3 code on the local AWS and on the real one.

    aws = session()                                  # local: free, nothing to set up
    aws.client("sagemaker").create_model(...)

    cost = Estimate().add("endpoint", book.find("sagemaker", "hosting ml.m5.large")).over(hours=1)
    aws = session("aws", estimate=cost, max_spend_usd=1.0)

Both are boto3 sessions. Their clients differ in endpoint and credentials, and in nothing else: the
requests of both are checked against AWS's models before they are sent (`mlref.aws.strict`), and
what both create carries tags with its session and its expiry (`mlref.aws.tagging`).

Real AWS costs money, so it is refused unless the environment has MLREF_ALLOW_AWS=1 and the cap
covers the estimate until everything expires (`mlref.aws.spending`); what the estimate does not have
is refused later, too, on both clouds (`mlref.aws.guard`), also what is too much only together with
what the session has made before (`mlref.aws.ledger`).

A local session uses the local AWS that it is given, or that of AWS_ENDPOINT_URL, or else starts one
that this process shares. It never reads ~/.aws, and it never speaks to anything but loopback.
"""

from __future__ import annotations

import functools
import os
import secrets
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any, Literal, Protocol, TypeAlias

from mlref.aws import guard, spending, tagging
from mlref.aws.local.cloud import Cloud, is_loopback, shared
from mlref.aws.strict import install as install_check
from mlref.cost import Estimate
from mlref.errors import CloudError
from mlref.runtime.clock import Clock, SystemClock
from mlref.runtime.lazy import extra

__all__ = ["CloudName", "Session", "session"]

CloudName: TypeAlias = Literal["local", "aws"]
"""Which account a session speaks to: the local AWS, or a real one."""

_URL = "AWS_ENDPOINT_URL"
_RUNTIME_URL = "AWS_ENDPOINT_URL_SAGEMAKER_RUNTIME"
_EXPIRES_AFTER = timedelta(hours=4)
_LOCAL_REGION = "us-east-1"
_KEY = "test"  # of the local AWS: any will do


class Session(Protocol):
    """A boto3 session that knows its cloud; it has everything else that `boto3.Session` has.

    Attributes:
        cloud: "local" or "aws".
        name: what the tag `mlref:session` of all that it creates says.
        expires: what the tag `mlref:expires` says.
        local: the local AWS, for instance to move its clock on; None for a real one.
        region_name: as in "us-east-1".
    """

    cloud: CloudName
    name: str
    expires: datetime
    local: Cloud | None
    region_name: str

    def client(self, service_name: str, **options: Any) -> Any:
        """A client; see `boto3.Session.client`."""
        ...

    def resource(self, service_name: str, **options: Any) -> Any:
        """A resource; see `boto3.Session.resource`."""
        ...


def session(
    cloud: CloudName = "local",
    *,
    at: Cloud | None = None,
    estimate: Estimate | None = None,
    max_spend_usd: float = 0.0,
    expires_after: timedelta = _EXPIRES_AFTER,
    name: str | None = None,
    region: str | None = None,
    strict: bool = True,
    clock: Clock | None = None,
    environ: Mapping[str, str] | None = None,
    show: Callable[[str], object] = print,
) -> Session:
    """A boto3 session on the local AWS, or on a real account.

    Args:
        cloud: "local" or "aws".
        at: a local AWS that runs; None takes that of AWS_ENDPOINT_URL, or starts one to share.
        estimate: what will be created; with `Estimate()` it reads and deletes only. The local AWS
            needs none, and is held to it if it is given, so that the same cells pass on a real one.
        max_spend_usd: what it may cost at most until it expires, in US dollars.
        expires_after: how long what is created may stand before it is swept.
        name: of the session, for the tags; None makes one up.
        region: None takes us-east-1 locally, and what is configured for a real account.
        strict: whether requests are checked before they are sent.
        clock: tells when what is created expires; None is the machine's.
        environ: where variables are looked up; None is this process's environment.
        show: is given the estimate before anything is spent.

    Raises:
        SpendingRefusedError: real AWS is not allowed, or may cost more than the cap.
        CloudError: AWS_ENDPOINT_URL points elsewhere than the cloud asked for.
        MissingExtraError: boto3 is not installed.
        ProcessError: a local AWS did not get ready; carries its log.
        ValueError: there is no such cloud, or the time to live is not above 0.
    """
    if cloud not in {"local", "aws"}:
        raise ValueError(f'cloud must be "local" or "aws", got {cloud!r}')
    if expires_after <= timedelta(0):
        raise ValueError(f"expires_after must be above 0, got {expires_after!r}")
    found = os.environ if environ is None else environ
    expires = (clock or SystemClock()).now() + expires_after
    named = name or f"mlref-{secrets.token_hex(4)}"
    if cloud == "local":
        made = _local(at, found, region)
    else:
        bill = None if estimate is None else _until_expiry(estimate, expires_after)
        made = _real(found, region, bill, max_spend_usd, show)
    if estimate is not None:
        guard.install(made, _until_expiry(estimate, expires_after))
    made.cloud, made.name, made.expires = cloud, named, expires
    tagging.install(made, tagging.tags_for(named, expires))
    if strict:
        install_check(made)
    return made  # type: ignore[no-any-return]


def _until_expiry(estimate: Estimate, expires_after: timedelta) -> Estimate:
    """The estimate of what stands until it expires: nobody promises to delete it before."""
    return estimate.over(max(estimate.hours, expires_after / timedelta(hours=1)))


def _real(
    environ: Mapping[str, str],
    region: str | None,
    estimate: Estimate | None,
    cap: float,
    show: Callable[[str], object],
) -> Any:
    """A session on a real account, once it is allowed."""
    for name, url in environ.items():
        if name.startswith(_URL) and is_loopback(url):
            raise CloudError(
                f'cloud="aws" is a real account, but {name} is {url}, a local AWS; '
                f'unset it, or take cloud="local"'
            )
    spending.allow(estimate, max_spend_usd=cap, environ=environ)
    show(f"on real AWS, with a cap of {cap:.2f} USD:\n{estimate}")
    made = _session_type()(region_name=region)
    made.local = None
    return made


def _local(at: Cloud | None, environ: Mapping[str, str], region: str | None) -> Any:
    """A session on a local AWS."""
    url = environ.get(_URL)
    if at is None and url and not is_loopback(url):
        raise CloudError(
            f'cloud="local" is on this machine, but {_URL} is {url}; unset it to have a local AWS '
            f'started, or take cloud="aws" for a real account'
        )
    cloud = at or (Cloud(url.rstrip("/")) if url else shared())
    runtime = environ.get(_RUNTIME_URL, "") if at is None else ""
    with extra("aws"):
        from botocore.session import Session as BotocoreSession
    # Nobody's profiles, retries or endpoints: on every machine the same.
    nowhere = {
        "profile": (None, None, None, None),
        "config_file": (None, None, os.devnull, None),
        "credentials_file": (None, None, os.devnull, None),
    }
    made = _session_type()(
        aws_access_key_id=_KEY,
        aws_secret_access_key=_KEY,
        region_name=region or _LOCAL_REGION,
        botocore_session=BotocoreSession(session_vars=nowhere),
    )
    made.local = cloud
    made.runtime_url = runtime if runtime and is_loopback(runtime) else cloud.url
    return made


@functools.cache
def _session_type() -> Any:
    """The class of sessions; boto3 is loaded only when it is needed."""
    with extra("aws"):
        import boto3
        from botocore.config import Config

    standard = Config(retries={"mode": "standard"})
    # A proxy of the company is not asked for what is on this machine; buckets have no domains here.
    on_loopback = standard.merge(Config(proxies={}, s3={"addressing_style": "path"}))

    class CloudSession(boto3.Session):  # type: ignore[misc]
        """See `Session`."""

        def client(self, service_name: str, region_name: str | None = None, **given: Any) -> Any:
            """A client whose endpoint is that of the session's cloud."""
            local: Cloud | None = self.local
            config = given.pop("config", None)
            default = standard if local is None else on_loopback
            if local is not None:
                url = given.get("endpoint_url")
                if url and not is_loopback(url):
                    raise CloudError(f"a local session speaks to loopback only, got {url}")
                own = self.runtime_url if service_name == "sagemaker-runtime" else local.url
                given["endpoint_url"] = url or own
            merged = default if config is None else default.merge(config)
            made = super().client(service_name, region_name, config=merged, **given)
            url = made.meta.endpoint_url
            if local is None and not given.get("endpoint_url") and is_loopback(url):
                raise CloudError(
                    f"{service_name} of a real account is {url}, a local AWS, by a variable or by "
                    f'~/.aws/config; take that out, or take cloud="local"'
                )
            return made

    return CloudSession
