"""Secrets that an image gives to whoever can pull it: in its variables, its steps, its files.

Usual names tell, and how files begin; no value is repeated. A file that a later layer deletes can
still be had from the layer below: that is not seen here.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import PurePosixPath

from mlref.containers.image_files import ImageFiles
from mlref.containers.lint import Finding
from mlref.containers.privileges import listed

__all__ = ["leak_findings"]

_GIVEN = re.compile(  # a name and some value; TOKENIZERS_PARALLELISM is none, nor is "$(cat FILE)"
    r"\b(\w*PASS(?:WORD|WD)|(?:\w*_)?(?:SECRET|TOKEN|ACCESS_KEY)|\w*API_?KEY)(_\w+)?=['\"]?[^\s'\"$]",
    re.IGNORECASE,
)
_ELSEWHERE = re.compile(r"_(FILE|PATH|DIR|URL|ARN)", re.IGNORECASE)  # where it is, not what it is
_KEY_NAMES = re.compile(r"id_(rsa|dsa|ecdsa|ed25519)")
_KEY_SUFFIXES = {".key", ".p8", ".pem"}
_KEY_CONTENT = re.compile(rb"-----BEGIN [A-Z0-9 ]*PRIVATE KEY")
_MOST_BYTES = 2**20  # no key is larger
_WHY = "whoever can pull the image can read it, also after a later layer has deleted it"


def leak_findings(files: ImageFiles) -> tuple[Finding, ...]:
    """Secrets among the variables, the build arguments and the files of an image.

    Args:
        files: not closed yet.
    """
    return (*_variables(files), *_keys(files))


def _variables(files: ImageFiles) -> Iterator[Finding]:
    texts = [*(files.config.get("Env") or ()), *files.history]
    names = {
        f"{name}{rest}"
        for text in texts
        for name, rest in _GIVEN.findall(text)
        if not _ELSEWHERE.fullmatch(rest[rest.rfind("_") :] if rest else "")
    }
    if names:
        found = tuple(sorted(names))
        yield Finding(
            level="error",
            rule="secret",
            found=f"its variables or its build steps hold a value for {listed(found)}",
            why=_WHY,
            advice="give it when the container starts, or `RUN --mount=type=secret`; and change it",
            where=found,
        )


def _keys(files: ImageFiles) -> Iterator[Finding]:
    found = tuple(path for path in files.members if _is_key(files, path))
    if found:
        yield Finding(
            level="error",
            rule="private-key",
            found=f"private keys: {listed(found)}",
            why=_WHY,
            advice="name it in .dockerignore, mount it when the container starts; and change it",
            where=found,
        )


def _is_key(files: ImageFiles, path: str) -> bool:
    member, name = files.members[path], PurePosixPath(path)
    if not member.isreg():
        return False
    if _KEY_NAMES.fullmatch(name.name):
        return True
    small = name.suffix in _KEY_SUFFIXES and member.size <= _MOST_BYTES
    return small and _KEY_CONTENT.search(files.read(path)) is not None
