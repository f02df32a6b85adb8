"""A ledger whose look-ups are answered here, and short ways to ask it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from mlref.aws.claims import Asked
from mlref.aws.ledger import Ledger, Reservation
from mlref.aws.models import operation_model
from mlref.cost import Estimate, PriceBook
from mlref.errors import SpendingRefusedError

__all__ = ["CAPACITY", "DIMENSION", "SCALING", "Held", "cluster", "estimate", "refused"]

BOOK = PriceBook.load()
SCALING = "application-autoscaling"
PLACE = "https://api.sagemaker.us-east-1.amazonaws.com"
CAPACITY = "UpdateEndpointWeightsAndCapacities"
DIMENSION = "sagemaker:variant:DesiredInstanceCount"


def estimate(hours: float = 4, **quantities: float) -> Estimate:
    """Of so many ml.m5.large for each use."""
    found = Estimate()
    for use, quantity in quantities.items():
        found = found.add(use, BOOK.find("sagemaker", f"{use} ml.m5.large"), quantity)
    return found.over(hours)


def refused(operation: str, why: str) -> Any:
    """A refusal by the ledger, which says why."""
    begin = f"^{operation} is refused, nothing was sent: "
    return pytest.raises(SpendingRefusedError, match=f"{begin}.*{why}")


def cluster(count: int, kind: str = "ml.m5.large") -> dict[str, Any]:
    """Resources of a processing job."""
    return {"ClusterConfig": {"InstanceType": kind, "InstanceCount": count, "VolumeSizeInGB": 5}}


class Held:
    """A ledger, and an account whose configurations are called by their sizes."""

    def __init__(self, estimate: Estimate) -> None:
        self.configs = {
            "one": self.config(A=1),
            "two": self.config(A=1, B=1),
            "three": self.config(A=3),
            "dear": self.config("ml.g5.2xlarge", A=1),
            "shadow": {**self.config(A=1), "ShadowProductionVariants": self.variants(S=1)},
            "managed": {
                "ProductionVariants": [
                    {
                        **self.variants(A=1)[0],
                        "ManagedInstanceScaling": {"Status": "ENABLED", "MaxInstanceCount": 4},
                    }
                ]
            },
            "small": {"ProductionVariants": [{"VariantName": "A", "ServerlessConfig": {}}]},
        }
        self.endpoints: dict[str, dict[str, Any]] = {}
        self.ledger = Ledger(estimate)

    def variants(self, kind: str = "ml.m5.large", **sizes: int) -> list[dict[str, Any]]:
        """As a configuration lists them."""
        named = [{"VariantName": name, "InitialInstanceCount": n} for name, n in sizes.items()]
        return [{**each, "InstanceType": kind} for each in named]

    def config(self, kind: str = "ml.m5.large", **sizes: int) -> dict[str, Any]:
        """As DescribeEndpointConfig tells it."""
        return {"ProductionVariants": self.variants(kind, **sizes)}

    def ask(
        self, operation: str, service: str = "sagemaker", *, end: str = "commit", **request: Any
    ) -> Reservation:
        """Count a request, and what came of it: commit, undo, leave, or "" for nothing yet."""
        shape = operation_model(service, operation).input_shape
        reserved = self.ledger.reserve(Asked(PLACE, operation, request), shape, self._found)
        if end:
            getattr(self.ledger, end)(reserved)
        return reserved

    def tell(
        self,
        operation: str,
        answer: Mapping[str, Any] | None = None,
        *,
        place: str = PLACE,
        mark: int | None = None,
        **request: Any,
    ) -> None:
        """Tell what AWS answered; None is that there is no such thing."""
        at = self.ledger.mark() if mark is None else mark
        told = Asked(place, operation, request)
        self.ledger.hear(told, answer or {}, gone=answer is None, mark=at)

    def describe(
        self,
        name: str,
        config: str,
        status: str = "InService",
        *,
        mark: int | None = None,
        **sizes: int,
    ) -> None:
        """Tell what DescribeEndpoint answers."""
        told = {"EndpointStatus": status, "EndpointConfigName": config}
        counts = [
            {"VariantName": each, "CurrentInstanceCount": size, "DesiredInstanceCount": size}
            for each, size in sizes.items()
        ]
        answer = {**told, "ProductionVariants": counts}
        self.tell("DescribeEndpoint", answer, mark=mark, EndpointName=name)

    def make(self, name: str, config: str = "one", **more: Any) -> Reservation:
        """Create an endpoint."""
        return self.ask("CreateEndpoint", EndpointName=name, EndpointConfigName=config, **more)

    def update(self, name: str, config: str, **more: Any) -> Reservation:
        """Update one."""
        return self.ask("UpdateEndpoint", EndpointName=name, EndpointConfigName=config, **more)

    def resize(self, name: str, variant: str, count: int, **more: Any) -> Reservation:
        """Change a variant's number of instances."""
        size = {"VariantName": variant, "DesiredInstanceCount": count}
        return self.ask(CAPACITY, EndpointName=name, DesiredWeightsAndCapacities=[size], **more)

    def scale(
        self, name: str, most: int, variant: str = "A", *, action: str = "", **more: Any
    ) -> Reservation:
        """Let a variant scale, by itself or by a scheduled action."""
        path = f"endpoint/{name}/variant/{variant}"
        request = {"ResourceId": path, "ScalableDimension": DIMENSION}
        bounds = {"MinCapacity": 1, "MaxCapacity": most}
        if action:
            request |= {"ScheduledActionName": action, "ScalableTargetAction": bounds}
            return self.ask("PutScheduledAction", SCALING, **request, **more)
        return self.ask("RegisterScalableTarget", SCALING, **request, **bounds, **more)

    def job(self, name: str, hours: float, count: int = 1, **more: Any) -> Reservation:
        """Begin a training job with a limit."""
        resources = {"InstanceType": "ml.m5.large", "InstanceCount": count}
        limit = {"MaxRuntimeInSeconds": round(hours * 3600)}
        return self.ask(
            "CreateTrainingJob",
            TrainingJobName=name,
            ResourceConfig=resources,
            StoppingCondition=limit,
            **more,
        )

    def theirs(self, config: str, **sizes: int) -> str:
        """An endpoint that another session has made, and that has scaled since."""
        told = {"EndpointStatus": "InService", "EndpointConfigName": config}
        counts = [{"VariantName": name, "CurrentInstanceCount": n} for name, n in sizes.items()]
        self.endpoints["theirs"] = {**told, "ProductionVariants": counts}
        return "theirs"

    def _found(self, operation: str, params: Mapping[str, Any]) -> Mapping[str, Any]:
        if operation == "DescribeEndpointConfig":
            return self.configs.get(params["EndpointConfigName"], {})
        if operation == "DescribeEndpoint":
            return self.endpoints.get(params["EndpointName"], {})
        found = {("DescribeModelQualityJobDefinition", "quality"): {"JobResources": cluster(2)}}
        return found.get((operation, params["JobDefinitionName"]), {})
