"""GetResources of AWS's tagging service: what carries tags, of every service."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from mlref.aws.local.errors import AwsError
from mlref.aws.local.services import Part, Request, Response, operation
from mlref.aws.local.tags import Tags

__all__ = ["TaggedResources"]

_PAGE = 50

Found = Callable[[], Iterable[tuple[str, Mapping[str, str]]]]


class TaggedResources(Part):
    """GetResources.

    Args:
        tags: of our own resources.
        others: gives the ARN and the tags of those of the other services.
    """

    def __init__(self, tags: Tags, others: Found = lambda: ()) -> None:
        self._tags = tags
        self._others = others

    @operation
    def get_resources(self, request: Request) -> Response:
        """GetResources.

        Raises:
            AwsError: pages are asked for by tags, or the token is none of ours.
        """
        if "TagsPerPage" in request:
            text = "the local AWS does not have TagsPerPage; give ResourcesPerPage"
            raise AwsError("UnsupportedOperation", text)
        found = {**dict(self._others()), **self._tags.all()}
        wanted = [
            {"ResourceARN": arn, "Tags": [{"Key": k, "Value": v} for k, v in tags.items()]}
            for arn, tags in sorted(found.items())
            if _is_wanted(arn, tags, request)
        ]
        token = request.get("PaginationToken") or "0"
        if not token.isdecimal():
            text = f"PaginationToken {token!r} is none that this service gave"
            raise AwsError("PaginationTokenExpiredException", text)
        begin, size = int(token), request.get("ResourcesPerPage", _PAGE)
        more = str(begin + size) if begin + size < len(wanted) else ""
        listed = wanted[begin : begin + size]
        return {"ResourceTagMappingList": listed, "PaginationToken": more}


def _is_wanted(arn: str, tags: Mapping[str, str], request: Request) -> bool:
    """Whether a resource is among those that are asked for."""
    if "ResourceARNList" in request and arn not in request["ResourceARNList"]:
        return False
    kinds = request.get("ResourceTypeFilters")
    if kinds and not any(_is_of(arn, kind) for kind in kinds):
        return False
    return all(
        each["Key"] in tags and (not each.get("Values") or tags[each["Key"]] in each["Values"])
        for each in request.get("TagFilters", ())
    )


def _is_of(arn: str, kind: str) -> bool:
    """Whether a resource is of a service, or of one kind of it: "sagemaker:endpoint"."""
    service, _, what = kind.partition(":")
    _, _, owner, _, _, resource = arn.split(":", 5)
    return owner == service and (not what or resource.startswith((f"{what}/", f"{what}:")))
