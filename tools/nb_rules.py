"""The house rules for notebooks: what `check` compares, and what it refuses."""

from __future__ import annotations

import ast
import copy
import io
import json
import re
import tokenize
import warnings
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

from nbformat import NotebookNode

from mlref.errors import NotebookError
from nb_files import (
    ANSI,
    STEM,
    build_notebook,
    code_cells,
    display,
    evidence_path,
    load_cells,
    load_notebook,
    notebook_path,
    source_path,
    to_text,
)

SIZE_LIMIT_BYTES = 300_000
MOST_CODE_LINES = 25


@dataclass(frozen=True)
class Limits:
    """How much code a notebook may have.

    Attributes:
        cells: with code.
        functions: that it defines.
    """

    cells: int = 25
    functions: int = 2


USUAL = Limits()
LIMITS = {
    # Its lesson is the calls of boto3 themselves: a function of mlref around them would hide it.
    "03_sagemaker": Limits(cells=45, functions=18),
}
PARAMETERS = {
    "cloud": "local",
    "quick": True,
    "seed": 0,
    "max_spend_usd": 0.0,
    "out": "build/runs",
}
ABOUT = re.compile(r"# [^\n]+\n\n\*[^*]+ minutes\.\s[^*]*Prerequisites?:[^*]+Next:[^*]+\*\n")
MYST = re.compile(r"^[\s>]*(:::|(```+|~~~+)\s*\{)", re.MULTILINE)
LOCAL_PORT = r"(?:127\.0\.0\.1|0\.0\.0\.0|localhost|\[::1?\]):(?!0+\b)\d+"
VOLATILE = (
    (
        re.compile(r"\bat 0x[0-9a-f]+|\b0x[0-9a-f]{9,12}\b", re.IGNORECASE),
        "an object address",
        "print what the object holds, or end the cell with `_ = ...`",
    ),
    (
        re.compile(r"(?<![\w.~-])/(?:home|root|tmp|usr|Users|var/folders)/|\b[C-F]:\\+\w"),
        "an absolute path",
        "print the path relative to `out`, or only its name",
    ),
    (re.compile(LOCAL_PORT), "a port", "do not print the address"),
)
"""What differs on the next machine or in the next run: pattern, its name, what to do."""


class Problem(NamedTuple):
    """One thing that is wrong. `cell` counts from 1; 0 means the notebook as a whole."""

    cell: int
    message: str


def check_files(root: Path) -> Iterator[str]:
    """Files that do not belong: odd names, two for one number, one half of a pair."""
    sources = {path.stem for path in root.glob("src/*.py")}
    notebooks = {path.stem for path in root.glob("*.ipynb")}
    by_number = defaultdict(list)
    for stem in sorted(sources | notebooks):
        path = notebook_path(root, stem) if stem in notebooks else source_path(root, stem)
        if match := STEM.fullmatch(stem):
            by_number[match["number"]].append(stem)
        else:
            yield f"{display(path)}: not named NN_topic, in small letters; rename or delete it"
        if stem not in sources:
            yield (
                f"{display(path)}: it has no source {display(source_path(root, stem))}; "
                "pull the notebook, or delete it"
            )
        if stem not in notebooks:
            yield (
                f"{display(path)}: it has no notebook {display(notebook_path(root, stem))}; "
                "execute it"
            )
    for number, stems in by_number.items():
        if len(stems) > 1:
            names = ", ".join(stems)
            yield f"{display(root)}: number {number} stands for {names}; keep one"


def check(root: Path, stem: str) -> list[str]:
    """Every problem of one notebook, each on one line; half a pair is left to `check_files`."""
    path = notebook_path(root, stem)
    problems: list[Problem] = []
    built = None
    try:
        if source_path(root, stem).exists():
            built = build_notebook(load_cells(source_path(root, stem)))
            problems += check_shape(built, LIMITS.get(stem, USUAL))
            problems += check_evidence(built, evidence_path(root, stem))
        if path.exists():
            committed = load_notebook(path)
            if built is not None:
                problems += check_in_sync(committed, built, text=path.read_bytes().decode())
            problems += check_run(committed)
            problems += check_errors(committed)
            problems += check_outputs(committed, repository=root.resolve().parent)
            problems += check_size(path.stat().st_size)
    except NotebookError as error:
        return [*_lines(path, problems), str(error)]
    return _lines(path, problems)


def _lines(path: Path, problems: Sequence[Problem]) -> list[str]:
    """The problems as they are printed, in the order of the cells."""
    return [
        f"{display(path)}: cell {cell}: {message}" if cell else f"{display(path)}: {message}"
        for cell, message in sorted(problems, key=lambda problem: problem.cell)
    ]


