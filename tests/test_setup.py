"""The set-up files agree with each other, and with what users were promised."""

from __future__ import annotations

import re
import shutil
import subprocess
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[1]
PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
EXTRAS: dict[str, list[str]] = PROJECT["optional-dependencies"]
EXPECTED_EXTRAS = {
    "train", "serve", "torch", "aws", "sagemaker", "tracking", "cluster", "edge", "llm", "study",
    "notebooks", "tensorflow", "dev", "all", "simd", "redis", "lambda",
}  # fmt: skip
USERS_LIST = {
    "jupyterlab", "nbval", "papermill", "scikit-learn", "torch", "onnxruntime", "docker", "boto3",
    "sagemaker", "fastapi", "mlflow", "pytest",
}  # fmt: skip


def _requirements(extra: str) -> list[Requirement]:
    """What an extra brings, with the extras of mlref itself resolved, and the core."""
    found = [Requirement(text) for text in PROJECT["dependencies"]]
    for text in EXTRAS[extra]:
        requirement = Requirement(text)
        if canonicalize_name(requirement.name) == "mlref":
            for inner in requirement.extras:
                found += _requirements(inner)
        else:
            found.append(requirement)
    return found


def _constraints(name: str) -> dict[str, str]:
    pairs = (line.split("==") for line in (ROOT / name).read_text().splitlines() if "==" in line)
    return {canonicalize_name(package): version for package, version in pairs}


def test_extras_are_those_promised() -> None:
    """The project has exactly the extras that the documentation names."""
    assert set(EXTRAS) == EXPECTED_EXTRAS


def test_all_holds_the_users_list_and_every_extra_but_tensorflow() -> None:
    """`all` brings everything that users asked for; TensorFlow has its own environment."""
    names = {canonicalize_name(each.name) for each in _requirements("all")}
    assert names >= USERS_LIST
    (everything,) = EXTRAS["all"]
    assert Requirement(everything).extras == EXPECTED_EXTRAS - {"all", "tensorflow"}


@pytest.mark.parametrize("extra", sorted(EXPECTED_EXTRAS - {"all"}))
def test_ranges_have_an_upper_bound(extra: str) -> None:
    """Each dependency has an upper bound, so that a new major version breaks nobody."""
    for each in _requirements(extra):
        operators = {specifier.operator for specifier in each.specifier}
        assert operators & {"<", "=="}, f"{each} has no upper bound"


def test_constraints_lie_in_the_ranges() -> None:
    """The exact versions that CI uses are versions that a user may get."""
    pinned = _constraints("constraints.txt")
    for each in _requirements("all"):
        name = canonicalize_name(each.name)
        assert name in pinned, f"{name} is not in constraints.txt: make constraints"
        assert each.specifier.contains(pinned[name]), f"{each} excludes {pinned[name]}"


@pytest.mark.parametrize(
    ("package", "version"), [("torch", "2.13.0"), ("mlflow", "3.17.2"), ("moto", "5.2.5")]
)
def test_constraints_hold_the_versions_that_matter(package: str, version: str) -> None:
    """Versions with a reason: the CPU build, the last one installable, the one wrapped."""
    assert _constraints("constraints.txt")[package] == version


def test_constraints_name_no_place() -> None:
    """constraints.txt holds versions only: no local build, no path, no address."""
    for line in (ROOT / "constraints.txt").read_text().splitlines():
        assert re.fullmatch(r"[A-Za-z0-9._-]+==[A-Za-z0-9.!]+", line), line


def test_conda_environment_is_in_step() -> None:
    """environment.yml installs the package with `all` under the same constraints."""
    conda = yaml.safe_load((ROOT / "environment.yml").read_text())
    *plain, pip = conda["dependencies"]
    assert pip == {"pip": ["-c constraints.txt", "-e .[all]"]}
    assert PROJECT["requires-python"] == ">=3.11"
    assert plain == ["python=3.11", "pip"]


def test_conda_environment_gives_a_reason_for_each_line() -> None:
    """Each entry of environment.yml has a comment."""
    lines = (ROOT / "environment.yml").read_text().splitlines()
    entries = [
        line for line in lines if line.lstrip().startswith("- ") and line.strip() != "- pip:"
    ]
    assert entries
    assert all(" # " in line for line in entries)


def test_make_lists_its_targets() -> None:
    """`make` alone explains every target that the documentation names."""
    shown = subprocess.run(
        [shutil.which("make") or "make"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout
    listed = {line.split()[0] for line in shown.splitlines()}
    assert listed >= {"run", "test", "check", "lab", "notebooks", "bench", "clean"}


def test_workflow_runs_what_ci_runs() -> None:
    """GitHub's workflow calls .ci/run and gets the CPU build of torch."""
    workflow = yaml.safe_load((ROOT / ".github/workflows/ci.yml").read_text())
    job = workflow["jobs"]["ci"]
    assert [step["run"] for step in job["steps"] if "run" in step] == [".ci/run"]
    assert job["env"]["TORCH_INDEX_URL"].endswith("/cpu")
