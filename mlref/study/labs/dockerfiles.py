"""What labs on containers check with: a learner's Dockerfile, read, and really built and run.

    builder, *_, final = stages(answer.dockerfile)
    with building(answer.dockerfile, write_context) as build:
        image = build()
        with started(image.id) as container:
            ...

Whatever is wrong with a Dockerfile rejects the answer, in words for learners. Where there is no
Docker, the check is left out.
"""

from __future__ import annotations

import re
import secrets
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

from mlref.containers import Container, available, base_image, engine, run
from mlref.errors import ContainerError, ProcessExitedError, ProcessNotReadyError
from mlref.study.labs.checks import leave_out, reject

__all__ = ["Copy", "Stage", "building", "copies", "exec_form", "stages", "started"]

Stage: TypeAlias = Sequence[tuple[str, str]]
"""Pairs: an instruction in capitals, and what follows it on its line."""

_LABEL = "mlref.lab"
_LEFT = "2h"  # an image of a grader that was killed is deleted when it is so old
_BUILD_S = 100
_READY_S = 20.0
_UNTRIED = "nothing was built or run here: what you wrote was read, and not tried"
_INSTRUCTIONS = re.compile(
    "ADD|ARG|CMD|COPY|ENTRYPOINT|ENV|EXPOSE|FROM|HEALTHCHECK|LABEL|MAINTAINER|ONBUILD|RUN|SHELL|"
    "STOPSIGNAL|USER|VOLUME|WORKDIR"
)
_SHELLS = frozenset({"sh", "bash", "dash", "ash", "zsh"})


@dataclass(frozen=True)
class Copy:
    """A COPY or ADD: the stage that it takes from ("" for the context), sources and target."""

    origin: str
    sources: tuple[str, ...]
    target: str


def stages(dockerfile: str) -> list[Stage]:
    """The stages of a Dockerfile, each without its FROM.

    Raises:
        Rejected: a line is no instruction, or stands before the first FROM and is no ARG.
    """
    lines = [line for line in dockerfile.splitlines() if not re.match(r"\s*(#|$)", line)]
    found: list[list[tuple[str, str]]] = []
    for line in re.sub(r"\\[ \t]*\n", " ", "\n".join(lines)).splitlines():
        word, _, rest = line.strip().partition(" ")
        if not _INSTRUCTIONS.fullmatch(word.upper()):
            reject(
                f"no instruction of a Dockerfile is called {word!r:.40}; the line is `{line:.60}`",
                why="a line that goes on needs a backslash at the end of the one before; each "
                "other one begins with an instruction, such as COPY or RUN (here-documents, "
                "`RUN <<EOF`, are not read: write such steps in one line, with &&)",
            )
        if word.upper() == "FROM":
            found.append([])
        elif found:
            found[-1].append((word.upper(), rest.strip()))
    return list(found)


def copies(stage: Stage) -> list[Copy]:
    """What a stage copies, in order.

    Raises:
        Rejected: a line has no source, or no target.
    """
    found = []
    for word, rest in stage:
        if word not in {"COPY", "ADD"}:
            continue
        options = dict(re.findall(r"--([\w-]+)=(\S+)", rest))
        plain = re.sub(r"--[\w-]+(=\S+)?", "", rest).strip()
        paths = [path.strip("\"'") for path in re.split(r"[\s,]+", plain.strip("[]")) if path]
        if len(paths) <= 1:
            reject(
                f"`{word} {rest:.60}` needs two paths: what is copied, and where to",
                why="Docker refuses the line",
            )
        sources = [path.removeprefix("./").strip("/") or "." for path in paths[:-1]]
        found.append(Copy(options.get("from", ""), tuple(sources), paths[-1]))
    return found


