"""The local AWS put together: which part gets what."""

from __future__ import annotations

import os
import threading
from collections.abc import Mapping
from typing import Any

import mlref
from mlref.aws.local.app import App
from mlref.aws.local.autoscaling.service import autoscaling
from mlref.aws.local.cloudwatch.actions import Actions, notify
from mlref.aws.local.cloudwatch.alarms import AlarmsPart
from mlref.aws.local.cloudwatch.book import AlarmBook
from mlref.aws.local.cloudwatch.metrics import MetricsPart
from mlref.aws.local.cloudwatch.store import MetricStore
from mlref.aws.local.control import ControlPlane
from mlref.aws.local.hosting.asynchronous import Asynchronous
from mlref.aws.local.hosting.hosting import Hosting
from mlref.aws.local.hosting.runtime import Runtime
from mlref.aws.local.hosting.workers import Launcher, ProcessLauncher
from mlref.aws.local.iam.gate import Gate
from mlref.aws.local.iam.roles import RolesOfIam
from mlref.aws.local.iam.simulate import Simulator
from mlref.aws.local.jobs.execution import client_variables
from mlref.aws.local.log_search import LogSearch
from mlref.aws.local.moto_adapter import (
    Moto,
    MotoDirectory,
    MotoLogs,
    MotoObjects,
    MotoTags,
    MotoTopics,
)
from mlref.aws.local.overview import overview
from mlref.aws.local.sagemaker.endpoints import Endpoints
from mlref.aws.local.sagemaker.inference_components import InferenceComponents
from mlref.aws.local.sagemaker.models import Models, model_data
from mlref.aws.local.sagemaker.monitoring_definitions import MonitoringDefinitions
from mlref.aws.local.sagemaker.monitoring_schedules import MonitoringSchedules
from mlref.aws.local.sagemaker.processing import ProcessingJobs
from mlref.aws.local.sagemaker.registry import Registry
from mlref.aws.local.sagemaker.scalable import Scalable
from mlref.aws.local.sagemaker.tags import TagsPart
from mlref.aws.local.sagemaker.training import TrainingJobs
from mlref.aws.local.sagemaker.transform_jobs import TransformJobs
from mlref.aws.local.services import only
from mlref.aws.local.tagged import TaggedResources
from mlref.aws.local.timers import LocalClock, Timers
from mlref.aws.local.world import World
from mlref.runtime.clock import Clock, SystemClock

__all__ = ["LocalAws"]

_HEAL_S = 0.2  # between two looks for workers that have died
_MINUTE_S = 60.0
_REQUESTS_S = 10.0  # AWS's period of the metrics that count requests at the same time
_SAVE_S = 1.0  # between two times that captures and metrics are saved


