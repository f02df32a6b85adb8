"""Groups of the Model Registry: one for each model, its versions inside, and who may use them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from mlref.aws.local.errors import AwsError, validation
from mlref.aws.local.services import Part, Request, Response, operation, page, selected
from mlref.aws.local.world import ACCOUNT, World, arn

__all__ = ["CREATED_BY", "Group", "PackageGroups", "plain_name"]

CREATED_BY = {
    "IamIdentity": {"Arn": f"arn:aws:iam::{ACCOUNT}:root", "PrincipalId": ACCOUNT},
}
"""Who made whatever is in the registry: the account itself."""


@dataclass
class Group:
    """A group of versions of one model.

    Attributes:
        name: of the group.
        told: as DescribeModelPackageGroup gives it.
        last: the number of the newest version that there ever was; numbers are not used again.
        versions: how many there are now.
        policy: a resource policy in JSON, or None.
    """

    name: str
    told: dict[str, Any]
    last: int = 0
    versions: int = 0
    policy: str | None = None

    @property
    def arn(self) -> str:
        """Of the group."""
        return str(self.told["ModelPackageGroupArn"])


class PackageGroups(Part):
    """CreateModelPackageGroup and its family.

    Args:
        world: the time, and what resources carry.
    """

    def __init__(self, world: World) -> None:
        self._world = world
        self._groups: dict[str, Group] = {}

    @operation
    def create_model_package_group(self, request: Request) -> Response:
        """CreateModelPackageGroup."""
        name = request["ModelPackageGroupName"]
        found = self._groups.get(name.lower())
        if found is not None:
            raise validation(f"Model Package Group already exists: {found.arn}")
        told = {
            "ModelPackageGroupName": name,
            "ModelPackageGroupArn": _arn(name),
            "CreationTime": self._world.clock.now(),
            "CreatedBy": CREATED_BY,
            "ModelPackageGroupStatus": "Completed",
        }
        for member in ("ModelPackageGroupDescription", "ManagedConfiguration"):
            if member in request:
                told[member] = request[member]
        self._groups[name.lower()] = Group(name, told)
        return {"ModelPackageGroupArn": told["ModelPackageGroupArn"]}

    @operation
    def describe_model_package_group(self, request: Request) -> Response:
        """DescribeModelPackageGroup."""
        return self.found(request["ModelPackageGroupName"]).told

    @operation
    def list_model_package_groups(self, request: Request) -> Response:
        """ListModelPackageGroups."""
        told = [
            {name: value for name, value in each.told.items() if name != "CreatedBy"}
            for each in self._groups.values()
        ]
        wanted = {"SortOrder": "Ascending", **request}
        found = selected(told, wanted, name="ModelPackageGroupName")
        return page(found, request, into="ModelPackageGroupSummaryList")

    @operation
    def delete_model_package_group(self, request: Request) -> Response:
        """DeleteModelPackageGroup.

        Raises:
            AwsError: it holds versions.
        """
        group = self.found(request["ModelPackageGroupName"])
        if group.versions:
            held = "1 version" if group.versions == 1 else f"{group.versions} versions"
            raise AwsError(
                "ConflictException",
                f"ModelPackageGroup {group.arn} cannot be deleted: it holds {held}; delete them "
                f"with DeleteModelPackage first",
            )
        del self._groups[group.name.lower()]
        self._world.tags.forget(group.arn)
        return {}

    @operation
    def put_model_package_group_policy(self, request: Request) -> Response:
        """PutModelPackageGroupPolicy."""
        group = self.found(request["ModelPackageGroupName"])
        text = request["ResourcePolicy"]
        try:
            policy = json.loads(text)
        except ValueError as error:
            raise validation(f"ResourcePolicy must be a policy in JSON: {error}") from error
        if not isinstance(policy, dict) or "Statement" not in policy:
            raise validation('ResourcePolicy must be an object with a "Statement"')
        group.policy = text
        return {"ModelPackageGroupArn": group.arn}

    @operation
    def get_model_package_group_policy(self, request: Request) -> Response:
        """GetModelPackageGroupPolicy."""
        group = self.found(request["ModelPackageGroupName"])
        return {"ResourcePolicy": _policy(group)}

    @operation
    def delete_model_package_group_policy(self, request: Request) -> Response:
        """DeleteModelPackageGroupPolicy."""
        group = self.found(request["ModelPackageGroupName"])
        _policy(group)
        group.policy = None
        return {}

    def found(self, name: str) -> Group:
        """A group, by its name or ARN.

        Raises:
            AwsError: there is none.
        """
        group = self._groups.get(plain_name(name).lower())
        if group is None:
            raise validation(f"ModelPackageGroup {_arn(plain_name(name))} does not exist.")
        return group

    def next_version(self, group: Group) -> int:
        """A number that no version of the group has, or ever had."""
        group.last += 1
        group.versions += 1
        return group.last


def plain_name(name: str) -> str:
    """The name in an ARN, or the name itself.

    >>> plain_name("arn:aws:sagemaker:us-east-1:123456789012:model-package/flights/3")
    'flights/3'
    """
    return name.split("/", 1)[1] if name.startswith("arn:") else name


def _arn(name: str) -> str:
    return arn("sagemaker", f"model-package-group/{name.lower()}")


def _policy(group: Group) -> str:
    if group.policy is None:
        raise validation(f"Cannot find resource policy for: {group.arn}")
    return group.policy
