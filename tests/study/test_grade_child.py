"""The process that runs an answer: what it tells of errors, and what it keeps from the answer."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from support.small_labs import CHECKS, write_lab

from mlref.study.grading import ExerciseResult, grade
from mlref.study.labs.lab import Lab

Graded = Callable[[str], ExerciseResult]
WRITTEN = """import os
for fd in range(3, 1024):
    try:
        os.write(fd, rb'{line}' + bytes([10]))
    except OSError:
        pass"""
POOL = """import math, multiprocessing as m
def f(n):
    return n
with m.get_context({start!r}).Pool(1) as pool:
    total = {call}"""


@pytest.fixture
def lab(tmp_path: Path) -> Lab:
    """A whole lab with three exercises."""
    return write_lab(tmp_path / "labs")


@pytest.fixture
def total(lab: Lab) -> Graded:
    """Grades code as the answer to `total`."""
    return lambda code: grade(lab, "total", f"# answer: total\n{code}")


def test_a_library_that_lacks_something_is_an_error_and_not_a_hole(total: Graded) -> None:
    """NotImplementedError from code that the answer calls is told with the answer's line."""
    result = total("import decimal, numbers\nnumbers.Complex.__neg__(1)\ntotal = 6")
    assert result.status == "error"
    assert result.message.startswith("line 3 of your cell (`numbers.Complex.__neg__(1)`)")


@pytest.mark.parametrize(
    ("code", "told", "advice"),
    [
        ("total = (", "line 2 of your cell (`total = (`): SyntaxError: '(' was never", ""),
        ("bytes(2**62)", "line 2 of your cell (`bytes(2**62)`): MemoryError", "memory limit"),
        ("if total:\ntotal = 6", "line 3 of your cell (`total = 6`): IndentationError", "four"),
        ("await f()", "line 2 of your cell (`await f()`): SyntaxError: 'await' outside", "await"),
        ("%timeit 1", "line 2 of your cell (`%timeit 1`): SyntaxError", "without % or !"),
        ("import sys\nsys.exit()", "line 3 of your cell (`sys.exit()`): SystemExit", "exit()"),
        ("total = nubmers", "NameError: name 'nubmers'", "given cells above"),
        ("total = input()", "EOFError", "nobody is there to type"),
        ("import helpers_of_mine", "ModuleNotFoundError", "a module of your own"),
        ("open('rows.csv')", "FileNotFoundError", "empty folder"),
    ],
)
def test_common_errors_come_with_advice(total: Graded, code: str, told: str, advice: str) -> None:
    """What learners meet often is told with what to do about it."""
    result = total(code)
    assert result.status == "error"
    assert told in result.message
    assert advice in result.why


def test_an_exception_whose_text_raises_is_told_by_its_name(total: Graded) -> None:
    """The grader survives an exception that cannot be printed."""
    result = total("class Odd(Exception):\n    def __str__(self): 1 / 0\nraise Odd")
    assert result.message.endswith(": Odd")


def test_checks_of_a_second_file_are_run(lab: Lab, total: Graded) -> None:
    """They come after those of checks.py, and decide as well."""
    more = CHECKS.replace("answer.total != 6", "answer.total == 6")
    (lab.folder / "checks_more.py").write_text(more)
    result = total("total = 6")
    assert result.status == "failed"
    assert [check.passed for check in result.checks] == [True, True, True, False]


def test_a_hole_is_to_do_whatever_its_error_went_through(total: Graded) -> None:
    """Neither a group of tasks nor a process between them makes an error of it."""
    group = "async def f():\n    async with asyncio.TaskGroup() as g: g.create_task(hole())"
    hole = "import asyncio\nasync def hole():\n    todo('rows')"
    assert total(f"{hole}\n{group}\nasyncio.run(f())").message == "not written yet: rows"
    assert total(POOL.format(start="fork", call="pool.map(todo, ['rows'])")).status == "todo"


def test_a_group_of_errors_is_told_by_its_first(total: Graded) -> None:
    """The error itself is of use, not that there was one in a group."""
    result = total("raise ExceptionGroup('all', [ValueError('this one'), KeyError('that')])")
    assert result.message.endswith("ValueError: this one")


