"""Reports, readiness and the log of a child process. All children here are real."""

from __future__ import annotations

import math
import os
import signal
import subprocess
import tempfile
import time
from typing import TYPE_CHECKING

import psutil
import pytest
from support.children import (
    LONG_S,
    SOON_S,
    WAIT,
    python,
    wait_gone,
)

from mlref.errors import ProcessError, ProcessExitedError, ProcessNotReadyError
from mlref.runtime.process import Limits, die_with_parent, report, start

if TYPE_CHECKING:
    from pathlib import Path


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


@pytest.mark.parametrize("line", [b"hello", b"[1]", b"\xff", b"[" * 100_000])
def test_line_that_is_no_object(line: bytes) -> None:
    """Anything but a JSON object on the pipe is an error that shows the line."""
    code = f"os.write(int(os.environ['MLREF_REPORT_FD']), {line!r} + b'\\n')"
    with (
        start(python(code), name="child") as child,
        pytest.raises(ProcessError, match="one JSON object a line") as caught,
    ):
        child.wait_report()
    assert repr(line[:200]) in str(caught.value)


def test_line_without_an_end_is_an_error() -> None:
    """A flood does not fill the parent's memory; what was whole before it is still there."""
    code = """
pipe = int(os.environ["MLREF_REPORT_FD"])
os.write(pipe, b'{"a": 1}\\n')
while True: os.write(pipe, b"x" * 1000)
"""
    limits = Limits(report_line_bytes=100_000)
    with start(python(code), name="child", limits=limits) as child:
        assert child.wait_report(LONG_S) == {"a": 1}
        with pytest.raises(ProcessError, match=r"at most 100000 bytes.*report_line_bytes"):
            child.next_report(LONG_S)
        child.wait(LONG_S)  # by a broken pipe, as nobody reads on


def test_longest_line_is_a_report() -> None:
    """One byte more is an error."""
    code = "report(text='x' * 89)\nreport(text='x' * 90)"  # lines of 101 and 102 bytes
    with start(python(code), name="child", limits=Limits(report_line_bytes=101)) as child:
        assert child.wait_report(LONG_S) == {"text": "x" * 89}
        with pytest.raises(ProcessError, match="at most 101 bytes"):
            child.wait_report(LONG_S)


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
print(sorted(name for name in os.environ if name.startswith("MLREF_") and name.endswith("_FD")))
'''
command = [sys.executable, "-c", look, *descriptors]
done = subprocess.run(command, close_fds=False, capture_output=True, text=True)
report(lines=done.stdout.split("\\n"))
"""
    with start(python(code), name="child") as child:
        assert child.wait_report() == {"lines": ["closed", "closed", "[]", ""]}


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


def test_log_tail_shows_of_a_progress_bar_what_a_terminal_would() -> None:
    """What was overwritten in place is no line of its own."""
    with start(python(r"print('\r10 %\r99 %\rdone', 'next', sep='\r\n')"), name="demo") as child:
        child.wait(SOON_S)
        assert child.log_tail() == "done\nnext"


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
