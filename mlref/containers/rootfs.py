"""The files that Python needs to run, and nothing else. Standard library only.

All but the first run inside a build, where there is no mlref yet, so this file is a script, too:
`python rootfs.py COMMAND ...`.

    python FOLDER            this interpreter, its library and every shared object that they load
    prune FOLDER             delete what no running server reads: tests, headers, type stubs ...
    bytecode MODULE ...      compile what importing these modules reads
    tree FOLDER SITE         move a site into a tree in which every file has the same time
    minimal FOLDER SITE ...  like `python`, with site folders, and without what a server never does

A program finds its shared objects through the dynamic loader, so the loader is asked, and not a
list of our own. It does not know what a *wheel* will ask for once it is installed: manylinux wheels
count on a few libraries of the C runtime (PEP 600), which are added to every tree.
"""

from __future__ import annotations

import argparse
import importlib
import importlib.util
import os
import py_compile
import shutil
import struct
import subprocess
import sys
import sysconfig
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

__all__ = [
    "EPOCH",
    "add_files",
    "bytecode",
    "main",
    "minimal",
    "prune",
    "python",
    "settle",
    "shared_objects",
    "strip",
]

EPOCH = 1_577_836_800
"""2020-01-01: the time of every file of an image, in seconds since 1970."""

_LOADERS = ("/lib64/ld-linux-x86-64.so.2", "/lib/ld-linux-aarch64.so.1")
# What PEP 600 lets a manylinux wheel count on, and what the C library opens by name at run time.
_EXPECTED = (
    "libc.so.6", "libdl.so.2", "libgcc_s.so.1", "libm.so.6", "libnss_dns.so.2",
    "libnss_files.so.2", "libpthread.so.0", "libresolv.so.2", "librt.so.1", "libstdc++.so.6",
    "libutil.so.1",
)  # fmt: skip
_SYSTEM_FOLDERS = ("/lib/", "/lib64/", "/usr/lib/", "/usr/lib64/")
_NEVER = (
    "__pycache__", "_test*.so", "_tkinter*.so", "config-*", "ensurepip", "idlelib", "lib2to3",
    "site-packages", "dist-packages", "test", "tests", "tkinter", "turtledemo", "xxlimited*.so",
)  # fmt: skip
_NEVER_IN_A_SERVER = (
    *_NEVER,
    "_codecs_*.so", "_crypt*.so", "_curses*.so", "_dbm*.so", "_gdbm*.so", "_lsprof*.so",
    "_sqlite3*.so", "audioop*.so", "cgi.py", "crypt.py", "curses", "dbm", "distutils", "ftplib.py",
    "imaplib.py", "mailbox.py", "nis*.so", "nntplib.py", "ossaudiodev*.so", "pdb.py", "poplib.py",
    "pstats.py", "pydoc.py", "pydoc_data", "readline*.so", "smtplib.py", "sqlite3", "telnetlib.py",
    "tracemalloc.py", "turtle.py", "unittest", "venv", "wsgiref", "xmlrpc", "zipapp.py",
)  # fmt: skip
_UNREAD = (
    "*.a", "*.c", "*.cpp", "*.h", "*.hpp", "*.lib", "*.pxd", "*.pyi", "*.pyx", "__pycache__",
    "test", "tests",
)  # fmt: skip
# Of the libraries that a server of ONNX graphs imports, the parts that it never does. The Python
# binding of ONNX Runtime holds the whole runtime; the library of 35 MB beside it is for C programs.
_UNUSED = (
    "numpy/_core/_*_tests*.so", "numpy/_core/_simd*.so", "numpy/f2py", "onnxruntime/backend",
    "onnxruntime/capi/libonnxruntime.so*", "onnxruntime/datasets", "onnxruntime/quantization",
    "onnxruntime/tools", "onnxruntime/transformers",
)  # fmt: skip
# Byte code that is valid without a look at its source's time: wherever it is copied, it stays so.
_UNCHECKED = py_compile.PycInvalidationMode.UNCHECKED_HASH
_USERS = "root:x:0:0:root:/root:/sbin/nologin\nnobody:x:65534:65534:nobody:/:/sbin/nologin\n"
_GROUPS = "root:x:0:\nnogroup:x:65534:\n"


def python(root: Path, *, extra: Iterable[str | os.PathLike[str]] = ()) -> None:
    """Put this interpreter into a tree as /usr/local/bin/python3, with all that it loads.

    Args:
        root: the tree's folder; made if it is not there.
        extra: more programs, kept at their paths.

    Raises:
        RuntimeError: not a Linux with the GNU C library.
    """
    _interpreter(root, _NEVER)
    programs = [Path(path) for path in extra]
    add_files(root, programs)
    folder = root / "usr/local/lib" / _version()
    _add_objects(root, [Path(os.path.realpath(sys.executable)), *programs, *_objects(folder)])
    _accounts(root)


