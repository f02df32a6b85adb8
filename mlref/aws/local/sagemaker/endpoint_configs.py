"""Endpoint configurations: which variants an endpoint has, and what is captured of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from mlref.aws.local.errors import validation
from mlref.aws.local.sagemaker.models import Models
from mlref.aws.local.services import Part, Request, Response, operation, page, selected
from mlref.aws.local.world import World, arn

__all__ = ["EndpointConfigs"]

_OWN = "EndpointConfigArn", "CreationTime"


class EndpointConfigs(Part):
    """CreateEndpointConfig and its family.

    Args:
        world: the time.
        models: which the variants name.
        used_by: gives the endpoints that use a configuration.
    """

    def __init__(self, world: World, models: Models, used_by: Callable[[str], list[str]]) -> None:
        self._world = world
        self._models = models
        self._used_by = used_by
        self._configs: dict[str, dict[str, Any]] = {}

    @operation
    def create_endpoint_config(self, request: Request) -> Response:
        """CreateEndpointConfig."""
        name = request["EndpointConfigName"]
        found = self._configs.get(name)
        if found is not None:
            wanted = found["EndpointConfigArn"]
            raise validation(f'Cannot create already existing endpoint configuration "{wanted}".')
        variants = [self._whole(each) for each in request["ProductionVariants"]]
        shadows = [self._whole(each) for each in request.get("ShadowProductionVariants", ())]
        _check(variants, shadows, request)
        _check_hosts(variants, shadows, request)
        plain = not shadows and "AsyncInferenceConfig" not in request
        for variant in variants:
            if self._several(variant) and not (plain and "ServerlessConfig" not in variant):
                text = f"variant {variant['VariantName']}: a multi-model endpoint is neither"
                raise validation(f"{text} serverless nor asynchronous, and has no shadow")
        config = {name: value for name, value in request.items() if name != "Tags"}
        config["ProductionVariants"] = variants
        if shadows:
            config["ShadowProductionVariants"] = shadows
        config["EndpointConfigArn"] = arn("sagemaker", f"endpoint-config/{name.lower()}")
        config["CreationTime"] = self._world.clock.now()
        self._configs[name] = config
        return {"EndpointConfigArn": config["EndpointConfigArn"]}

    @operation
    def describe_endpoint_config(self, request: Request) -> Response:
        """DescribeEndpointConfig."""
        return self.found(request["EndpointConfigName"])

    @operation
    def list_endpoint_configs(self, request: Request) -> Response:
        """ListEndpointConfigs."""
        found = selected(self._configs.values(), request, name="EndpointConfigName")
        members = ("EndpointConfigName", *_OWN)
        shown = [{name: each[name] for name in members} for each in found]
        return page(shown, request, into="EndpointConfigs")

    @operation
    def delete_endpoint_config(self, request: Request) -> Response:
        """DeleteEndpointConfig; refused while an endpoint uses it."""
        found = self.found(request["EndpointConfigName"])
        users = self._used_by(found["EndpointConfigName"])
        if users:
            raise validation(
                f'Cannot delete endpoint configuration "{found["EndpointConfigArn"]}": the '
                f"endpoint {users[0]} uses it. Delete or update the endpoint first."
            )
        del self._configs[found["EndpointConfigName"]]
        self._world.tags.forget(found["EndpointConfigArn"])
        return {}

    def found(self, name: str) -> Mapping[str, Any]:
        """A configuration, as DescribeEndpointConfig gives it.

        Raises:
            AwsError: there is none of that name.
        """
        found = self._configs.get(name)
        if found is None:
            wanted = arn("sagemaker", f"endpoint-config/{name.lower()}")
            raise validation(f'Could not find endpoint configuration "{wanted}".')
        return found

    def _several(self, variant: Mapping[str, Any]) -> bool:
        """Whether a variant is of a model with many models."""
        if "ModelName" not in variant:
            return False
        containers = self._models.containers(variant["ModelName"])
        return any(each.get("Mode") == "MultiModel" for each in containers)

    def _whole(self, variant: Mapping[str, Any]) -> dict[str, Any]:
        """A variant with the defaults of AWS, or a refusal."""
        name = variant["VariantName"]
        if "ModelName" in variant:
            self._models.found(variant["ModelName"])
        found = {"InitialVariantWeight": 1.0, **variant}
        if "ServerlessConfig" in variant:
            for member in ("InstanceType", "InitialInstanceCount"):
                if member in variant:
                    raise validation(
                        f"variant {name}: {member} and ServerlessConfig exclude each other"
                    )
            return found
        missing = [each for each in ("InstanceType", "InitialInstanceCount") if each not in variant]
        if missing:
            raise validation(f"variant {name} needs {' and '.join(missing)}, or a ServerlessConfig")
        return found


def _check(variants: list[dict[str, Any]], shadows: list[dict[str, Any]], request: Request) -> None:
    """Refuse what does not fit together."""
    names = [each["VariantName"] for each in (*variants, *shadows)]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise validation(f"several variants are called {', '.join(twice)}; names must differ")
    serverless = [each for each in variants if "ServerlessConfig" in each]
    if serverless and len(variants) > 1:
        raise validation("an endpoint with a ServerlessConfig has exactly one variant")
    if serverless and "AsyncInferenceConfig" in request:
        raise validation("AsyncInferenceConfig and ServerlessConfig exclude each other")
    if serverless and request.get("DataCaptureConfig", {}).get("EnableCapture"):
        raise validation("data capture is not available for serverless endpoints")
    if shadows and (serverless or "AsyncInferenceConfig" in request):
        raise validation("shadow variants need a real-time endpoint with instances")
    if shadows and (len(variants) > 1 or len(shadows) > 1):
        raise validation("an endpoint with a shadow has one production and one shadow variant")


def _check_hosts(
    variants: list[dict[str, Any]], shadows: list[dict[str, Any]], request: Request
) -> None:
    """Refuse what does not go together with inference components."""
    without = [each["VariantName"] for each in variants if "ModelName" not in each]
    if without and (len(without) < len(variants) or shadows):
        text = f"variant {without[0]} has no ModelName, and others have one"
        raise validation(f"{text}; give one to all of them, or to none")
    serverless = any("ServerlessConfig" in each for each in variants)
    if without and (serverless or "AsyncInferenceConfig" in request):
        text = f"variant {without[0]} needs a ModelName"
        raise validation(f"{text}: inference components are for real-time endpoints only")
    if not without and any("ManagedInstanceScaling" in each for each in variants):
        text = "ManagedInstanceScaling is only supported for inference component endpoints."
        raise validation(text)
    if without and "ExecutionRoleArn" not in request:
        raise validation(
            f"variant {without[0]} has no ModelName: name a model, or give ExecutionRoleArn for "
            f"an endpoint with inference components"
        )
