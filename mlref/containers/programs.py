"""Images of the servers that stand beside a model: Redis, nginx, Prometheus.

    program_image("nginx")     # "nginx:1.27-alpine", or "mlref-nginx:0f3a..." of this host's nginx

Like `base_image` it uses what is there, pulls what it can, and otherwise makes one: a program that
is installed here, and the shared objects that it loads. There is no shell in it and no entry point,
so whoever runs it names the program: `deploy/compose.yaml` does, for the official images, too.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from mlref.containers import engine, local_images, rootfs
from mlref.errors import ContainerError

__all__ = ["PROGRAMS", "Program", "program_image"]

_KEY = "mlref.program"
_USER = 10001  # as in the image of a model
_SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_SYSTEM_LIBRARIES = ("/lib", "/lib64", "/usr/lib", "/usr/lib64")
# What the C library opens by name at run time, to look up names of hosts and of users.
_NAME_SERVICES = ("libnss_dns.so.2", "libnss_files.so.2", "libresolv.so.2")
_ACCOUNTS: Mapping[str, str] = {
    "passwd": f"root:x:0:0:root:/:/sbin/nologin\nmlref:x:{_USER}:{_USER}:mlref:/:/sbin/nologin\n",
    "group": f"root:x:0:\nmlref:x:{_USER}:\n",
    "nsswitch.conf": "hosts: files dns\n",
}


@dataclass(frozen=True, kw_only=True)
class Program:
    """A server program, and where it may come from.

    Attributes:
        official: its image in the public registry, with a tag that is not moved to another major
            version.
        commands: what is taken from this host, where there is no registry; the first is the server.
        files: more files and folders that it reads, where they are there.
        package: the Debian package that brings the commands.
    """

    official: str
    commands: tuple[str, ...]
    package: str
    files: tuple[str, ...] = ()


PROGRAMS: Mapping[str, Program] = {
    "nginx": Program(
        official="nginx:1.27-alpine",
        commands=("nginx",),
        package="nginx",
    ),
    "prometheus": Program(
        official="prom/prometheus:v2.53.4",
        commands=("prometheus",),
        package="prometheus",
        files=("/usr/share/prometheus/web",),
    ),
    "redis": Program(
        official="redis:7-alpine",
        commands=("redis-server", "redis-cli"),
        package="redis-server",
    ),
}
"""What `program_image` knows."""


def program_image(
    name: str,
    *,
    image: str | None = None,
    pull: bool = True,
    tell: Callable[[str], object] | None = print,
) -> str:
    """The name of an image with a server program, which the local daemon has.

    Args:
        name: one of `PROGRAMS`.
        image: the image that it shall be; None means the official one, or one made here.
        pull: whether a registry may be asked for an image that is not there.
        tell: called with a line that says what was done; None for nobody.

    Raises:
        DockerUnavailableError: there is no daemon.
        ContainerError: the image cannot be had, and the program is not installed here.
        ValueError: no such program.
    """
    if name not in PROGRAMS:
        raise ValueError(f"name must be one of {', '.join(PROGRAMS)}, got {name!r}")
    say, client, program = tell or (lambda _: None), engine.connect(), PROGRAMS[name]
    wanted = image or program.official
    if local_images.is_there(client, wanted):
        say(f"{name}: {wanted}, which is here")
        return wanted
    found = None if image else _found(program)
    made = f"mlref-{name}:{_tag(program, found)}" if found else None
    if made and local_images.is_there(client, made):
        say(f"{name}: {made}, made from this host's program earlier")
        return made
    problem = local_images.pull(wanted) if pull else "it may not be pulled"
    if problem is None:
        say(f"{name}: {wanted}, pulled")
        return wanted
    if found is None or made is None:
        raise ContainerError(_advice(name, wanted, problem, chosen=image is not None))
    say(f"{name}: {wanted} cannot be had ({problem}); making {made} from {found[0]}")
    with tempfile.TemporaryDirectory(prefix=f"mlref-{name}-") as folder:
        root = Path(folder)
        _fill(root, program, found)
        path = [f"PATH={_SYSTEM_PATH}"]
        local_images.import_tree(client, root, made, environment=path, labels={_KEY: name})
    return made


def _found(program: Program) -> list[Path] | None:
    """Where the commands are on this host; None if one is missing, or would not run elsewhere."""
    path = f"{os.environ.get('PATH', '')}:{_SYSTEM_PATH}"  # some servers are on root's path only
    found = [shutil.which(command, path=path) for command in program.commands]
    try:
        rootfs.shared_objects([])
    except RuntimeError:  # this host's programs are not for Linux with glibc
        return None
    return [Path(each) for each in found if each] if all(found) else None


def _tag(program: Program, found: list[Path]) -> str:
    """Names what a made image depends on: the programs, their libraries, and how it is made."""
    digest = hashlib.sha256(Path(__file__).read_bytes() + Path(rootfs.__file__).read_bytes())
    for path in [*found, *sorted(rootfs.shared_objects(found))]:
        digest.update(f"{path}\0{hashlib.sha256(path.read_bytes()).hexdigest()}\0".encode())
    digest.update(repr(program).encode())
    return digest.hexdigest()[:12]


def _fill(root: Path, program: Program, found: list[Path]) -> None:
    """The programs and all that they read, in a tree."""
    objects = rootfs.shared_objects(found)
    system = next(path for path in objects if path.name == "libc.so.6").parent
    objects |= {path for name in _NAME_SERVICES if (path := system / name).exists()}
    for path in sorted(objects):
        _copy(root, path, _SYSTEM_LIBRARIES, system)
    for path in found:
        _copy(root, path, tuple(_SYSTEM_PATH.split(":")), Path("/usr/local/bin"))
    for place in map(Path, program.files):
        rootfs.add_files(root, [p for p in (place, *place.rglob("*")) if p.is_file()])
    for name, text in _ACCOUNTS.items():
        target = root / "etc" / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text)
    (root / "tmp").mkdir()
    (root / "tmp").chmod(0o1777)


def _copy(root: Path, path: Path, folders: tuple[str, ...], otherwise: Path) -> None:
    """A file to its own path where a system looks for such files, else to where it would look."""
    if str(path).startswith(tuple(f"{folder}/" for folder in folders)):
        rootfs.add_files(root, [path])
    else:
        target = root / otherwise.relative_to("/") / path.name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(path, target)


def _advice(name: str, wanted: str, problem: str, *, chosen: bool) -> str:
    """Why there is no image, and what to do."""
    text = f"there is no image {wanted} for {name}: {problem}"
    if chosen:
        return f"{text}; name one that can be had, or none for {PROGRAMS[name].official}"
    how = f"apt install --no-install-recommends {PROGRAMS[name].package}"
    return f"{text}; or install the program here, and an image is made of it (Debian: {how})"
