"""`mlref cloud`: the local AWS in the background, and what sessions have left on either cloud."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from mlref.cli._group import group
from mlref.errors import CloudError
from mlref.runtime.lazy import extra

if TYPE_CHECKING:
    from mlref.aws.client import CloudName, Session
    from mlref.aws.local.background import Background
    from mlref.aws.local.cloud import Cloud
    from mlref.aws.sweep import Leftover
    from mlref.runtime.clock import Clock

__all__ = ["add_to"]

_URL = "AWS_ENDPOINT_URL"
_CLOUDS = ("local", "aws")
_NONE = "no local AWS runs; start one: mlref cloud start"
_NOT_RUNNING = 3  # what `systemctl status` says of a service that does not run
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_TIMES = {"ignore_unknown_options": True}  # else "-5" is told to be no option

_cloud = group(
    "A local AWS that stays, and what sessions left behind on either cloud.",
    "Example: mlref cloud start",
)


def _name_of_cloud(given: str) -> str:
    """A cloud as it was typed; typer's own words for any other begin with "Value error"."""
    if given not in _CLOUDS:
        raise typer.BadParameter(f"{given!r} is none of {', '.join(_CLOUDS)}")
    return given


def _duration(given: str) -> float:
    """Seconds of a duration as it was typed."""
    parts = re.findall(r"(\d+(?:\.\d+)?)([smhd]?)", given)
    if not parts or "".join(number + unit for number, unit in parts) != given:
        raise typer.BadParameter(f"{given!r} is no time; write 90, 90s, 10m, 2h, 1d or 1h30m")
    return sum(float(number) * _SECONDS[unit or "s"] for number, unit in parts)


_Cloud = Annotated[
    Literal["local", "aws"],
    typer.Option("--cloud", parser=_name_of_cloud, metavar="[local|aws]", help="Which account."),
]
_Session = Annotated[
    str | None,
    typer.Option("--session", metavar="NAME", help="Only what this session created."),
]
_Region = Annotated[
    str | None,
    typer.Option("--region", metavar="REGION", help="Of real AWS; else the one configured."),
]
_Expired = Annotated[
    bool, typer.Option("--expired", help="Only what may be deleted by now, as its tag says.")
]


def add_to(app: typer.Typer) -> None:
    """Give an application the command `cloud`."""
    app.add_typer(_cloud, name="cloud")


@_cloud.command("start", epilog="Example: mlref cloud start --port 0 --seed 1")
def _start(
    port: Annotated[
        int, typer.Option(min=0, max=65535, help="On loopback; 0 takes any that is free.")
    ] = 5620,
    seed: Annotated[
        int | None, typer.Option(help="Of what decides between variants; else another each time.")
    ] = None,
    docker: Annotated[  # noqa: FBT002 - typer's flag
        bool, typer.Option("--docker", help="Workers are containers of the models' images.")
    ] = False,
    docker_image: Annotated[
        str | None, typer.Option(metavar="IMAGE", help="They are all containers of this image.")
    ] = None,
) -> None:
    """Start a local AWS, which stays until `mlref cloud stop`; nothing of it is on disk."""
    from mlref.aws.local import background

    _tell_of_a_crash()
    begun = background.begin(port=port, seed=seed, docker=docker, image=docker_image)
    console = Console(highlight=False)
    console.print(Text(f"a local AWS answers on {begun.url}", style="bold"), soft_wrap=True)
    console.print("for mlref, boto3, the AWS CLI and all else that reads AWS's variables:\n")
    for line in _variables(begun.url):
        console.print(Text(f"  {line}"), soft_wrap=True)
    console.print("\nend it: mlref cloud stop")


@_cloud.command("status", epilog="Example: mlref cloud status --operations sagemaker")
def _status(
    operations: Annotated[
        str | None, typer.Option(metavar="SERVICE", help="List the operations of a service.")
    ] = None,
) -> None:
    """Tell what the local AWS has and what runs in it; status 3 if there is none."""
    _tell_of_a_crash()
    cloud, found = _local()
    if cloud is None:
        typer.echo(_NONE)
        raise typer.Exit(_NOT_RUNNING)
    told = cloud.status()
    if operations is not None:
        _list_operations(told["operations"], operations)
        return
    console = Console(highlight=False)
    console.print(Text(f"a local AWS answers on {cloud.url}", style="bold"), soft_wrap=True)
    rows = [
        ("version", told["version"]),
        ("process", told["pid"]),
        ("time in it", _moment(told["now"])),
    ]
    if found is not None:
        seed = "another each time" if found.seed is None else found.seed
        rows += [("since", _moment(found.started)), ("seed", seed), ("workers are", found.workers)]
    grid = _table("", "")
    grid.show_header = False
    for name, value in rows:
        grid.add_row(name, str(value))
    console.print(grid)
    _show_endpoints(console, told["endpoints"])
    counts = [f"{service} {len(names)}" for service, names in told["operations"].items()]
    console.print(Text(f"\noperations: {', '.join(counts)}"))
    console.print("list them: mlref cloud status --operations SERVICE")
    console.print("\nother programs find it by these variables:\n")
    for line in _variables(cloud.url):
        console.print(Text(f"  {line}"), soft_wrap=True)


