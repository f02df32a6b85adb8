"""etcd and the control plane on 127.0.0.1, started together and ended together.

    with start(programs, folder, controllers=["*"]) as cluster:
        cluster.api.post("/api/v1/namespaces", {...})

Each start is a new, empty cluster in a folder of its own. One certificate, made for the occasion,
serves the API server and the stand-ins. One token, likewise, is the only way in.
"""

from __future__ import annotations

import secrets
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from kubernetes_real.client import Api
from kubernetes_real.parts import run
from mlref.runtime.files import write_json, write_text
from mlref.runtime.process import Limits, ManagedProcess, bind
from mlref.runtime.process import start as start_process

__all__ = ["Cluster", "start"]

_HOST = "127.0.0.1"
_LIMITS = Limits(ready_timeout_s=180, drain_timeout_s=15, log_tail_lines=30)
_DAYS = "30"


@dataclass(frozen=True)
class Cluster:
    """A running control plane.

    Attributes:
        api: a client of the API server.
        kubeconfig: the file that kubectl needs to reach it.
        certificate: of the API server; the stand-ins use it too.
        key: the certificate's key.
        processes: by the program's name, for their logs.
    """

    api: Api
    kubeconfig: Path
    certificate: Path
    key: Path
    processes: Mapping[str, ManagedProcess]


@contextmanager
def start(
    programs: Path,
    folder: Path,
    *,
    controllers: Sequence[str] = ("*",),
    disabled_admission: Sequence[str] = (),
    flags: Mapping[str, str] | None = None,
    gates: str = "",
    scheduler: bool = True,
) -> Iterator[Cluster]:
    """A new cluster; the end of the block ends every process, also after an error.

    Args:
        programs: the folder that `building.ensure` returned.
        folder: an existing folder for data, keys and logs.
        controllers: which ones the controller manager runs; "*" are the default ones.
        disabled_admission: plugins of the API server to do without.
        flags: further options of the controller manager, without the leading dashes.
        gates: feature gates, for instance "HPAScaleToZero=true".
        scheduler: whether pods are assigned to nodes.

    Raises:
        ProcessError: a program could not be started, or was not ready within three minutes.
    """
    token = secrets.token_urlsafe(24)
    certificate, key = _certificate(folder)
    write_text(folder / "tokens.csv", f'{token},admin,admin,"system:masters"\n')
    (folder / "tokens.csv").chmod(0o600)
    etcd_port, peer_port, api_port = _free_ports(3)
    url = f"https://{_HOST}:{api_port}"
    kubeconfig = _kubeconfig(folder, url, certificate, token)
    feature_gates = {"feature-gates": gates} if gates else {}
    processes: dict[str, ManagedProcess] = {}
    with ExitStack() as stack, Api(url, token, certificate) as api:

        def launch(name: str, options: Mapping[str, str]) -> ManagedProcess:
            command = [*_dies_with_us(), str(programs / name)]
            command += [f"--{option}={value}" for option, value in options.items()]
            process = start_process(command, name=name, cwd=folder, limits=_LIMITS)
            processes[name] = stack.enter_context(process)
            return processes[name]

        launch("etcd", _etcd(folder, etcd_port, peer_port))
        server = _api_server(folder, api_port, f"http://{_HOST}:{etcd_port}")
        if disabled_admission:
            server["disable-admission-plugins"] = ",".join(disabled_admission)
        launch("kube-apiserver", server | feature_gates).wait_ready(api.ready)
        common = {"kubeconfig": str(kubeconfig), "leader-elect": "false"} | feature_gates
        manager = {
            "controllers": ",".join(controllers),
            "service-account-private-key-file": str(key),
            "root-ca-file": str(certificate),
            "use-service-account-credentials": "false",
        }
        ports = {"port": "0", "secure-port": "0"}
        launch("kube-controller-manager", common | ports | manager | dict(flags or {}))
        if scheduler:
            launch("kube-scheduler", common | ports)
        yield Cluster(api, kubeconfig, certificate, key, processes)


def _free_ports(count: int) -> list[int]:
    """Ports that are free now. These programs cannot report one that the system gave them."""
    with ExitStack() as stack:
        listeners = [stack.enter_context(bind(_HOST, 0)) for _ in range(count)]
        return [listener.getsockname()[1] for listener in listeners]


def _dies_with_us() -> list[str]:
    """What makes the system end the program when this process is killed, where there is such."""
    setpriv = shutil.which("setpriv")
    return [setpriv, "--pdeathsig", "KILL", "--"] if setpriv else []


def _certificate(folder: Path) -> tuple[Path, Path]:
    """A certificate for this machine's own addresses, signed by itself, and its key."""
    certificate, key = folder / "server.crt", folder / "server.key"
    run(
        [
            *("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", _DAYS),
            *("-keyout", str(key), "-out", str(certificate), "-subj", "/CN=localhost"),
            *("-addext", f"subjectAltName=IP:{_HOST},DNS:localhost"),
        ],
        cwd=folder,
    )
    return certificate, key


def _kubeconfig(folder: Path, url: str, certificate: Path, token: str) -> Path:
    """The file by which clients find and enter the cluster. JSON is YAML."""
    path = folder / "kubeconfig"
    name = "mlref-real"
    server = {"server": url, "certificate-authority": str(certificate)}
    content = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": name, "cluster": server}],
        "users": [{"name": name, "user": {"token": token}}],
        "contexts": [{"name": name, "context": {"cluster": name, "user": name}}],
        "current-context": name,
    }
    write_json(path, content)
    path.chmod(0o600)
    return path


def _etcd(folder: Path, port: int, peer_port: int) -> dict[str, str]:
    """The options of etcd."""
    client, peer = f"http://{_HOST}:{port}", f"http://{_HOST}:{peer_port}"
    return {
        "data-dir": str(folder / "etcd"),
        "listen-client-urls": client,
        "advertise-client-urls": client,
        "listen-peer-urls": peer,
        "initial-advertise-peer-urls": peer,
        "initial-cluster": f"default={peer}",
        "log-level": "error",
    }


def _api_server(folder: Path, port: int, etcd: str) -> dict[str, str]:
    """The options of the API server."""
    certificate, key = str(folder / "server.crt"), str(folder / "server.key")
    return {
        "etcd-servers": etcd,
        "bind-address": _HOST,
        "advertise-address": _HOST,
        "secure-port": str(port),
        "insecure-port": "0",
        "cert-dir": str(folder / "certificates"),
        "tls-cert-file": certificate,
        "tls-private-key-file": key,
        "token-auth-file": str(folder / "tokens.csv"),
        "anonymous-auth": "false",
        "authorization-mode": "RBAC",
        "allow-privileged": "false",
        "service-cluster-ip-range": "10.0.0.0/24",
        "service-account-issuer": "https://localhost",
        "service-account-key-file": certificate,
        "service-account-signing-key-file": key,
        "max-requests-inflight": "4000",
        "max-mutating-requests-inflight": "2000",
    }
