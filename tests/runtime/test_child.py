"""The child's side: it dies with its parent, and binds its own port."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
from typing import TYPE_CHECKING

import psutil
import pytest
from support.children import (
    IGNORING,
    IMPORTS,
    SOON_S,
    STUBBORN,
    WAIT,
    python,
    wait_gone,
)

from mlref.errors import AddressError, PortInUseError, ProcessNotReadyError
from mlref.runtime.process import bind, start

if TYPE_CHECKING:
    from pathlib import Path


INNER = {
    "drains": f"""
signal.signal(signal.SIGTERM, lambda *_: sys.exit(open("drained", "w").close()))
die_with_parent(lambda: open("called", "w").close(), drain_timeout_s=60)
report(pid=os.getpid()){WAIT}""",
    "plain": f"{STUBBORN}die_with_parent(); report(pid=os.getpid(), also=stubborn.pid){WAIT}",
    "stubborn": f"""{IGNORING}
{STUBBORN}
die_with_parent(drain_timeout_s=0.1)
report(pid=os.getpid(), also=stubborn.pid){WAIT}""",
    "counts": f"""
signal.signal(signal.SIGTERM, lambda *_: print("SIGTERM", file=open("signals", "a")))
die_with_parent(drain_timeout_s=0.3)
report(pid=os.getpid()){WAIT}""",
    "foreign": f"report(pid=os.getpid()){WAIT}",
}


def middle(*kinds: str, then: str) -> list[str]:
    """A parent that starts children of these kinds, forwards what they report, and goes on."""
    code = f"""
inner = [start([sys.executable, "-c", code], name="inner") for code in sys.argv[1:]]
for child in inner: report(**child.wait_report())
{then}"""
    return python(code, *(IMPORTS + INNER[kind] for kind in kinds))


def test_killed_parent_takes_its_child_along(tmp_path: Path, strays: list[int]) -> None:
    """After kill -9 of the parent, the child is told, drains and is gone."""
    with start(middle("drains", then=WAIT), name="middle", cwd=tmp_path) as parent:
        pid = parent.wait_report()["pid"]
        strays.append(pid)
        assert psutil.pid_exists(pid)
        os.kill(parent.pid, signal.SIGKILL)
        assert wait_gone(pid)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["called", "drained"]


@pytest.mark.parametrize("kind", ["plain", "stubborn"])
def test_killed_parent_takes_the_group_along(kind: str, strays: list[int]) -> None:
    """After kill -9, a child that does not drain, and its own stubborn children, are gone too."""
    with start(middle(kind, then=WAIT), name="middle") as parent:
        values = parent.wait_report()
        strays += values.values()
        os.kill(parent.pid, signal.SIGKILL)
        assert all([wait_gone(pid) for pid in values.values()])  # noqa: C419 - look at each


def test_children_side_by_side_die_independently(tmp_path: Path, strays: list[int]) -> None:
    """A child dies with its parent though a later sibling, which takes no notice, lives on."""
    command = middle("drains", "foreign", then=WAIT)
    with start(command, name="middle", cwd=tmp_path) as parent:
        first, second = (parent.wait_report()["pid"] for _ in range(2))
        strays += [first, second]
        os.kill(parent.pid, signal.SIGKILL)
        assert wait_gone(first)
        assert psutil.pid_exists(second)


def test_stopping_one_leaves_the_other() -> None:
    """Of two children, stopping one does not touch the other."""
    code = f"die_with_parent(); report(up=True){WAIT}"
    with start(python(code), name="a") as first, start(python(code), name="b") as second:
        first.wait_report()
        second.wait_report()
        first.stop()
        with pytest.raises(ProcessNotReadyError):
            second.wait(0.1)
        assert second.running


def test_fork_of_the_parent_does_not_hold_the_lifeline(tmp_path: Path, strays: list[int]) -> None:
    """A fork of the parent, as multiprocessing makes it, does not keep the child alive."""
    then = f"fork = os.fork()\nif fork: report(fork=fork){WAIT}"
    with start(middle("drains", then=then), name="middle", cwd=tmp_path) as parent:
        inner, fork = parent.wait_report()["pid"], parent.wait_report()["fork"]
        strays += [inner, fork]
        os.kill(parent.pid, signal.SIGKILL)
        assert wait_gone(inner)
        assert psutil.pid_exists(fork)


def test_fork_of_the_parent_does_not_end_the_child(tmp_path: Path) -> None:
    """A fork that leaves the block does not stop a child that is not its own."""
    code = f"""