class LocalAws:
    """Everything behind one port.

    Args:
        clock: that its own clock goes with.
        launcher: starts workers; None starts processes.
        seed: of what decides between variants; None takes another each time.
        url: where it will answer, for the scripts of jobs; None tells them nothing.

    Attributes:
        app: the ASGI application.
        world: what the parts share.
    """

    def __init__(
        self,
        *,
        clock: Clock | None = None,
        launcher: Launcher | None = None,
        seed: int | None = None,
        url: str | None = None,
    ) -> None:
        moto = Moto()
        objects = MotoObjects(moto)
        timers = Timers(LocalClock(clock or SystemClock()))
        store, logs = MetricStore(timers.clock), MotoLogs(moto, timers.clock)
        directory = MotoDirectory(moto)
        roles = RolesOfIam(directory, timers.clock)
        self.world = World(timers=timers, objects=objects, metrics=store, logs=logs, roles=roles)
        self.hosting = Hosting(
            self.world, launcher or ProcessLauncher(), model_data=model_data, seed=seed
        )
        objects.before_read.append(self.hosting.save_captures)
        store.sources.append(self.hosting.save_metrics)
        topics = MotoTopics(moto)
        actions = Actions()
        actions.register("arn:aws:sns:", notify(topics))
        alarms = AlarmBook(store, timers, actions)
        registry = Registry(self.world)
        models = Models(self.world, registry.resolve)
        self.endpoints = Endpoints(self.world, models, self.hosting, alarm=alarms.state_of)
        self.components = InferenceComponents(self.world, models, self.endpoints, self.hosting)
        sagemaker = [registry.groups, registry, models, self.endpoints.configs, self.endpoints]
        sagemaker.append(self.components)
        told = {} if url is None else client_variables(url)
        self.training = TrainingJobs(self.world, environment=told)
        self.processing = ProcessingJobs(self.world, environment=told)
        self.transforms = TransformJobs(self.world, models, self.hosting.launch)
        sagemaker += [self.training, self.processing, self.transforms, TagsPart(self.world.tags)]
        definitions = MonitoringDefinitions(self.world, self.endpoints)
        sagemaker += [definitions, MonitoringSchedules(self.world, definitions)]
        tagged = TaggedResources(self.world.tags, MotoTags(moto).all)
        cloudwatch = [MetricsPart(store, timers.clock), AlarmsPart(alarms, self.world.tags)]
        scalable = Scalable(self.endpoints, self.components, self.hosting)
        scaling = autoscaling(self.world, scalable, alarms, actions)
        gone = scaling.targets.gone
        self.endpoints.on_removal = lambda name: gone(f"endpoint/{name}")
        self.endpoints.scaled = scaling.targets.registered
        self.components.on_removal = lambda name: gone(f"inference-component/{name}")
        own = {
            "application-autoscaling": only("application-autoscaling", scaling.parts),
            "sagemaker": only("sagemaker", sagemaker),
            "cloudwatch": only("cloudwatch", cloudwatch),
            "iam": only("iam", [Simulator(directory)]),
            "logs": only("logs", [LogSearch(logs)]),
            "resourcegroupstaggingapi": only("resourcegroupstaggingapi", [tagged]),
        }
        self.control = ControlPlane(
            moto,
            own,
            self.world.tags,
            before_s3=objects.settle,
            may_assume=roles.require_assumable,
        )
        runtime = Runtime(
            self.hosting.live, timers.clock, chance=self.hosting.chance, lost=self.hosting.mend
        )
        asynchronous = Asynchronous(runtime, self.world, topics.publish, chance=self.hosting.chance)
        timers.every(_MINUTE_S, asynchronous.measure)
        timers.every(_MINUTE_S, self.hosting.reap)
        timers.every(_MINUTE_S, self.hosting.measure)
        timers.every(_REQUESTS_S, self.hosting.measure_requests)
        gate = Gate(directory, roles, self.world.tags.of, SystemClock())
        self.app = App(self.control, runtime, asynchronous, self._admin, gate)
        self._ended = threading.Event()
        self._ticker = threading.Thread(target=self._tick, name="ticker", daemon=True)
        self._ticker.start()

    def close(self) -> None:
        """End all that runs."""
        self._ended.set()
        self.hosting.hurry()
        self.training.close()
        self.processing.close()
        self.transforms.close()
        self._ticker.join()
        self.endpoints.settle()
        self.components.settle()
        self.hosting.close()

    def _tick(self) -> None:
        saved = 0.0
        while not self._ended.wait(_HEAL_S):
            self.hosting.heal()
            self.world.timers.run_due()
            saved += _HEAL_S
            if saved >= _SAVE_S:
                self.hosting.flush()
                saved = 0.0

    def _admin(self, what: str, given: Mapping[str, Any]) -> Mapping[str, Any]:
        """Calls that are none of AWS's.

        Raises:
            ValueError: there is no such call, or it is not given what it needs.
        """
        if what == "clock":
            seconds = given.get("advance_s", 0)
            if not isinstance(seconds, (int, float)) or isinstance(seconds, bool):
                raise ValueError(f"advance_s must be a number of seconds, got {seconds!r}")
            self.world.timers.advance(seconds)
            return {"now": self.world.clock.now().isoformat()}
        if what == "status":
            return {
                "name": "mlref",
                "version": mlref.__version__,
                "pid": os.getpid(),
                "now": self.world.clock.now().isoformat(),
                "operations": self.control.operations(),
                "endpoints": overview(self.endpoints, self.hosting),
            }
        raise ValueError(f"there is no {what!r}; there are clock and status")
