"""The Model Registry: what was trained, which version of it is approved, and what serves it.

A *model package* is a version of a model: containers, and where their data lies. Its *approval* is
what a pipeline waits for: only an approved version can be deployed.

    PendingManualApproval -> Approved | Rejected      (and back, at any time)

A package belongs to a group and has a number there (versioned), or has a name of its own
(unversioned). The number of a version that was deleted is not given again.

Source: the Amazon SageMaker API Reference, CreateModelPackage and its family; the Developer Guide,
"Register and Deploy Models with Model Registry".
"""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from typing import Any

from mlref.aws.local.errors import AwsError, validation
from mlref.aws.local.sagemaker.package_groups import (
    CREATED_BY,
    Group,
    PackageGroups,
    plain_name,
)
from mlref.aws.local.services import Part, Request, Response, operation, page, selected
from mlref.aws.local.world import World, arn

__all__ = ["Registry"]

_KEPT = (
    "ModelPackageDescription",
    "ModelPackageRegistrationType",
    "InferenceSpecification",
    "CertifyForMarketplace",
    "MetadataProperties",
    "ModelMetrics",
    "Domain",
    "Task",
    "SamplePayloadUrl",
    "CustomerMetadataProperties",
    "DriftCheckBaselines",
    "AdditionalInferenceSpecifications",
    "SkipModelValidation",
    "SourceUri",
    "SecurityConfig",
    "ModelCard",
    "ModelLifeCycle",
    "ManagedStorageType",
)
"""The members of CreateModelPackage that DescribeModelPackage gives back as they were."""

_REPLACED = (
    "ModelPackageRegistrationType",
    "ApprovalDescription",
    "InferenceSpecification",
    "SourceUri",
    "ModelCard",
    "ModelLifeCycle",
)
_SUMMARY = (
    "ModelPackageName",
    "ModelPackageGroupName",
    "ModelPackageVersion",
    "ModelPackageArn",
    "ModelPackageDescription",
    "CreationTime",
    "ModelPackageStatus",
    "ModelApprovalStatus",
    "ModelLifeCycle",
    "ModelPackageRegistrationType",
)
_CONTAINER = (
    "ContainerHostname",
    "Image",
    "ModelDataUrl",
    "ModelDataSource",
    "AdditionalModelDataSources",
    "Environment",
)
"""The members of a package's container that a model's container has, too."""

_MOST_SPECIFICATIONS = 15
_MOST_PROPERTIES = 50


