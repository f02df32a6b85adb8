"""The model behind an endpoint of SageMaker, on a local AWS or on a real account."""

from __future__ import annotations

import json
import os
import weakref
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from mlref import aws, errors
from mlref.artifact import Artifact
from mlref.aws.hosted import Hosted, host
from mlref.runtime.lazy import installed
from mlref.schema import OnUnknown, Rows
from mlref.serving.encoding import encode
from mlref.serving.wire import predictions_of, problems_of
from mlref.targets.base import Description, Endpoint, has_no_rows, shown

__all__ = ["SageMaker", "SageMakerEndpoint"]

_NEEDS = {"boto3": "aws", "moto": "aws", "fastapi": "serve", "uvicorn": "serve"}
_TRIES = 3  # as boto3's standard mode has it
_CONNECTIONS = 50
_REFUSED = 422
_SERVER_ERRORS = 500
_MOST_BYTES_TOLD = 300


@dataclass(frozen=True, kw_only=True)
class SageMaker:
    """An endpoint for each deployment, by default on a local AWS of its own, which ends with it.

    On an account that a session is given for, bucket, role, model, configuration and endpoint are
    made, and deleted when the endpoint is closed.

    Attributes:
        session: of `mlref.aws.session`; None starts a local AWS for each deployment.
        image: of the container; None is possible on the local AWS only.
        role: the ARN of one that SageMaker may act in; None is possible on the local AWS only.
        instance_type: what each instance is.
        instances: how many there are.
        timeout_s: seconds that a client waits for an answer.
        ready_timeout_s: seconds until the endpoint must be in service.
    """

    name: ClassVar[str] = "sagemaker"

    session: aws.Session | None = None
    image: str | None = None
    role: str | None = None
    instance_type: str = "ml.m5.large"
    instances: int = 1
    timeout_s: float = 60.0
    ready_timeout_s: float = 1800.0

    def available(self) -> str | None:
        """None if the extras "aws" and "serve" are installed; otherwise what is missing."""
        missing = {module: extra for module, extra in _NEEDS.items() if not installed(module)}
        if not missing:
            return None
        extras = ",".join(sorted(set(missing.values())))
        return f'{", ".join(missing)} not installed: pip install "mlref[{extras}]"'

    def deploy(self, artifact: Artifact) -> SageMakerEndpoint:
        """An endpoint that is in service.

        Raises:
            MissingExtraError: an extra is not installed.
            CloudError: a real account needs an image and a role.
            ProcessError: the local AWS or the endpoint did not get ready; says why.
        """
        reason = self.available()
        if reason is not None:
            raise errors.MissingExtraError(reason)
        from botocore.config import Config

        options = Config(
            read_timeout=self.timeout_s,
            max_pool_connections=_CONNECTIONS,
            retries={"mode": "standard", "total_max_attempts": _TRIES},
        )
        cloud = aws.start() if self.session is None else None
        try:
            session = self.session or aws.session(at=cloud)
            hosted = host(
                session,
                artifact,
                image=self.image,
                role=self.role,
                instance_type=self.instance_type,
                instances=self.instances,
                ready_timeout_s=self.ready_timeout_s,
                options=options,
            )
        except BaseException:  # also when Ctrl-C breaks the wait off
            if cloud is not None:
                cloud.close()
            raise
        return SageMakerEndpoint(artifact, hosted, cloud)


