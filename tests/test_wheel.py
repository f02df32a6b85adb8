"""The wheel, installed outside the checkout, and mlref with its core dependencies alone."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from mlref.study.chapters import CHAPTERS

ROOT = Path(__file__).resolve().parents[1]


def _run(
    command: list[str | Path], *, cwd: Path, paths: list[Path]
) -> subprocess.CompletedProcess[str]:
    """A command that imports from these folders first."""
    env = {key: value for key, value in os.environ.items() if not key.startswith("PYTHON")}
    env["PYTHONPATH"] = os.pathsep.join(map(str, paths))
    env |= {"COLUMNS": "80", "TERM": "dumb"}
    return subprocess.run(command, cwd=cwd, env=env, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder into which the wheel is installed, without network or dependencies."""
    dist, site = tmp_path_factory.mktemp("dist"), tmp_path_factory.mktemp("site")
    build = ["build", "--wheel", "--no-isolation", "--outdir", str(dist), str(ROOT)]
    pip = ["pip", "install", "--quiet", "--no-deps", "--no-index", "--no-compile"]
    for arguments in (build, [*pip, "--disable-pip-version-check", "--target", str(site)]):
        words = [*arguments, *map(str, dist.glob("*.whl"))]
        done = _run([sys.executable, "-m", *words], cwd=dist, paths=[])
        assert done.returncode == 0, done.stdout + done.stderr
    return site


@pytest.fixture(scope="module")
def core(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the core dependencies, and theirs, alone: links to those installed here."""
    folder = tmp_path_factory.mktemp("core")
    wanted = [line for line in metadata.requires("mlref") or [] if "extra ==" not in line]
    seen: set[str] = set()
    while wanted:
        requirement = Requirement(wanted.pop())
        applies = requirement.marker is None or requirement.marker.evaluate({"extra": ""})
        if not applies or requirement.name in seen:
            continue
        seen.add(requirement.name)
        distribution = metadata.distribution(requirement.name)
        wanted += distribution.requires or []
        for top in {Path(file).parts[0] for file in distribution.files or []} - {
            "..",
            "__pycache__",
        }:
            link = folder / top
            if not link.is_symlink():
                link.symlink_to(Path(str(distribution.locate_file(top))))
    return folder


def test_resources_are_found_inside_the_installed_package(site: Path, tmp_path: Path) -> None:
    """Away from the checkout, the installed command finds the notebooks in the package."""
    done = _run(
        [sys.executable, site / "bin" / "mlref", "doctor", "--json"], cwd=tmp_path, paths=[site]
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["place"] == str(site / "mlref")
    expected = len(list((ROOT / "notebooks").glob("*.ipynb")))
    assert found["resources"]["notebooks"] == expected
    assert found["resources"]["labs"] == len(list((ROOT / "labs").glob("*/lab.toml")))
    assert found["resources"]["cards"] == len(CHAPTERS)


def test_a_learner_can_begin_without_the_checkout(site: Path, tmp_path: Path) -> None:
    """The installed command makes a folder in which lab 01 is graded."""
    mlref = [sys.executable, site / "bin" / "mlref"]
    done = _run([*mlref, "init", "mine"], cwd=tmp_path, paths=[site])
    assert done.returncode == 0, done.stderr
    lab = tmp_path / "mine" / "labs" / "01_deployment_steps"
    assert {path.name for path in lab.iterdir()} == {"exercise.ipynb", "exercise.py"}
    done = _run([*mlref, "labs", "check", "01", "leaks"], cwd=tmp_path / "mine", paths=[site])
    assert (done.returncode, "to do" in done.stdout) == (1, True), done.stdout + done.stderr


def test_run_explains_itself(site: Path, tmp_path: Path) -> None:
    """The installed command shows its help."""
    done = _run(
        [sys.executable, site / "bin" / "mlref", "run", "--help"], cwd=tmp_path, paths=[site]
    )
    assert done.returncode == 0, done.stderr
    assert "Example: mlref run" in done.stdout


def test_the_wheel_holds_nothing_else(site: Path) -> None:
    """There are the package, its metadata and its command; no tests, caches or build folders."""
    assert {path.name for path in site.iterdir() if path.suffix != ".dist-info"} == {"mlref", "bin"}
    unwanted = [p for p in site.rglob("*") if p.name in {"__pycache__", ".ipynb_checkpoints"}]
    assert not [path for path in unwanted if path.is_relative_to(site / "mlref" / "_resources")]
    assert (site / "mlref" / "py.typed").is_file()


@pytest.mark.parametrize(
    "words",
    [
        ["doctor"],
        ["--version"],
        ["run", "--help"],
        ["init", "mine"],
        ["cards", "show", "01"],
        ["cards", "export", "--format", "anki", "--out", "cards.txt"],
        ["glossary", "parity"],
        ["labs", "list"],
    ],
    ids=" ".join,
)
def test_the_core_dependencies_are_enough(
    site: Path, core: Path, tmp_path: Path, words: list[str]
) -> None:
    """Without a single extra, the commands work; -S hides all that is installed besides."""
    command: list[str | Path] = [sys.executable, "-S", "-m", "mlref.cli", *words]
    done = _run(command, cwd=tmp_path, paths=[site, core])
    assert done.returncode == 0, done.stderr
    if words == ["doctor"]:
        assert "core ok" in done.stdout
        assert "missing" in done.stdout
        names = "aws,cluster,dev,edge,lambda,llm,notebooks,redis,sagemaker,serve,simd,"
        names += "study,torch,tracking,train"
        assert f'pip install "mlref[{names}]"' in done.stdout
        assert done.stdout.count("pip install") == 2  # the second is for TensorFlow


def test_running_without_the_extra_names_the_command(
    site: Path, core: Path, tmp_path: Path
) -> None:
    """Notebooks need an extra; one message tells which."""
    (tmp_path / "00_a.ipynb").write_text(json.dumps({"cells": []}))
    words = ["run", "--notebooks", str(tmp_path), "--out", str(tmp_path / "out")]
    command: list[str | Path] = [sys.executable, "-S", "-m", "mlref.cli", *words]
    done = _run(command, cwd=tmp_path, paths=[site, core])
    assert done.returncode == 1
    assert 'pip install "mlref[notebooks]"' in done.stderr
    assert "Traceback" not in done.stderr


def test_all_extras_that_notebooks_need_are_named_at_once(
    site: Path, core: Path, tmp_path: Path
) -> None:
    """Before anything starts, one error lists what every chosen notebook lacks."""
    command: list[str | Path] = [sys.executable, "-S", "-m", "mlref", "run", "00", "01"]
    done = _run(command, cwd=tmp_path, paths=[site, core])
    assert done.returncode == 1
    assert done.stdout == ""
    assert 'pip install "mlref[notebooks,serve,torch,train]"' in done.stderr
    assert "  train: " in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "build").exists()