@_cloud.command("stop", epilog="Example: mlref cloud stop")
def _stop() -> None:
    """End the local AWS that `mlref cloud start` began, with all that is in it."""
    from mlref.aws.local import background

    _tell_of_a_crash()
    found = background.find()
    if found is None:
        typer.echo("no local AWS runs")
        return
    by_itself = background.end(found)
    how = "" if by_itself else "; it did not end when it was asked to, and was killed"
    typer.echo(f"ended {found.url}{how}")


@_cloud.command("advance", epilog="Example: mlref cloud advance 1h30m", context_settings=_TIMES)
def _advance(
    time: Annotated[
        float, typer.Argument(parser=_duration, metavar="TIME", help="90, 90s, 10m, 2h, 1h30m, 1d.")
    ],
) -> None:
    """Let time pass at once in the local AWS: alarms, autoscaling and schedules fall due."""
    typer.echo(f"it is {_moment(_required().advance(time))} in the local AWS")


@_cloud.command("ls", epilog="Example: mlref cloud ls --cloud aws --expired")
def _ls(
    cloud: _Cloud = "local",
    session: _Session = None,
    expired: _Expired = False,  # noqa: FBT002 - typer's flag
    region: _Region = None,
) -> None:
    """List what sessions created and did not delete, in the order of deletion."""
    with _requests(cloud):
        account = _account(cloud, region)
        found = _left(account, session, expired=expired)
        if not found:
            typer.echo(_nothing(account, session))
            return
    table = _table("what", "session", "expires (UTC)")
    for each in found:
        until = "not told" if each.expires is None else f"{each.expires:%Y-%m-%d %H:%M}"
        table.add_row(_short(each.arn), each.session, until)
    Console(highlight=False).print(table)


