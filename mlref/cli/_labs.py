"""`mlref labs` and `mlref watch`: exercises in the terminal."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.text import Text

from mlref.cli._group import group
from mlref.cli._store import opened_store

if TYPE_CHECKING:
    from mlref.study.grading import LabResult
    from mlref.study.labs.lab import Exercise, Lab
    from mlref.study.learner.progress import State
    from mlref.study.learner.state import Store

__all__ = ["add_to", "watch"]

_INTERRUPTED = 130  # what a shell reports after Ctrl-C

_labs = group(
    "The labs: exercises that grade themselves.",
    "Example: mlref labs check 01",
)

_LabName = Annotated[
    str, typer.Argument(metavar="LAB", help="Its number or name: 1, 01, 01_topic.")
]
_ExerciseName = Annotated[
    str, typer.Argument(metavar="EXERCISE", help="Its name, as `mlref labs list` shows it.")
]


def add_to(app: typer.Typer) -> None:
    """Give an application the commands `labs` and `watch`."""
    app.add_typer(_labs, name="labs")
    app.command(epilog="Example: mlref watch 01")(watch)


def watch(
    lab: Annotated[
        str | None,
        typer.Argument(metavar="LAB", help="Its number or name; none: the first not solved."),
    ] = None,
) -> None:
    """Grade a lab each time when you save it; keys show hints and the solution.

    Edit exercise.py or exercise.ipynb beside it. Needs your own folder: mlref init DIR.
    """
    from mlref.study._changes import saved_files
    from mlref.study._keys import ending_by_signals, terminal_keys
    from mlref.study.extras import require
    from mlref.study.labs.answers import FILES
    from mlref.study.watch import watch as watching

    interactive = sys.stdin.isatty() and sys.stdout.isatty()
    console = Console(highlight=False)
    with opened_store() as store:
        found = _chosen(lab, store.read())
        require(["study", *found.extras])
        folder = _folder_of(store, found)
        try:
            with ending_by_signals():
                watching(
                    store,
                    found,
                    console=console,
                    changes=saved_files(folder, [folder / name for name in FILES]),
                    keys=terminal_keys(sys.stdin.fileno()) if interactive else None,
                )
        except KeyboardInterrupt as error:
            raise typer.Exit(_INTERRUPTED) from error
        finally:
            Console(stderr=True).print(f"Go on at any time: mlref watch {found.number}")


@_labs.command("list", epilog="Example: mlref labs list")
def _list() -> None:
    """List the labs and their exercises, and which are solved."""
    from mlref.errors import NoLearnerFolderError
    from mlref.study.labs import all_labs
    from mlref.study.learner.state import State

    console, state = Console(highlight=False), None
    try:
        with opened_store() as store:
            state = store.read()
    except NoLearnerFolderError as error:
        problem = str(error)
    for lab in all_labs():
        _list_lab(console, lab, state or State())
    console.print("\nWork in the terminal: mlref watch 01")
    if state is None:
        console.print(Text(f"First make a folder of your own: {problem}"))


def _list_lab(console: Console, lab: Lab, state: State) -> None:
    """A lab, then a row for each of its exercises."""
    from rich.table import Table

    solved = len(lab.exercises) - len(_left(lab, state))
    console.print(Text(f"{lab.title} ({lab.name})", "bold"))
    console.print(f"{lab.minutes} minutes, {solved} of {len(lab.exercises)} solved")
    table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column(no_wrap=True)
    table.add_column(no_wrap=True)
    table.add_column()
    for each in lab.exercises:
        table.add_row(_standing(state, lab, each), Text(each.name), Text(each.title))
    console.print(table)


def _standing(state: State, lab: Lab, exercise: Exercise) -> Text:
    progress = state.labs.get(lab.name, {}).get(exercise.name)
    if progress is None or not (progress.passed or progress.attempts):
        return Text("· to do")
    return Text("✓ solved", "green") if progress.passed else Text("✗ not yet", "red")


@_labs.command("check", epilog="Example: mlref labs check 01 leaks")
def _check(
    lab: Annotated[
        str | None,
        typer.Argument(metavar="LAB", help="Its number or name; none: all labs."),
    ] = None,
    exercise: Annotated[
        str | None, typer.Argument(metavar="EXERCISE", help="One exercise; none: all.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON: passed, and labs.")] = False,  # noqa: FBT002 - typer's flag
) -> None:
    """Grade what you have saved. The exit status is 0 if all of it is solved, else 1."""
    from mlref.study.extras import require
    from mlref.study.labs import all_labs, answers_in, find_lab
    from mlref.study.learner.results import record
    from mlref.study.watch import lab_folder

    results = []
    with opened_store() as store:
        labs = all_labs() if lab is None else [find_lab(lab)]
        for each in labs:
            if exercise is not None:
                each.exercise(exercise)
        require({"study", *(extra for each in labs for extra in each.extras)})
        for each in labs:
            answers = answers_in(lab_folder(store, each), each)
            codes = {name: answer.code for name, answer in answers.items()}
            results.append(_graded(each, codes, exercise))
            record(store, results[-1])
            if not as_json:
                _show(results[-1])
    passed = all(each.passed for each in results)
    if as_json:
        shown = {"passed": passed, "labs": [each.to_dict() for each in results]}
        typer.echo(json.dumps(shown, indent=2))
    if not passed:
        raise typer.Exit(1)


def _graded(lab: Lab, codes: dict[str, str], only: str | None) -> LabResult:
    """The result of a lab, with a bar on a terminal while it comes."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

    from mlref.study.grading import grade_lab

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    console = Console(stderr=True)
    with Progress(
        *columns, console=console, transient=True, disable=not console.is_terminal
    ) as bar:
        total = len(lab.exercises) if only is None else 1
        task = bar.add_task(f"Checking lab {lab.number}", total=total)
        return grade_lab(lab, codes, only=only, watcher=lambda _result: bar.advance(task))