class Registry(Part):
    """CreateModelPackage and its family.

    Args:
        world: the time, S3, and what resources carry.

    Attributes:
        groups: the part with the operations of groups.
    """

    def __init__(self, world: World) -> None:
        self.groups = PackageGroups(world)
        self._world = world
        self._packages: dict[str, dict[str, Any]] = {}  # by the name in the ARN
        self._tokens: dict[str, str] = {}
        self._lock = threading.RLock()

    @operation
    def create_model_package(self, request: Request) -> Response:
        """CreateModelPackage; asking again with the same ClientToken gives the same package.

        Raises:
            AwsError: the request asks for what the local AWS does not do.
        """
        name, group_name = request.get("ModelPackageName"), request.get("ModelPackageGroupName")
        with self._lock:
            token = request.get("ClientToken", "")
            if token in self._tokens:
                return {"ModelPackageArn": self._tokens[token]}
            if name and group_name:
                raise validation(
                    "Both ModelPackageName and ModelPackageGroupName are provided in the input. "
                    "Cannot determine which one to use."
                )
            if not name and not group_name:
                raise validation("Missing ARN. Give ModelPackageGroupName, or ModelPackageName.")
            if group_name and request.get("Tags"):
                raise validation(
                    "a version has the tags of its group: leave Tags out, or give them to the "
                    "group by CreateModelPackageGroup or AddTags"
                )
            for member in ("SourceAlgorithmSpecification", "ValidationSpecification"):
                if member in request:
                    text = f"the local AWS does not have {member} of a model package; leave it out"
                    raise AwsError("UnsupportedOperation", text)
            self._check(request)
            told = self._versioned(request) if group_name else self._unversioned(request)
            key = plain_name(told["ModelPackageArn"])
            self._packages[key] = told
            if token:
                self._tokens[token] = told["ModelPackageArn"]
        return {"ModelPackageArn": told["ModelPackageArn"]}

    @operation
    def describe_model_package(self, request: Request) -> Response:
        """DescribeModelPackage."""
        told = dict(self.found(request["ModelPackageName"]))
        if request.get("IncludedData") == "MetadataOnly" and "ModelCard" in told:
            card = told["ModelCard"]
            told["ModelCard"] = {n: card[n] for n in card if n != "ModelCardContent"}
        return told

    @operation
    def list_model_packages(self, request: Request) -> Response:
        """ListModelPackages."""
        group = request.get("ModelPackageGroupName")
        kind = request.get("ModelPackageType", "Versioned" if group else "Unversioned")
        with self._lock:
            found = list(self._packages.values())
        if group is not None:
            owner = self.groups.found(group).name
            found = [each for each in found if each.get("ModelPackageGroupName") == owner]
        if kind != "Both":
            versioned = kind == "Versioned"
            found = [each for each in found if ("ModelPackageVersion" in each) == versioned]
        if "ModelApprovalStatus" in request:
            wanted = request["ModelApprovalStatus"]
            found = [each for each in found if each.get("ModelApprovalStatus") == wanted]
        named = [{**each, "_name": _sorted_as(each)} for each in found]
        asked = {"SortOrder": "Ascending", **request}
        part = asked.pop("NameContains", "")
        named = [each for each in named if part in _name_of(each)]
        summaries = [
            {name: each[name] for name in _SUMMARY if name in each}
            for each in selected(named, asked, name="_name")
        ]
        return page(summaries, request, into="ModelPackageSummaryList")

    @operation
    def update_model_package(self, request: Request) -> Response:
        """UpdateModelPackage: approve it or not, and add to what is known of it."""
        with self._lock:
            package = self.found(request["ModelPackageArn"])
            if "ModelApprovalStatus" in request and "ModelPackageVersion" not in package:
                raise validation(_not_for_unversioned())
            changed = dict(package)
            if "ModelApprovalStatus" in request:
                changed["ModelApprovalStatus"] = request["ModelApprovalStatus"]
            for member in _REPLACED:
                if member in request:
                    changed[member] = request[member]
            changed["CustomerMetadataProperties"] = _properties(package, request)
            if "AdditionalInferenceSpecificationsToAdd" in request:
                changed["AdditionalInferenceSpecifications"] = _specifications(package, request)
            self._check(changed)
            if not changed["CustomerMetadataProperties"]:
                del changed["CustomerMetadataProperties"]
            changed["LastModifiedTime"] = self._world.clock.now()
            changed["LastModifiedBy"] = CREATED_BY
            self._packages[plain_name(changed["ModelPackageArn"])] = changed
        return {"ModelPackageArn": changed["ModelPackageArn"]}

    @operation
    def delete_model_package(self, request: Request) -> Response:
        """DeleteModelPackage; models that were made of it stay."""
        with self._lock:
            package = self.found(request["ModelPackageName"])
            del self._packages[plain_name(package["ModelPackageArn"])]
            if "ModelPackageVersion" in package:
                self.groups.found(package["ModelPackageGroupName"]).versions -= 1
            self._world.tags.forget(package["ModelPackageArn"])
        return {}

    @operation
    def batch_describe_model_package(self, request: Request) -> Response:
        """BatchDescribeModelPackage: what is there, and beside it what is not."""
        members = (*_SUMMARY, "InferenceSpecification")
        left_out = {"ModelPackageName", "ModelLifeCycle"}
        found, errors = {}, {}
        for wanted in request["ModelPackageArnList"]:
            try:
                told = self.found(wanted)
            except AwsError as error:
                errors[wanted] = {"ErrorCode": error.code, "ErrorResponse": error.message}
                continue
            missing = {"InferenceSpecification", "ModelPackageGroupName"} - set(told)
            if missing:
                text = f"ModelPackage {wanted} has no {min(missing)}"
                errors[wanted] = {"ErrorCode": "ValidationException", "ErrorResponse": text}
                continue
            found[wanted] = {n: told[n] for n in members if n in told and n not in left_out}
        answer: dict[str, Any] = {"ModelPackageSummaries": found}
        return {**answer, "BatchDescribeModelPackageErrorMap": errors} if errors else answer

    def found(self, name: str) -> Mapping[str, Any]:
        """A package, as DescribeModelPackage gives it.

        Args:
            name: its ARN; or its name, with "/" and the number of a version.

        Raises:
            AwsError: there is none.
        """
        package = self._packages.get(plain_name(name).lower())
        if package is None:
            raise validation(f"ModelPackage {_arn(plain_name(name))} does not exist.")
        return package

    def resolve(self, name: str) -> Sequence[Mapping[str, Any]]:
        """The containers that CreateModel makes of a package.

        Args:
            name: its ARN, or its name.

        Raises:
            AwsError: there is none, or it is not one that may be deployed.
        """
        package = self.found(name)
        status = package.get("ModelApprovalStatus", "Approved")
        if status != "Approved":
            raise validation(
                f"ModelPackage {package['ModelPackageArn']} cannot be deployed: its "
                f"ModelApprovalStatus is {status}, and it must be Approved; set it with "
                f"UpdateModelPackage"
            )
        specification = package.get("InferenceSpecification")
        if specification is None:
            text = f"ModelPackage {package['ModelPackageArn']} has no InferenceSpecification"
            raise validation(f"{text}, so there is nothing to deploy; add it by UpdateModelPackage")
        return [
            {member: each[member] for member in _CONTAINER if member in each}
            for each in specification["Containers"]
        ]

    def _versioned(self, request: Request) -> dict[str, Any]:
        group: Group = self.groups.found(request["ModelPackageGroupName"])
        number = self.groups.next_version(group)
        return {  # no ModelPackageName: its model says it is required, and AWS does not send it
            "ModelPackageGroupName": group.name,
            "ModelPackageVersion": number,
            "ModelApprovalStatus": request.get("ModelApprovalStatus", "PendingManualApproval"),
            **self._common(request, f"{group.name}/{number}"),
        }

    def _unversioned(self, request: Request) -> dict[str, Any]:
        name = request["ModelPackageName"]
        if name.lower() in self._packages:
            raise validation(f"Model Package already exists: {_arn(name)}")
        if "ModelApprovalStatus" in request:
            raise validation(_not_for_unversioned())
        if "InferenceSpecification" not in request:
            raise validation("a model package that is no version needs an InferenceSpecification")
        return {"ModelPackageName": name, **self._common(request, name)}

    def _common(self, request: Request, name: str) -> dict[str, Any]:
        return {
            "ModelPackageArn": _arn(name),
            "CreationTime": self._world.clock.now(),
            "CreatedBy": CREATED_BY,
            "ModelPackageStatus": "Completed",
            "ModelPackageStatusDetails": {"ValidationStatuses": [], "ImageScanStatuses": []},
            **{member: request[member] for member in _KEPT if member in request},
        }

    def _check(self, request: Request) -> None:
        """Refuse what AWS would: containers without an image, data that is not there."""
        if len(request.get("CustomerMetadataProperties", {})) > _MOST_PROPERTIES:
            raise validation(f"CustomerMetadataProperties has at most {_MOST_PROPERTIES} entries")
        if len(request.get("AdditionalInferenceSpecifications", ())) > _MOST_SPECIFICATIONS:
            text = f"a package has at most {_MOST_SPECIFICATIONS} AdditionalInferenceSpecifications"
            raise validation(text)
        for number, each in enumerate(
            request.get("InferenceSpecification", {}).get("Containers", ())
        ):
            where = f"InferenceSpecification.Containers[{number}]"
            if "Image" not in each:
                raise validation(f"{where} needs an Image")
            if "ModelDataUrl" in each and "ModelDataSource" in each:
                raise validation(f"{where} has ModelDataUrl and ModelDataSource; give one of them")
            uri = each.get("ModelDataUrl", "")
            skipped = request.get("SkipModelValidation") == "All" or not uri.startswith("s3://")
            if not skipped and not self._there(uri):
                raise validation(
                    f"{where}.ModelDataUrl: there is no object {uri}; upload the model first, or "
                    f'say SkipModelValidation="All"'
                )

    def _there(self, uri: str) -> bool:
        try:
            return self._world.objects.exists(uri) or bool(
                uri.endswith("/") and self._world.objects.keys(uri)
            )
        except AwsError:
            return False


