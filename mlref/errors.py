"""Every error that mlref raises on purpose, in one tree.

Catch `MlrefError` for all of them. Each also derives from the builtin that a caller would expect
(`ValueError`, `OSError`, `TimeoutError` ...), so code that does not know mlref still works.

    MlrefError
    ├── InvalidInputError (ExceptionGroup)   rows that do not fit the schema; holds every problem:
    │   └── .exceptions: InputProblem (ValueError)
    │       ├── MissingColumnError           a column of the schema is absent
    │       ├── ExtraColumnError             a column is not in the schema
    │       ├── WrongTypeError               text where a number belongs, a boolean, an object ...
    │       ├── WrongLengthError             columns, or the rows of a matrix, differ in length
    │       ├── MissingValueError            null or NaN in a column that is not nullable
    │       ├── NotFiniteError               infinity, a NaN literal, or a number beyond float32
    │       ├── OutOfRangeError              outside the column's allowed range
    │       ├── UnknownCategoryError         a category that the schema does not know
    │       ├── EmptyInputError              no rows at all
    │       └── MalformedRequestError        not the JSON that the wire describes
    ├── ArtifactError (ValueError)           an artefact folder that cannot be used or made
    │   ├── ArtifactMissingFileError         a file of the manifest is absent
    │   ├── ArtifactTamperedError            a file's bytes are not those that were packed
    │   ├── ArtifactStrayFileError           a file that the manifest does not name
    │   ├── ArtifactSchemaError              manifest of another format, or not the model's schema
    │   ├── ArtifactParityError              the model does not give the golden predictions
    │   └── ArtifactExistsError (FileExistsError)   a folder is there already
    ├── EvidenceError (ValueError)           a figure is missing, of no known kind, or out of bound
    ├── FileWriteError (OSError)             a file could not be saved; the old one is untouched
    ├── MissingExtraError (ImportError)      an optional dependency; names the pip command
    ├── ResourceNotFoundError (LookupError)  a notebook, lab, card or deploy file that is not there
    ├── ProcessError (RuntimeError)          a child process; carries the tail of its log
    │   ├── ProcessExitedError               it ended before it was ready, or while in use
    │   └── ProcessNotReadyError (TimeoutError)   it was not ready within the limit
    ├── AddressError (OSError)               no server can listen at this address
    │   └── PortInUseError                   an explicitly chosen port is taken
    ├── EndpointError (RuntimeError)         a deployed model could not answer
    │   ├── EndpointUnreachableError (ConnectionError)   nobody listens, or the line broke
    │   └── EndpointClosedError              used after close()
    ├── RequestRefusedError                  a request that a server refuses: 404, 413, 503 ...
    ├── UnknownModelError (LookupError)      a model or version that a server does not have
    ├── ContainerError (RuntimeError)        an image or a container
    │   ├── DockerUnavailableError           no daemon answers, or none may be used
    │   ├── ImageBuildError                  an image could not be built; carries the builder's log
    │   └── ManifestError (ValueError)       settings that no Kubernetes object can be made of
    ├── NotebookError (RuntimeError)         a notebook that cannot be built, run or checked
    ├── LabError (ValueError)                a lab, or an answer to it, that cannot be read
    ├── CardError (ValueError)               an interview card that is not what a card must be
    └── LearnerError (RuntimeError)          a learner's folder
        ├── NoLearnerFolderError (LookupError)   there is none here, or above
        └── LearnerStateError (ValueError)   its progress was written by a newer mlref
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any, Self

__all__ = [
    "AddressError",
    "ArtifactError",
    "ArtifactExistsError",
    "ArtifactMissingFileError",
    "ArtifactParityError",
    "ArtifactSchemaError",
    "ArtifactStrayFileError",
    "ArtifactTamperedError",
    "CardError",
    "ContainerError",
    "DockerUnavailableError",
    "EmptyInputError",
    "EndpointClosedError",
    "EndpointError",
    "EndpointUnreachableError",
    "EvidenceError",
    "ExtraColumnError",
    "FileWriteError",
    "ImageBuildError",
    "InputProblem",
    "InvalidInputError",
    "LabError",
    "LearnerError",
    "LearnerStateError",
    "MalformedRequestError",
    "ManifestError",
    "MissingColumnError",
    "MissingExtraError",
    "MissingValueError",
    "MlrefError",
    "NoLearnerFolderError",
    "NotFiniteError",
    "NotebookError",
    "OutOfRangeError",
    "PortInUseError",
    "ProcessError",
    "ProcessExitedError",
    "ProcessNotReadyError",
    "RequestRefusedError",
    "ResourceNotFoundError",
    "UnknownCategoryError",
    "UnknownModelError",
    "WrongLengthError",
    "WrongTypeError",
]


class MlrefError(Exception):
    """The root of the tree: every error that mlref raises on purpose."""


class InputProblem(MlrefError, ValueError):  # noqa: N818 - the word of the wire
    """One thing that is wrong with some rows.

    Attributes:
        column: the column's name, or None when the whole input is meant.
        rows: positions of the offending rows, counted from 0; at most the first ten.
    """

    def __init__(
        self, message: str, *, column: str | None = None, rows: Sequence[int] = ()
    ) -> None:
        super().__init__(message)
        self.column = column
        self.rows = tuple(int(row) for row in rows)

    def as_dict(self) -> dict[str, Any]:
        """The problem as the wire carries it: kind, message, column, rows."""
        return {
            "kind": type(self).__name__.removesuffix("Error"),
            "message": str(self),
            "column": self.column,
            "rows": list(self.rows),
        }


class MissingColumnError(InputProblem):
    """A column of the schema is absent."""


class ExtraColumnError(InputProblem):
    """A column is not in the schema."""


class WrongTypeError(InputProblem):
    """A value of another type: text where a number belongs, a boolean, an object."""


class WrongLengthError(InputProblem):
    """Columns of different lengths, or a matrix row of another width."""


class MissingValueError(InputProblem):
    """Null or NaN in a column that is not nullable."""


class NotFiniteError(InputProblem):
    """Infinity, a NaN literal, or a number that float32 cannot hold."""


class OutOfRangeError(InputProblem):
    """A value outside the column's allowed range."""


