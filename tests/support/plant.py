"""Endpoints without processes: what the control plane does with workers that only count."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from support.aws import world
from support.aws_parts import Asked
from support.waiting import until

from mlref.aws.local.hosting.hosting import Hosting
from mlref.aws.local.hosting.live import Variant
from mlref.aws.local.hosting.workers import Container, WorkerError
from mlref.aws.local.sagemaker.endpoints import Endpoints
from mlref.aws.local.sagemaker.inference_components import InferenceComponents
from mlref.aws.local.sagemaker.models import Models, model_data

__all__ = ["IMAGE", "FakeWorker", "Launches", "Plant", "goes_on", "working"]

IMAGE = "123456789012.dkr.ecr.us-east-1.amazonaws.com/mlref:1.0.0"
ROLE = "arn:aws:iam::123456789012:role/sagemaker"
_MOMENT_S = 0.1  # in which something would happen that is not to


class FakeWorker:
    """A worker that does nothing; the processes have tests of their own."""

    def __init__(self, number: int) -> None:
        self.name = f"i-{number}"
        self.port = number
        self.alive = True
        self.stopped = False

    def log(self) -> str:
        """What it printed."""
        return ""

    def stop(self) -> None:
        """End."""
        self.alive = False
        self.stopped = True


class Launches:
    """Gives workers, and fails where it is told to."""

    def __init__(self, *, failing: int | None = None) -> None:
        self.made: list[FakeWorker] = []
        self.failing = failing

    def __call__(self) -> FakeWorker:
        """The next one."""
        number = len(self.made) + 1
        if number == self.failing:
            raise WorkerError("did not pass the ping health check")
        self.made.append(FakeWorker(number))
        return self.made[-1]

    def launch(self, container: Container) -> Any:  # noqa: ARG002 - as Launcher
        """See `Launcher.launch`."""
        return self()

    @property
    def alive(self) -> int:
        """How many have not ended."""
        return sum(each.alive for each in self.made)


def goes_on(thread: threading.Thread) -> bool:
    """Whether a thread has not ended, also a moment later."""
    thread.join(_MOMENT_S)
    return thread.is_alive()


@contextmanager
def working(work: Callable[[], object]) -> Iterator[threading.Thread]:
    """Do something in a thread, which must have ended with the block."""
    thread = threading.Thread(target=work)
    thread.start()
    yield thread
    thread.join(10)
    assert not thread.is_alive()


class Plant:
    """Endpoints, in a world whose clock stands still.

    Attributes:
        ask: calls operations, as a client does.
        launches: the workers.
        alarm: tells the state of an alarm; may be replaced.
    """

    def __init__(self) -> None:
        self.world = world()
        self.launches = Launches()
        self.alarm: Callable[[str], str] = lambda _: "OK"
        models = Models(self.world, lambda _: ())
        self.hosting = Hosting(self.world, self.launches, model_data=model_data)
        self.endpoints = Endpoints(self.world, models, self.hosting, alarm=self._state)
        self.components = InferenceComponents(self.world, models, self.endpoints, self.hosting)
        self.ask = Asked(models, self.endpoints.configs, self.endpoints, self.components)
        self.ask.create_model(ModelName="m", PrimaryContainer={"Image": IMAGE})

    def _state(self, alarm: str) -> str:
        return self.alarm(alarm)

    def config(self, name: str, *, count: int = 1, variant: str = "A", **more: Any) -> str:
        """A configuration of one variant with instances; returns its name."""
        one = {"VariantName": variant, "ModelName": "m", "InstanceType": "ml.m5.large"}
        return self.create_config(name, {**one, "InitialInstanceCount": count}, **more)

    def serverless(self, name: str, **config: Any) -> str:
        """A configuration of one serverless variant; returns its name."""
        sizes = {"MemorySizeInMB": 2048, "MaxConcurrency": 2, **config}
        one = {"VariantName": "A", "ModelName": "m", "ServerlessConfig": sizes}
        return self.create_config(name, one)

    def create_config(self, name: str, *variants: dict[str, Any], **more: Any) -> str:
        """A configuration; returns its name."""
        self.ask.create_endpoint_config(
            EndpointConfigName=name, ProductionVariants=list(variants), **more
        )
        return name

    def hosts(self, name: str) -> str:
        """A configuration for inference components, with one instance; returns its name."""
        one = {"VariantName": "A", "InstanceType": "ml.m5.large", "InitialInstanceCount": 1}
        return self.create_config(name, one, ExecutionRoleArn=ROLE)

    def component(self, name: str, model: str = "m") -> None:
        """An inference component that is in service, on the endpoint "e"."""
        needs = {"NumberOfCpuCoresRequired": 1, "MinMemoryRequiredInMb": 1024}
        self.ask.create_inference_component(
            InferenceComponentName=name,
            EndpointName="e",
            VariantName="A",
            Specification={"ModelName": model, "ComputeResourceRequirements": needs},
            RuntimeConfig={"CopyCount": 1},
        )
        self.components.settle()

    def endpoint(self, config: str, name: str = "e") -> str:
        """An endpoint that is in service; returns its name."""
        self.ask.create_endpoint(EndpointName=name, EndpointConfigName=config)
        assert self.settled(name)["EndpointStatus"] == "InService"
        return name

    def update(self, config: str, **more: Any) -> None:
        """Have another configuration."""
        self.ask.update_endpoint(EndpointName="e", EndpointConfigName=config, **more)

    def scale(self, **wanted: Any) -> None:
        """Ask something else of the variant A."""
        self.ask.update_endpoint_weights_and_capacities(
            EndpointName="e", DesiredWeightsAndCapacities=[{"VariantName": "A", **wanted}]
        )

    def told(self, name: str = "e") -> dict[str, Any]:
        """What DescribeEndpoint tells."""
        return dict(self.ask.describe_endpoint(EndpointName=name))

    def settled(self, name: str = "e") -> dict[str, Any]:
        """The same, when nothing is under way any more."""

        def found() -> dict[str, Any] | None:
            told = self.told(name)
            return told if told["EndpointStatus"] in {"InService", "Failed"} else None

        return until(found)

    def waits(self) -> bool:
        """Whether what happens to the endpoint has not ended, also a moment later."""
        work = self.endpoints.found("e").work
        assert work is not None
        return goes_on(work)

    def variant(self) -> Variant:
        """The variant A that answers."""
        live = self.hosting.live("e")
        assert live is not None
        return live.groups[0].variants[0]

    def close(self) -> None:
        """End it, as the local AWS does."""
        self.hosting.hurry()
        self.endpoints.settle()
        self.components.settle()
        self.hosting.close()
