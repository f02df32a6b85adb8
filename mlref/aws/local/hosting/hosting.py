"""All endpoints that there are, and what happens to them in the background.

The control plane asks for a change and returns at once; a thread starts workers and then replaces
what the data plane sees. A watch looks for workers that have died, and saves captures and metrics.
"""

from __future__ import annotations

import functools
import logging
import random
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

from mlref.aws.local.hosting.capture import Capture, captures
from mlref.aws.local.hosting.components import Instances
from mlref.aws.local.hosting.elastic import Elastic
from mlref.aws.local.hosting.fleet import DRAIN_S, Fleet
from mlref.aws.local.hosting.live import Group, Live, Variant
from mlref.aws.local.hosting.meter import Meter
from mlref.aws.local.hosting.model_data import ModelDataError, ModelFolders, require_readable
from mlref.aws.local.hosting.multi_model import MultiModel
from mlref.aws.local.hosting.specs import GroupSpec, VariantSpec
from mlref.aws.local.hosting.workers import Container, Launcher, Worker, WorkerError
from mlref.aws.local.world import World

__all__ = ["Hosting"]

logger = logging.getLogger(__name__)

_SCALING = "ManagedInstanceScaling"
_READY_TIMEOUT_S = 240.0  # that SageMaker gives a container, unless the variant says more
_SERVERLESS_READY_S = 180.0  # and one of a serverless variant
_ASYNCHRONOUS_S = 3600.0  # that an asynchronous request may take at most


