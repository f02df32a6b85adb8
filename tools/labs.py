"""Build and check the labs.

A lab is edited as labs/NN_topic/source.py, which holds text and solutions (see
mlref.study.labs.cutting); exercise.ipynb is cut from it, and committed:

    python tools/labs.py build   [NN ...]   regenerate the exercises
    python tools/labs.py check   [NN ...]   prove that the labs can be graded

What `check` proves of each lab: the committed exercise is the one that the source gives, without
a cell that is too long; each exercise has a hole and a check; every solution passes; an answer with
one hole untouched is "to do", also when all others are filled; each file in wrong/ is rejected with
the words that its second line names, no two with the same message; each exercise has two wrong
answers or more; no file lies around that does not belong. Of all labs: no two have one number.

What is wrong is printed one problem a line, and the exit status is then 1.
"""

from __future__ import annotations

import argparse
import ast
import re
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from mlref import resources
from mlref.errors import LabError, MlrefError
from mlref.study.extras import UNLOCKS
from mlref.study.grading import ExerciseResult, Status, grade
from mlref.study.labs.answers import read_answers
from mlref.study.labs.cutting import answer_name, cut, exercise_cells, holes, solution, source_cells
from mlref.study.labs.lab import Lab, all_labs, find_lab
from nb_files import build_notebook, display, save, to_text
from pace import children_cpu_s, slowness

FILES = {"lab.toml", "source.py", "exercise.ipynb", "checks.py", "wrong"}
FEWEST_WRONG = 2
FEWEST_EXERCISES = 3
MOST_CODE_LINES = 35  # of a cell in the exercise
CPU_BUDGET_S = 30.0  # each answer is graded in a process of its own, half a second each
CPU_BUDGETS_S = {"03_sagemaker": 90.0}  # starts local AWSs and their models
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
    for proofs in (check_files, check_exercise, check_checks, check_wrong_files):
        if problems := list(proofs(lab)):  # the later ones read what the earlier ones look for
            return problems
    return prove(lab, [*solutions(lab), *untouched(lab), *wrong_answers(lab)], workers=workers)


def prove(lab: Lab, proofs: Sequence[Proof], *, workers: int = 2) -> list[str]:
    """What is wrong with the grader's verdicts on some answers.

    Args:
        lab: the lab.
        proofs: the answers.
        workers: how many of them are graded at a time.
    """
    with ThreadPoolExecutor(workers) as pool:
        results = list(pool.map(lambda proof: grade(lab, proof.exercise, proof.code), proofs))
    problems: list[str] = []
    rejected: dict[str, list[str]] = {}
    for proof, result in zip(proofs, results, strict=True):
        problems += check_result(proof, result)
        if proof.words and result.status == "failed":
            rejected.setdefault(result.message, []).append(proof.title)
    for message, titles in rejected.items():
        if len(titles) > 1:
            alike = " and ".join(titles)
            problems.append(f"{lab.name}: {alike} get the same message: {_on_one_line(message)}")
    return problems


def check_root(root: Path, labs: Sequence[Lab]) -> Iterator[str]:
    """There are labs, each number is taken once, and nothing else lies beside them."""
    if not labs:
        yield f"{display(root)}: there is no lab in it"
    known = {"README.md", "__pycache__", *(lab.name for lab in labs)}
    for path in sorted(root.iterdir()):
        if path.name not in known:
            yield f"{display(path)}: it is no lab (no NN_topic/lab.toml); finish it, or delete it"
    for number, times in Counter(lab.number for lab in labs).items():
        if times > 1:
            yield f"{display(root)}: {times} labs have the number {number}"


def check_files(lab: Lab) -> Iterator[str]:
    """The files that belong are there, and no others; the kinds of exercises, too."""
    there = {path.name for path in lab.folder.iterdir() if path.name != "__pycache__"}
    for name in sorted(FILES - there):
        yield f"{display(lab.folder / name)}: it is missing"
    for name in sorted(there - FILES - {path.name for path in lab.check_files}):
        yield f"{display(lab.folder / name)}: it does not belong to a lab; delete it"
    for path in sorted((lab.folder / "wrong").glob("*")):
        if path not in _wrong_files(lab) and path.name != "__pycache__":
            yield f"{display(path)}: no wrong answer; delete it"
    if len(lab.exercises) < FEWEST_EXERCISES:
        yield f"{lab.name}: {len(lab.exercises)} exercises, at least {FEWEST_EXERCISES} are needed"
    for name in sorted(set(lab.extras) - UNLOCKS.keys()):
        yield f"{lab.name}: there is no extra {name}; there are: {', '.join(UNLOCKS)}"
    for kind in sorted({"build", "calculation", "incident"} - {e.kind for e in lab.exercises}):
        yield f"{lab.name}: no exercise is of the kind {kind}"


def _wrong_files(lab: Lab) -> list[Path]:
    """The wrong answers of a lab, in order."""
    return [path for path in sorted((lab.folder / "wrong").glob("*.py")) if path.is_file()]


