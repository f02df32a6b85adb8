"""`mlref cloud`, as a user types it."""

from __future__ import annotations

import os
import re
import shlex
import signal
import threading
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import pytest
import typer
from support.waiting import until
from typer.testing import CliRunner

from mlref import aws
from mlref.aws.local import background
from mlref.aws.local.cloud import Cloud
from mlref.cli import _cloud
from mlref.cli._group import Group

_ENVIRONMENT = {"COLUMNS": "80", "TERM": "dumb", "NO_COLOR": "1"}


def _typed(*words: object, answer: str = "", **variables: str) -> tuple[int, str]:
    """The exit status and everything printed, in a terminal of 80 columns without colours."""
    app = typer.Typer(cls=Group)
    app.callback()(lambda: None)
    _cloud.add_to(app)
    done = CliRunner().invoke(
        app, ["cloud", *map(str, words)], env=_ENVIRONMENT | variables, input=answer
    )
    return done.exit_code, done.output


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A cache folder of this test's own; what runs there ends with the test."""
    monkeypatch.setenv("MLREF_CACHE", str(tmp_path))
    for name in [each for each in os.environ if each.startswith("AWS_")]:
        monkeypatch.delenv(name)
    yield
    found = background.find()
    if found is not None:
        background.end(found)


@pytest.fixture
def url() -> str:
    """The address of a local AWS that `mlref cloud start` began."""
    status, text = _typed("start", "--port", 0, "--seed", 3)
    assert status == 0, text
    found = background.find()
    assert found is not None
    return found.url


def test_start_says_what_a_shell_needs(monkeypatch: pytest.MonkeyPatch) -> None:
    """The lines it prints are pasted; then boto3 with nothing else speaks to it."""
    status, text = _typed("start", "--port", 0)
    assert status == 0
    lines = [line.strip() for line in text.splitlines() if line.strip().startswith("export ")]
    for line in lines:
        for pair in shlex.split(line)[1:]:
            monkeypatch.setenv(*pair.split("=", 1))
    import boto3

    assert boto3.Session().client("s3").list_buckets()["Buckets"] == []
    assert text.endswith("end it: mlref cloud stop\n")


def test_start_twice_names_the_first(url: str) -> None:
    """The second is refused, and says how to end the first."""
    status, text = _typed("start", "--port", 0)
    assert status == 1
    assert f"a local AWS runs already at {url}; `mlref cloud stop` ends it" in text


def test_status_tells_what_runs(url: str) -> None:
    """Address, seed and operations; and those of a service on request, one a line."""
    status, text = _typed("status")
    assert status == 0
    assert f"a local AWS answers on {url}" in text
    assert "seed         3" in text
    assert "workers are  processes" in text
    assert "no endpoint" in text
    status, text = _typed("status", "--operations", "sagemaker")
    assert status == 0
    assert "CreateEndpoint" in text.splitlines()


def test_an_unknown_service_is_told_with_those_there_are(url: str) -> None:
    """A usage error: status 2."""
    assert url
    status, text = _typed("status", "--operations", "sagemakr")
    assert status == 2
    assert "does not have 'sagemakr'; it has application-autoscaling" in " ".join(
        text.replace("│", "").split()
    )


def test_without_one_each_command_says_how_to_get_it() -> None:
    """Status 3 from `status`, as services have it; 1 from what cannot be done; 0 from `stop`."""
    hint = "no local AWS runs; start one: mlref cloud start"
    assert _typed("status") == (3, f"{hint}\n")
    for words in (["ls"], ["nuke"], ["advance", "1m"]):
        assert _typed(*words) == (1, f"error: {hint}\n")
    assert _typed("stop") == (0, "no local AWS runs\n")


def test_stop_ends_it(url: str) -> None:
    """And a second stop has nothing to do."""
    assert _typed("stop") == (0, f"ended {url}\n")
    assert _typed("stop") == (0, "no local AWS runs\n")