with start([sys.executable, "-c", {IMPORTS + INNER["drains"]!r}], name="inner") as inner:
    inner.wait_report()
    fork = os.fork()
    if fork == 0:
        inner.stop()
        sys.exit()
    os.waitpid(fork, 0)
    try:
        inner.wait(0.1)
    except TimeoutError:
        report(running=inner.running)
"""
    with start(python(code), name="middle", cwd=tmp_path) as parent:
        assert parent.wait_report() == {"running": True}


def test_end_of_the_interpreter_ends_any_child(strays: list[int]) -> None:
    """A program that knows nothing of us is told to end when the parent ends normally."""
    with start(middle("foreign", then="sys.exit(0)"), name="middle") as parent:
        pid = parent.wait_report()["pid"]
        strays.append(pid)
        assert wait_gone(pid)


def test_sigterm_comes_once(tmp_path: Path, strays: list[int]) -> None:
    """A child that drains is not disturbed by a second SIGTERM when the parent ends."""
    with start(middle("counts", then="sys.exit(0)"), name="middle", cwd=tmp_path) as parent:
        pid = parent.wait_report()["pid"]
        strays.append(pid)
        assert wait_gone(pid)
    assert (tmp_path / "signals").read_text() == "SIGTERM\n"


def test_port_zero_is_any_free_one() -> None:
    """Port 0 gives two sockets two ports, and both listen."""
    with bind("127.0.0.1", 0) as first, bind("127.0.0.1", 0) as second:
        ports = {first.getsockname()[1], second.getsockname()[1]}
        assert len(ports) == 2
        for port in ports:
            socket.create_connection(("127.0.0.1", port), timeout=SOON_S).close()


def test_busy_port_is_named() -> None:
    """A chosen port that is taken is an OSError that names it and says what to do."""
    with bind("127.0.0.1", 0) as listener:
        port = listener.getsockname()[1]
        with pytest.raises(PortInUseError, match="choose another port, or 0") as caught:
            bind("127.0.0.1", port)
    assert f"port {port} on 127.0.0.1 is in use" in str(caught.value)
    assert isinstance(caught.value, OSError)


def test_address_of_somebody_else_is_named() -> None:
    """An address that is not this machine's (RFC 5737) is told with what to do."""
    with pytest.raises(AddressError, match=r"port 0 of 192\.0\.2\.1 .*such as 127") as caught:
        bind("192.0.2.1", 0)
    assert isinstance(caught.value, OSError)
    assert not isinstance(caught.value, PortInUseError)


def test_port_is_free_again_at_once() -> None:
    """A port whose last connection has just been closed can be bound again."""
    with bind("127.0.0.1", 0) as listener:
        address = listener.getsockname()
        client = socket.create_connection(address, timeout=SOON_S)
        server, _ = listener.accept()
        server.close()  # this side closes first, so it is the one left in TIME_WAIT
        client.close()
    bind(*address).close()


@pytest.mark.skipif(not socket.has_ipv6, reason="this Python has no IPv6")
def test_ipv6_address() -> None:
    """A numeric IPv6 address is bound as such."""
    try:
        listener = bind("::1", 0)
    except OSError as error:
        pytest.skip(f"this machine has no IPv6 loopback: {error}")
    with listener:
        assert listener.family == socket.AF_INET6


@pytest.mark.parametrize("port", [-1, 65536])
def test_port_out_of_range(port: int) -> None:
    """A number that is no port is refused."""
    with pytest.raises(ValueError, match=f"0 to 65535, got {port}"):
        bind("127.0.0.1", port)


def test_report_is_one_line_of_json() -> None:
    """On the pipe stands one line of JSON, which other languages can write, too."""
    read_end, write_end = os.pipe()
    env = os.environ | {"MLREF_REPORT_FD": str(write_end)}
    command = python("report(text='a\\nb')")
    subprocess.run(command, env=env, pass_fds=[write_end], check=True)
    os.close(write_end)
    with open(read_end, "rb") as pipe:  # noqa: PTH123 - a descriptor
        line = pipe.read()
    assert line.endswith(b"\n")
    assert line.count(b"\n") == 1
    assert json.loads(line) == {"text": "a\nb"}
