"""AWS Lambda's Runtime API, as its documentation describes it: the side that hands out events.

Source: the AWS Lambda Developer Guide, "Using the Lambda runtime API for custom runtimes", version
2018-06-01.
"""

from __future__ import annotations

import json
import queue
import re
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

VERSION = "/2018-06-01/runtime"
ARN = "arn:aws:lambda:eu-central-1:123456789012:function:model"
LIMIT_S = 60.0
_ABOUT = re.compile(rf"{VERSION}/invocation/(?P<id>[^/]+)/(?P<what>response|error)")


@dataclass(frozen=True)
class Outcome:
    """How an invocation ended.

    Attributes:
        payload: what the function returned, or its error: errorType, errorMessage, stackTrace.
        failed: whether it is an error.
    """

    payload: Any
    failed: bool


class RuntimeApi(ThreadingHTTPServer):
    """Events go in by `invoke`, in the order in which they are answered."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Requests)
        self.address = f"127.0.0.1:{self.server_address[1]}"
        self.events: queue.Queue[tuple[str, bytes] | None] = queue.Queue()
        self.outcomes: queue.Queue[tuple[str, Outcome]] = queue.Queue()
        self.init_errors: queue.Queue[dict[str, Any]] = queue.Queue()
        self.user_agents: set[str] = set()
        self.pending = ""

    def invoke(self, event: Any) -> Outcome:
        """What the function makes of one event; bytes are handed on as they are."""
        data = event if isinstance(event, bytes) else json.dumps(event).encode()
        request_id = str(uuid.uuid4())
        self.events.put((request_id, data))
        answered, outcome = self.outcomes.get(timeout=LIMIT_S)
        assert answered == request_id
        return outcome


class _Requests(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: RuntimeApi

    def log_message(self, *arguments: Any) -> None:
        """Nothing."""

    def do_GET(self) -> None:
        """The next event; the request waits for it."""
        self.server.user_agents.add(self.headers.get("User-Agent", ""))
        if self.path != f"{VERSION}/invocation/next":
            self._reply(404, {"errorType": "NotFound"})
            return
        event = self.server.events.get()
        if event is None:  # the environment is shut down
            self.close_connection = True
            return
        request_id, data = event
        self.server.pending = request_id
        deadline_ms = int((time.time() + LIMIT_S) * 1000)
        self.send_response(200)
        for name, value in {
            "Content-Type": "application/json",
            "Content-Length": str(len(data)),
            "Lambda-Runtime-Aws-Request-Id": request_id,
            "Lambda-Runtime-Deadline-Ms": str(deadline_ms),
            "Lambda-Runtime-Invoked-Function-Arn": ARN,
            "Lambda-Runtime-Trace-Id": f"Root=1-{deadline_ms // 1000:08x}-{'0' * 24};Sampled=0",
        }.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(data)

    def do_POST(self) -> None:
        """The outcome of the event, or the failure to begin at all."""
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        about = _ABOUT.fullmatch(self.path)
        if self.path == f"{VERSION}/init/error":
            self.server.init_errors.put(body)
            self._reply(202, {"status": "OK"})
        elif about is None or about["id"] != self.server.pending:
            self._reply(400, {"errorType": "InvalidRequestID", "errorMessage": self.path})
        else:
            self.server.pending = ""
            outcome = Outcome(body, failed=about["what"] == "error")
            self._reply(202, {"status": "OK"})
            self.server.outcomes.put((about["id"], outcome))

    def _reply(self, status: int, values: dict[str, str]) -> None:
        data = json.dumps(values).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)


@contextmanager
def runtime_api() -> Iterator[RuntimeApi]:
    """The API, in a thread."""
    with RuntimeApi() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield server
        finally:
            server.events.put(None)
            server.shutdown()
            thread.join()