def check_in_sync(committed: NotebookNode, built: NotebookNode, *, text: str) -> Iterator[Problem]:
    """The committed notebook without its outputs is what its source gives, byte for byte.

    Args:
        committed: the notebook as it was read.
        built: the notebook of the source.
        text: the committed file.
    """
    advice = "build it, or pull it first if you edited the notebook"
    old, new = _without_outputs(committed), _without_outputs(built)
    if len(old.cells) != len(new.cells):
        yield Problem(0, f"{len(old.cells)} cells, its source has {len(new.cells)}; {advice}")
    for number, (is_cell, should_cell) in enumerate(zip(old.cells, new.cells, strict=False), 1):
        for key in ("cell_type", "source", "metadata", "id"):
            if is_cell.get(key) != should_cell[key]:
                yield Problem(number, f"its {key} differs from the source; {advice}")
                return
    if len(old.cells) == len(new.cells) and (
        to_text(old) != to_text(new) or to_text(committed) != text
    ):
        yield Problem(0, f"its metadata or layout is not what build writes; {advice}")


def _without_outputs(notebook: NotebookNode) -> NotebookNode:
    """A copy as it was before it was executed."""
    bare = copy.deepcopy(notebook)
    for _, cell in code_cells(bare):
        cell.outputs = []
        cell.execution_count = None
    return bare


def check_run(notebook: NotebookNode) -> Iterator[Problem]:
    """The code cells were executed from 1 to n, without a gap."""
    for position, (number, cell) in enumerate(code_cells(notebook), 1):
        if cell.execution_count != position:
            got = "not executed" if cell.execution_count is None else f"[{cell.execution_count}]"
            yield Problem(number, f"its run is {got}, should be [{position}]; execute the notebook")
            return


def check_evidence(notebook: NotebookNode, evidence: Path) -> Iterator[Problem]:
    """The figures that a notebook records are committed beside it.

    Args:
        notebook: the notebook; only its sources count.
        evidence: where its figures belong.
    """
    recording = [number for number, cell in code_cells(notebook) if "Recorder(" in cell.source]
    if recording and not evidence.is_file():
        yield Problem(
            recording[0], f"it records figures, but there is no {display(evidence)}; execute it"
        )


def check_errors(notebook: NotebookNode) -> Iterator[Problem]:
    """No cell ended in an error unless it is tagged so."""
    for number, cell in code_cells(notebook):
        for output in cell.outputs:
            tagged = "raises-exception" in cell.metadata.get("tags", [])
            if output.output_type == "error" and not tagged:
                yield Problem(
                    number,
                    f"it ended in {output.ename}; repair it, "
                    "or tag it raises-exception if that is its point",
                )


def check_outputs(notebook: NotebookNode, *, repository: Path) -> Iterator[Problem]:
    """No output holds what only this machine or this run knows.

    Args:
        notebook: the executed notebook.
        repository: a folder whose path no output may name.
    """
    here = re.compile(rf"(?<![\w.-]){re.escape(str(repository))}(?![\w-])")
    checks = [*VOLATILE, (here, "the repository's path", VOLATILE[1][2])]
    for number, cell in code_cells(notebook):
        text = "\n".join(part for output in cell.outputs for part in output_texts(output))
        for pattern, name, advice in checks:
            if match := pattern.search(text):
                start, end = max(match.start() - 20, 0), match.end() + 20
                seen = " ".join(text[start:end].split())
                yield Problem(number, f"{name} in its output ({seen!r}); {advice}")


def output_texts(output: NotebookNode) -> list[str]:
    """All that a reader sees of an output as text, without terminal colours."""
    if output.output_type == "stream":
        return [ANSI.sub("", output.text)]
    if output.output_type == "error":
        return [ANSI.sub("", part) for part in [output.evalue, *output.traceback]]
    texts = []
    for mime, value in output.data.items():
        if isinstance(value, str) and mime.startswith("text/"):
            texts.append(ANSI.sub("", value))
        elif not isinstance(value, str):
            texts.append(json.dumps(value, ensure_ascii=False))
    return texts


def check_size(size_bytes: int) -> Iterator[Problem]:
    """The file is small enough to be read on the web."""
    if size_bytes >= SIZE_LIMIT_BYTES:
        yield Problem(
            0,
            f"{size_bytes / 1000:.0f} kB, should be under {SIZE_LIMIT_BYTES // 1000}; "
            "draw fewer or plainer pictures, print less",
        )


def check_shape(notebook: NotebookNode, limits: Limits = USUAL) -> list[Problem]:
    """The rules for the source: title, parameters, plain Markdown, short cells of plain Python."""
    return [
        *check_title(notebook),
        *check_parameters(notebook),
        *check_markdown(notebook),
        *check_code(notebook, limits),
        *check_definitions(notebook, limits),
    ]


def check_title(notebook: NotebookNode) -> Iterator[Problem]:
    """The notebook begins with a title, and with what a reader must know before it."""
    first = notebook.cells[0]
    if first.cell_type != "markdown" or not first.source.startswith("# "):
        yield Problem(1, "not a Markdown cell that begins with `# `; put the title here")
    elif not ABOUT.match(first.source):
        yield Problem(
            1,
            "below the title belongs `*Ten minutes. Prerequisite: ... Next: ...*`; "
            "say how long it takes, what it asks for and what comes next",
        )