def test_a_debugger_that_was_left_in_the_answer_is_no_obstacle(total: Graded) -> None:
    """breakpoint() does nothing, and no tracer looks at the checks."""
    assert total("import sys\nbreakpoint()\nsys.settrace(lambda *a: 1 / 0)\ntotal = 6").passed


def test_display_is_there_as_in_a_notebook(total: Graded) -> None:
    """What it shows is printed."""
    result = total("display('a', 'b', display_id='c')\ntotal = 7")
    assert (result.status, result.output) == ("failed", "a b")


def test_an_answer_that_replaces_the_output_is_graded(total: Graded) -> None:
    """sys.stdout = None is odd, and no obstacle."""
    assert total("import sys\nsys.stdout = None\ntotal = 6").passed


def test_a_fork_that_runs_on_does_not_report(total: Graded) -> None:
    """The answer of the process that was asked counts, not that of its copy."""
    fork = "import os\nfork = os.fork()\ntotal = 6 if fork else 7"
    assert total(f"{fork}\nif fork: os.waitpid(fork, 0)").passed


def test_what_an_answer_reports_goes_nowhere(total: Graded) -> None:
    """report() in an answer is as in a program without a parent: no harm, and no way to pass."""
    report = "from mlref.runtime.process import report; report(status='passed', checks=[])"
    assert total(f"{report}\ntotal = 7").status == "failed"
    assert total(f"{report}\ntotal = 6").passed


@pytest.mark.parametrize("line", ["junk", '{"status": "passed", "token": "guess"}', "[]"])
def test_an_answer_cannot_write_that_it_passed(total: Graded, line: str) -> None:
    """What the answer itself writes to the pipe of the results is not believed."""
    result = total(f"{WRITTEN.format(line=line)}\ntotal = 7")
    assert (result.status, result.checks) == ("error", ())
    assert "the grader's own pipe" in result.message


@pytest.mark.parametrize(
    "code",
    [
        "import socket; socket.create_connection(('192.0.2.1', 80))",
        "import socket; socket.getaddrinfo('example.com', 80)",
        "import socket; socket.gethostbyname('example.com')",
        "import socket; socket.gethostbyaddr('192.0.2.1')",
        "import urllib.request; urllib.request.urlopen('http://example.com')",
        "import socket; socket.socket(type=socket.SOCK_DGRAM).sendto(b'x', ('192.0.2.1', 9))",
        "import socket; socket.socket(socket.AF_INET6).connect(('2001:db8::1', 80))",
        "import asyncio; asyncio.run(asyncio.open_connection('192.0.2.1', 80))",
        "import asyncio; asyncio.run(asyncio.open_connection('example.com', 80))",
    ],
)
def test_another_machine_is_refused(total: Graded, code: str) -> None:
    """Connecting, sending and looking up a name are refused at once, with what is allowed."""
    result = total(code)
    assert result.status == "error"
    assert "the grader refuses" in result.message
    assert "127.0.0.1 or localhost" in result.message


@pytest.mark.parametrize(
    ("family", "host"), [("AF_INET", "127.0.0.1"), ("AF_INET", "localhost"), ("AF_INET6", "::1")]
)
def test_this_machine_is_allowed(total: Graded, family: str, host: str) -> None:
    """A server of the answer's own can be asked, over both protocols."""
    result = total(
        f"import socket\nserver = socket.create_server(({host!r}, 0), family=socket.{family})\n"
        f"client = socket.create_connection(server.getsockname()[:2])\n"
        f"server.accept()[0].sendall(b'6')\ntotal = int(client.recv(1))"
    )
    assert result.passed, result.message


def test_sockets_of_other_kinds_are_allowed(total: Graded) -> None:
    """A socket in the file system reaches no other machine."""
    code = "import socket\ns = socket.socket(socket.AF_UNIX)\ns.bind('s')\ns.listen()\n"
    code += "socket.socket(socket.AF_UNIX).connect('s')\ntotal = 6"
    assert total(code).passed


