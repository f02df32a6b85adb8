"""Child processes report, are watched, and never outlive their parent.

All children here are real. Those that must be looked at after their parent was killed are listed in
`strays`, so that a failing test leaves nothing behind.
"""

from __future__ import annotations

import json
import math
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import suppress
from typing import TYPE_CHECKING

import psutil
import pytest

from mlref.errors import PortInUseError, ProcessError, ProcessExitedError, ProcessNotReadyError
from mlref.runtime.process import DEFAULT_LIMITS, Limits, bind, die_with_parent, report, start

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

LONG_S = 60.0  # a limit that no passing test comes near
SOON_S = 10.0  # what "at once" may take on a busy machine; far below LONG_S

IMPORTS = """
import os, signal, subprocess, sys, threading
from mlref.runtime.process import Limits, die_with_parent, report, start
"""
# Not signal.pause(): a signal that comes just before it is not handled until the next one.
WAIT = "\nwhile True: threading.Event().wait(0.02)\n"
IGNORING = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN)"
# A grandchild in the child's own group that takes no hint; the child goes on when it is set up.
STUBBORN_CODE = f"import sys; {IGNORING}; sys.stdout.write('x'); sys.stdout.flush(); signal.pause()"
STUBBORN = f"""
command = [sys.executable, "-c", {STUBBORN_CODE!r}]
stubborn = subprocess.Popen(command, stdout=subprocess.PIPE)
stubborn.stdout.read(1)
"""


def python(code: str, *arguments: str) -> list[str]:
    """The command that runs a piece of Python with mlref's names at hand."""
    return [sys.executable, "-c", IMPORTS + code, *arguments]


def wait_gone(pid: int) -> bool:
    """Whether a process ends soon; one that only waits to be reaped has ended."""
    deadline = time.monotonic() + SOON_S
    pause = threading.Event()
    while time.monotonic() < deadline:
        try:
            if psutil.Process(pid).status() == psutil.STATUS_ZOMBIE:
                return True
        except psutil.NoSuchProcess:
            return True
        pause.wait(0.01)
    return False


@pytest.fixture
def strays() -> Iterator[list[int]]:
    """Process ids to kill after the test, if they still exist."""
    pids: list[int] = []
    yield pids
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


# --- reports --------------------------------------------------------------------------------------


def test_report_arrives() -> None:
    """What the child reports is what the parent gets."""
    with start(python("report(port=40123, name='é', parts=[1, None])"), name="child") as child:
        assert child.wait_report() == {"port": 40123, "name": "é", "parts": [1, None]}


def test_reports_keep_their_order_and_end() -> None:
    """Many reports arrive in order; after the last comes None, as often as one asks."""
    code = "for number in range(2000): report(number=number)"
    with start(python(code), name="child") as child:
        numbers = [values["number"] for values in child.reports(LONG_S)]
        assert numbers == list(range(2000))
        assert child.next_report(0) is None
        assert child.wait(LONG_S) == 0


def test_report_larger_than_the_pipe() -> None:
    """A report of a megabyte, far more than a pipe holds, arrives whole."""
    with start(python("report(text='x' * 1_000_000)"), name="child") as child:
        assert child.next_report(math.inf) == {"text": "x" * 1_000_000}


def test_silence_is_a_timeout() -> None:
    """No report within the limit is a TimeoutError that tells the limit."""
    with start(python(WAIT), name="quiet child") as child:
        with pytest.raises(ProcessNotReadyError, match=r"quiet child .* no report within 0 s"):
            child.next_report(0)
        with pytest.raises(TimeoutError, match=r"within 0\.05 s"):
            child.wait_report(0.05)
        assert child.running


def test_unfinished_line_is_no_report() -> None:
    """What a child did not finish before it died is dropped; what it finished is kept."""
    code = "os.write(int(os.environ['MLREF_REPORT_FD']), b'{\"a\": 1}\\n{\"b\": ')"
    with start(python(code), name="child") as child:
        assert list(child.reports(LONG_S)) == [{"a": 1}]


@pytest.mark.parametrize("line", [b"hello", b"[1]", b"\xff"])
def test_line_that_is_no_object(line: bytes) -> None:
    """Anything but a JSON object on the pipe is an error that shows the line."""
    code = f"os.write(int(os.environ['MLREF_REPORT_FD']), {line!r} + b'\\n')"
    with (
        start(python(code), name="child") as child,
        pytest.raises(ProcessError, match="one JSON object a line") as caught,
    ):
        child.wait_report()
    assert repr(line) in str(caught.value)


