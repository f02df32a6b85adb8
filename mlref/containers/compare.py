"""What images cost beside each other: size by layer, ready time, memory; and whether they answer.

    comparison = compare({"service": service, "minimal": minimal}, artifact)
    comparison              # a table
    comparison.plot()

Every round starts each image once, so that whatever else the machine does meets all of them. Ready
is from the order to start until the first 200 of /health/ready. Memory is what the processes hold
once they have answered the golden rows, page cache left out.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mlref.artifact import Artifact
from mlref.containers import engine
from mlref.containers.given import check_artifact
from mlref.containers.images import Image, Layer, layers_of, reference_of
from mlref.containers.isolation import DEFAULT_ISOLATION, Isolation
from mlref.containers.running import run
from mlref.tables import Table

__all__ = ["Comparison", "ImageCost", "compare"]

_READY_TIMEOUT_S = 60.0
_WIDE_ENOUGH = 0.1  # of the longest bar, for a number within a part of it
_ON_COLOURS = ("white", "white", "white", "black", "black", "black", "white")


@dataclass(frozen=True, kw_only=True)
class ImageCost:
    """What one image costs.

    Attributes:
        name: what it is called in the comparison.
        layers: of the image, the lowest first; none of something that is no image.
        ready_s: seconds from each start to the first 200 of /health/ready.
        memory_bytes: held by its processes after the golden rows; None if it was not measured.
        matched: how many golden predictions it gave within the tolerance, at the worst start.
        golden: how many there are.
    """

    name: str
    layers: tuple[Layer, ...] = ()
    ready_s: tuple[float, ...]
    memory_bytes: int | None = None
    matched: int
    golden: int

    @property
    def size_bytes(self) -> int | None:
        """All layers together, unpacked; None of something that is no image."""
        return sum(layer.size_bytes for layer in self.layers) or None

    @property
    def median_ready_s(self) -> float:
        """Half of the starts were ready sooner."""
        return statistics.median(self.ready_s)


@dataclass(frozen=True)
class Comparison:
    """Several images beside each other, in the order in which they were given.

    Attributes:
        costs: one for each.
    """

    costs: tuple[ImageCost, ...]

    def table(self) -> Table:
        """One row for each: size in all and by layer, ready time, memory, golden rows."""
        names = _layer_names(self.costs)
        return Table.of(
            [
                {
                    "image": each.name,
                    "MB": _megabytes(each.size_bytes),
                    **{name: _megabytes(_size_of(each, name)) for name in names},
                    "ready s": round(each.median_ready_s, 2),
                    "memory MB": _megabytes(each.memory_bytes),
                    "golden rows": f"{each.matched} of {each.golden}",
                }
                for each in self.costs
            ]
        )

    def _repr_html_(self) -> str:
        return self.table()._repr_html_()

    def plot(self) -> Any:
        """Three rows of bars that share their names: size by layer, ready time, memory.

        Raises:
            MissingExtraError: the extra "train", which brings the plots, is not installed.
        """
        from mlref import plotting

        figure, all_axes = plotting.new_figure(3, width=9.6, height=1.6 + 0.5 * len(self.costs))
        sizes, starts, memory = all_axes
        ready = [each.median_ready_s for each in self.costs]
        held = [
            None if each.memory_bytes is None else each.memory_bytes / 1e6 for each in self.costs
        ]
        with plotting.style():
            _draw_layers(sizes, self.costs)
            _draw_bars(starts, ready, "{:.2f}", [each.ready_s for each in self.costs])
            _draw_bars(memory, held, "{:.0f}")
            sizes.set(title="Size by layer", xlabel="MB, unpacked")
            starts.set(title="Ready after", xlabel="s; median, least and most")
            memory.set(title="Memory", xlabel="MB, once it has answered")
            for axes in all_axes:
                axes.set(yticks=range(len(self.costs)), yticklabels=[])
                axes.grid(visible=False, axis="y")
                axes.invert_yaxis()
            sizes.set_yticklabels([each.name for each in self.costs])
            figure.legend(*sizes.get_legend_handles_labels(), loc="outside lower left", ncols=5)
        return figure


def compare(
    images: Mapping[str, Image | str] | Iterable[Image | str],
    artifact: Artifact,
    *,
    starts: int = 5,
    isolation: Isolation = DEFAULT_ISOLATION,
    reference: ImageCost | None = None,
) -> Comparison:
    """What each image costs, measured here and now.

    Args:
        images: label -> image; or a list of images, which are labelled with their names.
        artifact: what they serve; its golden rows are asked for at each start.
        starts: how often each is started, at least once.
        isolation: the limits that they run under.
        reference: something measured elsewhere that comes first, for instance a bare process.

    Raises:
        DockerUnavailableError: there is no daemon.
        ContainerError: there is no such image, or it cannot be run.
        ProcessError: it was never ready.
        EndpointError: it was ready and did not answer.
        TypeError: a single image, or something that is none; or no artefact.
        ValueError: no image, no start, or two images of the same name.
    """
    if isinstance(images, Image | str):
        raise TypeError("images must be a list or a dictionary, got one image; write [image]")
    check_artifact(artifact)
    named = dict(images) if isinstance(images, Mapping) else _by_name(images)
    if not named or starts < 1:
        raise ValueError(f"compare needs an image and a start, got {len(named)} and {starts}")
    client = engine.connect()
    layers = {
        name: image.layers
        if isinstance(image, Image)
        else layers_of(engine.find_image(client, reference_of(image)).history())
        for name, image in named.items()
    }
    measured: dict[str, list[_Start]] = {name: [] for name in named}
    for number in range(starts):
        for name, image in named.items():
            measured[name].append(_start(image, artifact, isolation, memory=number == 0))
    costs = [
        ImageCost(
            name=name,
            layers=layers[name],
            ready_s=tuple(each.ready_s for each in found),
            memory_bytes=found[0].memory_bytes,
            matched=min(each.matched for each in found),
            golden=len(artifact.golden.instances),
        )
        for name, found in measured.items()
    ]
    return Comparison((*([] if reference is None else [reference]), *costs))


def _by_name(images: Iterable[Image | str]) -> dict[str, Image | str]:
    """Names, and results of `build`, each under its name."""
    given = list(images)
    names = [each.name if isinstance(each, Image) else reference_of(each) for each in given]
    if len(set(names)) < len(given):
        text = f"images must have names of their own, got {', '.join(names)}"
        raise ValueError(f"{text}; give a dictionary, label -> image")
    return dict(zip(names, given, strict=True))


@dataclass(frozen=True)
class _Start:
    ready_s: float
    matched: int
    memory_bytes: int | None


def _start(image: Image | str, artifact: Artifact, isolation: Isolation, *, memory: bool) -> _Start:
    """Start it, let it answer, delete it. Its memory is asked for once, as the daemon is slow."""
    from mlref.serving.client import Client

    begin = time.perf_counter()
    with run(image, isolation=isolation) as container:
        container.wait_ready(_READY_TIMEOUT_S)
        ready_s = time.perf_counter() - begin
        with Client(container.url) as client:
            answer = client.predict(artifact.golden.columns)
        held = container.memory_bytes() if memory else None
    return _Start(ready_s, artifact.golden.matched(answer.predictions), held)


def _draw_layers(axes: Any, costs: tuple[ImageCost, ...]) -> None:
    """Bars that are stacked, one colour for each kind of layer, and how much it is in all."""
    from mlref.plotting import COLOURS

    most = max((each.size_bytes or 0) for each in costs) / 1e6
    ends = [0.0] * len(costs)
    for number, name in enumerate(_layer_names(costs)):
        colour = COLOURS[number % len(COLOURS)]
        widths = [(_size_of(each, name) or 0) / 1e6 for each in costs]
        axes.barh(range(len(costs)), widths, left=ends, height=0.6, color=colour, label=name)
        for row, (width, end) in enumerate(zip(widths, ends, strict=True)):
            if width > _WIDE_ENOUGH * most:
                text = {"ha": "center", "va": "center", "color": _ON_COLOURS[number % len(COLOURS)]}
                axes.text(end + width / 2, row, f"{width:.0f}", **text)
        ends = [end + width for end, width in zip(ends, widths, strict=True)]
    for row, end in enumerate(ends):
        axes.text(end, row, f" {end:.0f}" if end else " -", va="center", weight="bold")
    axes.margins(x=0.15)


def _draw_bars(
    axes: Any,
    values: Sequence[float | None],
    text: str,
    spreads: Sequence[Sequence[float]] | None = None,
) -> None:
    """Grey bars, each with its value at the left, and from the least to the most of its spread."""
    axes.barh(range(len(values)), [each or 0 for each in values], height=0.6, color="#bbbbbb")
    for row, value in enumerate(values):
        told = " -" if value is None else " " + text.format(value)
        axes.text(0, row, told, va="center", weight="bold")
    for row, spread in enumerate(spreads or ()):
        ends = (min(spread), max(spread))
        axes.plot(ends, (row, row), color="black", marker="|", linewidth=1.5, markersize=8)


def _layer_names(costs: Iterable[ImageCost]) -> list[str]:
    return list(dict.fromkeys(layer.name for each in costs for layer in each.layers))


def _size_of(cost: ImageCost, name: str) -> int | None:
    return sum(layer.size_bytes for layer in cost.layers if layer.name == name) or None


def _megabytes(size_bytes: int | None) -> float | None:
    return None if size_bytes is None else round(size_bytes / 1e6, 1)