def test_a_killed_one_is_told_once() -> None:
    """What was in it is lost, which nobody should find out by wondering."""
    begun = background.begin(port=0)
    os.kill(begun.pid, signal.SIGKILL)
    until(lambda: background.find() is None)
    status, text = _typed("status")
    assert status == 3
    assert "was killed; what was in it is lost" in text
    assert "was killed" not in _typed("status")[1]


@pytest.mark.parametrize(
    ("typed", "seconds"), [("90", 90), ("90s", 90), ("1.5m", 90), ("1h30m", 5400), ("2d", 172800)]
)
def test_advance_takes_times_as_people_write_them(url: str, typed: str, seconds: float) -> None:
    """The clock in it goes on by that much, and it says what time it is then."""
    before = datetime.fromisoformat(str(Cloud(url).status()["now"]))
    status, text = _typed("advance", typed)
    assert status == 0
    found = re.fullmatch(r"it is (.+) UTC in the local AWS\n", text)
    assert found is not None
    after = datetime.fromisoformat(f"{found[1]}+00:00")
    assert seconds - 1 <= (after - before).total_seconds() < seconds + 30


@pytest.mark.parametrize("typed", ["", "soon", "5 m", "1w", "-5", "-1h", "--soon", "m5"])
def test_what_is_no_time_is_told(typed: str) -> None:
    """With how to write one."""
    status, text = _typed("advance", typed)
    assert status == 2
    assert "write 90, 90s, 10m, 2h, 1d or" in " ".join(text.replace("│", "").split())


def _created(url: str, name: str) -> None:
    """A bucket with an object, and a topic, made in a session."""
    account = aws.session(at=Cloud(url), name=name)
    account.client("s3").create_bucket(Bucket=f"bucket-{name}")
    account.client("s3").put_object(Bucket=f"bucket-{name}", Key="a", Body=b"1")
    account.client("sns").create_topic(Name=f"topic-{name}")


def test_ls_and_nuke_of_one_session(url: str) -> None:
    """What the other session made stays; a dry run and a "no" delete nothing."""
    _created(url, "one")
    _created(url, "two")
    status, text = _typed("ls", "--session", "one")
    assert status == 0
    assert "s3:::bucket-one" in text
    assert "bucket-two" not in text
    status, text = _typed("nuke", "--session", "one", "--dry-run")
    assert (status, text.count("would be deleted")) == (0, 2)
    status, text = _typed("nuke", "--session", "one", answer="n\n")
    assert status == 1
    assert "delete 2 resources of the local AWS? [y/N]" in text
    assert "bucket-one" in _typed("ls")[1]
    status, text = _typed("nuke", "--session", "one", answer="y\n")
    assert status == 0
    assert text.count(" deleted") == 2
    status, text = _typed("ls")
    assert "bucket-one" not in text
    assert "bucket-two" in text


def test_nuke_of_what_has_expired(url: str) -> None:
    """Everything stands for four hours, by the clock of the local AWS."""
    _created(url, "fresh")
    for words in (("ls", "--expired"), ("nuke", "--expired", "--yes")):
        status, text = _typed(*words)
        assert status == 0
        assert "nothing is left behind whose time is over; sessions with resources: fresh" in text
    status, text = _typed("ls", "--session", "nobody")
    assert "nothing is left behind by a session 'nobody'; there are: fresh" in text
    Cloud(url).advance(5 * 3600)
    assert "topic-fresh" in _typed("ls", "--expired")[1]
    status, text = _typed("nuke", "--expired", "-y")
    assert status == 0
    assert "topic-fresh" in text
    status, text = _typed("ls")
    assert (status, "nothing carries the tag mlref:session" in text) == (0, True)