def exec_form(value: object, shown: str) -> list[str]:
    """The words of an entry point, of which no shell keeps the signals.

    Args:
        value: what stands in the answer.
        shown: the same as a message names it.

    Raises:
        Rejected: it is no list of words, or a shell that waits for the program.
    """
    if not isinstance(value, list) or not all(isinstance(each, str) for each in value) or not value:
        reject(
            f'{shown} is no list of words such as ["python3", "/opt/server.py"]',
            why="with a text, process 1 is a shell, which may not pass the signal on",
        )
    if " " in value[0]:
        reject(
            f"{shown} names a program with a space in its name; put each word in its own quotes",
            why="without a shell nobody takes a line apart into words",
        )
    hands_over = any(re.match(r"\s*exec ", each) for each in value)
    if Path(value[0]).name in _SHELLS and not hands_over:
        reject(
            f"{shown} starts a shell that waits for the server",
            why="SIGTERM goes to process 1, which is the shell, and no further; after the grace "
            "period the server is killed with requests in its hands",
        )
    return value


@contextmanager
def building(dockerfile: str, write: Callable[[Path], None]) -> Iterator[Callable[..., Any]]:
    """A function that builds a Dockerfile; what it has built is deleted at the end.

    It takes `change=`, a function that is given the folder that `write` has filled, and gives the
    image as the Docker SDK knows it.

    Args:
        dockerfile: its text.
        write: fills the empty folder that is built from.

    Raises:
        LeftOut: there is no Docker here, or nothing to build from.
        Rejected: the Dockerfile cannot be built.
    """
    base = _base()
    client, built = engine.connect(), list[str]()
    client.images.prune(filters={"label": [_LABEL], "until": _LEFT})

    def build(change: Callable[[Path], object] = lambda _: None) -> Any:
        with tempfile.TemporaryDirectory() as folder:
            write(Path(folder))
            change(Path(folder))
            built.append(_built(dockerfile, folder, base))
        return client.images.get(built[-1])

    try:
        yield build
    finally:
        for name in built:
            client.images.remove(name, force=True)


def _base() -> str:
    if problem := available():
        leave_out(_UNTRIED, part="docker", how=f"{problem}; then grade it again")
    try:
        return base_image(pull=False, tell=None)  # a pull may take longer than an answer may
    except ContainerError as error:
        leave_out(_UNTRIED, part="docker", how=f"{error}; then grade it again")


def _built(dockerfile: str, folder: str, base: str) -> str:
    """The digest of a new image; a label of its own keeps two graders from sharing it."""
    labels = engine.labels({_LABEL: secrets.token_hex(4)})
    command = [*engine.build_command(), "--quiet", "--network=none", "--file=-"]
    command += [f"--build-arg=BASE_IMAGE={base}"]
    command += [f"--label={name}={value}" for name, value in labels.items()]
    done = subprocess.run(
        [*command, folder],
        input=dockerfile,
        env=engine.build_environment(),
        capture_output=True,
        text=True,
        errors="replace",
        timeout=_BUILD_S,
        check=False,
    )
    if done.returncode:
        tail = "\n".join(done.stderr.strip().splitlines()[-6:])
        reject(
            f"Docker cannot build it:\n{tail:.700}",
            why="what cannot be built cannot be deployed; the last lines name the step that "
            "failed, and what that step said",
        )
    return done.stdout.split()[-1]


@contextmanager
def started(image: str, **options: Any) -> Iterator[Container]:
    """A container that is reached through a port of 127.0.0.1, as soon as it answers there.

    Args:
        image: its digest.
        options: for `mlref.containers.run`.

    Raises:
        Rejected: it cannot be run, ends too early, or does not answer.
    """
    try:
        container = run(image, published=True, **options)
    except ContainerError as error:
        reject(
            f"Docker built it and cannot run it: {error!s:.500}",
            why="that the build ends well says nothing of the start",
        )
    with container:
        try:
            container.wait_ready(_READY_S)
        except ProcessExitedError as error:
            told = f"; its last lines:\n{error.log_tail:.500}" if error.log_tail else ""
            reject(
                f"the container ended before it was ready: {container.explain()}{told}",
                why="that the build ends well says nothing of the start",
            )
        except ProcessNotReadyError as error:
            reject(
                f"the container runs, and nobody reaches it from outside; its last lines:\n"
                f"{error.log_tail or '(nothing)':.500}",
                why="a replica that does not answer gets no request, and a deployment that waits "
                "for it never ends",
            )
        yield container
