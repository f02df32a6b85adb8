"""What happens between a whole request and its reply, whichever way the request came in.

    admitted? -> whose model? -> rows -> cached? -> batch -> reply -> counted and logged
       503          404           422       hit

The engine knows nothing of sockets. `hot` brings it requests that came as ASGI messages, `lane`
those that never became any; both hand over a function that takes the reply. All of it runs in the
event loop's thread, except what is large: that is read and answered in one thread beside it.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from time import perf_counter
from typing import Any

import numpy as np

from mlref import errors
from mlref.artifact import Artifact
from mlref.serving import access, tracing
from mlref.serving.batching import Batcher, NotFinitePredictionsError
from mlref.serving.cache import Cache
from mlref.serving.exchange import Block, Codec, Reply, Request
from mlref.serving.metrics import Gauges, Metrics
from mlref.serving.repository import Repository
from mlref.serving.routes import Resolver, Route, Routes
from mlref.serving.routing import ShadowJob
from mlref.serving.settings import DEFAULT_SETTINGS, Settings

__all__ = ["Authorize", "Engine"]

logger = logging.getLogger(__name__)

Authorize = Callable[[Request], None]
"""Called with each request but those for health; refuses it by raising `RequestRefusedError`."""

_FAILED = "the server failed to answer; its log says why"


@dataclass(slots=True, eq=False)
class _Exchange:
    """One request on its way."""

    engine: Engine
    request: Request
    route: Route
    reply_to: Callable[[Reply], None]
    started: float
    trace: tracing.Trace
    served: Any = None
    codec: Any = None
    block: Any = None
    key: bytes | None = None
    cancelled: bool = False
    admitted: bool = False

    def cancel(self) -> None:
        """Nobody waits for the reply any more."""
        self.cancelled = True
        if self.admitted:
            self.engine.gone(self)

    def answered(self, predictions: np.ndarray) -> None:
        self.engine.answered(self, predictions)

    def failed(self, error: Exception) -> None:
        self.engine.failed(self, error)


class Engine:
    """The models of a server, and the way of a request to one of them.

    Attributes:
        settings: what is allowed.
        repository: the models.
        routes: the paths that are answered here.
        metrics: what is counted.
        cache: predictions that were made before, or None.
        needs_model: whether a server without any model counts as not ready.
        draining: whether the server is about to end.
        closing: whether clients are asked to come back on another connection.
        in_flight: requests that have no reply yet.
        lag_s: how late the event loop was when it was last looked at, in seconds.
    """

    def __init__(
        self,
        settings: Settings = DEFAULT_SETTINGS,
        *,
        cache: Cache | None = None,
        authorize: Authorize | None = None,
    ) -> None:
        self.settings = settings
        self.repository = Repository(self._batcher)
        self.routes = Routes()
        self.metrics = Metrics(self._gauges())
        self.cache = cache
        self.authorize = authorize
        self.access = access.AccessLog() if settings.access_log else None
        self.needs_model = True
        self.draining = False
        self.closing = False
        self.in_flight = 0
        self.lag_s = 0.0
        self._retry_after = (b"retry-after", b"%d" % settings.retry_after_s)
        self._random = random.Random(0)  # noqa: S311 - no secret
        self._tasks: set[asyncio.Task[None]] = set()
        self._beside = ThreadPoolExecutor(1, thread_name_prefix="mlref-bodies")

    @property
    def ready(self) -> bool:
        """Whether new requests are welcome: there is a model, and the server does not drain."""
        return not self.draining and (len(self.repository) > 0 or not self.needs_model)

    def refuse(
        self,
        route: Route,
        request: Request,
        status: int,
        text: str,
        *headers: tuple[bytes, bytes],
    ) -> Reply:
        """The reply to a request that is refused before it is whole; counted and logged.

        Args:
            route: where it would have gone.
            request: what is known of it.
            status: of the reply.
            text: what is wrong, in a sentence.
            headers: more for the reply.
        """
        replies: list[Reply] = []
        trace = tracing.begin(request.headers)
        exchange = _Exchange(self, request, route, replies.append, perf_counter(), trace)
        reply = route.kind.refuse(status, text)
        reply.headers = (*reply.headers, *headers)
        self._send(exchange, reply)
        return replies[0]

    def gone(self, exchange: _Exchange) -> None:
        """Give the place of a request free whose client has gone away."""
        exchange.admitted = False
        self.in_flight -= 1
        self.metrics.refused("client_gone")

    def add_route(self, path: str, kind: type[Codec], summary: str) -> None:
        """Answer POST requests for a path before FastAPI sees them.

        Args:
            path: where, for instance "/v1/predict".
            kind: reads and writes.
            summary: what it is for, for people.
        """
        self.routes.add(path, kind, summary)

    def add_resolver(
        self, template: str, resolve: Resolver, kind: type[Codec], summary: str
    ) -> None:
        """The same for paths that hold the name of a model.

        Args:
            template: what metrics call them, for instance "/v2/models/{model}/infer".
            resolve: tells the model's name and version.
            kind: reads and writes.
            summary: what it is for, for people.
        """
        self.routes.add_resolver(template, resolve, kind, summary)

    def close(self) -> None:
        """End the thread beside the loop. The cache is closed by whoever runs the loop."""
        self._beside.shutdown(wait=False, cancel_futures=True)

    def handle(
        self, request: Request, route: Route, reply_to: Callable[[Reply], None]
    ) -> _Exchange:
        """Begin to answer a request.

        Args:
            request: all of it.
            route: as `Routes.find` gave it.
            reply_to: called once with the reply, perhaps before this function returns.
        """
        trace = tracing.begin(request.headers)
        exchange = _Exchange(self, request, route, reply_to, perf_counter(), trace)
        if self.in_flight >= self.settings.max_in_flight or self.lag_s > self.settings.max_lag_s:
            self._shed(exchange)
            return exchange
        self.in_flight += 1
        exchange.admitted = True
        try:
            if self.authorize is not None:
                self.authorize(request)
            exchange.served = self.repository.choose(route.name, route.version, request)
            exchange.codec = exchange.served.codec(route.kind)
            if len(request.body) > self.settings.inline_bytes:
                self._read_beside(exchange)
            else:
                self._submit(exchange, exchange.codec.read(request))
        except Exception as error:  # noqa: BLE001 - each of them becomes a reply
            self.failed(exchange, error)
        return exchange

    def answered(self, exchange: _Exchange, predictions: np.ndarray, *, hit: bool = False) -> None:
        """Reply with predictions.

        Args:
            exchange: as `handle` gave it.
            predictions: finite, shape (n_rows, *output.shape).
            hit: whether they come from the cache.
        """
        try:
            reply = exchange.codec.write(predictions, exchange.block)
        except Exception as error:  # noqa: BLE001 - each of them becomes a reply
            self.failed(exchange, error)
            return
        if exchange.key is not None and self.cache is not None and not hit:
            self.cache.put(exchange.key, predictions)
        self._finish(exchange, reply)
        self._shadow(exchange, predictions)

    def failed(self, exchange: _Exchange, error: Exception) -> None:
        """Reply with what is wrong."""
        codec = exchange.route.kind
        if isinstance(error, errors.InvalidInputError):
            problems: Any = error.exceptions
            reply = codec.refuse(codec.status_of(error), error.message, problems)
        elif isinstance(error, errors.RequestRefusedError):
            reply = codec.refuse(error.status, str(error))
            reply.headers = (*reply.headers, *error.headers)
        elif isinstance(error, errors.UnknownModelError):
            reply = codec.refuse(404, str(error))
            if self.needs_model and not len(self.repository):
                reply = codec.refuse(503, str(error))
                reply.headers = (*reply.headers, self._retry_after)
        elif isinstance(error, NotFinitePredictionsError):
            served, text = exchange.served, f"{error}; its training needs a look"
            logger.error("%s %s: %s", served.name, served.version, text)
            reply = codec.refuse(500, text)
        else:
            logger.error("%s failed", exchange.route.template, exc_info=error)
            reply = codec.refuse(500, _FAILED)
        self._finish(exchange, reply)

    def _submit(self, exchange: _Exchange, block: Block) -> None:
        """Put checked rows into the model's queue, or answer them from the cache."""
        exchange.block = block
        if self.cache is not None:
            exchange.key = exchange.served.keys(block)
            if not self.cache.immediate:
                self._ask_cache(exchange, self.cache, exchange.key)
                return
            hit = self.cache.get(exchange.key)
            if hit is not None:
                self.answered(exchange, hit, hit=True)
                return
        exchange.served.batcher.submit(exchange)

    def _ask_cache(self, exchange: _Exchange, cache: Cache, key: bytes) -> None:
        """Ask a cache that is elsewhere; the loop goes on meanwhile."""

        async def ask() -> None:
            try:
                hit = await cache.fetch(key)
                if hit is None:
                    exchange.served.batcher.submit(exchange)
                    return
            except Exception as error:  # noqa: BLE001 - each of them becomes a reply
                self.failed(exchange, error)
            else:
                self.answered(exchange, hit, hit=True)

        task = asyncio.get_running_loop().create_task(ask())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _read_beside(self, exchange: _Exchange) -> None:
        """Read a large body in the thread."""
        loop = asyncio.get_running_loop()

        def work() -> None:
            try:
                block = exchange.codec.read(exchange.request)
            except Exception as error:  # noqa: BLE001 - each of them becomes a reply
                loop.call_soon_threadsafe(self.failed, exchange, error)
            else:
                loop.call_soon_threadsafe(self._submit_late, exchange, block)

        self._beside.submit(work)

    def _submit_late(self, exchange: _Exchange, block: Block) -> None:
        """The same for rows that were read in the thread."""
        try:
            self._submit(exchange, block)
        except Exception as error:  # noqa: BLE001 - each of them becomes a reply
            self.failed(exchange, error)

    def _shed(self, exchange: _Exchange) -> None:
        """Refuse a request that is one too many, a little later."""
        late = self.lag_s > self.settings.max_lag_s
        self.metrics.refused("lag" if late else "in_flight")
        text = f"too many requests at a time; try again in {self.settings.retry_after_s} s"
        reply = exchange.route.kind.refuse(503, text)
        reply.headers = (*reply.headers, self._retry_after)
        # Not all at once: who was refused together would come back together.
        delay_s = self.settings.refusal_delay_s * self._random.uniform(0.5, 1.5)
        asyncio.get_running_loop().call_later(delay_s, self._send, exchange, reply)

    def _finish(self, exchange: _Exchange, reply: Reply) -> None:
        """Send the reply to a request that was admitted."""
        if exchange.admitted:
            exchange.admitted = False
            self.in_flight -= 1
            self._send(exchange, reply)

    def _send(self, exchange: _Exchange, reply: Reply) -> None:
        """Count, log and send a reply."""
        seconds = perf_counter() - exchange.started
        served = exchange.served
        name, version = (served.name, served.version) if served is not None else ("", "")
        self.metrics.request(exchange.route.template, reply.status, seconds, name, version)
        more = tracing.reply_headers(exchange.trace)
        reply.headers = (*reply.headers, *more) if reply.headers else more
        if self.access is not None:
            self._log(exchange, reply, seconds)
        if not exchange.cancelled:
            exchange.reply_to(reply)

    def _shadow(self, exchange: _Exchange, predictions: np.ndarray) -> None:
        """Ask the version in the shadow, when there is one and there is time."""
        found = self.repository.shadow_of(exchange.served)
        if found is None:
            return
        shadow, other = found
        if 2 * max(self.in_flight, other.batcher.waiting) > self.settings.max_in_flight:
            self.metrics.shadow(exchange.served.name, shadow.version, "skipped")
        elif shadow.takes():
            served = exchange.served
            names = (served.name, served.version)
            job = ShadowJob(shadow, names, predictions, exchange.block, self.metrics.shadow)
            other.batcher.submit(job)

    def _log(self, exchange: _Exchange, reply: Reply, seconds: float) -> None:
        """Write a line into the access log."""
        request, served, block = exchange.request, exchange.served, exchange.block
        if self.access is not None:
            self.access.write(
                method=request.method,
                path=request.path,
                status=reply.status,
                seconds=seconds,
                bytes_in=len(request.body),
                bytes_out=len(reply.body),
                trace=exchange.trace,
                model=served.name if served else None,
                version=served.version if served else None,
                rows=block.n_rows if block else 0,
                client=request.client,
            )

    def _gauges(self) -> Gauges:
        """What the metrics look at when somebody reads them."""

        def models() -> list[tuple[str, str, str]]:
            served = self.repository.served()
            return [(each.name, each.version, each.artifact.digest) for each in served]

        def queued() -> int:
            return sum(each.batcher.queued_rows for each in self.repository.served())

        return Gauges(
            in_flight=lambda: self.in_flight,
            queue_rows=queued,
            lag_s=lambda: self.lag_s,
            ready=lambda: self.ready,
            models=models,
            cache=lambda: self.cache.stats if self.cache is not None else None,
        )

    def _batcher(self, artifact: Artifact) -> Batcher:
        """The queue before a model."""
        name, version = artifact.manifest.name, artifact.manifest.version

        def observe(rows: int, requests: int, seconds: float) -> None:
            self.metrics.batch(name, version, rows, requests, seconds)

        # A thread of its own, which starts when it is needed: a model that hangs, in somebody's
        # shadow perhaps, must not hold up the others.
        executor = ThreadPoolExecutor(1, thread_name_prefix=f"mlref-{name}")
        return Batcher(artifact, executor, self.settings, observe)
