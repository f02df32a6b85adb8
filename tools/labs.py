"""Build and check the labs.

A lab is edited as labs/NN_topic/source.py, which holds text and solutions (see
mlref.study.labs.cutting); exercise.ipynb is cut from it, and committed:

    python tools/labs.py build   [NN ...]   regenerate the exercises
    python tools/labs.py check   [NN ...]   prove that the labs can be graded

What `check` proves of each lab: the committed exercise is the one that the source gives; every
solution passes; an answer with one hole untouched is "to do", also when all others are filled; each
file in wrong/ is rejected with the words that its second line names, no two with the same message;
each exercise has two wrong answers or more, and a check belongs to an exercise; no file lies around
that does not belong.

What is wrong is printed one problem a line, and the exit status is then 1.
"""

from __future__ import annotations

import argparse
import re
import resource
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from mlref import resources
from mlref.errors import MlrefError
from mlref.study.grading import ExerciseResult, Status, grade
from mlref.study.labs.answers import read_answers
from mlref.study.labs.cutting import answer_name, cut, exercise_cells, holes, solution, source_cells
from mlref.study.labs.lab import Lab, all_labs, find_lab
from nb_files import build_notebook, display, save, to_text

FILES = {"lab.toml", "source.py", "exercise.ipynb", "checks.py", "wrong"}
FEWEST_WRONG = 2
FEWEST_EXERCISES = 3
CPU_BUDGET_S = 30.0  # each answer is graded in a process of its own, half a second each
_CHECKED = re.compile(r"""^@exercise\(["'](.*)["']\)""", re.MULTILINE)
_REJECTED = re.compile(r"# answer: \w+\n# rejected: (?P<words>.+)\n")


@dataclass(frozen=True)
class Proof:
    """One answer, and how the grader must take it."""

    lab: Lab
    title: str
    exercise: str
    code: str
    status: Status
    words: str = ""


def build(lab: Lab) -> str:
    """Write the exercise of one lab and say so."""
    path = lab.folder / "exercise.ipynb"
    return f"{display(path)}: {save(path, build_notebook(exercise_cells(lab)))}"


def check(lab: Lab, *, workers: int = 2) -> list[str]:
    """Every problem of one lab, one a line.

    Args:
        lab: the lab.
        workers: how many answers are graded at a time.
    """
    for proofs in (check_files, check_exercise, check_wrong_files):
        if problems := list(proofs(lab)):  # the later ones read what the earlier ones look for
            return problems
    todo = [*solutions(lab), *untouched(lab), *wrong_answers(lab)]
    with ThreadPoolExecutor(workers) as pool:
        results = list(pool.map(lambda proof: grade(lab, proof.exercise, proof.code), todo))
    for proof, result in zip(todo, results, strict=True):
        problems += check_result(proof, result)
    messages = Counter(
        result.message for proof, result in zip(todo, results, strict=True) if proof.words
    )
    for message, times in messages.items():
        if times > 1:
            problems.append(f"{lab.name}: {times} wrong answers get the same message: {message}")
    return problems


def check_files(lab: Lab) -> Iterator[str]:
    """The files that belong are there, and no others; the kinds of exercises, too."""
    there = {path.name for path in lab.folder.iterdir() if path.name != "__pycache__"}
    for name in sorted(FILES - there):
        yield f"{display(lab.folder / name)}: it is missing"
    for name in sorted(there - FILES):
        yield f"{display(lab.folder / name)}: it does not belong to a lab; delete it"
    for path in sorted((lab.folder / "wrong").glob("*")):
        if path.suffix != ".py" and path.name != "__pycache__":
            yield f"{display(path)}: no wrong answer; delete it"
    if len(lab.exercises) < FEWEST_EXERCISES:
        yield f"{lab.name}: {len(lab.exercises)} exercises, at least {FEWEST_EXERCISES} are needed"
    for kind in sorted({"build", "calculation", "incident"} - {e.kind for e in lab.exercises}):
        yield f"{lab.name}: no exercise is of the kind {kind}"


def check_exercise(lab: Lab) -> Iterator[str]:
    """The committed exercise is what the source gives, byte for byte; no cell is too long."""
    path = lab.folder / "exercise.ipynb"
    built = to_text(build_notebook(exercise_cells(lab)))
    if path.is_file() and path.read_bytes() != built.encode():
        yield f"{display(path)}: it differs from its source; tools/labs.py build {lab.number}"
    cells = source_cells(lab)
    if not any(f'check("{lab.number}")' in cell.source for cell in cells[-3:]):
        yield f'{lab.name}/source.py: none of its last cells runs check("{lab.number}")'
    with_holes = {hole.exercise for hole in holes(lab)}
    for each in lab.exercises:
        if each.name not in with_holes:
            yield f"{lab.name}/source.py: the answer {each.name} has no hole"
    checks = (lab.folder / "checks.py").read_text(encoding="utf-8")
    for name in sorted(set(_CHECKED.findall(checks)) - {each.name for each in lab.exercises}):
        yield f"{lab.name}/checks.py: there is no exercise {name} to check"