def test_an_address_where_nothing_answers_is_told(url: str) -> None:
    """The variable is named, and what to do."""
    stale = "http://127.0.0.1:9"
    status, text = _typed("status", AWS_ENDPOINT_URL=stale)
    assert status != 0
    error = _typed_error("status", AWS_ENDPOINT_URL=stale)
    assert f"AWS_ENDPOINT_URL is {stale}" in error
    assert f"export AWS_ENDPOINT_URL={url}, or unset it" in error
    _typed("stop")
    status, text = _typed("status", AWS_ENDPOINT_URL=stale)
    assert status == 3
    assert f"AWS_ENDPOINT_URL is {stale}, and nothing answers there; unset it" in text


def test_another_server_is_told_from_a_local_aws() -> None:
    """Some server that answers something else on the port."""
    from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

    class Other(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.send_response(501)
            self.end_headers()
            self.wfile.write(b"<html>")

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Other) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        there = f"http://127.0.0.1:{server.server_port}"
        error = _typed_error("status", AWS_ENDPOINT_URL=there)
        server.shutdown()
    assert f"what answers at {there} is no local AWS of mlref" in error


def _typed_error(*words: str, **variables: str) -> str:
    """What a command that fails raises, as the command line tells it."""
    app = typer.Typer(cls=Group)
    app.callback()(lambda: None)
    _cloud.add_to(app)
    done = CliRunner().invoke(app, ["cloud", *words], env=_ENVIRONMENT | variables)
    assert done.exit_code != 0
    return f"{done.exception} {done.output}"


def test_what_is_still_there_is_told_with_status_1(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The reason stands beside it."""
    _created(url, "stuck")
    sweep = aws.sweep.Sweep(("arn:aws:sns:x",), {"arn:aws:s3:::b": "Conflict: in use"})
    monkeypatch.setattr(aws, "nuke", lambda *_, **__: sweep)
    status, text = _typed("nuke", "-y")
    assert status == 1
    assert "s3:::b  still there: Conflict: in use" in " ".join(text.split()).replace(
        "s3:::b still", "s3:::b  still"
    )


def test_the_environment_comes_first(url: str) -> None:
    """AWS_ENDPOINT_URL names a local AWS for every client, so for this one, too."""
    with aws.start() as other:
        status, text = _typed("status", AWS_ENDPOINT_URL=other.url)
        assert status == 0
        assert other.url in text
        assert url not in text
        assert "workers are" not in text  # nobody has written down what they are


def test_an_address_elsewhere_is_refused() -> None:
    """Nothing is sent there."""
    status, text = _typed("status", AWS_ENDPOINT_URL="https://example.com")
    assert status == 1
    assert "AWS_ENDPOINT_URL is https://example.com, which is not on this machine" in text


def test_real_aws_is_refused_until_it_is_allowed() -> None:
    """To list is free, but the variable is what says that this account is meant."""
    status, text = _typed("nuke", "--cloud", "aws", "--yes")
    assert status == 1
    assert "set MLREF_ALLOW_AWS=1 in the environment" in text


def test_real_aws_without_credentials_is_told_in_a_line(tmp_path: Path) -> None:
    """And not by a traceback; nothing is sent, as there is nothing to sign with."""
    nowhere = {
        "AWS_CONFIG_FILE": str(tmp_path / "none"),
        "AWS_SHARED_CREDENTIALS_FILE": str(tmp_path / "none"),
        "AWS_EC2_METADATA_DISABLED": "true",
    }
    status, text = _typed(
        "ls", "--cloud", "aws", "--region", "us-east-1", MLREF_ALLOW_AWS="1", **nowhere
    )
    assert status == 1
    assert text == "error: AWS: Unable to locate credentials\n"


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["ls", "--cloud", "gcp"], "'gcp' is none of local, aws"),
        (["ls", "--region", "eu-west-1"], "goes with --cloud aws"),
    ],
)
def test_what_is_wrong_is_told(words: list[str], told: str) -> None:
    """A usage error: status 2."""
    status, text = _typed(*words)
    assert status == 2
    assert told in " ".join(text.replace("│", "").split())
