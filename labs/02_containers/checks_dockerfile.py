"""What a right Dockerfile of lab 02 satisfies: it is read, and with Docker built and run."""

import json
import re
from pathlib import Path

from mlref.study.labs.checks import exercise, reject
from mlref.study.labs.dockerfiles import building, copies, exec_form, stages, started

PLACES = {"library": "/opt/libraries", "model": "/opt/model", "code": "/opt/server.py"}


def _stages(answer):
    """The first stage of the answer's Dockerfile, and the last."""
    found = stages(answer.dockerfile)
    if len(found) < 2:
        reject(
            f"`dockerfile` has {len(found)} FROM, not 2",
            why="what the first stage needed stays behind only if another stage takes over; leave "
            "the last line of the cell as it was",
        )
    return found[0], found[-1]


@exercise("dockerfile")
def the_lines_are_instructions(answer):
    """The lines are instructions of a Dockerfile, in two stages."""
    if not isinstance(answer.dockerfile, str):
        kind = type(answer.dockerfile).__name__
        reject(f"`dockerfile` must be text, got {kind}", why="a Dockerfile is lines of text")
    for stage in _stages(answer):
        copies(stage)


@exercise("dockerfile")
def no_wheel_is_copied_into_the_image(answer):
    """The wheel is lent to the step that installs, and in no layer of the image."""
    builder, final = _stages(answer)
    for line in copies(final):
        for source in line.sources:
            first = source.split("/")[0]
            whole = not line.origin and first in {".", "*"}
            if whole or first.startswith("wheel") or source.endswith(".whl"):
                reject(
                    f"copying `{source}` in the second stage puts the wheel into a layer",
                    why="a later layer that deletes a file only hides it; it is pulled, stored and "
                    "scanned with every image all the same",
                )
    steps = [rest for word, rest in builder if word == "RUN"]
    if not steps:
        reject(
            "no RUN in the first stage installs anything",
            why="the library comes from there: python3 -m zipfile -e unpacks a wheel",
        )
    copied = [source for line in copies(builder) for source in line.sources]
    if not any("--mount" in step and "wheels" in step for step in steps) and not any(
        "wheels" in source or source in {".", "*"} for source in copied
    ):
        reject(
            "the step that installs cannot see wheels/: nothing lends it (--mount=type=bind)",
            why="a step sees what its stage holds, and what is lent to it; not the folder from "
            "which you build",
        )


@exercise("dockerfile")
def what_changes_most_comes_last(answer):
    """Library, model and code arrive where they belong; what changes most often comes last."""
    positions = {}
    for position, line in enumerate(copies(_stages(answer)[1])):
        for source in line.sources:
            first = source.split("/")[0]
            part = "library" if line.origin else {"server.py": "code"}.get(source, first)
            positions.setdefault(part, position)
            place = PLACES.get(part, line.target)
            if line.target.startswith("/") and line.target.rstrip("/") not in {
                place,
                str(Path(place).parent) if part == "code" else f"{place}/late.json",
            }:
                reject(
                    f"the {part} is copied to {line.target:.60}, not to {place}",
                    why="the server looks in the places that the exercise names, and finds nothing",
                )
    for part, line in (
        ("library", "COPY --from=builder"),
        ("model", "COPY model"),
        ("code", "COPY server.py"),
    ):
        if part not in positions:
            reject(f"no line `{line} ...` in the second stage", why=f"the image has no {part}")
    if not positions["library"] < positions["model"] < positions["code"]:
        order = ", ".join(sorted(PLACES, key=positions.__getitem__))
        reject(
            f"the order of your layers is {order}, not from what changes least to what changes most",
            why="whatever lies above a layer that changed is built, pushed and pulled again, so "
            "each day's new code would take more with it than itself",
        )


@exercise("dockerfile")
def the_user_is_a_number(answer):
    """It runs as a user that is a number, and not 0."""
    users = [rest for word, rest in _stages(answer)[1] if word == "USER"]
    if not users:
        reject(
            "there is no USER in the second stage, so it runs as root",
            why="whoever breaks out of the server is root in the container, and one hole in the "
            "kernel away from being it outside",
        )
    name = users[-1].split(":")[0].strip("\"'")
    if name == "root" or (name.isdigit() and int(name) == 0):
        reject(f"USER {users[-1]:.30} is root", why="the line is there, and changes nothing")
    if not name.isdigit():
        reject(
            f"USER {name:.30} is a name; write a number",
            why="only the image's own /etc/passwd tells whether a name is root. Kubernetes does "
            "not read it, and with runAsNonRoot refuses to start the container",
        )


@exercise("dockerfile")
def the_server_gets_the_signal(answer):
    """The entry point has the exec form, so that SIGTERM reaches the server."""
    points = [rest for word, rest in _stages(answer)[1] if word == "ENTRYPOINT"]
    if not points:
        reject(
            "there is no ENTRYPOINT in the second stage",
            why="a CMD alone is replaced by whatever stands behind the image's name, "
            "and without either nothing runs",
        )
    try:
        words = json.loads(points[-1])
    except ValueError:
        quotes = " (words in double quotes, commas between them)" if "[" in points[-1] else ""
        reject(
            f"ENTRYPOINT {points[-1]:.60} is taken for the shell form{quotes}",
            why="process 1 is then a shell, at least until an `exec`, and many images have none; not "
            "each shell passes the signal on, and then the server is killed in the end, with "
            "requests in its hands",
        )
    exec_form(words, f"ENTRYPOINT {points[-1]:.60}")


def _new_layers(*images):
    """How many layers of the second image are not those of the first."""
    layers = [image.attrs["RootFS"]["Layers"] for image in images]
    return sum(old != other for old, other in zip(*layers, strict=True))


@exercise("dockerfile")
def docker_builds_it_and_it_ends_well(answer):
    """Built and run: nothing superfluous, not root, ended by SIGTERM, little built anew."""

    def change(folder):
        Path(folder, "server.py").write_text(f"\n{answer.SERVER}")

    with building(answer.dockerfile, answer.write_context) as build:
        image = build()
        added = sum(step["Size"] for step in image.history() if "COPY" in step["CreatedBy"])
        if added > 3_000_000:
            reject(
                f"your layers hold {added / 1e6:.1f} MB; library, model and code have 2.0 MB",
                why="something came along that nobody needs, and every node pulls it",
            )
        with started(image.id, drain_timeout_s=5) as container:
            _, told = container.execute("python3", "-c", "print(open('/proc/1/status').read())")
            if re.search(r"^Uid:\s+0\b", told, re.MULTILINE):
                reject("process 1 is root", why="the line that says otherwise had no effect")
            state = container.stop()
        if state.exit_code not in {0, 143}:
            reject(
                f"on SIGTERM it did not end well within 5 s: exit status {state.exit_code}",
                why="137 means that it was killed, with all that it had not answered yet",
            )
        new = _new_layers(image, build(change))
        if new > 1:  # perhaps someone else has filled the builder's cache in between
            new = _new_layers(build(), build(change))
        if new > 1:
            reject(
                f"after a change of server.py {new} layers are new, not 1",
                why="each deployment would take along what did not change",
            )