class UnknownCategoryError(InputProblem):
    """A category that the schema does not know."""


class EmptyInputError(InputProblem):
    """No rows at all."""


class MalformedRequestError(InputProblem):
    """A request that is not the JSON which the wire describes."""


PROBLEM_KINDS: dict[str, type[InputProblem]] = {
    kind.__name__.removesuffix("Error"): kind
    for kind in (
        MissingColumnError,
        ExtraColumnError,
        WrongTypeError,
        WrongLengthError,
        MissingValueError,
        NotFiniteError,
        OutOfRangeError,
        UnknownCategoryError,
        EmptyInputError,
        MalformedRequestError,
    )
}
"""The name of each problem on the wire, and its class."""


_NOT_THE_WIRE = "the request is not what the wire describes"


class InvalidInputError(MlrefError, ExceptionGroup[InputProblem]):
    """Rows that do not fit the schema, with every problem found.

    It is an exception group: `except* UnknownCategoryError` picks one kind out, and `.exceptions`
    is the tuple of all problems.
    """

    def __new__(cls, problems: Sequence[InputProblem]) -> Self:
        """Build the group; its message lists every problem on a line of its own."""
        count = f"{len(problems)} problems" if len(problems) > 1 else "1 problem"
        malformed = all(isinstance(problem, MalformedRequestError) for problem in problems)
        headline = _NOT_THE_WIRE if malformed else "the input does not fit the schema"
        return super().__new__(cls, f"{headline}: {count}", list(problems))

    def __init__(self, problems: Sequence[InputProblem]) -> None:
        """See `__new__`."""

    def derive(self, excs: Sequence[InputProblem]) -> InvalidInputError:  # type: ignore[override]
        """A group of the same class around fewer problems, as `except*` needs."""
        return InvalidInputError(excs)

    def __str__(self) -> str:
        """The count, then each problem on its own line."""
        return "\n".join([f"{self.message}:", *(f"  - {problem}" for problem in self.exceptions)])

    def __reduce__(self) -> tuple[type[InvalidInputError], tuple[tuple[InputProblem, ...]]]:
        """Survive the way from one process to another."""
        return InvalidInputError, (tuple(self.exceptions),)  # type: ignore[arg-type]


class ArtifactError(MlrefError, ValueError):
    """An artefact folder that cannot be used or made. `file` names what is at fault in it."""

    def __init__(self, message: str, *, file: str) -> None:
        super().__init__(message)
        self.file = file

    def __reduce__(self) -> tuple[Callable[..., ArtifactError], tuple[Any, ...]]:
        """Survive the way from one process to another."""
        return functools.partial(type(self), file=self.file), self.args