@_cloud.command("nuke", epilog="Example: mlref cloud nuke --cloud aws --expired --dry-run")
def _nuke(  # noqa: PLR0917 - typer passes them by name
    cloud: _Cloud = "local",
    session: _Session = None,
    expired: _Expired = False,  # noqa: FBT002 - typer's flag
    region: _Region = None,
    dry_run: Annotated[  # noqa: FBT002 - as above
        bool, typer.Option("--dry-run", help="Only tell what would be deleted.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,  # noqa: FBT002
) -> None:
    """Delete what sessions created, with all that is in it; it asks first.

    What has no tag `mlref:session` is never touched. Status 1 if something is still there.
    """
    from mlref import aws

    with _requests(cloud):
        account = _account(cloud, region)
        found = _left(account, session, expired=expired)
        if not found:
            typer.echo(_nothing(account, session))
            return
        if not (yes or dry_run):
            for each in found:
                typer.echo(f"  {each}")
            noun = "resource" if len(found) == 1 else "resources"
            where = "the local AWS" if cloud == "local" else "your AWS account"
            typer.confirm(f"delete {len(found)} {noun} of {where}?", abort=True)
        done = aws.nuke(
            account, name=session, expired_only=expired, dry_run=dry_run, clock=_clock(account)
        )
    table = _table(*(str(each) for each in done.to_table().columns))
    for what, became in done.to_table().rows:
        table.add_row(_short(what), became)
    Console(highlight=False).print(table)
    if done.failed:
        raise typer.Exit(1)


def _left(account: Session, name: str | None, *, expired: bool) -> list[Leftover]:
    """What sessions left behind, or what of it may be deleted by now."""
    from mlref import aws

    now = _clock(account).now()
    found = aws.leftovers(account, name=name)
    return [each for each in found if not expired or each.has_expired(now)]


def _clock(account: Session) -> Clock:
    """By which resources expire: that of the local AWS, which may be ahead of this machine's."""
    from mlref.runtime.clock import SystemClock

    class Ahead(SystemClock):
        def now(self) -> datetime:
            local = account.local
            return super().now() if local is None else datetime.fromisoformat(local.status()["now"])

    return Ahead()


def _nothing(account: Session, name: str | None) -> str:
    """Why nothing is listed: nothing has the tag, or what has it is not meant."""
    from mlref import aws

    others = aws.leftovers(account)
    if not others:
        return (
            "nothing is left behind: nothing carries the tag mlref:session, as aws.session sets it"
        )
    sessions = {each.session for each in others}
    names = ", ".join(sorted(sessions))
    if name is not None and name not in sessions:
        return f"nothing is left behind by a session {name!r}; there are: {names}"
    return f"nothing is left behind whose time is over; sessions with resources: {names}"


def _account(cloud: CloudName, region: str | None) -> Session:
    """A session that lists and deletes; it creates nothing, so it needs no estimate."""
    from mlref import aws
    from mlref.cost import Estimate

    if cloud == "local":
        if region is not None:
            raise typer.BadParameter("goes with --cloud aws", param_hint="--region")
        return aws.session(at=_required())
    return aws.session("aws", estimate=Estimate(), region=region, show=lambda _: None)


@contextmanager
def _requests(cloud: CloudName) -> Iterator[None]:
    """Requests to AWS; what it refuses is told in a line.

    Raises:
        CloudError: it was refused, or could not be sent.
        MissingExtraError: boto3 is not installed.
    """
    with extra("aws"):
        from botocore.exceptions import BotoCoreError, ClientError
    try:
        yield
    except (BotoCoreError, ClientError) as error:
        where = "the local AWS" if cloud == "local" else "AWS"
        raise CloudError(f"{where}: {error}") from error


def _local() -> tuple[Cloud | None, Background | None]:
    """The local AWS of the environment, or else the one in the background, with what is known.

    Raises:
        CloudError: the environment names something that is not on this machine.
    """
    from mlref.aws.local import background
    from mlref.aws.local.cloud import Cloud, is_loopback

    found, url = background.find(), os.environ.get(_URL, "").rstrip("/")
    if url and not is_loopback(url):
        raise CloudError(f"{_URL} is {url}, which is not on this machine; unset it")
    if url and (found is None or url != found.url):
        named = Cloud(url)
        try:
            named.status()
        except CloudError as error:
            if found is None and "no local AWS answers" in str(error):
                typer.echo(f"{_URL} is {url}, and nothing answers there; unset it", err=True)
                return None, None
            other = "" if found is None else f"export {_URL}={found.url}, or "
            raise CloudError(f"{_URL} is {url}, and {error}; {other}unset it") from error
        return named, None
    return (None, None) if found is None else (Cloud(found.url), found)


def _required() -> Cloud:
    """The local AWS.

    Raises:
        CloudError: there is none.
    """
    _tell_of_a_crash()
    cloud, _ = _local()
    if cloud is None:
        raise CloudError(_NONE)
    return cloud


def _tell_of_a_crash() -> None:
    """Say once if the last one was killed: what was in it is lost."""
    from mlref.aws.local import background

    lost = background.crashed()
    if lost is not None:
        text = f"note: the local AWS of {_moment(lost.started)} was killed; what was in it is lost"
        typer.echo(text, err=True)


def _variables(url: str) -> list[str]:
    """What a shell is to be told, so that every client finds it."""
    return [
        f"export {_URL}={url}",
        "export AWS_ACCESS_KEY_ID=test AWS_SECRET_ACCESS_KEY=test",
        "export AWS_DEFAULT_REGION=us-east-1",
    ]


def _show_endpoints(console: Console, endpoints: list[dict[str, Any]]) -> None:
    """Each endpoint, and how many workers each part of it has."""
    console.print()
    if not endpoints:
        console.print("no endpoint")
        return
    table = _table("endpoint", "status", "workers")
    for each in endpoints:
        workers = [f"{name}: {count}" for name, count in each["workers"].items()]
        table.add_row(each["name"], each["status"], ", ".join(workers) or "none")
    console.print(table)


def _list_operations(operations: dict[str, list[str]], service: str) -> None:
    """The operations of a service, one a line.

    Raises:
        typer.BadParameter: the local AWS does not have the service.
    """
    if service not in operations:
        text = f"the local AWS does not have {service!r}; it has {', '.join(operations)}"
        raise typer.BadParameter(text, param_hint="--operations")
    for name in operations[service]:
        typer.echo(name)


def _moment(told: str) -> str:
    """A moment in ISO 8601, as people read it."""
    return f"{datetime.fromisoformat(told):%Y-%m-%d %H:%M:%S} UTC"


def _short(arn: str) -> str:
    """An ARN without what is the same in all."""
    return arn.removeprefix("arn:aws:")


def _table(*columns: str) -> Table:
    table = Table(box=None, pad_edge=False)
    for name in columns:
        table.add_column(name, overflow="fold")
    return table
