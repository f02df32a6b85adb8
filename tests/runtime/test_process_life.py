"""Starting and stopping a child process. All children here are real."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from typing import TYPE_CHECKING

import psutil
import pytest
from support.children import (
    IGNORING,
    LONG_S,
    SOON_S,
    STUBBORN,
    WAIT,
    python,
    wait_gone,
)

from mlref.errors import ProcessError
from mlref.runtime.process import DEFAULT_LIMITS, Limits, start

if TYPE_CHECKING:
    from pathlib import Path


def test_environment_and_folder(tmp_path: Path) -> None:
    """Variables are added to the parent's, and the child runs where it is told."""
    code = "report(cwd=os.getcwd(), a=os.environ.get('A'), path='PATH' in os.environ)"
    with start(python(code), name="child", env={"A": "1"}, cwd=tmp_path) as child:
        expected = {"cwd": str(tmp_path.resolve()), "a": "1", "path": True}
        assert child.wait_report() == expected


def test_child_leads_a_session() -> None:
    """Ctrl-C in the terminal does not reach the child: it has a session of its own."""
    with start(python(WAIT), name="child") as child:
        assert os.getsid(child.pid) == child.pid != os.getsid(0)


def test_program_that_does_not_exist(tmp_path: Path) -> None:
    """A missing program or folder is named in an error of ours."""
    with pytest.raises(ProcessError, match=r"server could not be started.*no-such-program --x"):
        start(["no-such-program", "--x"], name="server")
    with pytest.raises(ProcessError, match="no such folder"):
        start([sys.executable], name="server", cwd=tmp_path / "no such folder")


def test_shell_line_is_refused() -> None:
    """One string is not a command."""
    with pytest.raises(TypeError, match="list of arguments, got the string 'ls -l'"):
        start("ls -l", name="child")


def test_descriptors_are_given_back() -> None:
    """Starting and stopping, and failing to start, leave no descriptor open."""
    before = psutil.Process().num_fds()
    with start(python(""), name="child"):
        pass
    with pytest.raises(ProcessError):
        start(["no-such-program"], name="child")
    assert psutil.Process().num_fds() == before


def test_stop_lets_the_child_drain() -> None:
    """SIGTERM comes once, the child takes its time, and its status is returned."""
    code = """
def drain(*_):
    print("draining")
    threading.Event().wait(0.1)
    sys.exit(7)
signal.signal(signal.SIGTERM, drain)
die_with_parent()
report(up=True)
"""
    with start(python(code + WAIT), name="child") as child:
        child.wait_report()
        assert child.running
        assert child.returncode is None
        assert child.stop() == 7
    assert not child.running
    assert child.returncode == 7
    assert child.log_tail() == "draining"


def test_stop_kills_who_does_not_drain() -> None:
    """A child that ignores SIGTERM is killed after the limit."""
    with start(python(f"{IGNORING}; report(up=True){WAIT}"), name="child") as child:
        child.wait_report()
        before = time.monotonic()
        assert child.stop(drain_timeout_s=0.2) == -signal.SIGKILL
        assert 0.2 <= time.monotonic() - before < SOON_S


def test_limit_on_drain_comes_from_the_limits() -> None:
    """Without an argument, the end of the block allows what the limits say."""
    limits = Limits(drain_timeout_s=0.05)
    with start(python(f"{IGNORING}; report(up=True){WAIT}"), name="c", limits=limits) as child:
        child.wait_report()
    assert child.returncode == -signal.SIGKILL


def test_stopping_again_does_nothing() -> None:
    """Stop may be called twice, from two threads, and after the child has ended by itself."""
    with start(python("sys.exit(2)"), name="child") as child:
        child.wait(LONG_S)
        threads = [threading.Thread(target=child.stop) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert child.stop() == child.stop() == 2
    assert child.returncode == 2


def test_stop_wakes_a_thread_that_waits_for_reports() -> None:
    """A thread in next_report gets None when another stops the child."""
    answers = []
    with start(python(WAIT), name="child") as child:
        reader = threading.Thread(target=lambda: answers.append(child.next_report(LONG_S)))
        reader.start()
        child.stop()
        reader.join(SOON_S)
    assert answers == [None]


@pytest.mark.parametrize("end", ["stop", "drain", "exit"])
def test_grandchildren_do_not_survive(end: str, strays: list[int]) -> None:
    """Whatever the child started is gone with it: killed, drained or ended by itself."""
    code = f"""
if sys.argv[1] == "drain": signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
{STUBBORN}
report(pid=stubborn.pid)
if sys.argv[1] == "exit": os._exit(0)
{WAIT}"""
    with start(python(code, end), name="child") as child:
        pid = child.wait_report()["pid"]
        strays.append(pid)
        if end == "exit":
            child.wait(LONG_S)
        else:
            child.stop()
        assert wait_gone(pid)


def test_ctrl_c_while_draining_kills(strays: list[int]) -> None:
    """Ctrl-C during a long drain ends the wait and the child."""
    code = f"""
signal.signal(signal.SIGTERM, lambda *_: os.kill(os.getppid(), signal.SIGINT))
report(up=True){WAIT}"""
    child = start(python(code), name="child")
    strays.append(child.pid)
    child.wait_report()
    with pytest.raises(KeyboardInterrupt):
        child.stop(LONG_S)
    assert child.wait(SOON_S) == -signal.SIGKILL
    child.stop()


def test_words_for_people() -> None:
    """The representation tells name, process id and state."""
    with start(python("sys.exit(3)"), name="child") as child:
        child.wait(LONG_S)
        assert repr(child) == f"<ManagedProcess 'child' pid {child.pid}: ended with exit status 3>"


def test_limits_are_fixed() -> None:
    """Limits are values: nobody changes the defaults for others."""
    with pytest.raises(AttributeError):
        DEFAULT_LIMITS.drain_timeout_s = 1.0  # type: ignore[misc]
