"""What sessions have left behind: found by their tags, and deleted.

    for each in leftovers(aws):
        print(each)
    print(nuke(aws, expired_only=True))

All that a session of `mlref.aws` creates carries its name and the moment when it expires. A session
on a real account may create nothing else (`mlref.aws.guard`), so nothing is left to cost for ever.
What has these tags is found on either cloud by the same call, deleted in the order in which things
depend on each other, and tried again while something is still in use.

AWS lists what was just deleted for some minutes more; deleting it again does no harm. Roles are not
in its list of tagged things, and policies of IAM only in that of one region, so both are asked one
by one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import Any

from mlref.aws.deletion import Arn, Deleter, is_gone
from mlref.aws.tagging import SESSION, expiry_of
from mlref.errors import StrictError
from mlref.runtime.clock import Clock, SystemClock
from mlref.runtime.lazy import extra
from mlref.tables import Table

__all__ = ["Leftover", "Sweep", "leftovers", "nuke"]

_PAUSE_S = 5.0  # before what was in use is tried again
_PATIENCE_S = 300.0
_NOT_OURS = "/aws-service-role/"  # a role that AWS has made for itself
_FINAL = frozenset({"AccessDenied", "AccessDeniedException", "UnsupportedOperation"})


@dataclass(frozen=True)
class Leftover:
    """Something that a session has created.

    Attributes:
        arn: its Amazon Resource Name.
        tags: all that it carries.
    """

    arn: str
    tags: Mapping[str, str] = field(compare=False)

    @property
    def session(self) -> str:
        """The session's name."""
        return self.tags[SESSION]

    @property
    def expires(self) -> datetime | None:
        """When it may be deleted; None if its tags do not tell."""
        return expiry_of(self.tags)

    def has_expired(self, now: datetime) -> bool:
        """Whether its time is over; never, if its tags do not tell."""
        return self.expires is not None and self.expires <= now

    def __str__(self) -> str:
        until = "never" if self.expires is None else f"{self.expires:%Y-%m-%d %H:%M} UTC"
        return f"{self.arn} (session {self.session}, expires {until})"


@dataclass(frozen=True)
class Sweep:
    """What became of leftovers.

    Attributes:
        deleted: ARNs that are gone, or that a dry run would delete.
        failed: ARN -> why it is still there.
        dry_run: whether nothing was touched.
    """

    deleted: tuple[str, ...] = ()
    failed: Mapping[str, str] = field(default_factory=dict)
    dry_run: bool = False

    def to_table(self) -> Table:
        """A row for each."""
        done = "would be deleted" if self.dry_run else "deleted"
        rows = [(arn, done) for arn in self.deleted]
        rows += [(arn, f"still there: {why}") for arn, why in self.failed.items()]
        return Table(("what", "became"), tuple(rows))

    def __str__(self) -> str:
        return str(self.to_table()) if self.deleted or self.failed else "nothing is left behind"

    def _repr_html_(self) -> str:
        """The rows as a notebook shows them."""
        return self.to_table()._repr_html_()


def leftovers(session: Any, *, name: str | None = None) -> list[Leftover]:
    """What sessions have created and is still there, in the order in which it would be deleted.

    Args:
        session: a boto3 session, on either cloud; only its region is looked at, and IAM.
        name: of the session whose things are meant; None means those of all.

    Raises:
        MissingExtraError: boto3 is not installed.
        botocore.exceptions.ClientError: AWS refused to tell.
    """
    with extra("aws"):
        import botocore as _  # noqa: F401 - says which extra is needed
    found = {*_tagged(session), *_of_iam(session)}
    deleter = Deleter(session)
    left = [
        each
        for each in found
        if name in {None, each.session} and not deleter.is_ending(Arn.of(each.arn))
    ]
    return sorted(left, key=lambda each: (deleter.rank(Arn.of(each.arn)), each.arn))


def nuke(
    session: Any,
    *,
    name: str | None = None,
    expired_only: bool = False,
    dry_run: bool = False,
    patience_s: float = _PATIENCE_S,
    clock: Clock | None = None,
) -> Sweep:
    """Delete what sessions have created, with everything in it: objects, versions, policies.

    Args:
        session: a boto3 session, on either cloud.
        name: of the session whose things are meant; None means those of all.
        expired_only: whether only that is deleted whose time is over.
        dry_run: whether to tell only what would be deleted.
        patience_s: for how long to try again what is still in use, in seconds.
        clock: tells what has expired, and waits; None is the machine's.

    Raises:
        MissingExtraError: boto3 is not installed.
        botocore.exceptions.ClientError: AWS refused to tell what there is.
    """
    clock = clock or SystemClock()
    todo = [
        each.arn
        for each in leftovers(session, name=name)
        if not expired_only or each.has_expired(clock.now())
    ]
    if dry_run:
        return Sweep(tuple(todo), dry_run=True)
    deleter, deleted, failed = Deleter(session), list[str](), dict[str, str]()
    until = clock.monotonic() + patience_s
    while todo:
        later = []
        for arn in todo:
            why, final = _try(deleter, arn)
            if why is None:
                deleted.append(arn)
                failed.pop(arn, None)
            else:
                failed[arn] = why
                later += [] if final else [arn]
        todo = later
        if clock.monotonic() >= until:
            break
        if todo:
            clock.sleep(_PAUSE_S)
    return Sweep(tuple(deleted), failed)


def _try(deleter: Deleter, arn: str) -> tuple[str | None, bool]:
    """Delete something: why it could not be, or None; and whether trying again is of no use."""
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        deleter.delete(Arn.of(arn))
    except ClientError as error:
        told = error.response.get("Error", {})
        return f"{told.get('Code')}: {told.get('Message')}", told.get("Code") in _FINAL
    except (BotoCoreError, NotImplementedError, StrictError) as error:
        return str(error), True
    return None, True


def _tagged(session: Any) -> Iterator[Leftover]:
    """What has the tag of a session, as the tagging service of AWS lists it."""
    pages = session.client("resourcegroupstaggingapi").get_paginator("get_resources")
    for page in pages.paginate(TagFilters=[{"Key": SESSION}]):
        for each in page["ResourceTagMappingList"]:
            tags = {tag["Key"]: tag["Value"] for tag in each["Tags"]}
            if SESSION in tags:
                yield Leftover(each["ResourceARN"], tags)


def _of_iam(session: Any) -> Iterator[Leftover]:
    """Roles and policies that have the tag."""
    client = session.client("iam")
    for page in client.get_paginator("list_roles").paginate():
        for role in page["Roles"]:
            if not role["Path"].startswith(_NOT_OURS):
                name = role["RoleName"]
                yield from _asked(role["Arn"], partial(client.list_role_tags, RoleName=name))
    for page in client.get_paginator("list_policies").paginate(Scope="Local"):
        for policy in page["Policies"]:
            arn = policy["Arn"]
            yield from _asked(arn, partial(client.list_policy_tags, PolicyArn=arn))


def _asked(arn: str, tags_of: Callable[[], Any]) -> Iterator[Leftover]:
    """Something whose tags have to be asked for, if it is a session's and still there."""
    from botocore.exceptions import ClientError

    try:
        listed = tags_of()["Tags"]
    except ClientError as error:
        if is_gone(error):
            return
        raise
    tags = {tag["Key"]: tag["Value"] for tag in listed}
    if SESSION in tags:
        yield Leftover(arn, tags)
