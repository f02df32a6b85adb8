# %% [markdown]
# # Lab 02 · Containers
#
# A container makes a promise: what ran here runs there. This lab is about how it is broken. You
# write the lines of a Dockerfile that matter, reckon what an image costs on its way, find out why
# three containers failed, and repair them. Four exercises, each in a cell that begins with
# `# answer:`. Run the cells one after the other; in those four, replace every `todo(...)` and run
# the cell again. Then run the last cell, or grade one exercise in a cell of your own with
# `check("02", "dockerfile")`.
#
# With Docker, what you write is really built, run, and stopped under load. Without it your lines
# are read, and the result says what was not tried. Stuck? `hint("02", "dockerfile")` in a cell of
# your own gives the first of three hints. Nothing that you do here can break anything:
# `mlref labs reset 02` gives a fresh copy and keeps yours.

# %%
from mlref.study.labs import check, hint, todo

# %% [markdown]
# Is Docker here? And what will the images start from? The first time, this may pull an image or
# make one from the Python that runs here.

# %% tags=["try"]
from mlref import containers

docker_is_missing = containers.available()
print(f"no Docker: {docker_is_missing}" if docker_is_missing else containers.base_image())

# %% [markdown]
# ## 1. Write the lines that are missing in a Dockerfile
#
# This small server stands for yours, so that a build takes a second. It loads its model with a
# library, takes some memory and 0.2 s for each request, and knows how to end: on SIGTERM it says
# "not ready", goes on answering for one more second, and finishes what it has begun.

# %% tags=["for:dockerfile", "for:repair"]
SERVER = """
import os, signal, threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
import late  # the library

weights, ending = late.load("/opt/model/late.json"), threading.Event()

class Handler(BaseHTTPRequestHandler):
    protocol_version, timeout = "HTTP/1.1", 5
    def do_GET(self):  # /health/ready
        self.reply(503 if ending.is_set() else 200)
    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        rows = b"r" * 4 * 2**20
        threading.Event().wait(0.2)
        self.reply(200)
    def reply(self, status):
        self.send_response(status)
        self.send_header("Content-Length", "0")
        self.send_header("Connection", "close" if ending.is_set() else "keep-alive")
        self.end_headers()
    def log_message(self, *_): pass

def drain(*_):
    ending.set()
    threading.Timer(float(os.environ.get("DELAY_S", "1")), server.shutdown).start()

signal.signal(signal.SIGTERM, drain)
server = ThreadingHTTPServer((os.environ.get("HOST", ""), 8080), Handler)
server.daemon_threads = False
print("listening on {}:{}".format(*server.server_address), flush=True)
server.serve_forever(0.05)
server.server_close()  # waits for what has begun
"""

# %% [markdown]
# The build context, the folder that the Dockerfile may use, holds
#
# | what | holds | changes |
# |---|---|---|
# | `wheels/late-1.0-py3-none-any.whl` | the library, 2 MB | every few months |
# | `model/late.json` | the model | every week |
# | `server.py` | the code | every day |

# %% tags=["for:dockerfile", "for:repair"]
from pathlib import Path
from zipfile import ZipFile, ZipInfo

LIBRARY = """import json
def load(path):
    return b"w" * json.load(open(path))["bytes"]
"""


def write_context(folder):
    """The files that an image is built from, in a folder."""
    for name in ("wheels", "model"):
        Path(folder, name).mkdir()
    with ZipFile(Path(folder, "wheels/late-1.0-py3-none-any.whl"), "w") as wheel:
        wheel.writestr(ZipInfo("late/__init__.py"), LIBRARY)
        wheel.writestr(ZipInfo("late/airports.bin"), bytes(2_000_000))
    Path(folder, "model/late.json").write_text('{"bytes": 41943040}')
    Path(folder, "server.py").write_text(SERVER)


# %% [markdown]
# Two stages, the first named `builder`. Write the lines that are missing, as the text of a
# Dockerfile, so that all of this holds:
#
# - The library lies in `/opt/libraries`, the model in `/opt/model`, the code is `/opt/server.py`.
# - **No wheel is in any layer of the image.** A wheel is a zip archive, and to install this one is to
#   unpack it: `python3 -m zipfile -e WHEEL FOLDER`. (pip does this, and more; not every base has it.)
# - After a change of code, and after a change of model, as little as possible is built again.
# - It does not run as root, and Kubernetes can tell so: with `runAsNonRoot` it looks at the image
#   alone, and not into its `/etc/passwd`.
# - The server is process 1 and gets SIGTERM itself, through an `ENTRYPOINT`.