def check_wrong_files(lab: Lab) -> Iterator[str]:
    """Each wrong answer says what it answers and how it is rejected; there are enough of them."""
    count: Counter[str] = Counter()
    names = {each.name for each in lab.exercises}
    for path in sorted((lab.folder / "wrong").glob("*.py")):
        text = path.read_text(encoding="utf-8")
        name = answer_name(text)
        if name not in names or not _REJECTED.match(text):
            yield (
                f"{display(path)}: begin with `# answer: NAME` and `# rejected: WORDS`, "
                f"NAME one of {', '.join(sorted(names))}"
            )
        else:
            count[name] += 1
    for name in sorted(names):
        if count[name] < FEWEST_WRONG:
            yield f"{lab.name}: {count[name]} wrong answers to {name}, {FEWEST_WRONG} are needed"


def solutions(lab: Lab) -> Iterator[Proof]:
    """Each solution passes."""
    for each in lab.exercises:
        yield Proof(lab, f"solution of {each.name}", each.name, solution(lab, each.name), "passed")


def untouched(lab: Lab) -> Iterator[Proof]:
    """Each hole untouched is to do: with all others filled, and as the learner finds the cell."""
    cells = {name: cell.source for cell in source_cells(lab) if (name := _name_of(cell))}
    for hole in holes(lab):
        code = cut(cells[hole.exercise], only={hole.index})
        yield Proof(lab, f"{hole.exercise}, hole {hole.index + 1}", hole.exercise, code, "todo")
    given = read_answers(lab.folder / "exercise.ipynb")
    for each in lab.exercises:
        if sum(hole.exercise == each.name for hole in holes(lab)) > 1:  # else it is the same
            yield Proof(lab, f"{each.name} as given", each.name, given[each.name], "todo")


def _name_of(cell: object) -> str | None:
    return answer_name(cell.source) if getattr(cell, "kind", "") == "code" else None


def wrong_answers(lab: Lab) -> Iterator[Proof]:
    """Each wrong answer is rejected with its own words."""
    for path in sorted((lab.folder / "wrong").glob("*.py")):
        text = path.read_text(encoding="utf-8")
        match = _REJECTED.match(text)
        name = answer_name(text)
        if match and name:
            yield Proof(lab, f"wrong/{path.name}", name, text, "failed", match["words"])


def check_result(proof: Proof, result: ExerciseResult) -> Iterator[str]:
    """What is wrong with the grader's verdict on one answer."""
    said = f"{result.message} {result.why}".strip()
    if result.status != proof.status:
        yield f"{proof.lab.name}: {proof.title} is {result.status}, not {proof.status}: {said}"
    elif proof.words not in said:
        yield f"{proof.lab.name}: {proof.title} is rejected without {proof.words!r}: {said}"
    elif proof.status == "failed" and not (result.message and result.why):
        yield f"{proof.lab.name}: {proof.title} is rejected without a reason"


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; 0 when all went well, 1 when there is a problem, 2 for wrong usage."""
    parser = argparse.ArgumentParser(
        prog="labs.py", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("command", choices=["build", "check"])
    parser.add_argument("numbers", nargs="*", metavar="NN", help="such as 07; none for all")
    parser.add_argument("--root", type=Path, help="the folder of the labs")
    arguments = parser.parse_args(argv)
    try:
        root = arguments.root or resources.folder("labs")
        labs = [find_lab(n, root) for n in arguments.numbers] or all_labs(root)
        if arguments.command == "build":
            for lab in labs:
                print(build(lab))
            return 0
        return _check_all(labs)
    except MlrefError as error:
        print(error, file=sys.stderr)
        return 1


def _check_all(labs: Sequence[Lab]) -> int:
    """Print every problem of the labs, and the CPU time that the proofs took."""
    problems = []
    for lab in labs:
        before_s = _children_cpu_s()
        found = check(lab)
        cpu_s = _children_cpu_s() - before_s
        if cpu_s > CPU_BUDGET_S:
            found.append(f"{lab.name}: the proofs took {cpu_s:.0f} CPU-s of {CPU_BUDGET_S:g}")
        print(f"{lab.name}: proven in {cpu_s:.1f} CPU-s" if not found else f"{lab.name}: problems")
        problems += found
    for line in problems:
        print(line)
    print(f"{len(labs)} labs checked, {len(problems)} problems")
    return int(bool(problems))


def _children_cpu_s() -> float:
    """CPU seconds of all children that have ended so far."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


if __name__ == "__main__":
    raise SystemExit(main())
