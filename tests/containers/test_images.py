"""Images of a model: what is in them, and what is built again."""

from __future__ import annotations

import io
import os
import re
import shutil
import tarfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from mlref import artifact, containers, errors
from mlref.containers import engine, images, local_images


def _layers(client: Any, image: containers.Image) -> list[str]:
    """The digest of each layer, the lowest first."""
    layers: list[str] = client.images.get(image.digest).attrs["RootFS"]["Layers"]
    return layers


def _all_names(client: Any, image: containers.Image) -> set[str]:
    """The path of every file of every layer, those that a later layer deletes among them."""
    saved = io.BytesIO(b"".join(client.images.get(image.digest).save()))
    names = set()
    with tarfile.open(fileobj=saved) as outer:
        for member in outer:
            if member.name.endswith("layer.tar") or member.name.startswith("blobs/sha256/"):
                content = outer.extractfile(member)
                assert content is not None
                try:
                    with tarfile.open(fileobj=content) as layer:
                        names |= set(layer.getnames())
                except tarfile.ReadError:  # a blob that is no layer
                    continue
    return names


@pytest.fixture
def names(docker_client: Any) -> Iterator[tuple[str, str]]:
    """Names for two images, which are taken away after the test."""
    chosen = (f"mlref-test-images-{os.getpid()}:first", f"mlref-test-images-{os.getpid()}:second")
    yield chosen
    for name in chosen:
        if local_images.is_there(docker_client, name):
            docker_client.images.remove(name)


@pytest.mark.parametrize("flavour", ["service", "minimal"])
def test_it_says_what_it_serves(
    request: pytest.FixtureRequest, docker_client: Any, colours: artifact.Artifact, flavour: str
) -> None:
    """Labels name the artefact and its digest, and whose image it is."""
    image = request.getfixturevalue(flavour)
    labels = docker_client.images.get(image.digest).labels
    assert labels["mlref.artifact.digest"] == colours.digest
    assert labels["org.opencontainers.image.title"] == colours.manifest.name
    assert labels["org.opencontainers.image.version"] == colours.manifest.version
    assert labels["mlref.inputs"] == image.inputs
    assert labels[engine.LABEL] == "mlref"


@pytest.mark.parametrize("flavour", ["service", "minimal"])
def test_it_starts_as_a_number_that_is_not_root(
    request: pytest.FixtureRequest, docker_client: Any, flavour: str
) -> None:
    """The configuration: user, exec-form entry point, signal, health check, port."""
    config = docker_client.images.get(request.getfixturevalue(flavour).digest).attrs["Config"]
    assert config["User"] == "10001:10001"
    assert config["Entrypoint"] == ["python3", "-m", "mlref.serving.container"]
    assert config["Cmd"] == ["serve"]
    assert config["StopSignal"] == "SIGTERM"
    assert config["Healthcheck"]["Test"][0] == "CMD"
    assert list(config["ExposedPorts"]) == ["8080/tcp"]


def test_layers_are_named_and_add_up(service: containers.Image, docker_client: Any) -> None:
    """The steps that added files, the base first, and their sum is what the daemon says."""
    assert [layer.name for layer in service.layers] == ["base", "libraries", "model", "code"]
    assert service.size_bytes == docker_client.images.get(service.digest).attrs["Size"]
    assert "libraries" in str(service.table())


def test_nothing_of_the_build_is_left_in_a_layer(
    service: containers.Image, docker_client: Any
) -> None:
    """No wheel, no pip, no test, no header, and no source of what is not served."""
    names = _all_names(docker_client, service)
    assert any(name.endswith("mlref/serving/app.py") for name in names)
    unwanted = re.compile(r"\.whl$|/pip/|opt/mlref/.*/tests/|\.h$|rootfs\.py|mlref/mlref/models")
    assert not [name for name in names if unwanted.search(name)]


def test_the_history_tells_nothing_of_this_machine(
    service: containers.Image, docker_client: Any
) -> None:
    """No folder of the builder's stands in the history or the configuration."""
    image = docker_client.images.get(service.digest)
    assert str(Path.home()) not in str(image.history()) + str(image.attrs["Config"])


def test_the_same_inputs_give_the_same_digest(
    service: containers.Image, base: str, colours: artifact.Artifact
) -> None:
    """Built again without a change, it is the same image, and there is nothing to explain."""
    again = containers.build(colours, base=base)
    assert (again.digest, again.note) == (service.digest, "")


def test_without_the_builders_memory_every_layer_is_the_same(
    base: str, colours: artifact.Artifact, docker_client: Any, names: tuple[str, str]
) -> None:
    """Every step built anew gives the same layers; the other digest is explained."""
    first, again = (containers.build(colours, base=base, cached=False, name=name) for name in names)
    assert again.inputs == first.inputs
    assert _layers(docker_client, again) == _layers(docker_client, first)
    assert again.digest != first.digest
    assert again.note.startswith("every layer is as before")


