"""AddTags, ListTags and DeleteTags of SageMaker."""

from __future__ import annotations

from mlref.aws.local.errors import AwsError
from mlref.aws.local.services import Part, Request, Response, operation, page
from mlref.aws.local.tags import MOST, Tags, pairs_of

__all__ = ["TagsPart"]


class TagsPart(Part):
    """AddTags and its family.

    Args:
        tags: what resources carry.
    """

    def __init__(self, tags: Tags) -> None:
        self._tags = tags

    @operation
    def add_tags(self, request: Request) -> Response:
        """AddTags."""
        arn = self._known(request)
        self._tags.put(arn, pairs_of(request["Tags"]))
        return {"Tags": _pairs(self._tags.of(arn))}

    @operation
    def list_tags(self, request: Request) -> Response:
        """ListTags."""
        tags = self._tags.of(self._known(request))
        return page(_pairs(tags), request, into="Tags", usual=MOST)

    @operation
    def delete_tags(self, request: Request) -> Response:
        """DeleteTags."""
        self._tags.drop(self._known(request), request["TagKeys"])
        return {}

    def _known(self, request: Request) -> str:
        arn: str = request["ResourceArn"]
        if not arn.startswith("arn:aws:sagemaker:") or not self._tags.is_known(arn):
            raise AwsError("ResourceNotFound", f"there is no resource {arn} that has tags")
        return arn


def _pairs(tags: dict[str, str]) -> list[dict[str, str]]:
    return [{"Key": key, "Value": value} for key, value in tags.items()]
