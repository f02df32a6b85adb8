"""Images beside each other."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from mlref import artifact, containers, errors
from mlref.containers.compare import Comparison, ImageCost
from mlref.containers.images import Layer

_COSTS = (
    ImageCost(name="process", ready_s=(0.5, 0.4, 0.9), matched=2, golden=2),
    ImageCost(
        name="service",
        layers=(Layer("base", "FROM", 40_000_000), Layer("code", "ADD", 60_000_000)),
        ready_s=(1.0, 3.0),
        memory_bytes=55_000_000,
        matched=1,
        golden=2,
    ),
)


def test_images_are_measured(
    service: containers.Image, minimal: containers.Image, colours: artifact.Artifact
) -> None:
    """Size, start and memory of each; a name and a result of `build` are the same to it."""
    images = {"service": service, "minimal": minimal.name}
    found = containers.compare(images, colours, starts=1)
    assert [each.name for each in found.costs] == ["service", "minimal"]
    assert [each.size_bytes for each in found.costs] == [service.size_bytes, minimal.size_bytes]
    assert [each.matched for each in found.costs] == [len(colours.golden.instances)] * 2
    for each in found.costs:
        assert len(each.ready_s) == 1
        assert each.memory_bytes is not None
        assert 10_000_000 < each.memory_bytes < 512 * 2**20


def test_an_image_of_another_model_matches_nothing(
    service: containers.Image, colours: artifact.Artifact, digits: Any
) -> None:
    """Rows that it does not know are an error, and no cost."""
    assert colours.digest != digits.artifact.digest
    with pytest.raises(errors.MlrefError):
        containers.compare([service], digits.artifact, starts=1)


def test_the_table_has_a_column_for_each_layer() -> None:
    """The median of the starts; a dash where there is nothing."""
    assert str(Comparison(_COSTS).table()) == (
        "image     MB  base  code  ready s  memory MB  golden rows\n"
        "process    -     -     -      0.5          -  2 of 2\n"
        "service  100    40    60      2.0         55  1 of 2"
    )


def test_the_plot_shows_every_image_and_layer() -> None:
    """Three plots that share their rows; sizes as numbers; a legend that says which is which."""
    figure = Comparison(_COSTS).plot()
    sizes, starts, memory = figure.axes
    assert [tick.get_text() for tick in sizes.get_yticklabels()] == ["process", "service"]
    assert {text.get_text() for text in sizes.texts} == {"40", "60", " -", " 100"}
    assert [text.get_text() for text in starts.texts] == [" 0.50", " 2.00"]
    assert [text.get_text() for text in memory.texts] == [" -", " 55"]
    (legend,) = figure.legends
    assert [text.get_text() for text in legend.get_texts()] == ["base", "code"]
    assert all(axes.yaxis_inverted() for axes in figure.axes)


def test_a_reference_comes_first(minimal: containers.Image, colours: artifact.Artifact) -> None:
    """Something that was measured elsewhere, for instance a bare process."""
    found = containers.compare([minimal.name], colours, starts=1, reference=_COSTS[0])
    assert [each.name for each in found.costs] == ["process", minimal.name]
    assert "<table>" in found._repr_html_()


@pytest.mark.parametrize(("images", "starts"), [([], 1), ({"one": "mlref-none:1"}, 0)])
def test_nothing_to_measure_is_refused(
    colours: artifact.Artifact, images: Any, starts: int
) -> None:
    """No image, or no start."""
    with pytest.raises(ValueError, match="compare needs an image and a start, got"):
        containers.compare(images, colours, starts=starts)


def test_two_images_of_one_name_are_refused(
    service: containers.Image, colours: artifact.Artifact
) -> None:
    """Before and after a change, one would silently be measured as the other."""
    before = dataclasses.replace(service, digest="sha256:before")
    with pytest.raises(ValueError, match=r"names of their own, got .*; give a dictionary"):
        containers.compare([before, service], colours, starts=1)


def test_an_image_that_is_not_there_is_told(docker_client: Any, colours: artifact.Artifact) -> None:
    """Before any is started."""
    assert docker_client
    with pytest.raises(errors.ContainerError, match="there is no image mlref-none:1 here"):
        containers.compare({"one": "mlref-none:1"}, colours)
