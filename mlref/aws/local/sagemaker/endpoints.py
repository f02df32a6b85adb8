"""Endpoints: created, updated, scaled, deleted; and what DescribeEndpoint tells meanwhile."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

from mlref.aws.local.errors import AwsError, validation
from mlref.aws.local.hosting.hosting import GroupSpec, Hosting, VariantSpec
from mlref.aws.local.hosting.live import Live
from mlref.aws.local.hosting.rollout import plan
from mlref.aws.local.hosting.workers import WorkerError
from mlref.aws.local.sagemaker.described import described_variants
from mlref.aws.local.sagemaker.endpoint_configs import EndpointConfigs
from mlref.aws.local.sagemaker.models import Models
from mlref.aws.local.sagemaker.updating import Update
from mlref.aws.local.services import Part, Request, Response, operation, page, selected
from mlref.aws.local.world import World, arn

__all__ = ["Endpoints", "Record"]

logger = logging.getLogger(__name__)


class Record:
    """An endpoint, whether it answers or not.

    Attributes:
        name: of the endpoint.
        config: the name of its configuration.
        status: one of AWS's.
        reason: why it failed, or "".
        desired: variant -> how many instances it is to have.
        deployment: the DeploymentConfig of the last update, or None.
        update: that is under way, or None.
    """

    def __init__(self, name: str, config: str, at: datetime) -> None:
        self.name = name
        self.arn = arn("sagemaker", f"endpoint/{name.lower()}")
        self.config = config
        self.status = "Creating"
        self.reason = ""
        self.created = at
        self.modified = at
        self.deployment: Mapping[str, Any] | None = None
        self.update: Update | None = None
        self.capture: Mapping[str, Any] | None = None
        self.config_settings: Mapping[str, Any] = {}
        self.work: threading.Thread | None = None


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
        self.configs = EndpointConfigs(world, models, self.users_of)
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
        with self._lock:
            if name in self._records:
                wanted = self._records[name].arn
                raise validation(f'Cannot create already existing endpoint "{wanted}".')
            record = Record(name, request["EndpointConfigName"], self._world.clock.now())
            record.config_settings = config
            record.deployment = request.get("DeploymentConfig")
            self._records[name] = record
        self._begin(record, lambda: self._create(record, spec))
        return {"EndpointArn": record.arn}

    @operation
    def describe_endpoint(self, request: Request) -> Response:
        """DescribeEndpoint."""
        record = self.found(request["EndpointName"])
        live = self._hosting.live(record.name)
        config = record.config_settings
        told: dict[str, Any] = {
            "EndpointName": record.name,
            "EndpointArn": record.arn,
            "EndpointConfigName": record.config,
            "EndpointStatus": record.status,
            "CreationTime": record.created,
            "LastModifiedTime": record.modified,
            "FailureReason": record.reason or None,
            "LastDeploymentConfig": record.deployment,
            "AsyncInferenceConfig": config.get("AsyncInferenceConfig"),
        }
        if live is not None:
            group = live.groups[0]
            told["ProductionVariants"] = described_variants(group.variants, self._models)
            if group.shadow is not None:
                shadows = described_variants([group.shadow], self._models)
                told["ShadowProductionVariants"] = shadows
            capture = config.get("DataCaptureConfig")
            if capture:
                told["DataCaptureConfig"] = {
                    "EnableCapture": capture.get("EnableCapture", False),
                    "CaptureStatus": "Started" if capture.get("EnableCapture") else "Stopped",
                    "CurrentSamplingPercentage": capture["InitialSamplingPercentage"],
                    "DestinationS3Uri": capture["DestinationS3Uri"],
                    "KmsKeyId": capture.get("KmsKeyId", ""),
                }
        if record.update is not None:
            told["PendingDeploymentSummary"] = record.update.described(self._models)
        return {name: value for name, value in told.items() if value is not None}

    @operation
    def list_endpoints(self, request: Request) -> Response:
        """ListEndpoints."""
        with self._lock:
            records = [
                {
                    "EndpointName": each.name,
                    "EndpointArn": each.arn,
                    "CreationTime": each.created,
                    "LastModifiedTime": each.modified,
                    "EndpointStatus": each.status,
                }
                for each in self._records.values()
            ]
        found = selected(records, request, name="EndpointName", status="EndpointStatus")
        return page(found, request, into="Endpoints")

    @operation
    def update_endpoint(self, request: Request) -> Response:
        """UpdateEndpoint: other variants, without a moment in which nobody answers."""
        record = self.in_service(request["EndpointName"], "update")
        self._guard(record, "update")
        config = self.configs.found(request["EndpointConfigName"])
        retained = None
        if request.get("RetainAllVariantProperties"):
            left_out = {
                each["VariantPropertyType"]
                for each in request.get("ExcludeRetainedVariantProperties", ())
            }
            retained = {"DesiredInstanceCount", "DesiredWeight", "DataCaptureConfig"} - left_out
        elif request.get("ExcludeRetainedVariantProperties"):
            raise validation("ExcludeRetainedVariantProperties needs RetainAllVariantProperties")
        deployment = request.get("DeploymentConfig", {})
        if request.get("RetainDeploymentConfig"):
            if deployment:
                raise validation("give DeploymentConfig or RetainDeploymentConfig, not both")
            deployment = record.deployment or {}
        config = self._retained(record, config, retained or set())
        spec = self._spec(config)
        self._check_scaled(record, config)
        count = sum(int(each.settings.get("InitialInstanceCount", 1)) for each in spec.variants)
        steps = plan(deployment, count)
        for name in steps.alarms:
            self._check_alarm(name)
        update = Update(self._world, self._hosting, record.name, spec, steps, alarm=self._alarm)

        def done(reason: str | None) -> None:
            with self._lock:
                if reason is None:
                    record.config, record.config_settings = spec.config, config
                    record.deployment = deployment or None
                record.reason = reason or ""
                record.update = None
                self._now(record, "InService")

        with self._lock:
            record.update = update
            record.reason = ""
            self._now(record, "Updating")
        update.on_rollback = lambda: self._now(record, "RollingBack")
        self._begin(record, lambda: update.begin(done))
        return {"EndpointArn": record.arn}

    @operation
    def update_endpoint_weights_and_capacities(self, request: Request) -> Response:
        """UpdateEndpointWeightsAndCapacities."""
        record = self.in_service(request["EndpointName"], "update")
        live = self._live(record)
        weights: dict[str, float] = {}
        counts: dict[str, int] = {}
        for each in request["DesiredWeightsAndCapacities"]:
            name = each["VariantName"]
            variant = live.groups[0].named(name)
            if variant is None:
                known = ", ".join(each.name for each in live.groups[0].variants)
                raise validation(f"endpoint {record.name} has no variant {name!r}; it has {known}")
            if "DesiredWeight" in each:
                weights[name] = float(each["DesiredWeight"])
            if "DesiredInstanceCount" in each:
                counts[name] = int(each["DesiredInstanceCount"])
        self._now(record, "Updating")
        self._begin(record, lambda: self._rescale(record, weights, counts))
        return {"EndpointArn": record.arn}

    @operation
    def delete_endpoint(self, request: Request) -> Response:
        """DeleteEndpoint; returns when the data plane does not see it any more."""
        record = self.found(request["EndpointName"])
        if record.status in {"Creating", "Updating", "RollingBack"}:
            raise validation(
                f'Cannot delete endpoint "{record.arn}" while it is {record.status}; wait until it '
                f"is InService or Failed"
            )
        self._guard(record, "delete")
        with self._lock:
            del self._records[record.name]
        self.on_removal(record.name)
        live = self._hosting.withdraw(record.name)
        self._world.tags.forget(record.arn)
        if live is not None:
            for group in live.groups:
                threading.Thread(target=self._hosting.retire, args=(group,), daemon=True).start()
        return {}

    def _check_scaled(self, record: Record, config: Mapping[str, Any]) -> None:
        """A variant that is scaled automatically keeps its name and its instance type."""
        before, after = (
            {each["VariantName"]: each.get("InstanceType") for each in one["ProductionVariants"]}
            for one in (record.config_settings, config)
        )
        for resource in self.scaled(f"endpoint/{record.name}/variant/"):
            name = resource.rpartition("/")[2]
            if name not in after or before.get(name) != after[name]:
                raise validation(
                    f'The variant(s) "{name}" must be deregistered as scalable targets with AWS '
                    f"Auto Scaling before they can be removed or have their instance type modified."
                )

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
        if record.status != "InService":
            raise validation(
                f'Cannot {what} endpoint "{record.arn}" while it is {record.status}; wait until it '
                f"is InService"
            )
        return record

    def users_of(self, config: str) -> list[str]:
        """The endpoints that use a configuration."""
        with self._lock:
            return [
                each.name
                for each in self._records.values()
                if config in {each.config, each.update.config if each.update else None}
            ]

    def settle(self) -> None:
        """Wait until nothing is under way in the background."""
        for record in list(self._records.values()):
            if record.work is not None:
                record.work.join()

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
        return VariantSpec(settings, self._models.containers(name)[0], self._models.role(name))

    def _guard(self, record: Record, what: str) -> None:
        for guard in self.guards:
            guard(record.name, what)

    def _retained(
        self, record: Record, config: Mapping[str, Any], members: set[str]
    ) -> Mapping[str, Any]:
        """A configuration with what the endpoint has now of some properties."""
        if not members:
            return config
        group = self._live(record).groups[0]
        variants = []
        for each in config["ProductionVariants"]:
            variant = group.named(each["VariantName"])
            kept = dict(each)
            if variant is not None and "DesiredWeight" in members:
                kept["InitialVariantWeight"] = variant.weight
            if variant is not None and "DesiredInstanceCount" in members:
                kept["InitialInstanceCount"] = variant.fleet.desired
            variants.append(kept)
        found = {**config, "ProductionVariants": variants}
        if "DataCaptureConfig" in members and "DataCaptureConfig" in record.config_settings:
            found["DataCaptureConfig"] = record.config_settings["DataCaptureConfig"]
        return found

    def _create(self, record: Record, spec: GroupSpec) -> None:
        try:
            group = self._hosting.build(record.name, spec)
        except WorkerError as error:
            record.reason = str(error)
            self._now(record, "Failed")
            return
        except Exception:
            logger.exception("endpoint %s could not be created", record.name)
            record.reason = "Request to service failed. The log of the local AWS tells more."
            self._now(record, "Failed")
            return
        self._hosting.publish(Live(record.name, (group,)))
        self._now(record, "InService")

    def _rescale(
        self, record: Record, weights: Mapping[str, float], counts: Mapping[str, int]
    ) -> None:
        """Other numbers of workers first, then other weights."""
        reason = ""
        live = self._live(record)
        for name, count in counts.items():
            variant = live.groups[0].named(name)
            try:
                if variant is not None:
                    variant.fleet.resize(count)
            except WorkerError as error:
                reason = str(error)
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
        record.status = status
        record.modified = self._world.clock.now()

    def _begin(self, record: Record, work: Callable[[], None]) -> None:
        record.work = threading.Thread(target=work, name=f"endpoint {record.name}", daemon=True)
        record.work.start()
