"""Endpoints: created, updated, scaled, deleted; and what DescribeEndpoint tells meanwhile."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from mlref.aws.local.errors import AwsError, validation
from mlref.aws.local.hosting.hosting import Hosting
from mlref.aws.local.hosting.live import Live
from mlref.aws.local.hosting.rollout import plan
from mlref.aws.local.hosting.specs import GroupSpec, VariantSpec
from mlref.aws.local.hosting.workers import WorkerError
from mlref.aws.local.sagemaker.changes import Wanted, check_scaled, check_update, retained, wanted
from mlref.aws.local.sagemaker.described import described_endpoint
from mlref.aws.local.sagemaker.endpoint_configs import EndpointConfigs
from mlref.aws.local.sagemaker.endpoint_records import Record
from mlref.aws.local.sagemaker.models import Models
from mlref.aws.local.sagemaker.updating import Update
from mlref.aws.local.services import Part, Request, Response, operation, page, selected
from mlref.aws.local.world import World, arn

__all__ = ["Endpoints"]

logger = logging.getLogger(__name__)

_FAULT = "Request to service failed. The log of the local AWS tells more."
_IN_PROGRESS = frozenset({"Creating", "Updating", "RollingBack"})


class Endpoints(Part):
    """CreateEndpoint and its family.

    Args:
        world: the time, and what resources carry.
        models: which the configurations name.
        configs: which the endpoints name.
        hosting: runs them.
        alarm: gives an alarm's state, or raises an `AwsError` if there is no such alarm.

    Attributes:
        guards: called with an endpoint's name, and what is about to become of it; one refuses that
            by raising an `AwsError`.
        on_removal: called with the name of an endpoint that is deleted.
        scaled: called with a prefix as in "endpoint/flights/"; gives what is scaled automatically.
    """

    def __init__(
        self,
        world: World,
        models: Models,
        hosting: Hosting,
        *,
        alarm: Callable[[str], str],
    ) -> None:
        self.configs = EndpointConfigs(world, models)
        self.guards: list[Callable[[str, str], object]] = []
        self.on_removal: Callable[[str], object] = lambda _: None
        self.scaled: Callable[[str], Sequence[str]] = lambda _: ()
        self._world = world
        self._models = models
        self._hosting = hosting
        self._alarm = alarm
        self._records: dict[str, Record] = {}
        self._lock = threading.RLock()

    @operation
    def create_endpoint(self, request: Request) -> Response:
        """CreateEndpoint."""
        name = request["EndpointName"]
        config = self.configs.found(request["EndpointConfigName"])
        spec = self._spec(config)
        plan(request.get("DeploymentConfig", {}), _instances(spec))
        record = Record(name, config, self._world.clock.now())
        record.deployment = request.get("DeploymentConfig")
        with self._lock:
            if any(each.arn == record.arn for each in self._records.values()):
                raise validation(f'Cannot create already existing endpoint "{record.arn}".')
            self._records[name] = record
        self._begin(record, lambda: self._create(record, spec))
        return {"EndpointArn": record.arn}

    @operation
    def describe_endpoint(self, request: Request) -> Response:
        """DescribeEndpoint."""
        record = self.found(request["EndpointName"])
        return described_endpoint(record, self._hosting.live(record.name), self._models)

    @operation
    def list_endpoints(self, request: Request) -> Response:
        """ListEndpoints."""
        with self._lock:
            records = [each.listed() for each in self._records.values()]
        found = selected(records, request, name="EndpointName", status="EndpointStatus")
        return page(found, request, into="Endpoints")

    @operation
    def update_endpoint(self, request: Request) -> Response:
        """UpdateEndpoint: other variants, without a moment in which nobody answers."""
        record = self.in_service(request["EndpointName"], "update")
        seen = record.changes
        self._guard(record, "update")
        config = self.configs.found(request["EndpointConfigName"])
        config = retained(request, self._live(record).groups[0], record.config_settings, config)
        deployment = _deployment(record, request)
        check_update(record.config_settings, config, deployment)
        resources = self.scaled(f"endpoint/{record.name}/variant/")
        check_scaled(resources, record.config_settings, config)
        spec = self._spec(config)
        steps = plan(deployment, _instances(spec))
        for name in steps.alarms:
            self._check_alarm(name)
        update = Update(
            self._world,
            self._hosting,
            record.name,
            spec,
            steps,
            alarm=self._alarm,
            background=lambda work: self._begin(record, work),
        )

        def done(reason: str | None) -> None:
            with self._lock:
                if reason is None:
                    record.config, record.config_settings = spec.config, config
                    record.deployment = deployment or None
                record.reason = reason or ""
                record.update = None
                self._now(record, "InService")

        with self._lock:
            self._claim(record, seen)
            record.update = update
        update.on_rollback = lambda: self._now(record, "RollingBack")
        self._begin(record, lambda: update.begin(done))
        return {"EndpointArn": record.arn}

    @operation
    def update_endpoint_weights_and_capacities(self, request: Request) -> Response:
        """UpdateEndpointWeightsAndCapacities."""
        record = self.in_service(request["EndpointName"], "update")
        seen = record.changes
        group = self._live(record).groups[0]
        asked = request["DesiredWeightsAndCapacities"]
        changes = [wanted(record.name, group, each) for each in asked]
        with self._lock:
            self._claim(record, seen)
        self._begin(record, lambda: self._rescale(record, changes))
        return {"EndpointArn": record.arn}

    @operation
    def delete_endpoint(self, request: Request) -> Response:
        """DeleteEndpoint; returns when the data plane does not see it any more."""
        record = self.found(request["EndpointName"])
        self._guard(record, "delete")
        with self._lock:
            record = self.found(record.name)
            if record.status in _IN_PROGRESS:
                raise validation(
                    f'Cannot delete endpoint "{record.arn}" while it is {record.status}; wait until'
                    f" it is InService or Failed"
                )
            del self._records[record.name]
            self._hosting.dismiss(record.name)
        self.on_removal(record.name)
        self._world.tags.forget(record.arn)
        return {}

    def found(self, name: str) -> Record:
        """An endpoint.

        Raises:
            AwsError: there is none of that name.
        """
        record = self._records.get(name)
        if record is None:
            wanted = arn("sagemaker", f"endpoint/{name.lower()}")
            raise validation(f'Could not find endpoint "{wanted}".')
        return record

    def in_service(self, name: str, what: str) -> Record:
        """An endpoint to which something can be done now.

        Raises:
            AwsError: there is none, or it is busy.
        """
        record = self.found(name)
        if record.status in _IN_PROGRESS:
            raise validation(
                f'Cannot {what} in-progress endpoint "{record.arn}": it is {record.status}; wait '
                f"until it is InService"
            )
        if record.status != "InService":
            raise validation(
                f'Cannot {what} endpoint "{record.arn}" while it is {record.status}; it must be '
                f"InService"
            )
        return record

    def settle(self) -> None:
        """Wait until nothing is under way in the background."""
        for record in list(self._records.values()):
            while (work := record.work) is not None and work.is_alive():
                work.join()  # and the one that it has begun as its last act

    def _spec(self, config: Mapping[str, Any]) -> GroupSpec:
        variants = [self._variant(each) for each in config["ProductionVariants"]]
        shadows = [self._variant(each) for each in config.get("ShadowProductionVariants", ())]
        return GroupSpec(
            config["EndpointConfigName"],
            variants,
            config.get("DataCaptureConfig"),
            shadows[0] if shadows else None,
            config.get("AsyncInferenceConfig"),
        )

    def _check_alarm(self, name: str) -> None:
        try:
            self._alarm(name)
        except AwsError as error:
            text = f"there is no alarm {name!r}; create it before the deployment"
            raise validation(text) from error

    def _variant(self, settings: Mapping[str, Any]) -> VariantSpec:
        name = settings.get("ModelName")
        if not name:
            return VariantSpec(settings, {})
        return VariantSpec(settings, self._models.container(name), self._models.role(name))

    def _guard(self, record: Record, what: str) -> None:
        for guard in self.guards:
            guard(record.name, what)

    def _claim(self, record: Record, seen: int) -> None:
        """Let nobody else change an endpoint; whoever calls it holds the lock.

        What must be looked up before (alarms, what is scaled) has locks of its own, and is done
        without this one: so whether the endpoint has changed meanwhile is seen by the number.

        Args:
            record: the endpoint.
            seen: how often it had changed when it was looked at.

        Raises:
            AwsError: somebody else was faster.
        """
        if self.in_service(record.name, "update") is not record or record.changes != seen:
            raise validation(f'Cannot update in-progress endpoint "{record.arn}"; try again')
        record.reason = ""
        self._now(record, "Updating")

    def _create(self, record: Record, spec: GroupSpec) -> None:
        try:
            group = self._hosting.build(record.name, spec)
        except WorkerError as error:
            record.reason = str(error)
            self._now(record, "Failed")
            return
        self._hosting.publish(Live(record.name, (group,)))
        self._now(record, "InService")

    def _rescale(self, record: Record, changes: Iterable[Wanted]) -> None:
        """Other numbers of workers first, then other weights."""
        reason, weights = "", {}
        for each in changes:
            try:
                each.carry_out()
            except WorkerError as error:
                reason = str(error)
            if each.weight is not None:
                weights[each.variant.name] = each.weight
        if weights:
            self._hosting.reweigh(record.name, weights)
        with self._lock:
            record.reason = reason
            self._now(record, "InService")

    def _live(self, record: Record) -> Live:
        live = self._hosting.live(record.name)
        if live is None:
            raise validation(f"endpoint {record.name} does not answer: it is {record.status}")
        return live

    def _now(self, record: Record, status: str) -> None:
        record.becomes(status, self._world.clock.now())

    def _begin(self, record: Record, work: Callable[[], None]) -> None:
        """Do something in the background; it tells itself how it ended."""

        def run() -> None:
            try:
                work()
            except Exception:
                logger.exception("endpoint %s", record.name)
                with self._lock:
                    record.reason, record.update = _FAULT, None
                    answers = self._hosting.live(record.name) is not None
                    self._now(record, "InService" if answers else "Failed")

        record.work = threading.Thread(target=run, name=f"endpoint {record.name}", daemon=True)
        record.work.start()


def _instances(spec: GroupSpec) -> int:
    """How many the variants have together."""
    return sum(int(each.settings.get("InitialInstanceCount", 1)) for each in spec.variants)


def _deployment(record: Record, request: Request) -> Mapping[str, Any]:
    """The DeploymentConfig of an update.

    Raises:
        AwsError: the request contradicts itself.
    """
    given: Mapping[str, Any] = request.get("DeploymentConfig", {})
    if not request.get("RetainDeploymentConfig"):
        return given
    if given:
        raise validation("give DeploymentConfig or RetainDeploymentConfig, not both")
    return record.deployment or {}