def minimal(root: Path, sites: Sequence[str | os.PathLike[str]]) -> None:
    """A tree with this interpreter and folders of installed packages, and no shell.

    Args:
        root: the tree's folder; made if it is not there.
        sites: folders to copy as they are, for instance /opt/mlref.

    Raises:
        RuntimeError: not a Linux with the GNU C library.
    """
    _interpreter(root, _NEVER_IN_A_SERVER)
    copied = []
    for site in map(Path, sites):
        copied.append(_inside(root, site))
        shutil.copytree(site, copied[-1], symlinks=True)
    stdlib = root / "usr/local/lib" / _version()
    _add_objects(
        root, [Path(os.path.realpath(sys.executable)), *_objects(stdlib, *copied)], within=copied
    )
    for path in (*_objects(root), root / "usr/local/bin" / _version()):
        strip(path)
    _accounts(root)
    for name in ("/etc/passwd", "/etc/group", "/etc/nsswitch.conf", "/etc/ssl/certs"):
        file, target = Path(name), _inside(root, name)
        if file.is_dir():
            shutil.copytree(file, target, dirs_exist_ok=True)
        elif file.is_file():
            shutil.copy2(file, target)


def prune(folder: Path) -> int:
    """Delete what no running server reads; returns how many bytes that were.

    Args:
        folder: where packages are installed. Their metadata and licences stay.
    """
    doomed = [path for pattern in _UNREAD for path in folder.rglob(pattern)]
    doomed += [path for pattern in _UNUSED for path in folder.glob(pattern)]
    freed = 0
    for path in doomed:
        if path.is_dir() and not path.is_symlink():
            freed += sum(each.stat().st_size for each in path.rglob("*") if each.is_file())
            shutil.rmtree(path)
        elif path.exists():
            freed += path.stat().st_size
            path.unlink()
    return freed


def bytecode(modules: Iterable[str]) -> int:
    """Compile every Python file that importing these modules reads; returns how many files.

    Those of the standard library are among them: the official images bring no byte code, and a
    read-only root would have it compiled again at every start.

    Args:
        modules: names to import.

    Raises:
        ImportError: a module cannot be imported.
    """
    sys.dont_write_bytecode = True
    for name in modules:
        importlib.import_module(name)
    specs = [getattr(module, "__spec__", None) for module in list(sys.modules.values())]
    origins = {getattr(spec, "origin", None) or "" for spec in specs}
    sources = sorted(origin for origin in origins if origin.endswith(".py"))
    for source in sources:
        py_compile.compile(source, doraise=True, invalidation_mode=_UNCHECKED)
    return len(sources)


def settle(folder: Path) -> None:
    """Give a folder and all in it the same time, so that the same content is the same layer.

    Args:
        folder: what a step has written.
    """
    for path in [*folder.rglob("*"), folder]:
        os.utime(path, (EPOCH, EPOCH), follow_symlinks=False)


def strip(path: Path) -> int:
    """Cut off what a loader never reads of an ELF file; returns how many bytes that were.

    Symbols and debugging data stand behind the last segment that is loaded, and only linkers and
    debuggers read them, by way of the table of sections, which goes as well. A file that is not
    laid out like that stays as it is.

    Args:
        path: a 64-bit little-endian ELF file; another is left alone.

    Source: the System V Application Binary Interface, chapters 4 and 5 (object files, loading).
    """
    data = path.read_bytes()
    if data[:6] != b"\x7fELF\x02\x01":
        return 0
    offset, entry_bytes, count = struct.unpack_from("<32xQ14xHH", data)
    headers = [struct.unpack_from("<IIQQQQ", data, offset + i * entry_bytes) for i in range(count)]
    end: int = max(start + size for _, _, start, _, _, size in headers)
    end = max(end, offset + count * entry_bytes)
    if end >= len(data):
        return 0
    kept = bytearray(data[:end])
    struct.pack_into("<Q", kept, 40, 0)  # where the table of sections is: nowhere
    struct.pack_into("<HH", kept, 60, 0, 0)  # how many it has, and which one holds their names
    path.write_bytes(kept)
    return len(data) - end


