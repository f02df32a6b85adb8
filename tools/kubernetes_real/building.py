"""The programs of the control plane, compiled once and kept.

    build/kubernetes/1.20.2/{etcd,kube-apiserver,kube-controller-manager,kube-scheduler,built.json}

The source package is Kubernetes' own tree with all that it imports, so the compiler needs no
network. Debian's patches change how its client prints, and are left out. One file has to be
generated first: the API's description, without which the API server does not compile. While it
works the build takes up to 4 GB of disk; in the end only the programs are left, some 280 MB.
"""

from __future__ import annotations

import hashlib
import re
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from kubernetes_real import parts
from mlref.errors import ProcessError
from mlref.runtime.files import write_json

__all__ = ["PROGRAMS", "ensure", "generate_openapi"]

PROGRAMS = ("etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler")

_PACKAGE = "k8s.io/kubernetes"
_TAG = "+k8s:openapi-gen="
_NOT_SERVED = re.compile(
    r"example|testapigroup|generators|/(code-generator|sample-apiserver|kube-openapi)/"
)
_JOBS = 2  # packages that are compiled at a time
_LOWEST = 19  # how much the compiler gives way to other work, as in `nice -n 19`
_FREE_BYTES = 5 * 10**9
_CHUNK_BYTES = 2**20


def ensure(root: Path, say: Callable[[str], None]) -> Path:
    """The folder with the four programs; builds them if they are not there.

    Args:
        root: the folder of the cache, for instance build/kubernetes.
        say: told each step, one line.

    Raises:
        ProcessError: something is missing on this machine, could not be fetched or compiled; the
            message says what to do.
    """
    folder = root / parts.VERSION
    if (folder / "built.json").exists():
        return folder
    missing = parts.check_programs()
    if missing:
        raise ProcessError("the build of Kubernetes needs more: " + "; ".join(missing))
    root.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(root).free
    if free < _FREE_BYTES:
        raise ProcessError(f"the build needs 5 GB of disk below {root}, got {free / 1e9:.1f} GB")
    say("fetching the source package, the compiler and etcd: 140 MB")
    downloads = parts.fetch(root)
    with tempfile.TemporaryDirectory(prefix="work-", dir=root) as name:
        _build(downloads, Path(name).resolve(), folder, say)
    shutil.rmtree(root / "apt")
    shutil.rmtree(downloads)
    say(f"built: {folder}")
    return folder


@dataclass(frozen=True)
class _Tree:
    """The unpacked source, and the compiler beside it."""

    work: Path

    @property
    def source(self) -> Path:
        return self.work / "source" / f"kubernetes-{parts.VERSION}"

    def go(self, *arguments: str, program: str | None = None) -> str:
        """What the compiler, or a program that it made, printed."""
        root = self.work / "toolchain/usr/lib/go-1.19"
        path = self.work / "go"
        inside = path / "src" / _PACKAGE
        env = {
            "CGO_ENABLED": "0",
            "GO111MODULE": "off",
            "GOCACHE": str(self.work / "cache"),
            "GOFLAGS": f"-p={_JOBS}",
            "GOPATH": str(path),
            "GOPROXY": "off",
            "GOROOT": str(root),
            "HOME": str(self.work),
            "PWD": str(inside),  # by its link: packages are found only below GOPATH
        }
        nice = ["nice", "-n", str(_LOWEST), program or str(root / "bin/go")]
        return parts.run([*nice, *arguments], cwd=inside, env=env)


def _build(downloads: Path, work: Path, folder: Path, say: Callable[[str], None]) -> None:
    """Unpack, generate, compile; the programs appear in `folder` all at once."""
    tree = _Tree(work)
    (work / "source").mkdir()
    for package in ("golang-1.19-go", "golang-1.19-src", "etcd-server"):
        (archive,) = downloads.glob(f"{package}_*.deb")
        parts.run(["dpkg-deb", "-x", archive.resolve(), work / "toolchain"], cwd=work)
    (archive,) = downloads.glob("kubernetes_*.orig.tar.gz")
    parts.run(["tar", "-xzf", archive.resolve(), "-C", work / "source"], cwd=work)
    (work / "go/src/k8s.io").mkdir(parents=True)
    (work / "go/src" / _PACKAGE).symlink_to(tree.source)
    say("generating the description of the API")
    generate_openapi(tree.source, tree.go)
    out = work / "out"
    out.mkdir()
    shutil.copy2(work / "toolchain/usr/bin/etcd", out / "etcd")
    for program in PROGRAMS[1:]:
        say(f"compiling {program}: minutes")
        flags = ["-trimpath", "-ldflags", f"-s -w {_version_flags()}"]
        tree.go("build", *flags, "-o", str(out / program), f"{_PACKAGE}/cmd/{program}")
    write_json(out / "built.json", _record(downloads, out))
    shutil.rmtree(folder, ignore_errors=True)
    out.rename(folder)


def generate_openapi(source: Path, go: Callable[..., str]) -> None:
    """Write the one generated file that the source package lacks.

    Args:
        source: the unpacked tree.
        go: runs the compiler there.
    """
    generator = str(source.parent / "openapi-gen")
    tool = f"{_PACKAGE}/vendor/k8s.io/kube-openapi/cmd/openapi-gen"
    go("build", "-o", generator, tool)
    folders = sorted(
        {
            str(file.parent.relative_to(source))
            for top in (source / "pkg", *sorted((source / "vendor/k8s.io").iterdir()))
            for file in top.rglob("*.go")
            if _TAG in file.read_text(encoding="utf-8", errors="replace")
        }
    )
    served = [f"{_PACKAGE}/{name}" for name in folders if not _NOT_SERVED.search(name)]
    go(
        *("--input-dirs", ",".join(served)),
        *("--output-package", f"{_PACKAGE}/pkg/generated/openapi"),
        *("--output-file-base", "zz_generated.openapi"),
        *("--output-base", str(source.parent.parent / "go/src")),
        *("--go-header-file", "hack/boilerplate/boilerplate.generatego.txt"),
        *("--report-filename", str(source.parent / "violations.txt")),
        program=generator,
    )


def _version_flags() -> str:
    """What makes the programs answer with their version."""
    major, minor, _ = parts.VERSION.split(".")
    values = {"gitVersion": f"v{parts.VERSION}", "gitMajor": major, "gitMinor": minor}
    packages = ("client-go/pkg/version", "component-base/version")
    return " ".join(
        f"-X {_PACKAGE}/vendor/k8s.io/{package}.{name}={value}"
        for package in packages
        for name, value in values.items()
    )


def _record(downloads: Path, out: Path) -> dict[str, object]:
    """What was built from what."""
    return {
        "version": parts.VERSION,
        "source": parts.DEBIAN_VERSION,
        "fetched": {file.name: _digest(file) for file in sorted(downloads.iterdir())},
        "programs": {name: _digest(out / name) for name in PROGRAMS},
    }


def _digest(file: Path) -> str:
    """The file's SHA-256."""
    digest = hashlib.sha256()
    with file.open("rb") as opened:
        while chunk := opened.read(_CHUNK_BYTES):
            digest.update(chunk)
    return digest.hexdigest()