class SageMakerEndpoint(Endpoint):
    """An endpoint of SageMaker, behind the contract of `mlref.targets.base`.

    Attributes:
        hosted: the endpoint, and all that belongs to it.
    """

    def __init__(self, artifact: Artifact, hosted: Hosted, cloud: aws.Cloud | None) -> None:
        self._artifact = artifact
        self.hosted = hosted
        address = hosted.client.meta.endpoint_url.rstrip("/")
        self._description = Description(
            target=SageMaker.name,
            model=artifact.manifest.name,
            version=artifact.manifest.version,
            size_bytes=artifact.size_bytes,
            url=f"{address}/endpoints/{hosted.name}/invocations",
        )
        self._finalizer = weakref.finalize(self, _let_go, os.getpid(), hosted, cloud)

    def __repr__(self) -> str:
        return shown(self, closed=not self._finalizer.alive)

    def predict(self, rows: Rows, *, on_unknown: OnUnknown = "impute") -> np.ndarray:
        """The model's answer for each row; see `Endpoint.predict`.

        Raises:
            InvalidInputError: the rows do not fit the schema; it lists every problem.
            EndpointUnreachableError: the place does not answer any more.
            EndpointClosedError: `close()` was called.
            EndpointError: the place failed to answer, or with something else than predictions.
        """
        self._check_open()
        if has_no_rows(rows):
            return self._artifact.predict(rows, on_unknown=on_unknown)
        try:
            reply = self._invoked(encode(rows, on_unknown=on_unknown))
        except _Refused as refused:
            with suppress(ValueError):
                problems = problems_of(json.loads(refused.said))
                if problems:
                    raise errors.InvalidInputError(problems) from refused
            # AWS hands on the first 2048 characters of what a container says. The schema is here,
            # too, and says all of it.
            self._artifact.predict(rows, on_unknown=on_unknown)
            raise errors.EndpointError(f"{self.hosted.name}: {refused.said}") from refused
        try:
            return predictions_of(json.loads(reply))
        except (KeyError, TypeError, ValueError) as error:
            told = reply[:_MOST_BYTES_TOLD].decode("utf-8", "replace")
            text = f"the endpoint {self.hosted.name} gave no predictions but {told!r}"
            raise errors.EndpointError(text) from error

    def wait_ready(self, timeout_s: float) -> None:
        """Return as soon as it is in service; see `Endpoint.wait_ready`."""
        self._check_open()
        self.hosted.wait_ready(timeout_s)

    def describe(self) -> Description:
        """What runs where; also after `close()`."""
        return self._description

    def close(self) -> None:
        """Delete the endpoint and all that belongs to it."""
        self._finalizer()

    def _invoked(self, body: bytes) -> bytes:
        """The body of the answer to a request."""
        from botocore.exceptions import BotoCoreError, ClientError, HTTPClientError

        name = self.hosted.name
        try:
            reply = self.hosted.client.invoke_endpoint(
                EndpointName=name, ContentType="application/json", Body=body
            )
            return bytes(reply["Body"].read())
        except errors.StrictError as error:  # it is too large
            text = f"endpoint {name}: {error}; ask for fewer rows at a time"
            raise errors.EndpointError(text) from error
        except ClientError as error:
            if error.response.get("OriginalStatusCode") == _REFUSED:
                raise _Refused(str(error.response["OriginalMessage"])) from error
            raise _explained(name, error.response) from error
        except (HTTPClientError, OSError) as error:
            self._check_open()
            raise errors.EndpointUnreachableError(f"endpoint {name}: {error}") from error
        except BotoCoreError as error:
            self._check_open()
            raise errors.EndpointError(f"endpoint {name}: {error}") from error

    def _check_open(self) -> None:
        if not self._finalizer.alive:
            text = f"the endpoint of {self._description.model} is closed; deploy it again"
            raise errors.EndpointClosedError(text)


class _Refused(Exception):  # noqa: N818 - a container's word on the rows, on its way
    """What the container said of rows that do not fit."""

    def __init__(self, said: str) -> None:
        super().__init__(said)
        self.said = said


def _explained(name: str, response: Any) -> errors.EndpointError:
    """What an error of AWS means for whoever has asked."""
    told = response["Error"]
    text = f"endpoint {name}: {told['Code']}: {told['Message']}"
    status = response["ResponseMetadata"]["HTTPStatusCode"]
    gone = told["Code"] != "ModelError" and status >= _SERVER_ERRORS
    return errors.EndpointUnreachableError(text) if gone else errors.EndpointError(text)


def _let_go(owner: int, hosted: Hosted, cloud: aws.Cloud | None) -> None:
    """Delete what belongs to an endpoint; in a fork it is not ours to delete."""
    if os.getpid() != owner:
        return
    hosted.client.close()
    if cloud is None:
        hosted.delete()
    else:
        cloud.close()  # and all that is in it
