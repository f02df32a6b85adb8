"""Endpoint configurations: which variants an endpoint has, and what is captured of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mlref.aws.local.errors import AwsError, validation
from mlref.aws.local.hosting.backlog import require_output
from mlref.aws.local.hosting.capture import captures, require_destination
from mlref.aws.local.sagemaker.models import Models
from mlref.aws.local.services import Part, Request, Response, operation, page, selected
from mlref.aws.local.world import World, arn

__all__ = ["EndpointConfigs"]

_OWN = "EndpointConfigArn", "CreationTime"
_MEMORY_STEP_MB = 1024


class EndpointConfigs(Part):
    """CreateEndpointConfig and its family.

    Args:
        world: the time.
        models: which the variants name.
    """

    def __init__(self, world: World, models: Models) -> None:
        self._world = world
        self._models = models
        self._configs: dict[str, dict[str, Any]] = {}

    @operation
    def create_endpoint_config(self, request: Request) -> Response:
        """CreateEndpointConfig.

        Raises:
            AwsError: the name is taken, or the configuration is none that can be followed.
        """
        name = request["EndpointConfigName"]
        made = arn("sagemaker", f"endpoint-config/{name.lower()}")
        if any(each["EndpointConfigArn"] == made for each in list(self._configs.values())):
            raise validation(f'Cannot create already existing endpoint configuration "{made}".')
        if "ExplainerConfig" in request:
            text = "the local AWS has no explainers; leave ExplainerConfig out"
            raise AwsError("UnsupportedOperation", text)
        require_output(request.get("AsyncInferenceConfig"))
        require_destination(request.get("DataCaptureConfig"))
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
        config["EndpointConfigArn"] = made
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
        """DeleteEndpointConfig; endpoints that use it go on."""
        found = self.found(request["EndpointConfigName"])
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
            self._models.container(variant["ModelName"])
        found = {"InitialVariantWeight": 1.0, **variant}
        if "ServerlessConfig" in variant:
            _check_serverless(name, variant["ServerlessConfig"])
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


def _check_serverless(name: str, config: Mapping[str, Any]) -> None:
    """Refuse sizes of a serverless variant that there are not."""
    memory, most = config["MemorySizeInMB"], config["MaxConcurrency"]
    if memory % _MEMORY_STEP_MB:
        text = f"variant {name}: MemorySizeInMB is 1024, 2048, 3072, 4096, 5120 or 6144"
        raise validation(f"{text}, got {memory}")
    warm = config.get("ProvisionedConcurrency", 0)
    if warm > most:
        text = f"variant {name}: ProvisionedConcurrency must be at most MaxConcurrency"
        raise validation(f"{text}, which is {most}, got {warm}")


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
    if serverless and captures(request.get("DataCaptureConfig")):
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
