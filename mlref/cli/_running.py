"""`mlref run`, `mlref doctor`, `mlref serve`: what engineers and CI call."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from typer.core import TyperCommand

from mlref import resources
from mlref.runtime.clock import SystemClock
from mlref.study.runner import DEFAULT_TIMEOUT_S

__all__ = ["PairsCommand", "doctor", "run", "serve"]

_INTERRUPTED = 130  # what a shell reports after Ctrl-C


class PairsCommand(TyperCommand):
    """A command whose -p takes two words, as papermill's does; `-p name=value` works, too."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        rest, joined = list(args), []
        while rest:
            word = rest.pop(0)
            joined.append(word)
            if word in {"-p", "--parameter"} and rest:
                name = rest.pop(0)
                pair = "=" not in name and rest
                joined.append(f"{name}={rest.pop(0)}" if pair else name)
        return super().parse_args(ctx, joined)


def run(  # noqa: PLR0917 - typer passes them by name
    names: Annotated[
        list[str] | None,
        typer.Argument(metavar="NB", help="Numbers or names (1, 01, 01_topic); none: all."),
    ] = None,
    parameter: Annotated[
        list[str] | None,
        typer.Option(
            "-p",
            "--parameter",
            metavar="NAME VALUE",
            help="Set a notebook's parameter; -p NAME=VALUE does the same.",
        ),
    ] = None,
    jobs: Annotated[int, typer.Option(min=1, help="How many run at a time.")] = 1,
    out: Annotated[Path, typer.Option(help="Where everything is written.")] = Path("build"),
    timeout_s: Annotated[
        float, typer.Option(min=1, help="Seconds that each notebook may take.")
    ] = DEFAULT_TIMEOUT_S,
    notebooks: Annotated[
        Path | None, typer.Option(help="Another folder of notebooks NN_topic.ipynb.")
    ] = None,
) -> None:
    """Run notebooks, show how far they are, check what they measured."""
    from mlref.study import after, chapters, extras, progress, report, runner, selection
    from mlref.study.results import RunResult

    chosen = selection.choose(names or [], resources.notebooks(notebooks))
    given = selection.parse_parameters(_pair(text) for text in parameter or [])
    extras.require({extra for path in chosen for extra in chapters.extras_of(path.stem)})
    console = Console()
    runs = Path(str(given.get("out", out / "runs")))
    started, began = SystemClock().now(), time.monotonic()
    with progress.shown(console, total=len(chosen)) as watcher:
        results = runner.run(
            chosen, out=out, parameters=given, jobs=jobs, timeout_s=timeout_s, watcher=watcher
        )
    seconds = time.monotonic() - began
    result = RunResult(started=started, seconds=seconds, out=out, notebooks=results)
    if not result.interrupted:
        everything = not names and notebooks is None
        steps = after.checks(everything=everything, figures=runs / "evidence")
        result = after.followed_by(result, console, steps)
    report.write(result)
    report.print_failures(console, result)
    report.print_summary(console, result, runs=runs)
    if not result.passed:
        raise typer.Exit(_INTERRUPTED if result.interrupted else 1)


def _pair(text: str) -> tuple[str, str]:
    """The name and the value of one -p."""
    name, equals, value = text.partition("=")
    if not equals:
        raise typer.BadParameter(f"-p takes a name and a value, got only {text!r}")
    return name, value


def doctor(
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,  # noqa: FBT002
) -> None:
    """Show what is installed, what is missing, how to get it and what it unlocks."""
    from mlref.study import doctor as examination

    found = examination.examine()
    if as_json:
        typer.echo(json.dumps(found.as_dict(), indent=2))
    else:
        examination.render(Console(), found)
    if not found.healthy:
        raise typer.Exit(1)


def serve(  # noqa: PLR0917 - typer passes them by name
    artifact: Annotated[
        list[Path] | None, typer.Argument(help="The folder of a packed model; one or more.")
    ] = None,
    host: Annotated[str, typer.Option(help="The address to listen on.")] = "127.0.0.1",
    port: Annotated[
        int, typer.Option(min=0, max=65535, help="The port; 0 takes any that is free.")
    ] = 8000,
    repository: Annotated[
        Path | None, typer.Option(help="A folder of artefacts; SIGHUP reads it again.")
    ] = None,
    admin: Annotated[  # noqa: FBT002 - typer's flag
        bool, typer.Option("--admin", help="Let callers load and unload models.")
    ] = False,
    cache: Annotated[
        str | None, typer.Option(help="Keep predictions: memory, or redis://HOST:PORT.")
    ] = None,
    handlers: Annotated[
        Path | None, typer.Option(help="A script that answers SageMaker's /invocations.")
    ] = None,
    access_log: Annotated[  # noqa: FBT002 - typer's flag
        bool, typer.Option("--access-log", help="Print a line of JSON for each request.")
    ] = False,
    tuned: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="NAME=VALUE", help="Set a limit; a wrong name lists them."),
    ] = None,
) -> None:
    """Serve models over HTTP until Ctrl-C; requests that have begun are then answered."""
    from mlref.serving import serve as serve_artifacts
    from mlref.serving.access import print_access_log
    from mlref.serving.cache import open_cache
    from mlref.serving.settings import parse_settings
    from mlref.study import artifacts

    folders = artifact or []
    if not folders and repository is None:
        raise typer.BadParameter("name an artefact's folder, or a --repository of them")

    def announce(url: str) -> None:
        where = [*folders, *([repository] if repository else [])]
        typer.echo(f"serving {', '.join(map(str, where))} on {url}")

    for folder in folders:
        artifacts.refuse_others(folder)
    try:
        settings = parse_settings(tuned or [], **({"access_log": True} if access_log else {}))
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--set") from error
    try:
        open_cache(cache)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--cache") from error
    if settings.access_log:
        print_access_log()
    serve_artifacts(
        folders,
        host=host,
        port=port,
        settings=settings,
        cache=cache,
        handlers=handlers,
        repository=repository,
        admin=admin,
        announce=announce,
    )
