"""What botocore knows of an operation: the shapes of its request and of its response.

Botocore ships AWS's own service models. They carry more than the client checks: patterns, enums
and maxima. `mlref.aws.strict` checks all of it, and the local AWS checks its own answers by them.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

from mlref.runtime.lazy import extra

if TYPE_CHECKING:
    from botocore.model import OperationModel, ServiceModel

__all__ = ["operation_model", "service_model"]


@functools.cache
def service_model(service: str) -> ServiceModel:
    """The model of a service, as the installed botocore describes it.

    Args:
        service: the name that boto3 knows it by, for instance "sagemaker".

    Raises:
        MissingExtraError: boto3 is not installed.
        botocore.exceptions.UnknownServiceError: there is no such service.
    """
    with extra("aws"):
        from botocore.loaders import Loader
        from botocore.model import ServiceModel

    found = Loader(include_default_search_paths=True).load_service_model(service, "service-2")
    return ServiceModel(found, service)


def operation_model(service: str, operation: str) -> OperationModel:
    """The model of one operation, for instance ("sagemaker", "CreateModel").

    Raises:
        MissingExtraError: boto3 is not installed.
        botocore.model.OperationNotFoundError: the service has no such operation.
    """
    return service_model(service).operation_model(operation)
