"""What the repaired settings of lab 02 satisfy: with Docker they are stopped under load."""

import http.client
import math
from concurrent.futures import ThreadPoolExecutor
from threading import Event
from urllib.parse import urlsplit

from mlref.containers import Isolation
from mlref.errors import EndpointError
from mlref.study.labs.checks import exercise, reject
from mlref.study.labs.dockerfiles import building, exec_form, started


@exercise("repair")
def the_limit_holds_the_peak(answer):
    """The memory limit holds the peak and a quarter more, and at most twice the peak."""
    value, measured = answer.number("memory_mib"), answer.MEASURED_MIB
    peak = measured[answer.AT_ONCE]
    if value < peak:
        told = f"less than the {peak} MiB that were measured with {answer.AT_ONCE} at once"
    elif value < 1.25 * peak - 0.5:
        told = f"less than a quarter above the measured peak of {peak}"
    elif value > 2 * peak:
        told = f"more than twice the measured peak of {peak}"
    else:
        return
    reject(
        f"memory_mib is {value:g}, {told}",
        why="the limit is kept by SIGKILL, and paid for whether used or not: measure under the "
        "load that comes, then add what you did not measure",
    )


@exercise("repair")
def it_listens_to_all_who_reach_the_container(answer):
    """It listens on every address that the container has."""
    if answer.host not in ("0.0.0.0", ""):  # noqa: S104 - inside the container
        reject(
            f"host is {answer.host!r:.40}, not the address that stands for all of them",
            why="127.0.0.1 and localhost are the container itself, and which other address it "
            "will have nobody knows before it runs",
        )


@exercise("repair")
def the_server_is_process_1(answer):
    """The entry point is a list of words, and no shell stands before the server."""
    exec_form(answer.entrypoint, f"entrypoint = {answer.entrypoint!r:.60}")


@exercise("repair")
def the_farewell_has_time(answer):
    """The grace period holds both parts of the farewell, and is not for ever."""
    value, delay, slowest = answer.number("grace_s"), answer.DRAIN_DELAY_S, answer.SLOWEST_S
    if value < delay + slowest:
        reject(
            f"grace_s is {value:g}; the farewell may take {delay} s and then {slowest} s",
            why="Docker's own 10 s, and Kubernetes' 30 s, were chosen without your slowest request",
        )
    if value > 60:
        reject(
            f"grace_s is {value:g}, more than a minute",
            why="a server that hangs would hold up each deployment for so long",
        )


def _says_ready(url):
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=5)
    try:
        connection.request("GET", "/health/ready")
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):  # it was killed
        return False
    finally:
        connection.close()


REPAIRED = """
RUN --mount=type=bind,source=wheels,target=/wheels python3 -m zipfile -e /wheels/*.whl /libraries
{second}
COPY --from=builder /libraries /opt/libraries
COPY model /opt/model
COPY server.py /opt/server.py
USER 10001:10001
"""


@exercise("repair")
def it_is_stopped_under_load(answer):
    """Run with these settings and stopped under load: every request is answered, none is lost."""
    from mlref.serving.load import start_load  # the other exercises need not wait for it

    dockerfile = answer.FIRST + REPAIRED.format(second=answer.SECOND)
    with (
        building(dockerfile, answer.write_context) as build,
        started(
            build().id,
            entrypoint=answer.entrypoint,
            environment={"HOST": answer.host, "DELAY_S": "3"},  # a grader's machine may be busy
            isolation=Isolation(memory_bytes=math.ceil(answer.memory_mib * 2**20)),
            drain_timeout_s=answer.grace_s,
        ) as container,
        ThreadPoolExecutor(1) as pool,
    ):
        with start_load(container.url, "/", b"{}", concurrency=answer.AT_ONCE) as load:
            try:
                load.wait_answered(5 * answer.AT_ONCE, timeout_s=20)
            except EndpointError:
                reject(
                    f"with {answer.AT_ONCE} requests at once it gave {load.answered} answers, and "
                    f"no more: {container.explain()}",
                    why="what holds while nobody asks says nothing of the day when all do",
                )
            ending = pool.submit(container.stop)
            while not ending.done() and _says_ready(container.url):  # as a load balancer does
                Event().wait(0.05)
            report = load.stop()
        state = ending.result()
    if report.lost or report.timed_out or set(report.statuses) != {200} or state.exit_code:
        reject(
            f"of {report.sent} requests {report.lost + report.timed_out} had no answer, the others "
            f"{report.statuses}; {state.told()}",
            why="a deployment that loses requests is one that people put off",
        )
