"""Secrets in an image."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from mlref import containers
from mlref.containers.image_files import open_image
from mlref.containers.leaks import leak_findings

_KEY = ("-----BEGIN RSA PRIVATE KEY-----\nMIIE\n", 0o600, 0)
_CERTIFICATE = ("-----BEGIN CERTIFICATE-----\nMIIE\n", 0o644, 0)


def _found(image: str) -> dict[str, tuple[str, ...]]:
    with open_image(image) as files:
        return {finding.rule: finding.where for finding in leak_findings(files)}


@pytest.mark.parametrize("flavour", ["service", "minimal"])
def test_our_images_hold_no_secret(request: pytest.FixtureRequest, flavour: str) -> None:
    """No false alarm on what mlref builds."""
    assert _found(request.getfixturevalue(flavour).digest) == {}


@pytest.mark.parametrize(
    "name",
    [
        "DB_PASSWORD",
        "PGPASSWORD",
        "CLIENT_SECRET",
        "HF_TOKEN",
        "OPENAI_API_KEY",
        "APIKEY",
        "AWS_SECRET_ACCESS_KEY",
        "SECRET_KEY",
    ],
)
def test_a_secret_among_the_variables_is_found(planted: Callable[..., str], name: str) -> None:
    """By its name; its value is not repeated."""
    image = planted({"/file": ("", 0o644, 0)}, f"ENV {name}=hunter2")
    report = containers.scan(image)
    (finding,) = (each for each in report.findings if each.rule == "secret")
    assert (finding.level, finding.where) == ("error", (name,))
    assert "hunter2" not in str(finding)


def test_what_only_sounds_like_a_secret_is_none(planted: Callable[..., str]) -> None:
    """A place, a switch, a number, and a variable without a value."""
    names = ("DB_PASSWORD_FILE=/run/x", "TOKENIZERS_PARALLELISM=false", "MAX_TOKENS=9", "TOKEN=")
    lines = [f"ENV {name}" for name in names]
    assert _found(planted({"/file": ("", 0o644, 0)}, *lines)) == {}


def test_a_secret_among_the_build_steps_is_found(built: Callable[[str], str]) -> None:
    """A build argument stays in the history, and so does what a step was told."""
    steps = "ARG PIP_TOKEN=abc\nRUN API_KEY=abc true\nRUN OTHER_TOKEN=$(echo x) true"
    assert _found(built(steps)) == {"secret": ("API_KEY", "PIP_TOKEN")}


def test_private_keys_are_found(planted: Callable[..., str]) -> None:
    """By the name that ssh gives them, or by what a file holds; certificates are public."""
    files = {
        "/root/.ssh/id_rsa": ("x", 0o600, 0),
        "/root/.ssh/id_rsa.pub": ("x", 0o644, 0),
        "/app/server.pem": _KEY,
        "/app/tls.key": _KEY,
        "/etc/ssl/ca.pem": _CERTIFICATE,
        "/app/link.pem": ("-> server.pem", 0o777, 0),
    }
    found = _found(planted(files))
    assert set(found["private-key"]) == {"/root/.ssh/id_rsa", "/app/server.pem", "/app/tls.key"}