def check_parameters(notebook: NotebookNode) -> Iterator[Problem]:
    """One cell, right after the title, sets the parameters that every notebook has."""
    tagged = [
        number
        for number, cell in enumerate(notebook.cells, 1)
        if "parameters" in cell.metadata.get("tags", [])
    ]
    if len(tagged) != 1:
        yield Problem(0, f"{len(tagged)} cells are tagged parameters; tag exactly one")
        return
    number = tagged[0]
    cell = notebook.cells[number - 1]
    if number != 2 or cell.cell_type != "code":  # noqa: PLR2004 the cell after the title
        yield Problem(number, "tagged parameters; it must be a code cell right after the title")
    if cell.cell_type != "code" or isinstance(tree := _syntax(cell.source), SyntaxError):
        return
    values: dict[str, object] = {}
    for statement in tree.body:
        try:
            values |= _literal_assignment(statement)
        except ValueError:
            yield Problem(
                number,
                f"`{ast.unparse(statement).partition(chr(10))[0]}` does not assign a literal "
                "to a name; parameters do nothing else",
            )
    for name, value in PARAMETERS.items():
        if repr(values.get(name)) != repr(value):
            yield Problem(number, f"{name} is not {_literal(value)}; parameters set it so")


def _literal_assignment(statement: ast.stmt) -> dict[str, object]:
    """The name and value of `name = literal`; ValueError for anything else."""
    match statement:
        case ast.Assign(targets=[ast.Name(id=name)], value=value):
            return {name: ast.literal_eval(value)}
    raise ValueError


def _literal(value: object) -> str:
    """A literal as the formatter writes it, with double quotes."""
    return f'"{value}"' if isinstance(value, str) else repr(value)


def check_markdown(notebook: NotebookNode) -> Iterator[Problem]:
    """Prose is Markdown that JupyterLab renders."""
    for number, cell in enumerate(notebook.cells, 1):
        if cell.cell_type == "markdown" and (match := MYST.search(cell.source)):
            yield Problem(
                number,
                f"MyST syntax {match[0].strip()!r}, which JupyterLab does not render; "
                "use a block quote or a plain fence",
            )


def check_code(notebook: NotebookNode, limits: Limits = USUAL) -> Iterator[Problem]:
    """Code is few short cells of plain Python."""
    cells = code_cells(notebook)
    if len(cells) > limits.cells:
        yield Problem(0, f"{len(cells)} code cells, at most {limits.cells}; join or drop some")
    for number, cell in cells:
        if (count := cell.source.count("\n") + 1) > MOST_CODE_LINES:
            yield Problem(
                number,
                f"{count} lines, at most {MOST_CODE_LINES}; split it, or move logic to mlref",
            )
        tree = _syntax(cell.source)
        if isinstance(tree, SyntaxError):
            yield Problem(
                number,
                f"not plain Python (line {tree.lineno}: {tree.msg}); repair it; "
                "magics and shell commands do not work everywhere",
            )
            continue
        for line in _trailing_semicolons(cell.source):
            yield Problem(
                number, f"line {line} ends with `;`, which nbval ignores; write `_ = ...`"
            )


def _trailing_semicolons(source: str) -> Iterator[int]:
    """The lines whose last token is a semicolon."""
    tokens = list(tokenize.generate_tokens(io.StringIO(source).readline))
    line_ends = {tokenize.NEWLINE, tokenize.COMMENT, tokenize.ENDMARKER}
    for token, following in pairwise(tokens):
        if token.type == tokenize.OP and token.string == ";" and following.type in line_ends:
            yield token.start[0]


def check_definitions(notebook: NotebookNode, limits: Limits = USUAL) -> Iterator[Problem]:
    """Few functions and no classes: what is worth a definition is worth a test, in mlref."""
    functions = 0
    for number, cell in code_cells(notebook):
        tree = _syntax(cell.source)
        for node in () if isinstance(tree, SyntaxError) else ast.walk(tree):
            if isinstance(node, ast.ClassDef):
                yield Problem(number, f"it defines class {node.name}; move it to mlref")
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                functions += 1
                if functions > limits.functions:
                    yield Problem(
                        number,
                        f"{node.name} is function {functions} of the notebook, "
                        f"at most {limits.functions}; move it to mlref",
                    )


def _syntax(source: str) -> ast.Module | SyntaxError:
    """The syntax tree of a cell, where `await` may stand outside functions, or what is wrong."""
    flags = ast.PyCF_ONLY_AST | ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SyntaxWarning)  # the linter's business
        try:
            tree: ast.Module = compile(source, "<cell>", "exec", flags=flags, dont_inherit=True)
        except SyntaxError as error:
            return error
    return tree
