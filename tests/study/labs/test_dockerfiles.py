"""Dockerfiles of learners: read, and where Docker is, built and run."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mlref.containers import available, engine
from mlref.study.labs.checks import LeftOut, Rejected
from mlref.study.labs.dockerfiles import Copy, building, copies, exec_form, stages, started

_TWO = """# a comment
ARG BASE_IMAGE
from ${BASE_IMAGE} AS builder
RUN one \\
    && two

FROM scratch
COPY --from=builder --chown=1:1 /a ./b/ /c
copy ["d", "e"]
"""
_RUNS = 'ARG BASE_IMAGE\nFROM ${BASE_IMAGE}\nCOPY rows /rows\nENTRYPOINT ["python3", "-c"]\n'


def _write(folder: Path) -> None:
    (folder / "rows").write_text("1")


@pytest.fixture
def docker(require: Callable[[str, bool, str], None]) -> Any:
    """A client of the daemon."""
    problem = available()
    require("docker", problem is None, problem or "")
    return engine.connect()


def test_stages_are_told_apart() -> None:
    """Each FROM begins one; lines that go on are joined, and comments are left out."""
    first, second = stages(_TWO)
    assert [(word, " ".join(rest.split())) for word, rest in first] == [("RUN", "one && two")]
    assert [word for word, _ in second] == ["COPY", "COPY"]


def test_copies_are_read_in_both_forms() -> None:
    """With options and without, as words and as a list; ./ and a last / mean nothing."""
    assert copies(stages(_TWO)[1]) == [
        Copy("builder", ("a", "b"), "/c"),
        Copy("", ("d",), "e"),
    ]


def test_a_line_that_is_no_instruction_is_rejected() -> None:
    """The line is shown, and what its cause mostly is."""
    with pytest.raises(Rejected, match="called 'python3'; the line is `python3 -m venv`") as caught:
        stages("FROM a\nRUN one\npython3 -m venv")
    assert "backslash" in caught.value.why


def test_a_copy_to_nowhere_is_rejected() -> None:
    """A source alone is not enough."""
    with pytest.raises(Rejected, match=r"`COPY a` needs two paths"):
        copies(stages("FROM a\nCOPY a")[0])


@pytest.mark.parametrize(
    ("value", "told"),
    [
        ("python3 a.py", "no list of words"),
        ([], "no list of words"),
        (["python3", 1], "no list of words"),
        (["python3 a.py"], "in its own quotes"),
        (["/bin/sh", "-c", "python3 a.py"], "a shell that waits"),
    ],
)
def test_what_keeps_the_signal_is_rejected(value: object, told: str) -> None:
    """Texts, numbers, one long word, and a shell that stays."""
    with pytest.raises(Rejected, match=f"^it .*{told}"):
        exec_form(value, "it")


@pytest.mark.parametrize("value", [["python3", "a.py"], ["sh", "-c", "exec python3 a.py"]])
def test_what_passes_the_signal_on_is_taken(value: list[str]) -> None:
    """A program, or a shell that makes way for it."""
    assert exec_form(value, "it") == value


def test_without_docker_a_check_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """It says that nothing was tried, and what to do."""
    monkeypatch.setenv("DOCKER_HOST", "unix:///nowhere.sock")
    with (
        pytest.raises(LeftOut, match="nothing was built or run here") as caught,
        building("FROM a", _write),
    ):
        pytest.fail("there is nothing to build with")
    assert caught.value.part == "docker"
    assert caught.value.how.endswith("; then grade it again")


def test_what_was_built_is_deleted_at_the_end(docker: Any) -> None:
    """Two builds from two contents are two images, both of which are gone after the block."""
    with building(_RUNS, _write) as build:
        names = [build().id, build(lambda folder: (folder / "rows").write_text("2")).id]
        layers = [docker.images.get(name).attrs["RootFS"]["Layers"] for name in names]
    assert layers[0][:-1] == layers[1][:-1]
    assert layers[0][-1] != layers[1][-1]
    left = {image.id for image in docker.images.list(filters={"label": "mlref.lab"})}
    assert left.isdisjoint(names)


def test_what_cannot_be_built_is_rejected_in_the_builders_words(docker: Any) -> None:
    """A file that is not there is named."""
    assert docker
    lines = "ARG BASE_IMAGE\nFROM ${BASE_IMAGE}\nCOPY nothing /\n"
    with (
        building(lines, _write) as build,
        pytest.raises(Rejected, match=r"(?s)Docker cannot build it:.*nothing"),
    ):
        build()


def test_a_container_that_does_not_come_up_is_rejected(docker: Any) -> None:
    """One that ends is told with its last words, one that cannot be run with the daemon's."""
    assert docker
    with building(_RUNS, _write) as build:
        image = build().id
        with (
            pytest.raises(Rejected, match=r"(?s)ended before it was ready: .*no model"),
            started(image, command=["raise SystemExit('no model')"]),
        ):
            pytest.fail("it cannot be ready")
        with (
            pytest.raises(Rejected, match=r"cannot run it: .*nosuch"),
            started(image, entrypoint=["nosuch"]),
        ):
            pytest.fail("it cannot be run")