def check_exercise(lab: Lab) -> Iterator[str]:
    """The committed exercise is what the source gives, byte for byte; no cell is too long."""
    try:
        cells = exercise_cells(lab)
    except LabError as error:
        yield str(error)
        return
    path = lab.folder / "exercise.ipynb"
    if path.is_file() and path.read_bytes() != to_text(build_notebook(cells)).encode():
        yield f"{display(path)}: it differs from its source; tools/labs.py build {lab.number}"
    for number, cell in enumerate(cells, start=1):
        lines = cell.source.count("\n") + 1
        if cell.kind == "code" and lines > MOST_CODE_LINES:
            yield f"{lab.name}: cell {number} has {lines} lines, more than {MOST_CODE_LINES}"
    final = [cell.source for cell in cells[-3:] if cell.kind == "code"]
    if not any(f'check("{lab.number}")' in source for source in final):
        yield f'{lab.name}/source.py: none of its last cells runs check("{lab.number}")'
    with_holes = {hole.exercise for hole in holes(lab)}
    for each in lab.exercises:
        if each.name not in with_holes:
            yield f"{lab.name}/source.py: the answer {each.name} has no hole"


def check_checks(lab: Lab) -> Iterator[str]:
    """Each exercise has a check, and each check an exercise: one of another name never runs."""
    names = [each.name for each in lab.exercises]
    found: set[str] = set()
    for path in lab.check_files:
        try:
            tree = ast.parse(path.read_bytes())
        except (SyntaxError, ValueError) as error:
            yield f"{display(path)}: it is no Python: {error}"
            return
        checked = {name for node in tree.body for name in _checked_by(node)}
        for name in sorted(checked - set(names)):
            yield f"{display(path)}: there is no exercise {name} to check: {', '.join(names)}"
        defined = Counter(node.name for node in tree.body if isinstance(node, ast.FunctionDef))
        for name, times in defined.items():
            if times > 1:
                yield f"{display(path)}: {times} functions are called {name}; only the last is run"
        found |= checked
    for name in names:
        if name not in found:
            yield f"{display(lab.folder / 'checks.py')}: the exercise {name} has no check"


def _checked_by(node: ast.stmt) -> Iterator[str]:
    """The exercises in the decorators `@exercise("NAME")` of a function."""
    for each in node.decorator_list if isinstance(node, ast.FunctionDef) else ():
        match each:
            case ast.Call(func=ast.Name(id="exercise"), args=[ast.Constant(value=str(name))]):
                yield name


def check_wrong_files(lab: Lab) -> Iterator[str]:
    """Each wrong answer says what it answers and how it is rejected; there are enough of them."""
    count: Counter[str] = Counter()
    names = {each.name for each in lab.exercises}
    for path in _wrong_files(lab):
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
    for path in _wrong_files(lab):
        text = path.read_text(encoding="utf-8")
        match = _REJECTED.match(text)
        name = answer_name(text)
        if match and name:
            yield Proof(lab, f"wrong/{path.name}", name, text, "failed", match["words"])


def check_result(proof: Proof, result: ExerciseResult) -> Iterator[str]:
    """What is wrong with the grader's verdict on one answer."""
    said = _on_one_line(f"{result.message} {result.why}")
    if result.status != proof.status:
        yield f"{proof.lab.name}: {proof.title} is {result.status}, not {proof.status}: {said}"
    elif proof.words not in said:
        yield f"{proof.lab.name}: {proof.title} is rejected without {proof.words!r}: {said}"
    elif proof.status == "failed" and not (result.message and result.why):
        yield f"{proof.lab.name}: {proof.title} is rejected without a reason"


def _on_one_line(text: str) -> str:
    return " ".join(text.split())


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
        return _check_all(labs, [] if arguments.numbers else [*check_root(root, labs)])
    except MlrefError as error:
        print(error, file=sys.stderr)
        return 1


def _check_all(labs: Sequence[Lab], problems: list[str]) -> int:
    """Print every problem of the labs after some others, and the CPU time that the proofs took.

    That time is divided by how slow the machine is, so that a busy one fails no lab.
    """
    slow = slowness() if labs else 1.0
    for lab in labs:
        before_s = children_cpu_s()
        found = check(lab)
        took_s = children_cpu_s() - before_s
        slow, slow_before = slowness(), slow
        cpu_s = took_s / ((slow_before + slow) / 2)
        limit_s = CPU_BUDGETS_S.get(lab.name, CPU_BUDGET_S)
        if cpu_s > limit_s:
            found.append(f"{lab.name}: the proofs took {cpu_s:.0f} CPU-s of {limit_s:g}")
        taken = f"{cpu_s:.1f} CPU-s" + (f" ({took_s:.1f} here)" if took_s > 1.1 * cpu_s else "")
        print(f"{lab.name}: problems" if found else f"{lab.name}: proven in {taken}")
        problems += found
    for line in problems:
        print(line)
    print(f"{len(labs)} labs checked, {len(problems)} problems")
    return int(bool(problems))


if __name__ == "__main__":
    raise SystemExit(main())
