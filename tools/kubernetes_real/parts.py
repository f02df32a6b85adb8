"""What the build needs: Debian's source package and its Go compiler, and etcd's server.

All of it is fetched by apt into a folder of our own, with lists of our own: neither the machine's
sources nor its packages change, and no rights are needed. apt checks Debian's signature on the
lists, and each file against them.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from mlref.errors import ProcessError
from mlref.runtime.files import write_text

__all__ = ["DEBIAN_VERSION", "VERSION", "check_programs", "fetch", "run"]

VERSION = "1.20.2"
DEBIAN_VERSION = "1.20.5+really1.20.2-1.1+deb12u1"

_SUITE = "bookworm"  # the last Debian whose source package is the whole of Kubernetes
_KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
_MIRROR = "http://deb.debian.org/debian"
_BINARIES = ("golang-1.19-go", "golang-1.19-src", "etcd-server")
_PROGRAMS = {  # program: how to get it
    "apt-get": "use Debian or a system that is made of it",
    "dpkg-deb": "apt-get install dpkg",
    "openssl": "apt-get install openssl",
    "tar": "apt-get install tar",
}


def check_programs() -> list[str]:
    """What is missing on this machine, one line each with how to get it."""
    lines = [
        f"{name} is missing: {how}" for name, how in _PROGRAMS.items() if not shutil.which(name)
    ]
    if not _KEYRING.exists():
        lines.append(f"{_KEYRING} is missing: apt-get install debian-archive-keyring")
    return lines


def run(command: Sequence[str | Path], *, cwd: Path, env: Mapping[str, str] | None = None) -> str:
    """What a program printed.

    Args:
        command: the program and its arguments.
        cwd: its working directory.
        env: variables on top of the parent's.

    Raises:
        ProcessError: it failed; the message has the last lines of what it printed.
    """
    done = subprocess.run(
        command,
        cwd=cwd,
        env=os.environ | dict(env or {}),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        check=False,
    )
    if done.returncode:
        words = " ".join(map(str, command))[:300]
        raise ProcessError(
            f"`{words}` ended with exit status {done.returncode}; see why in its last lines",
            log_tail="\n".join(done.stdout.splitlines()[-20:]),
        )
    return done.stdout


def fetch(folder: Path) -> Path:
    """The folder with the source package and the three binary packages, fetched by apt.

    Args:
        folder: where lists and packages go; some 140 MB.

    Raises:
        ProcessError: apt could not fetch them, or a signature or a checksum is wrong.
    """
    downloads = folder / "downloads"
    for name in ("downloads", "apt/lists/partial", "apt/archives/partial"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    write_text(
        folder / "apt" / "debian.sources",
        f"Types: deb deb-src\nURIs: {_mirror()}\nSuites: {_SUITE}\nComponents: main\n"
        f"Signed-By: {_KEYRING}\n",
    )
    apt = ["apt-get", "-qq", *_own_configuration(folder.resolve() / "apt")]
    run([*apt, "update"], cwd=downloads)
    run([*apt, "source", "--download-only", f"kubernetes={DEBIAN_VERSION}"], cwd=downloads)
    run([*apt, "download", *_BINARIES], cwd=downloads)
    return downloads


def _own_configuration(apt: Path) -> list[str]:
    """Options that keep apt away from the machine's own sources, lists and caches."""
    options = {
        "Dir::Etc::sourcelist": str(apt / "debian.sources"),
        "Dir::Etc::sourceparts": "/dev/null",
        "Dir::State::Lists": str(apt / "lists"),
        "Dir::Cache": str(apt),
        "APT::Sandbox::User": "root",
        "Acquire::Languages": "none",
    }
    return [word for name, value in options.items() for word in ("-o", f"{name}={value}")]


def _mirror() -> str:
    """The Debian mirror that this machine is set up with, or Debian's own address."""
    done = subprocess.run(
        ["apt-get", "indextargets", "--format", "$(SITE) $(REPO_URI)", "Created-By: Packages"],  # noqa: S607 - apt-get is found on the PATH, as in a shell
        capture_output=True,
        text=True,
        check=False,
    )
    found = re.search(r"\S+ (https?://\S+/debian)/?$", done.stdout, re.MULTILINE)
    return found[1] if found else _MIRROR
