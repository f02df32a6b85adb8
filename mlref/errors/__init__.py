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
    ├── CloudError (RuntimeError)            a cloud, real or local
    │   ├── SpendingRefusedError (PermissionError)   money is not allowed, or not that much
    │   ├── StrictError (ValueError)         a request that AWS would refuse; it was not sent
    │   └── CloudFileError (ValueError)      a file in a cloud's format that cannot be read
    ├── PriceError (LookupError)             no price is known for what is asked
    ├── NotebookError (RuntimeError)         a notebook that cannot be built, run or checked
    ├── LabError (ValueError)                a lab, or an answer to it, that cannot be read
    ├── CardError (ValueError)               an interview card that is not what a card must be
    └── LearnerError (RuntimeError)          a learner's folder
        ├── NoLearnerFolderError (LookupError)   there is none here, or above
        └── LearnerStateError (ValueError)   its progress was written by a newer mlref
"""

from mlref.errors._cloud import (
    CloudError,
    CloudFileError,
    PriceError,
    SpendingRefusedError,
    StrictError,
)
from mlref.errors._files import (
    ArtifactError,
    ArtifactExistsError,
    ArtifactMissingFileError,
    ArtifactParityError,
    ArtifactSchemaError,
    ArtifactStrayFileError,
    ArtifactTamperedError,
    EvidenceError,
    FileWriteError,
    MissingExtraError,
    ResourceNotFoundError,
)
from mlref.errors._input import PROBLEM_KINDS as PROBLEM_KINDS
from mlref.errors._input import (
    EmptyInputError,
    ExtraColumnError,
    InputProblem,
    InvalidInputError,
    MalformedRequestError,
    MissingColumnError,
    MissingValueError,
    NotFiniteError,
    OutOfRangeError,
    UnknownCategoryError,
    WrongLengthError,
    WrongTypeError,
)
from mlref.errors._root import MlrefError
from mlref.errors._running import (
    AddressError,
    ContainerError,
    DockerUnavailableError,
    EndpointClosedError,
    EndpointError,
    EndpointUnreachableError,
    ImageBuildError,
    ManifestError,
    PortInUseError,
    ProcessError,
    ProcessExitedError,
    ProcessNotReadyError,
    RequestRefusedError,
    UnknownModelError,
)
from mlref.errors._study import (
    CardError,
    LabError,
    LearnerError,
    LearnerStateError,
    NoLearnerFolderError,
    NotebookError,
)

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
    "CloudError",
    "CloudFileError",
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
    "PriceError",
    "ProcessError",
    "ProcessExitedError",
    "ProcessNotReadyError",
    "RequestRefusedError",
    "ResourceNotFoundError",
    "SpendingRefusedError",
    "StrictError",
    "UnknownCategoryError",
    "UnknownModelError",
    "WrongLengthError",
    "WrongTypeError",
]

for _each in __all__:  # where a traceback and a pickle look for them
    globals()[_each].__module__ = __name__
