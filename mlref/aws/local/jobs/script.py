"""Script mode: a script of the user in a container that somebody else has built.

Two hyperparameters say what runs: `sagemaker_program` is the script, and
`sagemaker_submit_directory` the sourcedir.tar.gz in S3 that holds it (or a folder that is there
already, for instance an input channel). Without them, ContainerEntrypoint says it.

Source: the documentation of the SageMaker training toolkit.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from mlref.aws.local.archives import ArchiveError, unpack
from mlref.aws.local.errors import AwsError
from mlref.aws.local.jobs.contract import arguments_of, decoded
from mlref.aws.local.jobs.folder import OPT_ML, real
from mlref.aws.local.jobs.inputs import in_s3
from mlref.aws.local.world import Objects

__all__ = ["Script", "ScriptError", "missing_requirements"]

_CODE = f"{OPT_ML}/code"
_SHELL = ".sh"


class ScriptError(Exception):
    """The script cannot be run; becomes a FailureReason."""


@dataclass(frozen=True)
class Script:
    """A script and where it comes from.

    Attributes:
        program: the file, relative to its folder.
        source: the folder: a tar.gz in S3, or a path under /opt/ml.
    """

    program: str
    source: str

    @classmethod
    def of(cls, hyperparameters: Mapping[str, str]) -> Script | None:
        """What the hyperparameters name, or None if they name nothing."""
        program = hyperparameters.get("sagemaker_program")
        if program is None:
            return None
        source = hyperparameters.get("sagemaker_submit_directory", _CODE)
        return cls(str(decoded(program)), str(decoded(source)))

    def fetch(self, objects: Objects, folder: Path) -> str:
        """Where the script's folder is afterwards, under /opt/ml.

        Args:
            objects: what lies in S3.
            folder: what /opt/ml holds.

        Raises:
            ScriptError: the source is not there, holds no such script, or needs what is missing.
        """
        where = self.source
        if where.startswith(("s3://", "https://")):
            where = _CODE
            try:
                unpack(objects.get(in_s3(self.source)), real(folder, where))
            except (AwsError, ArchiveError) as error:
                text = f"cannot use sagemaker_submit_directory {self.source}: {error}"
                raise ScriptError(text) from error
        try:
            place = real(folder, where)
        except ValueError as error:
            raise ScriptError(f"sagemaker_submit_directory {error}, or s3://...") from error
        if not (place / self.program).is_file():
            found = ", ".join(sorted(path.name for path in place.glob("*"))) or "nothing"
            raise ScriptError(f"{self.source} holds no {self.program}; it holds {found}")
        lacking = missing_requirements(place / "requirements.txt")
        if lacking:
            raise ScriptError(
                f"InstallRequirementsError: the local AWS installs nothing, and requirements.txt "
                f"asks for {'; '.join(lacking)}; install it where the local AWS runs"
            )
        return where

    def command(self, where: str, hyperparameters: Mapping[str, object]) -> list[str]:
        """The program and its arguments.

        Args:
            where: the script's folder, as `fetch` gives it.
            hyperparameters: those that are meant for it, decoded.
        """
        program = "sh" if self.program.endswith(_SHELL) else "python"
        return [program, f"{where}/{self.program}", *arguments_of(hyperparameters)]


def missing_requirements(path: Path) -> Sequence[str]:
    """What a requirements.txt asks for and this environment does not have.

    Args:
        path: of the file; one that is not there asks for nothing.
    """
    from packaging.requirements import InvalidRequirement, Requirement

    found = []
    for line in path.read_text(encoding="utf-8").splitlines() if path.is_file() else ():
        text = line.partition(" #")[0].strip()
        if not text or text.startswith("#"):
            continue
        try:
            wanted = Requirement(text)
        except InvalidRequirement:
            found.append(f"{text} (which is more than a name and versions)")
            continue
        if wanted.marker is not None and not wanted.marker.evaluate():
            continue
        try:
            version = metadata.version(wanted.name)
        except metadata.PackageNotFoundError:
            found.append(f"{text} (not installed)")
            continue
        if not wanted.specifier.contains(version, prereleases=True):
            found.append(f"{text} (installed is {version})")
    return found