def shared_objects(paths: Iterable[Path]) -> set[Path]:
    """All shared objects that these programs and libraries load, and the loader itself.

    Args:
        paths: ELF files; others are passed over.

    Raises:
        RuntimeError: not a Linux with the GNU C library.
    """
    loader = _loader()
    found = {loader}
    for path in paths:
        if not _is_elf(path):
            continue
        listed = subprocess.run(
            [str(loader), "--list", str(path)], capture_output=True, text=True, check=False
        )
        for line in listed.stdout.splitlines():
            named = next((word for word in line.split() if word.startswith("/")), None)
            if named is not None:
                found.add(Path(named))
    return found


def add_files(root: Path, paths: Iterable[Path]) -> None:
    """Copy files into a tree, each to the path that it has here; links become what they name.

    Args:
        root: the tree's folder.
        paths: absolute paths of files.
    """
    for path in paths:
        target = _inside(root, path)
        target.parent.mkdir(parents=True, exist_ok=True)
        if not target.exists():
            shutil.copy2(path, target)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run one of the commands; see the module."""
    parser = argparse.ArgumentParser(description="What a build does with files.")
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("python").add_argument("folder", type=Path)
    commands.add_parser("prune").add_argument("folder", type=Path)
    tree = commands.add_parser("tree")
    tree.add_argument("folder", type=Path)
    tree.add_argument("site", type=Path)
    commands.add_parser("bytecode").add_argument("modules", nargs="+")
    minimal_command = commands.add_parser("minimal")
    minimal_command.add_argument("folder", type=Path)
    minimal_command.add_argument("sites", nargs="+")
    given = parser.parse_args(arguments)
    if given.command == "python":
        python(given.folder)
    elif given.command == "prune":
        print(f"pruned {prune(given.folder) / 1e6:.1f} MB")  # noqa: T201 - a command
    elif given.command == "bytecode":
        print(f"compiled {bytecode(given.modules)} files")  # noqa: T201 - a command
    elif given.command == "tree":
        given.folder.mkdir()
        shutil.move(given.site, _inside(given.folder, given.site))
        settle(given.folder)
    else:
        minimal(given.folder, given.sites)
        settle(given.folder)


def _interpreter(root: Path, without: Sequence[str]) -> None:
    """The program and its standard library below /usr/local."""
    folder = root / "usr/local/lib" / _version()
    shutil.copytree(
        sysconfig.get_path("stdlib"), folder, ignore=shutil.ignore_patterns(*without), symlinks=True
    )
    (folder / "site-packages").mkdir()
    programs = root / "usr/local/bin"
    programs.mkdir(parents=True)
    shutil.copy2(os.path.realpath(sys.executable), programs / _version())
    for name in ("python", "python3"):
        (programs / name).symlink_to(_version())


def _add_objects(root: Path, paths: Iterable[Path], *, within: Sequence[Path] = ()) -> None:
    """Copy the shared objects of some files; those that lie in `within` are there already."""
    found = shared_objects(paths)
    system = next(path for path in found if path.name == "libc.so.6").parent
    found |= {path for name in _EXPECTED if (path := system / name).exists()}
    for path in sorted(found):
        if any(path.is_relative_to(folder) for folder in within):
            continue
        if str(path).startswith(_SYSTEM_FOLDERS):
            add_files(root, [path])
        else:  # the interpreter's own: into a folder that the loader looks into by itself
            target = _inside(root, system / path.name)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(path, target)


def _accounts(root: Path) -> None:
    """Names for the numbers of users, a folder for temporary files, one home."""
    for name, text in (
        ("passwd", _USERS),
        ("group", _GROUPS),
        ("nsswitch.conf", "hosts: files dns\n"),
    ):
        path = root / "etc" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    for folder, mode in (("tmp", 0o1777), ("root", 0o700)):
        (root / folder).mkdir(exist_ok=True)
        (root / folder).chmod(mode)


def _objects(*folders: Path) -> Iterator[Path]:
    for folder in folders:
        for path in folder.rglob("*"):
            if ".so" in path.suffixes and path.is_file() and not path.is_symlink():
                yield path


def _is_elf(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(4) == b"\x7fELF"


def _inside(root: Path, path: str | os.PathLike[str]) -> Path:
    return root / Path(path).relative_to("/")


def _loader() -> Path:
    loader = next((path for path in map(Path, _LOADERS) if path.exists()), None)
    if loader is None:
        text = f"{sys.platform} has none of the loaders {', '.join(_LOADERS)}"
        raise RuntimeError(f"{text}; only Linux with the GNU C library (glibc) will do")
    return loader


def _version() -> str:
    return f"python{sys.version_info.major}.{sys.version_info.minor}"


if __name__ == "__main__":
    main()