def test_early_exit_is_noticed_at_once() -> None:
    """A child that ends instead of reporting is an error at once, with status and log."""
    before = time.monotonic()
    with (
        start(python("print('no such model'); sys.exit(3)"), name="server") as child,
        pytest.raises(ProcessExitedError, match="exit status 3 before it reported") as caught,
    ):
        child.wait_report(LONG_S)
    assert time.monotonic() - before < SOON_S
    assert caught.value.log_tail == "no such model"
    assert "server (pid " in str(caught.value)
    assert str(caught.value).endswith("no such model")


def test_early_exit_is_noticed_though_the_pipe_is_held(strays: list[int]) -> None:
    """A daemon that the child left behind and that holds the pipe does not hide its end."""
    code = """
if os.fork() == 0:
    os.setsid()
    report(pid=os.getpid())
    os.kill(os.getppid(), signal.SIGUSR1)
signal.pause()"""
    with start(python(code), name="child") as child:
        strays.append(child.wait_report()["pid"])
        before = time.monotonic()
        with pytest.raises(ProcessExitedError, match="ended by SIGUSR1 before it reported"):
            child.wait_report(LONG_S)
        assert time.monotonic() - before < SOON_S
        assert psutil.pid_exists(strays[0])


def test_reports_outlive_the_child() -> None:
    """A report that nobody had read when the child ended is still there after stop."""
    with start(python("report(a=1)"), name="child") as child:
        assert wait_gone(child.pid)
        child.stop()
        assert list(child.reports(0)) == [{"a": 1}]


def test_closed_pipe_is_told_from_an_exit() -> None:
    """A child that closes the pipe and lives on is not ready, not ended."""
    code = f"os.close(int(os.environ['MLREF_REPORT_FD'])){WAIT}"
    with (
        start(python(code), name="child") as child,
        pytest.raises(ProcessNotReadyError, match="closed its report pipe"),
    ):
        child.wait_report(0.5)


def test_parent_that_does_not_read_cannot_block_the_end() -> None:
    """A child that has filled the pipe drains all the same; its last reports are still there."""
    code = """
def drain(*_):
    report(last=True)
    sys.exit(5)
signal.signal(signal.SIGTERM, drain)
report(ready=True)
for number in range(100_000): report(number=number)
"""
    with start(python(code), name="child") as child:
        child.wait_report()
        assert child.stop() == 5
        values = list(child.reports(0))
    assert values[-1] == {"last": True}


def test_report_without_a_parent_does_nothing() -> None:
    """Outside a child nothing happens, but a value that JSON cannot hold is still refused."""
    report(port=1)
    assert die_with_parent() is False
    with pytest.raises(TypeError, match="not JSON serializable"):
        report(port=object())
    with pytest.raises(ValueError, match="JSON compliant"):
        report(loss=math.nan)


@pytest.mark.parametrize("descriptor", ["99", "1", "-1", "x", ""])
def test_stale_variable_is_ignored(descriptor: str, tmp_path: Path) -> None:
    """A variable that came without its pipe names nothing, or something else; it is not used."""
    code = "report(a=1)\nprint(die_with_parent())"
    env = os.environ | {"MLREF_REPORT_FD": descriptor, "MLREF_PARENT_FD": descriptor}
    with (tmp_path / "out").open("w") as out:  # a file, so that descriptor 1 is not a pipe
        subprocess.run(python(code), env=env, stdout=out, check=True)
    assert (tmp_path / "out").read_text() == "False\n"


def test_child_keeps_its_pipes_to_itself() -> None:
    """The children of a child get neither the variables nor the descriptors."""
    code = """
descriptors = [os.environ["MLREF_REPORT_FD"], os.environ["MLREF_PARENT_FD"]]
die_with_parent()
look = '''
import os, sys
for descriptor in sys.argv[1:]:
    try:
        print(os.fstat(int(descriptor)))
    except OSError:
        print("closed")
print(sorted(name for name in os.environ if name.startswith("MLREF_")))
'''
command = [sys.executable, "-c", look, *descriptors]
done = subprocess.run(command, close_fds=False, capture_output=True, text=True)
report(lines=done.stdout.split("\\n"))
"""
    with start(python(code), name="child") as child:
        assert child.wait_report() == {"lines": ["closed", "closed", "[]", ""]}


# --- readiness and the log ------------------------------------------------------------------------


