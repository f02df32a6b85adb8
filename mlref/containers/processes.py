"""What the processes of a container that runs may do, as the kernel tells it.

    for process in running_as_root(container):
        process.uid, process.capabilities, process.seccomp

An image says who it would like to be, the kernel says who it is: `--user`, `--privileged` or a
pod's security context may have changed it. The processes are looked at from outside, so nothing
need be in the container.

Source: proc_pid_status(5), capabilities(7).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mlref.containers import engine
from mlref.containers.lint import Finding
from mlref.containers.privileges import listed
from mlref.containers.running import Container
from mlref.errors import ContainerError

__all__ = ["RunningProcess", "process_findings", "running_as_root"]

_PROC = Path("/proc")
_SECCOMP = {"0": "off", "1": "strict", "2": "filter"}
_CAPABILITIES = (  # in the order of their bits
    "CHOWN", "DAC_OVERRIDE", "DAC_READ_SEARCH", "FOWNER", "FSETID", "KILL", "SETGID", "SETUID",
    "SETPCAP", "LINUX_IMMUTABLE", "NET_BIND_SERVICE", "NET_BROADCAST", "NET_ADMIN", "NET_RAW",
    "IPC_LOCK", "IPC_OWNER", "SYS_MODULE", "SYS_RAWIO", "SYS_CHROOT", "SYS_PTRACE", "SYS_PACCT",
    "SYS_ADMIN", "SYS_BOOT", "SYS_NICE", "SYS_RESOURCE", "SYS_TIME", "SYS_TTY_CONFIG", "MKNOD",
    "LEASE", "AUDIT_WRITE", "AUDIT_CONTROL", "SETFCAP", "MAC_OVERRIDE", "MAC_ADMIN", "SYSLOG",
    "WAKE_ALARM", "BLOCK_SUSPEND", "AUDIT_READ", "PERFMON", "BPF", "CHECKPOINT_RESTORE",
)  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class RunningProcess:
    """A process of a container.

    Attributes:
        pid: as the daemon's machine numbers it.
        command: with its arguments.
        uid: who it is, as the daemon's machine numbers users.
        capabilities: what it may do of what root may; None where this machine cannot look, because
            the daemon is on another one. So for the three that follow.
        obtainable: what it, or a setuid program that it starts, could get.
        new_privileges: whether a program may gain privileges by setuid bits.
        seccomp: whether system calls are filtered: "off", "strict" or "filter".
    """

    pid: int
    command: str
    uid: int
    capabilities: tuple[str, ...] | None = None
    obtainable: tuple[str, ...] | None = None
    new_privileges: bool | None = None
    seccomp: str | None = None


def running_as_root(container: Container | str) -> tuple[RunningProcess, ...]:
    """Every process of a container, root's first.

    Args:
        container: as `run` gives it; or the name or id of any other.

    Raises:
        DockerUnavailableError: there is no daemon.
        ContainerError: there is no such container, or it does not run.
    """
    identifier = container if isinstance(container, str) else container.id
    client = engine.connect()
    import docker

    try:
        full: str = client.containers.get(identifier).id
        told = client.api.top(full, ps_args="-eo pid,uid,args")
    except docker.errors.DockerException as error:
        explanation = getattr(error, "explanation", None) or str(error)
        text = f"the processes of {identifier} cannot be listed: {explanation}"
        raise ContainerError(f"{text}; start it first") from error
    found = [_process(full, *row) for row in told["Processes"]]
    return tuple(sorted(found, key=lambda each: (each.uid != 0, each.pid)))


def process_findings(processes: Iterable[RunningProcess]) -> tuple[Finding, ...]:
    """What of the processes is more than a server needs.

    Args:
        processes: as `running_as_root` gives them.
    """
    return tuple(_problems(list(processes)))


def _process(container: str, pid: str, uid: str, command: str) -> RunningProcess:
    status = _status(container, pid)
    if status is None:
        return RunningProcess(pid=int(pid), command=command, uid=int(uid))
    return RunningProcess(
        pid=int(pid),
        command=command,
        uid=int(status["Uid"].split()[1]),
        capabilities=_names(status["CapEff"]),
        obtainable=_names(status["CapBnd"]),
        new_privileges=status.get("NoNewPrivs", "0") == "0",
        seccomp=_SECCOMP.get(status.get("Seccomp", "0")),
    )


def _status(container: str, pid: str) -> Mapping[str, str] | None:
    """What the kernel says; None unless the process is seen here and belongs to the container."""
    folder = _PROC / pid
    with suppress(OSError):
        if container in (folder / "cgroup").read_text():
            lines = (folder / "status").read_text().splitlines()
            return {
                name: value.strip() for name, _, value in (line.partition(":") for line in lines)
            }
    return None


def _names(mask: str) -> tuple[str, ...]:
    bits = int(mask, 16)
    known = tuple(name for bit, name in enumerate(_CAPABILITIES) if bits >> bit & 1)
    newer = range(len(_CAPABILITIES), bits.bit_length())
    return known + tuple(f"CAP_{bit}" for bit in newer if bits >> bit & 1)


def _problems(processes: list[RunningProcess]) -> Iterator[Finding]:
    for level, rule, found, why, advice, wrong in _RULES:
        where = tuple(f"{each.pid} {each.command}" for each in processes if wrong(each))
        if where:
            yield Finding(
                level=level,
                rule=rule,
                found=f"{found}: {listed([each.split()[1] for each in where])}",
                why=why,
                advice=advice,
                where=where,
            )


_RULES: tuple[tuple[Any, ...], ...] = (
    (
        "error",
        "running-root",
        "runs as root",
        "who breaks out of it is root on the machine",
        "run it as a number that is not 0 (--user 10001:10001)",
        lambda each: each.uid == 0,
    ),
    (
        "warning",
        "capabilities",
        "has capabilities of root",
        "a server on a port above 1023 needs none",
        "run it with --cap-drop ALL",
        lambda each: bool(each.capabilities),
    ),
    (
        "warning",
        "new-privileges",
        "may gain privileges by setuid programs",
        "a mistake in one of them makes it root",
        "run it with --security-opt no-new-privileges",
        lambda each: each.new_privileges is True,
    ),
    (
        "warning",
        "seccomp",
        "may call all of the kernel",
        "most ways out of a container are mistakes in calls that no server makes",
        "do not run it with seccomp=unconfined, and enable seccomp in the daemon",
        lambda each: each.seccomp == "off",
    ),
)
