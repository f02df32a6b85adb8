"""Models: which container answers, and with which data."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from mlref.aws.local.errors import AwsError, validation
from mlref.aws.local.hosting.model_data import ModelDataError, require_readable
from mlref.aws.local.services import Part, Request, Response, operation, page, selected
from mlref.aws.local.world import World, arn

__all__ = ["Models", "Resolve", "model_data"]

Resolve = Callable[[str], Sequence[Mapping[str, Any]]]
"""The containers of a model package, by its name or ARN."""


class Models(Part):
    """CreateModel and its family.

    Args:
        world: holds S3, and the roles.
        resolve: gives the containers of a model package.
    """

    def __init__(self, world: World, resolve: Resolve) -> None:
        self._world = world
        self._resolve = resolve
        self._models: dict[str, dict[str, Any]] = {}

    @operation
    def create_model(self, request: Request) -> Response:
        """CreateModel."""
        name = request["ModelName"]
        made = arn("sagemaker", f"model/{name.lower()}")
        if any(each["ModelArn"] == made for each in list(self._models.values())):
            raise validation(f'Cannot create already existing model "{made}".')
        primary, several = request.get("PrimaryContainer"), request.get("Containers", [])
        if (primary is None) == (not several):
            raise validation("give PrimaryContainer or Containers: exactly one of the two")
        containers = [self._whole(each) for each in ([primary] if primary else several)]
        role = request.get("ExecutionRoleArn")
        if role is not None:
            self._world.roles.trusts(role, "sagemaker.amazonaws.com", source=made)
        for container in containers:
            self._readable(container, role)
        model = {
            "ModelName": name,
            "ModelArn": made,
            "CreationTime": self._world.clock.now(),
            "EnableNetworkIsolation": bool(request.get("EnableNetworkIsolation", False)),
        }
        if primary:
            model["PrimaryContainer"] = containers[0]
        else:
            model["Containers"] = containers
        for member in ("ExecutionRoleArn", "VpcConfig", "InferenceExecutionConfig"):
            if member in request:
                model[member] = request[member]
        self._models[name] = model
        return {"ModelArn": model["ModelArn"]}

    @operation
    def describe_model(self, request: Request) -> Response:
        """DescribeModel."""
        return self.found(request["ModelName"])

    @operation
    def list_models(self, request: Request) -> Response:
        """ListModels."""
        found = selected(self._models.values(), request, name="ModelName")
        members = ("ModelName", "ModelArn", "CreationTime")
        return page(
            [{name: each[name] for name in members} for each in found], request, into="Models"
        )

    @operation
    def delete_model(self, request: Request) -> Response:
        """DeleteModel; endpoints that have loaded it go on."""
        found = self.found(request["ModelName"])
        del self._models[found["ModelName"]]
        self._world.tags.forget(found["ModelArn"])
        return {}

    def found(self, name: str) -> Mapping[str, Any]:
        """A model, as DescribeModel gives it.

        Raises:
            AwsError: there is none of that name.
        """
        found = self._models.get(name)
        if found is None:
            wanted = arn("sagemaker", f"model/{name.lower()}")
            raise validation(f'Could not find model "{wanted}".')
        return found

    def containers(self, name: str) -> Sequence[Mapping[str, Any]]:
        """The containers of a model, in the order in which they answer.

        Raises:
            AwsError: there is no such model.
        """
        found = self.found(name)
        primary = found.get("PrimaryContainer")
        return [primary] if primary is not None else found["Containers"]

    def container(self, name: str) -> Mapping[str, Any]:
        """The container of a model that has one.

        Raises:
            AwsError: there is no such model, or it has several containers.
        """
        found = self.containers(name)
        if len(found) != 1:
            text = f"the local AWS serves models of one container, and model {name} has"
            text = f"{text} {len(found)}; put all into one container, or use a real account"
            raise AwsError("UnsupportedOperation", text)
        return found[0]

    def role(self, name: str) -> str | None:
        """The role of a model, or None.

        Raises:
            AwsError: there is no such model.
        """
        role: str | None = self.found(name).get("ExecutionRoleArn")
        return role

    def _whole(self, container: Mapping[str, Any]) -> dict[str, Any]:
        """A container with what its model package says of it."""
        found = dict(container)
        if "ModelPackageName" in found:
            packaged = self._resolve(found["ModelPackageName"])
            if len(packaged) != 1:
                raise validation("a container can only be made of a package with one container")
            environment = {**packaged[0].get("Environment", {}), **found.get("Environment", {})}
            found = {**packaged[0], **found, "Environment": environment}
        elif "Image" not in found:
            raise validation("a container needs an Image, or a ModelPackageName")
        found.setdefault("Mode", "SingleModel")
        if found["Mode"] == "MultiModel" and model_data(found) is None:
            text = "a container of Mode MultiModel needs ModelDataUrl: the prefix of its models"
            raise validation(f"{text} in S3")
        return {name: value for name, value in found.items() if value != {}}

    def _readable(self, container: Mapping[str, Any], role: str | None) -> None:
        """Refuse model data that is not there, or that the role may not read."""
        uri = model_data(container)
        if uri is None:
            return
        several = container.get("Mode") == "MultiModel"
        try:
            require_readable(self._world.objects, self._world.roles, uri, role, later=several)
        except ModelDataError as error:
            raise validation(str(error)) from error


def model_data(container: Mapping[str, Any]) -> str | None:
    """Where a container's model data lies in S3, or None if it has none."""
    url = container.get("ModelDataUrl")
    if url is None:
        url = container.get("ModelDataSource", {}).get("S3DataSource", {}).get("S3Uri")
    return url if url is None or url.startswith("s3://") else _from_https(url)


def _from_https(url: str) -> str:
    """An https address of an object as one of S3."""
    host, _, path = url.removeprefix("https://").partition("/")
    bucket, _, rest = host.partition(".s3")
    if rest or host.startswith("s3"):
        return f"s3://{bucket}/{path}" if not host.startswith("s3") else f"s3://{path}"
    raise validation(f"ModelDataUrl must be an address in S3, got {url!r}")
