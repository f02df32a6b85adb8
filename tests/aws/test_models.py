"""The models that botocore ships, as mlref reads them."""

from __future__ import annotations

import sys

import boto3
import pytest
from botocore.exceptions import UnknownServiceError
from botocore.model import OperationNotFoundError

from mlref.aws.models import operation_model, service_model
from mlref.errors import MissingExtraError


def test_an_operation_is_as_the_client_has_it() -> None:
    """The members of a request are those of boto3's own client."""
    client = boto3.client("sagemaker", region_name="us-east-1")
    theirs = client.meta.service_model.operation_model("CreateEndpoint").input_shape
    ours = operation_model("sagemaker", "CreateEndpoint").input_shape
    assert list(ours.members) == list(theirs.members)
    assert ours.required_members == ["EndpointName", "EndpointConfigName"]


def test_a_service_is_read_once() -> None:
    """Reading a model takes a tenth of a second, so it is kept."""
    assert service_model("sts") is service_model("sts")


def test_what_aws_does_not_have_is_refused() -> None:
    """An unknown service and an unknown operation are botocore's own errors."""
    with pytest.raises(UnknownServiceError):
        service_model("no-such-service")
    with pytest.raises(OperationNotFoundError):
        operation_model("sts", "NoSuchOperation")


def test_without_boto3_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """The error ends in the command that brings what is missing."""
    monkeypatch.setitem(sys.modules, "botocore.loaders", None)
    service_model.cache_clear()
    with pytest.raises(MissingExtraError, match=r'pip install "mlref\[aws\]"'):
        service_model("sts")
