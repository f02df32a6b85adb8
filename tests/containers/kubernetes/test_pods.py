"""The pod that serves."""

from __future__ import annotations

from dataclasses import replace

from mlref.containers.kubernetes import Resources, Settings
from mlref.containers.kubernetes.pods import container, server_arguments
from mlref.serving.settings import Settings as ServerSettings

PLAIN = Settings(name="digits", image="digits:1", version="1")


def test_the_container_is_told_how_the_server_is_tuned() -> None:
    """What differs from the defaults, and always the times that the grace period follows from."""
    server = ServerSettings(drain_delay_s=2.5, max_in_flight=64, lane=False, access_log=True)
    words = server_arguments(replace(PLAIN, server=server, port=9000))
    told = "serve --max-in-flight 64 --drain-delay-s 2.5 --drain-timeout-s 8 --no-lane --access-log"
    assert words == [*told.split(), "--port", "9000"]


def test_the_server_understands_the_arguments() -> None:
    """The real parser of the entry point reads back the settings that were given."""
    from mlref.serving.__main__ import _parser

    server = ServerSettings(drain_delay_s=2.5, max_body_bytes=10**7, lane=False, access_log=True)
    words = server_arguments(replace(PLAIN, server=server))
    given = vars(_parser("test").parse_args(words[1:]))
    assert words[0] == "serve"
    assert {name: given[name] for name in vars(server)} == vars(server)


def test_without_a_cpu_limit_only_memory_is_limited() -> None:
    """The request of CPU stays, since the autoscaler counts from it."""
    found = container(replace(PLAIN, resources=Resources(limit_cpu=None)))["resources"]
    assert found["limits"] == {"memory": "512Mi"}
    assert found["requests"] == {"cpu": "500m", "memory": "512Mi"}


def test_a_pod_may_start_as_long_as_the_settings_say() -> None:
    """One failed probe a second, so many times."""
    probe = container(replace(PLAIN, start_s=90))["startupProbe"]
    assert probe["periodSeconds"] * probe["failureThreshold"] == 90