def test_a_change_of_code_builds_the_last_layer_only(
    base: str,
    colours: artifact.Artifact,
    docker_client: Any,
    tmp_path: Path,
    names: tuple[str, str],
) -> None:
    """Every layer but the last is the same, byte for byte."""
    package = tmp_path / "mlref"
    shutil.copytree(Path(images.__file__).parents[1], package)
    first = containers.build(colours, base=base, package=package, name=names[0])
    with (package / "__init__.py").open("a") as file:
        file.write("# changed\n")
    second = containers.build(colours, base=base, package=package, name=names[1])
    before, after = _layers(docker_client, first), _layers(docker_client, second)
    assert before[:-1] == after[:-1]
    assert before[-1] != after[-1]


def test_no_byte_code_is_compiled_at_the_start(service: containers.Image) -> None:
    """A read-only root cannot keep byte code, so all that a start imports is compiled already."""
    command = ["-v", "-m", "mlref.serving", "/opt/ml/model", "--port", "-1"]
    with containers.run(service, command, entrypoint=["python3"]) as container:
        assert container.wait(30).exit_code == 1  # there is no such port
        log = container.log_tail(100_000)
    sources = re.findall(r"code object from '(/(?:usr|opt/mlref)/.*\.py)'", log)
    assert "matches /opt/bytecode" in log or "code object from '/opt/bytecode" in log
    assert sources == []


def test_the_minimal_image_has_no_shell(minimal: containers.Image) -> None:
    """There is nothing to log in with, and no package manager."""
    with containers.run(minimal) as container:
        container.wait_ready()
        for program in ("sh", "bash", "pip", "apt"):
            status, said = container.execute(program, "--version")
            assert status in {126, 127}
            assert "not found" in said


@pytest.mark.parametrize("flavour", ["service", "minimal"])
def test_lambda_is_a_command_of_the_same_image(
    request: pytest.FixtureRequest, flavour: str
) -> None:
    """Outside AWS it ends at once and says which variable is missing, not which library."""
    with containers.run(request.getfixturevalue(flavour), ["lambda"]) as container:
        assert container.wait(30).exit_code != 0
        assert "AWS_LAMBDA_RUNTIME_API" in container.log_tail()


def test_another_flavour_is_refused(colours: artifact.Artifact) -> None:
    """The message says which there are."""
    with pytest.raises(ValueError, match="flavour must be one of service, minimal, got 'tiny'"):
        containers.build(colours, flavour="tiny")  # type: ignore[arg-type]


def test_a_step_that_fails_shows_what_the_builder_said(
    built: Callable[[str], str], docker_client: Any, colours: artifact.Artifact
) -> None:
    """On a base whose Python is broken, the error carries the builder's last lines."""
    broken = built('RUN ["python3", "-c", "import os; os.remove(\'/usr/local/bin/python3\')"]')
    docker_client.images.get(broken).tag(f"mlref-test-broken-{os.getpid()}", "1")
    with pytest.raises(errors.ImageBuildError, match="could not be built") as raised:
        containers.build(colours, base=f"mlref-test-broken-{os.getpid()}:1")
    assert "python3: not found" in raised.value.log_tail


def test_images_of_an_artefact_are_deleted_by_their_label(
    base: str, digits: Any, service: containers.Image, docker_client: Any
) -> None:
    """Those of one artefact go, and those of another stay."""
    built = containers.build(digits.artifact, base=base)
    assert containers.remove_images(digits.artifact) >= 1
    there = {image["Id"] for image in docker_client.api.images()}
    assert built.digest not in there
    assert service.digest in there


def test_one_name_is_deleted_and_others_of_the_same_image_stay(
    built: Callable[[str], str], docker_client: Any
) -> None:
    """Whoever built under a name of his own deletes that name, and nobody else's."""
    image = docker_client.images.get(built("LABEL mlref.inputs=named"))
    mine, other = f"mlref-test-mine-{os.getpid()}", f"mlref-test-mine-{os.getpid()}-too"
    for name in (f"{mine}:1", f"{mine}:2", f"{other}:1"):
        image.tag(name)
    assert containers.remove_images(name=mine) == 2
    image.reload()
    assert f"{other}:1" in image.tags
    assert not any(tag.startswith(f"{mine}:") for tag in image.tags)


def test_an_image_in_use_stays_and_is_told(
    built: Callable[[str], str], digits: Any, docker_client: Any
) -> None:
    """The daemon keeps what a container runs; the message says what to do."""
    used = built(f"LABEL mlref.inputs=x mlref.artifact.digest={digits.artifact.digest}")
    command = ["python3", "-c", "import signal; signal.pause()"]
    raising = pytest.raises(errors.ContainerError, match=r"and 1 not: .*; delete what uses them")
    with containers.run(used, command, drain_timeout_s=0), raising:
        containers.remove_images(digits.artifact)
    assert docker_client.images.get(used)


def test_any_name_of_a_model_is_one_of_an_image(
    colours: artifact.Artifact, docker_client: Any
) -> None:
    """Names of models have capitals, and signs beside each other; those of images have not."""
    for name, expected in (("Flights", "flights:0.1.0"), ("a--B_.c-", "a-b-c:0.1.0")):
        other = replace(colours, manifest=replace(colours.manifest, name=name))
        assert images.tag_of(other) == expected
        assert not local_images.is_there(docker_client, f"mlref-test-{expected}")