class Hosting:
    """The endpoints that answer.

    Args:
        world: S3, CloudWatch and the time.
        launcher: starts workers.
        model_data: where a container's model data lies, or None.
        seed: of what decides between variants; None takes another each time.
    """

    def __init__(
        self,
        world: World,
        launcher: Launcher,
        *,
        model_data: Callable[[Mapping[str, Any]], str | None],
        seed: int | None = None,
    ) -> None:
        self.chance = random.Random(seed)  # noqa: S311 - which variant is no secret
        self._world = world
        self._launcher = launcher
        self._model_data = model_data
        self._folders = ModelFolders(world.objects)
        self._live: dict[str, Live] = {}
        # What may still hold something: also of workers that only answer what they have begun.
        self._meters: set[Meter] = set()
        self._captures: set[Capture] = set()
        self._healing: set[int] = set()
        self._ending: set[threading.Thread] = set()
        self._hurry = threading.Event()
        self._lock = threading.RLock()

    def live(self, name: str) -> Live | None:
        """An endpoint that answers, or None."""
        return self._live.get(name)

    def publish(self, live: Live) -> None:
        """Let the data plane see an endpoint so, from the next request on."""
        self._captures.update(each.capture for each in live.groups if each.capture is not None)
        self._live[live.endpoint] = live

    def withdraw(self, name: str) -> Live | None:
        """Let the data plane not see it any more; returns what it saw."""
        return self._live.pop(name, None)

    def build(self, endpoint: str, spec: GroupSpec, *, started: bool = True) -> Group:
        """A group whose workers are ready.

        Args:
            endpoint: the endpoint's name.
            spec: what it is made of.
            started: whether to start the workers; if not, `Fleet.resize` does.

        Raises:
            WorkerError: one did not get ready; none is left.
        """
        capture = None
        if captures(spec.capture):
            capture = Capture(spec.capture, endpoint, self._world, self.chance)
        drain_s = DRAIN_S if spec.asynchronous is None else _ASYNCHRONOUS_S
        variants = [self._variant(endpoint, each, drain_s=drain_s) for each in spec.all_variants]
        try:
            for variant in variants:
                self._start(variant, started=started)
        except BaseException:
            for variant in variants:
                self.end(variant)
            raise
        shadow = variants.pop() if spec.shadow is not None else None
        share = 0.0
        if shadow is not None:
            share = min(shadow.weight / variants[0].weight, 1.0) if variants[0].weight else 1.0
        return Group(
            spec.config,
            tuple(variants),
            capture=capture,
            shadow=shadow,
            shadow_share=share,
            asynchronous=spec.asynchronous,
        )

    def component(self, endpoint: str, name: str, spec: VariantSpec) -> Variant:
        """An inference component without any copy; `Fleet.resize` starts some, `end` ends it.

        Args:
            endpoint: the endpoint's name.
            name: the component's.
            spec: what it is made of; its settings name the variant on whose instances it is.
        """
        return self._variant(endpoint, spec, component=name)

    def retire(self, group: Group, *, drain: bool = False) -> None:
        """End a group's workers, and save what is still held of it.

        Args:
            group: that gets no requests any more.
            drain: whether the workers answer first what they have begun; see `Fleet.stop`.
        """
        with ThreadPoolExecutor(len(group.all_variants)) as pool:
            list(pool.map(functools.partial(self.end, drain=drain), group.all_variants))
        if group.capture is not None:
            group.capture.flush()
            self._captures.discard(group.capture)

    def end(self, variant: Variant, *, drain: bool = False) -> None:
        """End a variant's workers, and save what was measured until then.

        Args:
            variant: that gets no requests any more.
            drain: see `retire`.
        """
        variant.fleet.stop(drain=drain)
        variant.meter.flush()
        self._meters.discard(variant.meter)

    def dismiss(self, name: str) -> None:
        """Let the data plane not see an endpoint any more, and end its workers in the background.

        Args:
            name: the endpoint's.
        """
        live = self.withdraw(name)
        for group in live.groups if live is not None else ():
            work = threading.Thread(target=self._retired, args=(group,), name="retire", daemon=True)
            with self._lock:
                self._ending.add(work)
                work.start()

    def reweigh(self, name: str, weights: Mapping[str, float]) -> None:
        """Give variants other weights, from the next request on.

        Args:
            name: the endpoint's.
            weights: variant -> weight; variants that are not named keep theirs.
        """
        with self._lock:
            live = self._live[name]
            groups = [
                replace(
                    group,
                    variants=tuple(
                        replace(each, weight=weights.get(each.name, each.weight))
                        for each in group.variants
                    ),
                )
                for group in live.groups
            ]
            self.publish(replace(live, groups=tuple(groups)))

    def flush(self) -> None:
        """Save all captures and metrics that are held."""
        self.save_captures()
        self.save_metrics()

    def save_metrics(self) -> None:
        """Save all metrics that are held."""
        for meter in self._meters.copy():
            meter.flush()

    def save_captures(self) -> None:
        """Save all captures that are held."""
        for capture in self._captures.copy():
            capture.flush()

    def heal(self) -> None:
        """Replace workers that have died; in the background."""
        for variant in self._variants():
            if variant.fleet.lost():
                self.mend(variant)

    def reap(self) -> None:
        """Stop the workers of serverless variants that nobody has asked for a while."""
        for variant in self._variants():
            if isinstance(variant.fleet, Elastic):
                variant.fleet.reap()

    def measure(self) -> None:
        """Tell CloudWatch how many models are loaded."""
        for variant in self._variants():
            if variant.models is not None:
                variant.models.measure(self._world.metrics)

    def measure_requests(self) -> None:
        """Tell CloudWatch how many requests there were at a time.

        AWS does so of no serverless and of no asynchronous endpoint.
        """
        for group in self._groups():
            for variant in group.all_variants if group.asynchronous is None else ():
                if variant.components is None and not isinstance(variant.fleet, Elastic):
                    variant.meter.concurrent(variant.fleet.peak())

    def mend(self, variant: Variant) -> None:
        """Replace the dead workers of a variant, in the background; once at a time."""
        fleet = variant.fleet
        with self._lock:
            if id(fleet) in self._healing:
                return
            self._healing.add(id(fleet))
        threading.Thread(target=self._mend, args=(fleet,), name="mend", daemon=True).start()

    def hurry(self) -> None:
        """Let no worker have time any more for what it has begun: all is about to end."""
        self._hurry.set()

    def close(self) -> None:
        """End all workers, and remove what was unpacked for them."""
        self.hurry()
        for name in list(self._live):
            self.dismiss(name)
        with self._lock:
            ending = list(self._ending)
        for work in ending:
            work.join()
        self._folders.close()

    def _retired(self, group: Group) -> None:
        try:
            self.retire(group)
        finally:
            with self._lock:
                self._ending.discard(threading.current_thread())

    def _start(self, variant: Variant, *, started: bool) -> None:
        """The workers that a variant begins with.

        Raises:
            WorkerError: one did not get ready; in AWS's words.
        """
        try:
            if isinstance(variant.fleet, Elastic):
                variant.fleet.try_out()
            elif started:
                variant.fleet.resize(int(variant.settings.get("InitialInstanceCount", 1)))
        except WorkerError as error:
            text = f"The primary container for production variant {variant.name} {error}."
            if "ping" in str(error):
                text += " Please check CloudWatch logs for this endpoint."
            raise WorkerError(text, log=error.log) from error

    def _mend(self, fleet: Fleet) -> None:
        try:
            fleet.settle()
        except WorkerError as error:
            logger.warning("%s: a worker could not be replaced: %s", fleet.name, error)
        finally:
            with self._lock:
                self._healing.discard(id(fleet))

    def _variants(self) -> list[Variant]:
        """Of all endpoints."""
        return [variant for group in self._groups() for variant in group.all_variants]

    def _groups(self) -> list[Group]:
        """Of all endpoints."""
        return [group for live in list(self._live.values()) for group in live.groups]

    def _variant(
        self, endpoint: str, spec: VariantSpec, *, component: str = "", drain_s: float = DRAIN_S
    ) -> Variant:
        name = spec.name
        weight = float(spec.settings.get("InitialVariantWeight", 1.0))
        meter = Meter(self._world.metrics, endpoint, name, component=component)
        self._meters.add(meter)
        called = f"{endpoint}/{component or name}"
        if not spec.container:
            kind, scaling = spec.settings["InstanceType"], spec.settings.get(_SCALING)
            hosts = Instances(called, kind, scaling)
            return Variant(name, weight, hosts, meter, spec.settings, components={})
        group, stream = f"/aws/sagemaker/Endpoints/{endpoint}", f"{name}/"
        if component:
            group = f"/aws/sagemaker/InferenceComponents/{component}"

        def launch() -> Worker:
            try:
                return self._launcher.launch(self._container(spec))
            except WorkerError as error:
                self._world.logs.put(group, f"{stream}i-failed", error.log.splitlines())
                raise

        def keep_log(worker: Worker) -> None:
            self._world.logs.put(group, f"{stream}{worker.name}", worker.log().splitlines())

        serverless = spec.settings.get("ServerlessConfig")
        ends: dict[str, Any] = {"on_end": keep_log, "drain_s": drain_s, "hurry": self._hurry}
        fleet = Fleet(called, launch, 0, **ends)
        if serverless:
            fleet = Elastic(
                called,
                launch,
                most=serverless["MaxConcurrency"],
                warm=serverless.get("ProvisionedConcurrency", 0),
                clock=self._world.clock,
                setup=lambda value: meter.observe("ModelSetupTime", value, "Microseconds"),
                **ends,
            )
        models = self._models(endpoint, spec, meter)
        return Variant(name, weight, fleet, meter, spec.settings, models, role=spec.role)

    def _models(self, endpoint: str, spec: VariantSpec, meter: Meter) -> MultiModel | None:
        """What a variant loads when it is asked for, if its container is of that kind."""
        if not spec.several:
            return None
        setting = spec.container.get("MultiModelConfig", {}).get("ModelCacheSetting")
        return MultiModel(
            endpoint,
            spec.name,
            self._model_data(spec.container) or "",
            functools.partial(self._fetched, role=spec.role),
            meter,
            cached=setting != "Disabled",
        )

    def launch(self, container: Mapping[str, Any], role: str | None) -> Worker:
        """A worker of a model that is no endpoint's, for instance of a job; who asks ends it.

        Args:
            container: as DescribeModel gives it.
            role: of the model.

        Raises:
            WorkerError: it did not get ready.
        """
        return self._launcher.launch(self._container(VariantSpec({}, container, role)))

    def _fetched(self, uri: str, role: str | None) -> Path:
        """The folder with model data, read in a role.

        Raises:
            ModelDataError: it cannot be had.
        """
        require_readable(self._world.objects, self._world.roles, uri, role)
        return self._folders.unpacked(uri)

    def _container(self, spec: VariantSpec) -> Container:
        uri = None if spec.several else self._model_data(spec.container)
        try:
            folder = None if uri is None else self._fetched(uri, spec.role)
        except ModelDataError as error:
            raise WorkerError(f"could not be started: {error}") from error
        serverless = "ServerlessConfig" in spec.settings
        usual_s = _SERVERLESS_READY_S if serverless else _READY_TIMEOUT_S
        timeout_s = spec.settings.get("ContainerStartupHealthCheckTimeoutInSeconds")
        return Container(
            spec.container["Image"],
            folder,
            spec.container.get("Environment", {}),
            float(timeout_s or usual_s),
            self._folders.root if spec.several else None,
        )
