"""Trees of files that Python runs from."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

from mlref.containers import rootfs

_DYNAMIC = Path(sysconfig.get_path("stdlib")) / "lib-dynload"


def _an_extension(folder: Path) -> Path:
    """A copy of a compiled module of the standard library, with symbols if it has them."""
    (source,) = _DYNAMIC.glob("_bisect.*.so")
    target = folder / source.name
    target.write_bytes(source.read_bytes())
    return target


def _load(path: Path) -> object:
    spec = importlib.util.spec_from_file_location("_bisect", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_objects_of_a_program_are_found() -> None:
    """The interpreter's C library and the loader itself are among what it loads."""
    names = {path.name for path in rootfs.shared_objects([Path(sys.executable).resolve()])}
    assert "libc.so.6" in names
    assert any(name.startswith("ld-linux") for name in names)


def test_what_is_no_program_is_passed_over(tmp_path: Path) -> None:
    """A text file loads nothing."""
    (tmp_path / "a.so").write_text("INPUT(libc.so.6)")
    assert len(rootfs.shared_objects([tmp_path / "a.so"])) == 1  # the loader


def test_a_tree_with_python_runs_by_itself(tmp_path: Path) -> None:
    """The tree's own loader, library and modules are enough to import what needs C libraries."""
    root = tmp_path / "root"
    rootfs.python(root)
    (loader,) = [path for path in root.rglob("ld-linux*") if path.is_file()]
    (libc,) = root.rglob("libc.so.6")
    command = [loader, "--library-path", libc.parent, root / "usr/local/bin/python3", "-I", "-c"]
    code = "import ssl, ctypes, zlib, sys, json; print(json.__file__)"
    home = {"PYTHONHOME": str(root / "usr/local")}
    done = subprocess.run(
        [*map(str, command[:-2]), "-c", code], env=home, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip().startswith(str(root / "usr/local/lib"))


@pytest.mark.parametrize("name", ["libdl.so.2", "libpthread.so.0", "librt.so.1", "libutil.so.1"])
def test_a_tree_has_what_wheels_count_on(tmp_path: Path, name: str) -> None:
    """Python itself loads none of these; a manylinux wheel may (PEP 600)."""
    rootfs.python(tmp_path / "root")
    assert list((tmp_path / "root").rglob(name))


def test_a_tree_has_neither_tests_nor_installed_packages(tmp_path: Path) -> None:
    """What this machine has installed stays here."""
    rootfs.python(tmp_path / "root")
    (library,) = (tmp_path / "root/usr/local/lib").glob("python3.*")
    assert not list((library / "site-packages").iterdir())
    assert not {"test", "idlelib", "tkinter", "__pycache__"} & {p.name for p in library.iterdir()}


def test_pruning_leaves_what_a_program_reads(tmp_path: Path) -> None:
    """Tests, headers and stubs go; modules, licences and data stay; the bytes are counted."""
    kept = ["a/__init__.py", "a/core.so", "a/data.json", "a-1.0.dist-info/LICENSE"]
    doomed = ["a/tests/test_a.py", "a/a.pyi", "a/include/a.h", "a/__pycache__/a.pyc", "a/a.cpp"]
    for name in [*kept, *doomed]:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("1234567890")
    assert rootfs.prune(tmp_path) == 10 * len(doomed)
    left = {str(p.relative_to(tmp_path)) for p in tmp_path.rglob("*") if p.is_file()}
    assert left == set(kept)


def test_byte_code_of_an_import_is_valid_whatever_the_sources_time(tmp_path: Path) -> None:
    """What is imported is compiled, with what it imports, and trusted without a look at times."""
    (tmp_path / "one.py").write_text("import two\n")
    (tmp_path / "two.py").write_text("VALUE = 2\n")
    (tmp_path / "three.py").write_text("VALUE = 3\n")
    prefix = tmp_path / "compiled"
    command = [sys.executable, "-X", f"pycache_prefix={prefix}", rootfs.__file__, "bytecode", "one"]
    environment = {"PYTHONPATH": str(tmp_path)}
    subprocess.run(command, env=environment, check=True, capture_output=True)
    compiled = {path.name.partition(".")[0]: path for path in prefix.rglob("*.pyc")}
    assert {"one", "two", "json"} & set(compiled) == {"one", "two"}
    assert "three" not in compiled
    assert (
        int.from_bytes(compiled["two"].read_bytes()[4:8], "little") == 1
    )  # unchecked hash, PEP 552


def test_a_stripped_library_still_loads(tmp_path: Path) -> None:
    """Without its symbols a compiled module is smaller and works the same."""
    path = _an_extension(tmp_path)
    before = path.stat().st_size
    cut = rootfs.strip(path)
    assert path.stat().st_size == before - cut
    assert cut > 0
    assert _load(path).bisect_left([1, 3], 2) == 1  # type: ignore[attr-defined]


def test_stripping_again_finds_nothing(tmp_path: Path) -> None:
    """A second pass changes no byte."""
    path = _an_extension(tmp_path)
    rootfs.strip(path)
    once = path.read_bytes()
    assert rootfs.strip(path) == 0
    assert path.read_bytes() == once


@pytest.mark.parametrize("content", [b"", b"#!/bin/sh\n", b"\x7fELF\x01\x01" + bytes(60)])
def test_what_is_no_64_bit_library_stays_as_it_is(tmp_path: Path, content: bytes) -> None:
    """Scripts, empty files and programs of another width are left alone."""
    path = tmp_path / "file"
    path.write_bytes(content)
    assert rootfs.strip(path) == 0
    assert path.read_bytes() == content
