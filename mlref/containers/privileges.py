"""What an image gives to whoever gets in: root, programs that make root, and places to write.

    for finding in who_is_root("mlref-flights:1.0.0-service"):
        print(finding)

Nothing is run: the image's configuration and the permissions of its files tell it. What a container
that runs may do is told by `mlref.containers.processes`.

Source: CIS Docker Benchmark 1.6, section 4 (images); Kubernetes Pod Security Standards.
"""

from __future__ import annotations

import re
import stat
from collections.abc import Callable, Iterator, Sequence
from tarfile import TarInfo

from mlref.containers.image_files import ImageFiles, open_image
from mlref.containers.images import Image
from mlref.containers.lint import Finding

__all__ = ["listed", "privilege_findings", "who_is_root"]

_SHOWN = 3
_TEMPORARY = re.compile(r"/(tmp|var/tmp|dev|proc|sys)(/|$)")
_FOLDERS = ("/bin", "/sbin", "/usr/bin", "/usr/sbin", "/usr/local/bin", "/usr/local/sbin")
_SHELLS = ("ash", "bash", "busybox", "csh", "dash", "fish", "ksh", "sh", "zsh")
_MANAGERS = (
    "apk", "apt", "apt-get", "conda", "dnf", "dpkg", "mamba", "microdnf", "npm", "pip", "pip3",
    "rpm", "uv", "yum",
)  # fmt: skip
_EXECUTABLE = 0o111
_CAPABILITY = "SCHILY.xattr.security.capability"


def who_is_root(image: Image | str) -> tuple[Finding, ...]:
    """What of an image makes root, or lets others write.

    Args:
        image: its name, its digest, or the result of `build`.

    Raises:
        DockerUnavailableError: there is no daemon.
        ContainerError: it has no such image.
    """
    with open_image(image) as files:
        return privilege_findings(files)


def privilege_findings(files: ImageFiles) -> tuple[Finding, ...]:
    """The same of an image whose files have been read.

    Args:
        files: not closed yet.
    """
    return tuple(finding for check in _CHECKS for finding in check(files))


def listed(names: Sequence[str]) -> str:
    """A few of them, and how many more there are.

    >>> listed(["/a", "/b", "/c", "/d", "/e"])
    '/a, /b, /c and 2 more'
    """
    more = len(names) - _SHOWN
    return ", ".join(names[:_SHOWN]) + (f" and {more} more" if more > 0 else "")


def _user(files: ImageFiles) -> Iterator[Finding]:
    user = files.config.get("User") or ""
    name = user.partition(":")[0]
    advice = "write `USER 10001:10001` into the last stage of the Dockerfile"
    if name in {"", "root"} or (name.isdecimal() and int(name) == 0):
        yield Finding(
            level="error",
            rule="root",
            found=f"it runs as root (USER {user})" if user else "it runs as root (it has no USER)",
            why="who breaks out of a container that runs as root is root on the machine",
            advice=advice,
        )
    elif not name.isdecimal():
        yield Finding(
            level="warning",
            rule="user-name",
            found=f"its user is a name, {name}, and no number",
            why="Kubernetes cannot tell that a name is not root, and refuses runAsNonRoot",
            advice=advice,
        )


def _setuid(files: ImageFiles) -> Iterator[Finding]:
    def gives_rights(member: TarInfo) -> bool:
        special = member.mode & (stat.S_ISUID | stat.S_ISGID) or _CAPABILITY in member.pax_headers
        return bool(member.isreg() and special and member.mode & _EXECUTABLE)

    if found := _those(files, gives_rights):
        yield Finding(
            level="warning",
            rule="setuid",
            found=f"programs that give rights to whoever runs them: {listed(found)}",
            why="a mistake in one of them makes any process root inside",
            advice="delete them or `chmod u-s,g-s`; run with no-new-privileges, which voids them",
            where=found,
        )


def _world_writable(files: ImageFiles) -> Iterator[Finding]:
    if found := _those(files, lambda member: bool(member.mode & stat.S_IWOTH)):
        yield Finding(
            level="warning",
            rule="world-writable",
            found=f"every user may write {listed(found)}",
            why="a program that was tricked can leave files there that another one trusts",
            advice="`chmod o-w`; run with a read-only root file system",
            where=found,
        )


def _own_files(files: ImageFiles) -> Iterator[Finding]:
    """What the image's own user may write; of root it would be everything."""
    uid, gid = _user_and_group(files)

    def writable(member: TarInfo) -> bool:
        own = member.uid == uid and member.mode & stat.S_IWUSR
        return bool(own or (member.gid == gid and member.mode & stat.S_IWGRP))

    if uid and (found := _those(files, writable)):
        yield Finding(
            level="warning",
            rule="own-files",
            found=f"its user {uid} may write {listed(found)}",
            why="a program that was tricked can change its own code or model, and stays changed",
            advice="leave files to root (no --chown); run with a read-only root file system",
            where=found,
        )


def _programs(files: ImageFiles) -> Iterator[Finding]:
    if managers := _programs_named(files, _MANAGERS):
        yield Finding(
            level="warning",
            rule="package-manager",
            found=f"package managers: {listed(managers)}",
            why="who gets in can install tools, and scanners report the managers' own mistakes",
            advice="install in another stage, and copy the result only",
            where=managers,
        )
    if shells := _programs_named(files, _SHELLS):
        yield Finding(
            level="note",
            rule="shell",
            found=f"shells: {listed(shells)}",
            why="most attacks begin with one; on the other hand it helps to look into a problem",
            advice='the flavour "minimal" has none',
            where=shells,
        )


def _those(files: ImageFiles, wrong: Callable[[TarInfo], bool]) -> tuple[str, ...]:
    """Files and folders for which it holds, those that are made for writing apart."""
    return tuple(
        path
        for path, member in files.members.items()
        if (member.isfile() or member.isdir()) and not _TEMPORARY.match(path) and wrong(member)
    )


def _programs_named(files: ImageFiles, names: tuple[str, ...]) -> tuple[str, ...]:
    """Programs of these names where programs lie, each once though it has several names."""
    found: dict[str, str] = {}
    for path in (f"{folder}/{name}" for folder in _FOLDERS for name in names):
        target = files.resolve(path)
        if target is not None and files.members[target].mode & _EXECUTABLE:
            found.setdefault(target, path)
    return tuple(found.values())


def _user_and_group(files: ImageFiles) -> tuple[int | None, int | None]:
    """Both as numbers, as Docker would find them; None if the image does not tell a name's."""
    user, _, group = (files.config.get("User") or "").partition(":")
    known = next((each for each in _rows(files, "/etc/passwd") if user in {each[0], each[2]}), None)
    uid = _whole(user) if user.isdecimal() or known is None else _whole(known[2])
    if not group:
        return uid, 0 if known is None else _whole(known[3])
    named = next((each for each in _rows(files, "/etc/group") if each[0] == group), None)
    return uid, _whole(group if named is None else named[2])


def _rows(files: ImageFiles, path: str) -> list[list[str]]:
    """The lines of /etc/passwd or /etc/group in parts, four at least; none if it is not there."""
    if files.resolve(path) is None:
        return []
    lines = files.read(path).decode("utf-8", "replace").splitlines()
    return [parts for line in lines if len(parts := line.split(":")) > 3]  # noqa: PLR2004 - name, password, number, group


def _whole(text: str) -> int | None:
    return int(text) if text.isdecimal() else None


_CHECKS = (_user, _setuid, _world_writable, _own_files, _programs)