class ArtifactMissingFileError(ArtifactError):
    """A file that the manifest names is absent."""


class ArtifactTamperedError(ArtifactError):
    """A file's bytes are not those that were packed."""


class ArtifactStrayFileError(ArtifactError):
    """A file lies in the folder that the manifest does not name."""


class ArtifactSchemaError(ArtifactError):
    """The manifest has another format, or describes other inputs than the model has."""


class ArtifactParityError(ArtifactError):
    """The model does not give the golden predictions."""


class ArtifactExistsError(ArtifactError, FileExistsError):
    """A folder is there already, and may not be replaced. `file` is its name."""


class EvidenceError(MlrefError, ValueError):
    """A figure is missing, of no known kind, or out of its bound."""


class FileWriteError(MlrefError, OSError):
    """A file could not be saved. What was there before is untouched."""


class MissingExtraError(MlrefError, ImportError):
    """An optional dependency is not installed; the message names the pip command."""


class ResourceNotFoundError(MlrefError, LookupError):
    """A notebook, lab, card or deploy file that is not there."""


class ProcessError(MlrefError, RuntimeError):
    """A child process failed. `log_tail` holds the last lines that it printed."""

    def __init__(self, message: str, *, log_tail: str = "") -> None:
        super().__init__(f"{message}\nlast lines of its log:\n{log_tail}" if log_tail else message)
        self.log_tail = log_tail


class ProcessExitedError(ProcessError):
    """The process ended before it was ready, or while it was in use."""


class ProcessNotReadyError(ProcessError, TimeoutError):
    """The process was not ready within the limit."""


class AddressError(MlrefError, OSError):
    """No server can listen there: not an address of this machine, or the privilege is missing."""


class PortInUseError(AddressError):
    """An explicitly chosen port is taken by somebody else."""


class EndpointError(MlrefError, RuntimeError):
    """A deployed model could not answer."""


class EndpointUnreachableError(EndpointError, ConnectionError):
    """Nobody listens at the address, or the connection broke."""


class EndpointClosedError(EndpointError):
    """The endpoint was used after `close()`."""


class RequestRefusedError(MlrefError):
    """A request that a server does not answer: 404, 406, 413, 415, 503 ...

    Attributes:
        status: the HTTP status.
        headers: more headers of the reply, names in lower case.
    """

    def __init__(
        self, message: str, *, status: int = 400, headers: Sequence[tuple[bytes, bytes]] = ()
    ) -> None:
        super().__init__(message)
        self.status = status
        self.headers = tuple(headers)

    def __reduce__(self) -> Any:
        """As keyword arguments are not part of `args`."""
        build = functools.partial(type(self), status=self.status, headers=self.headers)
        return (build, (str(self),))


class UnknownModelError(MlrefError, LookupError):
    """A model, or a version of it, that a server does not have."""


class ContainerError(MlrefError, RuntimeError):
    """Something is wrong with an image or a container."""


class DockerUnavailableError(ContainerError):
    """No Docker daemon answers, or this user may not talk to it; the message says what to do."""


class ImageBuildError(ContainerError):
    """An image could not be built. `log_tail` holds the last lines of the builder."""

    def __init__(self, message: str, *, log_tail: str = "") -> None:
        text = f"{message}\nlast lines of the build:\n{log_tail}" if log_tail else message
        super().__init__(text)
        self.log_tail = log_tail


class ManifestError(ContainerError, ValueError):
    """Settings that no Kubernetes object can be made of; the message lists every problem."""


class NotebookError(MlrefError, RuntimeError):
    """A notebook that cannot be built, run or checked."""


class LabError(MlrefError, ValueError):
    """A lab, or an answer to one of its exercises, that cannot be read or used."""


class CardError(MlrefError, ValueError):
    """An interview card that is not what a card must be; the message lists every problem."""


class LearnerError(MlrefError, RuntimeError):
    """Something is wrong with a learner's folder."""


class NoLearnerFolderError(LearnerError, LookupError):
    """There is no learner's folder here, nor above; `mlref init` makes one."""


class LearnerStateError(LearnerError, ValueError):
    """The progress was written by a newer mlref; it stays as it is."""