# %% tags=["for:dockerfile", "for:repair"]
FIRST = """ARG BASE_IMAGE
FROM ${BASE_IMAGE} AS builder"""
SECOND = """FROM ${BASE_IMAGE}
ENV PYTHONPATH=/opt/libraries PYTHONDONTWRITEBYTECODE=1
EXPOSE 8080"""

# %%
# answer: dockerfile
# hole install: one RUN that unpacks the wheel; wheels/ is lent to it, not copied
install = """
RUN --mount=type=bind,source=wheels,target=/wheels \
    python3 -m zipfile -e /wheels/late-1.0-py3-none-any.whl /libraries
"""
# end
# hole copies: library, model and code, in the right order
copies = """
COPY --from=builder /libraries /opt/libraries
COPY model /opt/model
COPY server.py /opt/server.py
"""
# end
# hole start: who it runs as, and how it starts
start = """
USER 10001:10001
ENTRYPOINT ["python3", "/opt/server.py"]
"""
# end
dockerfile = f"{FIRST}\n{install}\n{SECOND}\n{copies}\n{start}"

# %% [markdown]
# ## 2. Size an image on paper: what is pulled, what is kept
#
# What makes containers feel slow is mostly the way of an image to its node. An image is a pile of
# layers, from the bottom up. A node has a layer already if it has the *same* layer on the same
# layers below it; it then neither pulls nor stores it again. The figures are MB as they lie on
# the disk; that they travel compressed is left out here.

# %% tags=["for:size"]
DEBIAN, PYTHON, LIBRARIES = ("debian", 75), ("python", 24), ("libraries", 80)
IMAGES = {
    "late:1.0": [DEBIAN, PYTHON, LIBRARIES, ("model", 14), ("code 1.0", 1)],
    "late:1.1": [DEBIAN, PYTHON, LIBRARIES, ("model", 14), ("code 1.1", 1)],
    "late:1.2": [("debian patched", 75), PYTHON, LIBRARIES, ("model", 14), ("code 1.1", 1)],
    "fraud:3.0": [DEBIAN, PYTHON, LIBRARIES, ("fraud's model", 230), ("fraud's code", 2)],
    "naive:0.9": [
        DEBIAN,
        PYTHON,
        ("COPY . /app, 290 MB of it data and wheels", 420),
        ("RUN pip install --no-index --find-links /app/wheels late", 80),
        ("RUN rm -r /app/data /app/wheels", 0),
    ],
}

# %% [markdown]
# 1. `update_mb`: a node has late:1.0. What does it pull for late:1.1?
# 2. `patched_mb`: Debian has mended a hole, and late:1.2 is late:1.1 on the patched base. What does
#    a node pull that has late:1.0 and late:1.1?
# 3. `disk_mb`: a node has late:1.0, late:1.1, fraud:3.0, and the tag late:stable, which is late:1.1
#    under another name. How much of its disk do they take?
# 4. `naive_mb`: how large is naive:0.9?
# 5. `fleet_mb`: fraud:3.0 goes to 12 nodes. 8 of them have late:1.1, 4 are new and have nothing.
#    How much does the registry send?

# %%
# answer: size
update_mb = 1  # hole: the layers of late:1.1 that the node does not have
patched_mb = 75 + 24 + 80 + 14 + 1  # hole: the same question for late:1.2
disk_mb = (75 + 24 + 80) + (14 + 1 + 1) + (230 + 2)  # hole: what is kept on that node's disk
naive_mb = 75 + 24 + 420 + 80 + 0  # hole: all layers of naive:0.9
fleet_mb = 8 * (230 + 2) + 4 * (75 + 24 + 80 + 230 + 2)  # hole: all that leaves the registry

# %% [markdown]
# ## 3. Incident: three containers, three causes
#
# *Tuesday, 11:40.* Three teams have moved the server of exercise 1 into containers, each in its own
# way. The first one's died when the traffic came. The second one's has run since the morning, and
# nobody has had an answer. The third one's works, but each deployment costs some requests. This is
# what `docker inspect` (shortened), `docker logs` and `docker events` say of each. Recorded from
# real runs, with Docker 20.10.24 and Python 3.11.

