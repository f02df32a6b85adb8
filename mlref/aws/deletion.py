"""How each kind of thing on AWS is deleted, with all that has to go before it.

What is not there any more counts as deleted. Everything else that goes wrong is an error of
botocore, for `mlref.aws.sweep` to try again or to report.

SageMaker writes names into ARNs in lower case, and wants them back as they were; so names are
looked up in its lists, by ARN.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

__all__ = ["Arn", "Deleter", "is_gone"]

_RESOURCE = 5  # colons of an ARN before what it names
_ENDING = "PendingDeletion"
_KEY_DAYS = 7  # that KMS keeps a key at least
_GONE = re.compile("not ?found|no ?such|non ?existent|does ?not ?exist", re.IGNORECASE)
_NOT_FOUND = re.compile("could not find|does not exist|not found", re.IGNORECASE)


@dataclass(frozen=True)
class Arn:
    """What an Amazon Resource Name says.

    Attributes:
        text: all of it.
        service: as in "sagemaker".
        kind: as in "endpoint"; "" where the service writes none, as S3 does.
        name: the rest; of a role without its path.
    """

    text: str
    service: str
    kind: str
    name: str

    @classmethod
    def of(cls, text: str) -> Arn:
        """The parts of an ARN; of what is none, everything is the name.

        >>> Arn.of("arn:aws:sagemaker:us-east-1:123456789012:endpoint/flights").kind
        'endpoint'
        """
        parts = text.split(":", _RESOURCE)
        if len(parts) <= _RESOURCE or parts[0] != "arn":
            return cls(text, "", "", text)
        service, resource = parts[2], parts[_RESOURCE]
        found = re.fullmatch("([a-z-]+)[:/](.+)", resource, re.DOTALL)
        if service in {"s3", "sns", "sqs"} or found is None:
            return cls(text, service, "", resource)
        kind, name = found.groups()
        if service == "iam":
            name = name.rpartition("/")[2]
        if (service, kind) == ("logs", "log-group"):
            name = name.removesuffix(":*")  # which stands for its streams
        return cls(text, service, kind, name)


def is_gone(error: Any) -> bool:
    """Whether a refusal of AWS says that there is no such thing; each service has its own way."""
    told = error.response.get("Error", {})
    code, message = str(told.get("Code", "")), str(told.get("Message", ""))
    vague = code in {"ValidationException", "ValidationError"}
    return bool(_NOT_FOUND.search(message)) if vague else bool(_GONE.search(code))


class Deleter:
    """Deletes things of a session's account.

    Args:
        session: a boto3 session.
    """

    def __init__(self, session: Any) -> None:
        self._session = session
        self._clients: dict[str, Any] = {}
        self._ways: dict[tuple[str, str], Callable[[Arn], None]] = {
            ("application-autoscaling", "scalable-target"): self._scaling_target,
            ("sagemaker", "monitoring-schedule"): self._sagemaker,
            ("sagemaker", "training-job"): self._job,
            ("sagemaker", "processing-job"): self._job,
            ("sagemaker", "transform-job"): self._job,
            ("sagemaker", "inference-component"): self._sagemaker,
            ("sagemaker", "endpoint"): self._sagemaker,
            ("sagemaker", "endpoint-config"): self._sagemaker,
            ("sagemaker", "model"): self._sagemaker,
            ("sagemaker", "model-package"): self._package,
            ("sagemaker", "model-package-group"): self._sagemaker,
            ("sagemaker", "data-quality-job-definition"): self._definition,
            ("sagemaker", "model-quality-job-definition"): self._definition,
            ("sagemaker", "model-bias-job-definition"): self._definition,
            ("sagemaker", "model-explainability-job-definition"): self._definition,
            ("lambda", "function"): self._function,
            ("cloudwatch", "alarm"): self._alarm,
            ("logs", "log-group"): self._log_group,
            ("s3", ""): self._bucket,
            ("sqs", ""): self._queue,
            ("sns", ""): self._topic,
            ("ecr", "repository"): self._repository,
            ("iam", "role"): self._role,
            ("iam", "policy"): self._policy,
            ("kms", "key"): self._key,
        }

    @property
    def kinds(self) -> frozenset[tuple[str, str]]:
        """Service and kind of all that can be deleted."""
        return frozenset(self._ways)

    def rank(self, arn: Arn) -> int:
        """When something is deleted: what uses others before what they use; unknown things last."""
        order = list(self._ways)
        where = (arn.service, arn.kind)
        return order.index(where) if where in self._ways else len(order)

    def delete(self, arn: Arn) -> None:
        """Delete something and what is in it.

        Raises:
            NotImplementedError: this kind of thing is not known.
            botocore.exceptions.ClientError: AWS refused, for instance as it is still in use.
        """
        from botocore.exceptions import ClientError

        way = self._ways.get((arn.service, arn.kind))
        if way is None:
            kind = f"{arn.service} {arn.kind}".strip() or "thing of this kind"
            raise NotImplementedError(f"mlref cannot delete a {kind}; delete it by hand")
        try:
            way(arn)
        except ClientError as error:
            if not is_gone(error):
                raise

    def is_ending(self, arn: Arn) -> bool:
        """Whether AWS deletes something already: KMS waits for days, and lists it meanwhile."""
        return (arn.service, arn.kind) == ("kms", "key") and self._key_state(arn) == _ENDING

    def _client(self, service: str) -> Any:
        """A client, made once."""
        if service not in self._clients:
            self._clients[service] = self._session.client(service)
        return self._clients[service]

    def _pages(self, service: str, operation: str, into: str, **given: Any) -> Iterator[Any]:
        """All items of a list, page by page."""
        for page in self._client(service).get_paginator(operation).paginate(**given):
            yield from page.get(into, ())

    def _sagemaker(self, arn: Arn) -> None:
        """What SageMaker lists by name and ARN, and what is of no use without it."""
        stem, listed = _LISTS[arn.kind]
        wanted = arn.text.lower()
        for item in list(self._pages("sagemaker", f"list_{_snake(stem)}s", listed)):
            if item[f"{stem}Arn"].lower() != wanted:
                continue
            name = item[f"{stem}Name"]
            if arn.kind == "model-package-group":
                self._versions_of(name)
            getattr(self._client("sagemaker"), f"delete_{_snake(stem)}")(**{f"{stem}Name": name})
            if arn.kind in {"endpoint", "inference-component"}:
                self._scaling_of(f"{arn.kind}/{name}")
            if arn.kind == "endpoint":
                self._log_group(Arn("", "logs", "log-group", f"/aws/sagemaker/Endpoints/{name}"))

    def _versions_of(self, group: str) -> None:
        packages = self._pages(
            "sagemaker",
            "list_model_packages",
            "ModelPackageSummaryList",
            ModelPackageGroupName=group,
        )
        for each in list(packages):
            arn = each["ModelPackageArn"]
            self._client("sagemaker").delete_model_package(ModelPackageName=arn)

    def _package(self, arn: Arn) -> None:
        self._client("sagemaker").delete_model_package(ModelPackageName=arn.text)

    def _definition(self, arn: Arn) -> None:
        client = self._client("sagemaker")
        kind = arn.kind.replace("-", "_")
        getattr(client, f"delete_{kind}")(JobDefinitionName=arn.name)

    def _job(self, arn: Arn) -> None:
        """A job is stopped if it runs; AWS keeps its record, which costs nothing: ours no more."""
        from mlref.aws.tagging import EXPIRES, SESSION

        client, kind = self._client("sagemaker"), arn.kind.replace("-", "_")
        stem = "".join(word.capitalize() for word in arn.kind.split("-"))
        name = {f"{stem}Name": arn.name}
        if getattr(client, f"describe_{kind}")(**name)[f"{stem}Status"] == "InProgress":
            getattr(client, f"stop_{kind}")(**name)
        client.delete_tags(ResourceArn=arn.text, TagKeys=[SESSION, EXPIRES])

    def _scaling_target(self, arn: Arn) -> None:
        targets = self._targets("sagemaker") + self._targets("lambda")
        self._deregister(each for each in targets if each.get("ScalableTargetARN") == arn.text)

    def _scaling_of(self, resource: str) -> None:
        """Targets go with an endpoint only if whoever deletes it may deregister them, too."""
        self._deregister(
            each
            for each in self._targets("sagemaker")
            if f"{each['ResourceId']}/".startswith(f"{resource}/")
        )

    def _targets(self, namespace: str) -> list[Any]:
        given = {"ServiceNamespace": namespace}
        pages = self._pages(
            "application-autoscaling", "describe_scalable_targets", "ScalableTargets", **given
        )
        return list(pages)

    def _deregister(self, targets: Iterable[Any]) -> None:
        for each in targets:
            named = ("ServiceNamespace", "ResourceId", "ScalableDimension")
            self._client("application-autoscaling").deregister_scalable_target(
                **{name: each[name] for name in named}
            )

    def _function(self, arn: Arn) -> None:
        self._client("lambda").delete_function(FunctionName=arn.name)

    def _alarm(self, arn: Arn) -> None:
        self._client("cloudwatch").delete_alarms(AlarmNames=[arn.name])

    def _log_group(self, arn: Arn) -> None:
        self._client("logs").delete_log_group(logGroupName=arn.name)

    def _bucket(self, arn: Arn) -> None:
        """All versions of all objects, uploads that were not finished, and the bucket."""
        client, bucket = self._client("s3"), {"Bucket": arn.name}
        for page in client.get_paginator("list_object_versions").paginate(**bucket):
            found = (*page.get("Versions", ()), *page.get("DeleteMarkers", ()))
            objects = [{"Key": each["Key"], "VersionId": each["VersionId"]} for each in found]
            if objects:
                client.delete_objects(**bucket, Delete={"Objects": objects, "Quiet": True})
        for each in list(self._pages("s3", "list_multipart_uploads", "Uploads", **bucket)):
            client.abort_multipart_upload(**bucket, Key=each["Key"], UploadId=each["UploadId"])
        client.delete_bucket(**bucket)

    def _queue(self, arn: Arn) -> None:
        client = self._client("sqs")
        client.delete_queue(QueueUrl=client.get_queue_url(QueueName=arn.name)["QueueUrl"])

    def _topic(self, arn: Arn) -> None:
        self._client("sns").delete_topic(TopicArn=arn.text)

    def _repository(self, arn: Arn) -> None:
        self._client("ecr").delete_repository(repositoryName=arn.name, force=True)

    def _role(self, arn: Arn) -> None:
        """What is attached to a role goes first; policies of their own stay."""
        client, role = self._client("iam"), {"RoleName": arn.name}
        for each in list(
            self._pages("iam", "list_attached_role_policies", "AttachedPolicies", **role)
        ):
            client.detach_role_policy(**role, PolicyArn=each["PolicyArn"])
        for name in list(self._pages("iam", "list_role_policies", "PolicyNames", **role)):
            client.delete_role_policy(**role, PolicyName=name)
        profiles = self._pages("iam", "list_instance_profiles_for_role", "InstanceProfiles", **role)
        for each in list(profiles):
            profile = each["InstanceProfileName"]
            client.remove_role_from_instance_profile(**role, InstanceProfileName=profile)
        client.delete_role(**role)

    def _policy(self, arn: Arn) -> None:
        client, policy = self._client("iam"), {"PolicyArn": arn.text}
        for each in list(self._pages("iam", "list_policy_versions", "Versions", **policy)):
            if not each["IsDefaultVersion"]:
                client.delete_policy_version(**policy, VersionId=each["VersionId"])
        client.delete_policy(**policy)

    def _key(self, arn: Arn) -> None:
        if self._key_state(arn) != _ENDING:
            self._client("kms").schedule_key_deletion(KeyId=arn.name, PendingWindowInDays=_KEY_DAYS)

    def _key_state(self, arn: Arn) -> str:
        return str(self._client("kms").describe_key(KeyId=arn.name)["KeyMetadata"]["KeyState"])


_LISTS = {
    "monitoring-schedule": ("MonitoringSchedule", "MonitoringScheduleSummaries"),
    "inference-component": ("InferenceComponent", "InferenceComponents"),
    "endpoint": ("Endpoint", "Endpoints"),
    "endpoint-config": ("EndpointConfig", "EndpointConfigs"),
    "model": ("Model", "Models"),
    "model-package-group": ("ModelPackageGroup", "ModelPackageGroupSummaryList"),
}
"""How SageMaker calls a kind in names of operations and members, and the items of its list."""


def _snake(name: str) -> str:
    """AWS's spelling as boto3 spells it: "EndpointConfig" is "endpoint_config"."""
    return re.sub("(?<!^)(?=[A-Z])", "_", name).lower()
