"""What an image gives to whoever gets in."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from mlref.containers.lint import Finding
from mlref.containers.privileges import who_is_root

_PLAIN = ("", 0o644, 0)
_NUMBER = "USER 10001:10001"


def _rules(findings: tuple[Finding, ...]) -> dict[str, tuple[str, ...]]:
    return {finding.rule: finding.where for finding in findings}


@pytest.mark.parametrize("flavour", ["service", "minimal"])
def test_our_images_give_nothing_away(request: pytest.FixtureRequest, flavour: str) -> None:
    """The service image has a shell, which is a note; the minimal one has none."""
    found = who_is_root(request.getfixturevalue(flavour))
    expected = {"service": {"shell": ("/bin/sh",)}, "minimal": {}}
    assert _rules(found) == expected[flavour]


@pytest.mark.parametrize(
    ("instructions", "said"),
    [
        ((), "it has no USER"),
        (("USER root",), "USER root"),
        (("USER 0:10001",), "USER 0:10001"),
        (("USER 00",), "USER 00"),
    ],
)
def test_root_is_found(planted: Callable[..., str], instructions: tuple[str], said: str) -> None:
    """By its name, its number, and by no user at all."""
    (finding,) = who_is_root(planted({"/file": _PLAIN}, *instructions))
    assert (finding.level, finding.rule) == ("error", "root")
    assert said in finding.found


def test_a_user_that_is_a_name_is_found(planted: Callable[..., str]) -> None:
    """Kubernetes refuses it under runAsNonRoot."""
    (finding,) = who_is_root(planted({"/file": _PLAIN}, "USER app"))
    assert (finding.level, finding.rule) == ("warning", "user-name")


def test_programs_that_give_rights_are_found(planted: Callable[..., str]) -> None:
    """Setuid and setgid count on programs, not on folders or on files that cannot be run."""
    files = {
        "/usr/bin/su": ("x", 0o4755, 0),
        "/usr/bin/wall": ("x", 0o2755, 0),
        "/usr/bin/plain": ("x", 0o755, 0),
        "/notes": ("x", 0o4644, 0),
        "/shared/": ("", 0o2755, 0),
    }
    found = who_is_root(planted(files, _NUMBER))
    assert _rules(found) == {"setuid": ("/usr/bin/su", "/usr/bin/wall")}


def test_what_every_user_may_write_is_found(planted: Callable[..., str]) -> None:
    """Links have no permissions of their own, and /tmp is made for writing."""
    files = {
        "/app/": ("", 0o777, 0),
        "/app/model": ("x", 0o666, 0),
        "/app/link": ("-> model", 0o777, 0),
        "/tmp/": ("", 0o1777, 0),  # noqa: S108 - inside the image
        "/var/tmp/": ("", 0o1777, 0),  # noqa: S108 - inside the image
    }
    found = who_is_root(planted(files, _NUMBER))
    assert _rules(found) == {"world-writable": ("/app", "/app/model")}


@pytest.mark.parametrize(
    ("user", "expected"),
    [
        ("10001:10001", ("/app/group", "/app/own")),
        ("app:team", ("/app/group", "/app/own")),
        ("app", ("/app/group", "/app/own")),
        ("10001", ("/app/group", "/app/own")),
        ("10001:10002", ("/app/own",)),
        ("10002:10002", ()),
        ("10002", ("/app/roots",)),
    ],
)
def test_what_its_own_user_may_write_is_found(
    planted: Callable[..., str], user: str, expected: tuple[str, ...]
) -> None:
    """Numbers and names, owner and group; a user that is not known is in root's group."""
    files = {
        "/etc/passwd": ("root:x:0:0::/:\napp:x:10001:10001::/:\n", 0o644, 0),
        "/etc/group": ("team:x:10001:\n", 0o644, 0),
        "/app/own": ("x", 0o600, 10001),
        "/app/group": ("x", 0o464, 10001),
        "/app/read-only": ("x", 0o444, 10001),
        "/app/others": ("x", 0o644, 0),
        "/app/roots": ("x", 0o664, 0),
    }
    assert _rules(who_is_root(planted(files, f"USER {user}"))).get("own-files", ()) == expected


def test_shells_and_package_managers_are_found(planted: Callable[..., str]) -> None:
    """Each once, though a link gives it another name; a file that cannot be run is no program."""
    files = {
        "/usr/bin/dash": ("x", 0o755, 0),
        "/bin": ("-> usr/bin", 0o777, 0),
        "/usr/bin/sh": ("-> dash", 0o777, 0),
        "/usr/bin/apt": ("x", 0o755, 0),
        "/usr/local/bin/pip": ("x", 0o644, 0),
        "/opt/bash": ("x", 0o755, 0),
    }
    found = who_is_root(planted(files, _NUMBER))
    assert _rules(found) == {"package-manager": ("/bin/apt",), "shell": ("/bin/dash",)}


def test_each_finding_says_why_and_what_to_do(planted: Callable[..., str]) -> None:
    """In one line."""
    (finding,) = who_is_root(planted({"/file": _PLAIN}))
    assert str(finding) == (
        "error root: it runs as root (it has no USER); who breaks out of a container that runs as "
        "root is root on the machine; write `USER 10001:10001` into the last stage of the "
        "Dockerfile"
    )