def test_wait_ready_returns_when_the_condition_holds(tmp_path: Path) -> None:
    """The condition is asked until it holds, and not after."""
    answers = iter([False, False, True])
    with start(python(WAIT), name="child") as child:
        child.wait_ready(lambda: next(answers))
        assert next(answers, "used up") == "used up"
    with start(python(f"open('up', 'w').close(){WAIT}"), name="child", cwd=tmp_path) as child:
        child.wait_ready((tmp_path / "up").exists)


def test_wait_ready_notices_the_end_at_once() -> None:
    """A child that dies while it is waited for is an error at once, with its log."""
    before = time.monotonic()
    with (
        start(python("print('port taken'); os.kill(os.getpid(), 9)"), name="server") as child,
        pytest.raises(ProcessExitedError, match="ended by SIGKILL before it was ready") as caught,
    ):
        child.wait_ready(lambda: False, LONG_S)
    assert time.monotonic() - before < SOON_S
    assert caught.value.log_tail == "port taken"


def test_somebody_else_is_not_the_child() -> None:
    """A condition that holds though the child is dead, as when a stranger answers, is not ready."""
    with start(python("sys.exit(1)"), name="child") as child:
        child.wait(LONG_S)
        with pytest.raises(ProcessExitedError, match="exit status 1"):
            child.wait_ready(lambda: True)


def test_wait_ready_gives_up() -> None:
    """A condition that never holds is a TimeoutError with the log so far."""
    with start(python(f"print('loading'); report(up=True){WAIT}"), name="server") as child:
        child.wait_report()
        with pytest.raises(ProcessNotReadyError, match=r"server .* within 0.05 s") as caught:
            child.wait_ready(lambda: False, 0.05)
    assert caught.value.log_tail == "loading"
    assert isinstance(caught.value, TimeoutError)


def test_error_of_the_condition_passes_through() -> None:
    """What the condition raises comes out as it is, and the block stops the child."""
    with pytest.raises(ZeroDivisionError), start(python(WAIT), name="child") as child:
        child.wait_ready(lambda: bool(1 / 0))
    assert child.returncode == -signal.SIGTERM


def test_wait_gives_up() -> None:
    """A child that does not end by itself is a TimeoutError, and runs on."""
    with start(python(WAIT), name="child") as child:
        with pytest.raises(ProcessNotReadyError, match="did not end within"):
            child.wait(0.05)
        assert child.running


def test_much_output_does_not_block() -> None:
    """Five megabytes of log, which nobody reads, do not hold the child up."""
    code = "for number in range(50_000): print(number, 'x' * 100)\nreport(done=True)"
    env = {"PYTHONUNBUFFERED": ""}  # an empty value switches it off: fewer system calls
    with start(python(code), name="child", env=env) as child:
        assert child.wait_report() == {"done": True}
        assert child.wait(LONG_S) == 0
        assert child.log_tail(1).startswith("49999 xxx")


def test_log_tail_has_both_streams_and_its_length() -> None:
    """The tail is the last lines of output and error output, as many as the limits say."""
    code = """
for number in range(9): print(number)
sys.stderr.buffer.write(b"oops \\xff\\n")
"""
    limits = Limits(log_tail_lines=2)
    with start(python(code), name="child", limits=limits) as child:
        child.wait(LONG_S)
        assert child.log_tail() == "8\noops \ufffd"
        assert child.log_tail(3) == "7\n8\noops \ufffd"
        assert child.log_tail(0) == ""
    assert child.log_tail() == "8\noops \ufffd"


def test_reading_the_log_does_not_disturb_it() -> None:
    """The child goes on writing at the end of its log after the parent has read it."""
    code = """
signal.signal(signal.SIGTERM, lambda *_: sys.exit(print("second")))
print("first"); report(up=True)
"""
    with start(python(code + WAIT), name="child") as child:
        child.wait_report()
        assert child.log_tail() == "first"
        child.stop()
    assert child.log_tail() == "first\nsecond"


def test_log_leaves_nothing_on_the_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The log has no name, even while the child runs."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with start(python(f"print('x'); report(up=True){WAIT}"), name="child") as child:
        child.wait_report()
        assert list(tmp_path.iterdir()) == []
        assert child.log_tail() == "x"


# --- starting -------------------------------------------------------------------------------------


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


# --- stopping -------------------------------------------------------------------------------------


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


def test_ctrl_c_while_draining_kills() -> None:
    """Ctrl-C during a long drain ends the wait and the child."""
    code = f"""
signal.signal(signal.SIGTERM, lambda *_: os.kill(os.getppid(), signal.SIGINT))
report(up=True){WAIT}"""
    child = start(python(code), name="child")
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


# --- the parent dies ------------------------------------------------------------------------------

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


# --- sockets --------------------------------------------------------------------------------------


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