# %% tags=["for:diagnose"]
CASES = {
    "first": {
        "inspect": {
            "State": {"Running": False, "ExitCode": 137, "OOMKilled": True},
            "Config": {"Entrypoint": ["python3"], "Cmd": ["/opt/server.py"]},
            "HostConfig": {"Memory": 67108864},
        },
        "log": "listening on 0.0.0.0:8080",
        "events": ["0.0 s start", "2.8 s oom", "2.9 s die 137"],
    },
    "second": {
        "inspect": {
            "State": {
                "Running": True,
                "ExitCode": 0,
                "OOMKilled": False,
                "Health": {
                    "Status": "unhealthy",
                    "Log": ["URLError: <urlopen error [Errno 111] Connection refused>"],
                },
            },
            "Config": {"Entrypoint": ["python3"], "Cmd": ["/opt/server.py"]},
            "HostConfig": {"Memory": 0},
        },
        "log": "listening on 127.0.0.1:8080",
        "events": ["0.0 s start", "6.3 s health_status: unhealthy"],
    },
}

# %% tags=["for:diagnose"]
CASES["third"] = {
    "inspect": {
        "State": {"Running": False, "ExitCode": 137, "OOMKilled": False},
        "Config": {
            "Entrypoint": ["/bin/sh"],
            "Cmd": ["-c", "python3 /opt/server.py; echo stopped"],
        },
        "HostConfig": {"Memory": 0},
    },
    "log": "listening on 0.0.0.0:8080",
    "events": ["0.0 s start", "10.2 s kill 15", "20.3 s kill 9", "20.3 s die 137"],
}
CAUSES = {
    "memory": "the kernel killed it at its memory limit",
    "address": "it runs, but listens where nobody outside the container can reach it",
    "grace": "it was asked to end, did not in time, and was killed",
    "fine": "it runs and is healthy, or it was asked to end, and did",
    "other": "none of these: look further",
}

# %% [markdown]
# Write `diagnose`: of one such case, the name of the cause. It will also be given cases that you do
# not see here: containers that ended well, that somebody killed by hand, that are ill of something
# else. In an incident, "other" is a better answer than a wrong one.
#
# > The second team's health check asks for the container's own name, as its neighbours do. Had it
# > asked for 127.0.0.1, Docker would call that container healthy, and still nobody would reach it.


# %%
# answer: diagnose
def diagnose(case):
    """The cause of a case: one of the names in CAUSES."""
    # hole: the cause, told from state, log and events
    state, events = case["inspect"]["State"], case["events"]
    if state["OOMKilled"]:
        return "memory"
    if state["Running"]:
        inside = ("127.", "localhost", "[::1]", "::1")
        if any(f"listening on {host}" in case["log"] for host in inside):
            return "address"
        return "fine" if state["Health"]["Status"] == "healthy" else "other"
    if any("kill 15" in event for event in events):
        ends = {137: "grace", 143: "fine", 0: "fine"}
        return ends.get(state["ExitCode"], "other")
    return "other"
    # end


# %% tags=["try"]
for name, case in CASES.items():
    print(name, "container:", CAUSES.get(diagnose(case), "that is no cause"))

# %% [markdown]
# ## 4. Repair all three, and stop them under load
#
# One set of settings that mends all three. What was measured, in a container without a limit: the
# memory of the server (RSS, in MiB) with so many requests on their way. The load balancer sends 8
# at once to each replica, and never more. A limit holds a quarter more than the measured peak, and
# at most twice the peak: what is reserved and not used costs as much as what is.
#
# On SIGTERM the server goes on answering for a second, since nobody hears of it at once, and then
# finishes what it has begun. The slowest request so far took 12 seconds: a batch of 10,000 rows.
# A server that hangs must not hold up a deployment for more than a minute.

# %% tags=["for:repair"]
MEASURED_MIB = {0: 52, 1: 56, 2: 60, 4: 76, 8: 100, 16: 144}
AT_ONCE = 8
DRAIN_DELAY_S, SLOWEST_S = 1, 12

# %%
# answer: repair
memory_mib = 1.25 * MEASURED_MIB[AT_ONCE]  # hole: the memory limit, in MiB
# hole host: HOST for the server, the address that it listens on, as text
host = "0.0.0.0"  # noqa: S104 - inside the container
# end
entrypoint = ["python3", "/opt/server.py"]  # hole: the entry point, a list of words
grace_s = DRAIN_DELAY_S + SLOWEST_S + 2  # hole: seconds between SIGTERM and SIGKILL

# %% [markdown]
# ## Grade it
#
# This grades what you have *run*, not what is saved. In a terminal, `mlref watch 02` does the same
# for every file that you save.

# %% tags=["try"]
check("02")

# %% [markdown]
# **When all four are solved:** `mlref labs solution 02 repair` shows how we would have written it.
# Then say the chapter's answer out loud: `mlref drill --topic 02`.