def test_credentials_are_out_of_reach(total: Graded, monkeypatch: pytest.MonkeyPatch) -> None:
    """An answer sees neither keys nor the permission to spend; other variables it does."""
    names = "AWS_SECRET_ACCESS_KEY", "MLREF_ALLOW_AWS", "KAGGLE_KEY", "GH_TOKEN", "PLAIN"
    for name in names:
        monkeypatch.setenv(name, "1")
    result = total(f"import os\nprint([n for n in {names!r} if n in os.environ])\ntotal = 0")
    assert result.output == "['PLAIN']"


def test_no_proxy_leads_elsewhere(total: Graded, monkeypatch: pytest.MonkeyPatch) -> None:
    """A proxy on this machine would pass on what the grader refuses."""
    for name in ("http_proxy", "HTTPS_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    result = total("import urllib.request as u\nprint([*u.getproxies()])\ntotal = 0")
    assert result.output == "['no']"


@pytest.mark.parametrize(
    "code",
    [
        "import pickle\nclass C: pass\ntotal = 6 * isinstance(pickle.loads(pickle.dumps(C())), C)",
        "from dataclasses import dataclass\n@dataclass\nclass D:\n    n: int\ntotal = D(6).n",
        "import inspect\ndef f():\n    return 6\ntotal = 6 * ('return 6' in inspect.getsource(f))",
        POOL.format(start="fork", call="sum(pool.map(f, numbers))"),
        POOL.format(start="spawn", call="pool.map(math.factorial, [3])[0]"),
        "größe = 'ä€😀'\ntotal = 6 * (len(größe) == 3)",
        "total = 6 if __name__ == '__main__' else 0",
    ],
    ids=["pickle", "dataclass", "source", "fork", "spawn", "unicode", "main"],
)
def test_an_answer_is_a_module_like_any_other(total: Graded, code: str) -> None:
    """What works in a notebook's cell works in the grader."""
    result = total(code)
    assert result.passed, result.message


@pytest.mark.parametrize("code", ["total = '\ud800'", "total = 6\0"])
def test_characters_that_no_file_can_hold_are_an_error(total: Graded, code: str) -> None:
    """A damaged cell is told as an error of the answer, and does not end the grader."""
    assert total(code).status in {"error", "failed"}


ABSENT = '''

@exercise("total")
def it_is_run(answer):
    """It is run."""
    leave_out("it was not run", part="cray", how="buy one")


@exercise("total")
def it_is_even(answer):
    """It is even."""
    if answer.total % 2:
        reject("it is odd", why="half of it is no whole number")
'''


@pytest.fixture
def lab_that_needs_a_cray(tmp_path: Path) -> Lab:
    """A lab with one check that cannot be made here, and another behind it."""
    checks = CHECKS.replace("import exercise", "import exercise, leave_out") + ABSENT
    return write_lab(tmp_path / "labs", checks=checks.replace("total != 6", "total < 6"))


def test_a_check_that_needs_what_is_not_here_is_left_out_and_told(
    lab_that_needs_a_cray: Lab,
) -> None:
    """The answer passes by the other checks, and the result says what was not made."""
    result = grade(lab_that_needs_a_cray, "total", "total = 6")
    assert [check.passed for check in result.checks] == [True, True, None, True]
    assert (result.status, result.message, result.why) == ("passed", "it was not run", "buy one")


def test_the_checks_behind_one_that_is_left_out_still_decide(lab_that_needs_a_cray: Lab) -> None:
    """What is missing here is no excuse for what is wrong."""
    result = grade(lab_that_needs_a_cray, "total", "total = 7")
    assert (result.status, result.message) == ("failed", "it is odd")


def test_where_a_part_is_required_its_check_is_not_left_out(
    lab_that_needs_a_cray: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In CI, what was not made has not passed."""
    monkeypatch.setenv("MLREF_REQUIRE", "redis,cray")
    result = grade(lab_that_needs_a_cray, "total", "total = 6")
    assert (result.status, result.message) == ("failed", "it was not run")