def _show(result: LabResult) -> None:
    from mlref.study._lines import progress_bar, result_lines

    console = Console(highlight=False)
    console.print(Text(result.title, "bold"))
    console.print(Text(f"Progress: {progress_bar(result.solved, len(result.exercises))}"))
    for each in result.exercises:
        console.print()
        for line in result_lines(each, console.width):
            console.print(line, soft_wrap=True)
    first = next((each.exercise for each in result.exercises if not each.passed), None)
    if first is not None:
        console.print(f"\nA hint: mlref labs hint {result.lab[:2]} {first}")


@_labs.command("hint", epilog="Example: mlref labs hint 01 leaks")
def _hint(
    lab: _LabName,
    exercise: Annotated[
        str | None,
        typer.Argument(metavar="EXERCISE", help="Its name; none: the first not solved."),
    ] = None,
    number: Annotated[
        int | None,
        typer.Option(min=1, help="Which hint; else the next one not yet seen."),
    ] = None,
) -> None:
    """Show the next hint to an exercise; that you have seen it is recorded."""
    from mlref.study.labs import find_lab
    from mlref.study.learner.results import next_hint, record_hint

    with opened_store() as store:
        found, state = find_lab(lab), store.read()
        chosen = found.exercise(exercise) if exercise else _first_unsolved(found, state)
        last = len(chosen.hints)
        shown = number or next_hint(chosen, state.exercise(found.name, chosen.name).hints)
        if shown > last:
            raise typer.BadParameter(
                f"{shown} is more than the {last} hints that there are", param_hint="--number"
            )
        record_hint(store, found.name, chosen.name, number=shown)
    console = Console(highlight=False)
    console.print(Text(f"Hint {shown} of {last} to {chosen.name}", "bold"))
    console.print(Text(chosen.hints[shown - 1]))
    after = f"The next one: mlref labs hint {found.number} {chosen.name}"
    if shown == last:
        after = f"The solution: mlref labs solution {found.number} {chosen.name} --give-up"
    console.print(Text(f"\n{after}"), soft_wrap=True)


@_labs.command("solution", epilog="Example: mlref labs solution 01 leaks --give-up")
def _solution(
    lab: _LabName,
    exercise: _ExerciseName,
    give_up: Annotated[  # noqa: FBT002 - typer's flag
        bool, typer.Option("--give-up", help="Show it before you have solved it; recorded.")
    ] = False,
) -> None:
    """Show our solution to an exercise that you have solved, or given up."""
    from mlref.errors import LabError
    from mlref.study.labs import find_lab, solution
    from mlref.study.learner.results import record_solution

    with opened_store() as store:
        found = find_lab(lab)
        code = solution(found, exercise)
        progress = store.read().exercise(found.name, exercise)
        if not (progress.passed or progress.solution_seen or give_up):
            raise LabError(
                f"{exercise} is not solved yet; check it with `mlref labs check {found.number} "
                f"{exercise}`, get a hint with `mlref labs hint {found.number} {exercise}`, or see "
                f"the solution with --give-up, which is recorded"
            )
        if not progress.passed:
            record_solution(store, found.name, exercise)
    typer.echo(code)


@_labs.command("reset", epilog="Example: mlref labs reset 01 leaks")
def _reset(
    lab: _LabName,
    exercise: Annotated[
        str | None, typer.Argument(metavar="EXERCISE", help="One exercise; none: both files.")
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,  # noqa: FBT002 - typer's flag
) -> None:
    """Put a lab, or one exercise of it, back to its start; what you wrote is kept as a backup."""
    from mlref.study.labs import find_lab
    from mlref.study.learner.folder import reset

    console = Console(highlight=False)
    with opened_store() as store:
        found = find_lab(lab)
        what = f"lab {found.number}"
        if exercise is not None:
            what = f"{found.exercise(exercise).name} of lab {found.number}"
        if not yes and not typer.confirm(f"Put {what} back to its start? A backup is kept."):
            console.print("Nothing was changed.")
            raise typer.Exit(1)
        done = reset(store, found, exercise)
    if not done.files:
        console.print(f"Nothing to do: {what} is as it was given.")
    for name in done.files:
        console.print(Text(f"put back: {name}"), soft_wrap=True)
    if done.backup is not None:
        console.print(Text(f"what was there is kept in {done.backup}"), soft_wrap=True)
    if done.files:
        console.print("A notebook that is open in JupyterLab must be reloaded from the disk.")


def _folder_of(store: Store, lab: Lab) -> Path:
    """The learner's copy of a lab."""
    from mlref.errors import LearnerError
    from mlref.study.watch import lab_folder

    folder = lab_folder(store, lab)
    if not folder.is_dir():
        raise LearnerError(
            f"{folder} is not there; get it with `mlref labs reset {lab.number}`, or all that is "
            f"new with `mlref init {store.folder}`"
        )
    return folder


def _chosen(name: str | None, state: State) -> Lab:
    """The lab of a name; without one, the first that is not solved, else the last."""
    from mlref.study.labs import all_labs, find_lab

    if name is not None:
        return find_lab(name)
    labs = all_labs()
    return next((each for each in labs if _left(each, state)), labs[-1])


def _first_unsolved(lab: Lab, state: State) -> Exercise:
    return next(iter(_left(lab, state)), lab.exercises[0])


def _left(lab: Lab, state: State) -> list[Exercise]:
    """The exercises that were never solved."""
    known = state.labs.get(lab.name, {})
    return [each for each in lab.exercises if each.name not in known or not known[each.name].passed]