def _arn(name: str) -> str:
    return arn("sagemaker", f"model-package/{name.lower()}")


def _name_of(package: Mapping[str, Any]) -> str:
    return str(package.get("ModelPackageGroupName") or package["ModelPackageName"])


def _sorted_as(package: Mapping[str, Any]) -> tuple[str, int]:
    """By what packages are sorted: version 10 comes after version 9."""
    return _name_of(package), package.get("ModelPackageVersion", 0)


def _not_for_unversioned() -> str:
    return "ModelApprovalStatus is for versions of a group only; this package has no group"


def _properties(package: Mapping[str, Any], request: Request) -> dict[str, str]:
    """The metadata of a package after an update."""
    found = dict(package.get("CustomerMetadataProperties", {}))
    for key in request.get("CustomerMetadataPropertiesToRemove", ()):
        found.pop(key, None)
    return {**found, **request.get("CustomerMetadataProperties", {})}


def _specifications(package: Mapping[str, Any], request: Request) -> list[Mapping[str, Any]]:
    """The additional specifications of a package after an update."""
    found = list(package.get("AdditionalInferenceSpecifications", ()))
    for each in request["AdditionalInferenceSpecificationsToAdd"]:
        if any(each["Name"] == other["Name"] for other in found):
            raise validation(f"there is an additional specification {each['Name']!r} already")
        found.append(each)
    return found
