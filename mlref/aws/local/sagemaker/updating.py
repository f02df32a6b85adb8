"""An update of an endpoint: new workers, traffic step by step, and back if an alarm rings.

The waiting between two steps is by the clock of the local AWS: an hour of baking can be moved on.
An update is over when the workers that go have answered what they had begun. That takes real time,
and happens in the background.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from typing import Any

from mlref.aws.local.errors import AwsError
from mlref.aws.local.hosting.hosting import Hosting
from mlref.aws.local.hosting.live import Group, Live
from mlref.aws.local.hosting.rollout import Plan, Step
from mlref.aws.local.hosting.specs import GroupSpec
from mlref.aws.local.hosting.workers import WorkerError
from mlref.aws.local.sagemaker.described import described_variants
from mlref.aws.local.sagemaker.models import Models
from mlref.aws.local.timers import Timer
from mlref.aws.local.world import World

__all__ = ["Update"]

logger = logging.getLogger(__name__)

_LOOK_S = 10.0  # between two looks at the alarms


class Update:
    """An update of an endpoint.

    Args:
        world: the time.
        hosting: runs the endpoint.
        endpoint: its name.
        spec: what it will be.
        plan: the steps.
        alarm: gives an alarm's state.
        background: does something in a thread of its own.

    Attributes:
        config: the name of the configuration that it will have.
        started: when it was asked for.
        on_rollback: called when it is taken back, before anything else.
    """

    def __init__(
        self,
        world: World,
        hosting: Hosting,
        endpoint: str,
        spec: GroupSpec,
        plan: Plan,
        *,
        alarm: Callable[[str], str],
        background: Callable[[Callable[[], None]], object],
    ) -> None:
        self.config = spec.config
        self.started: datetime = world.clock.now()
        self.on_rollback: Callable[[], object] = lambda: None
        self._began_s = world.clock.monotonic()
        self._world = world
        self._hosting = hosting
        self._endpoint = endpoint
        self._spec = spec
        self._plan = plan
        self._alarm = alarm
        self._background = background
        self._blue: Group | None = None
        self._green: Group | None = None
        self._step = 0
        self._left_s = 0.0
        self._timer: Timer | None = None
        self._done: Callable[[str | None], None] = lambda _: None

    def described(self, models: Models) -> dict[str, Any]:
        """PendingDeploymentSummary of DescribeEndpoint."""
        told: dict[str, Any] = {"EndpointConfigName": self.config, "StartTime": self.started}
        if self._green is not None:
            told["ProductionVariants"] = described_variants(self._green.variants, models)
        return told

    def begin(self, done: Callable[[str | None], None]) -> None:
        """Start the new workers and take the first step.

        Args:
            done: called once: with None when the new variants have taken over, or with the reason
                why they have not.
        """
        self._done = done
        live = self._hosting.live(self._endpoint)
        if live is None:
            done("the endpoint does not answer")
            return
        self._blue = live.groups[0]
        batches = self._plan.steps[0].instances is not None
        try:
            self._green = self._hosting.build(self._endpoint, self._spec, started=not batches)
        except WorkerError as error:
            logger.warning("endpoint %s: %s", self._endpoint, error)
            self._back(str(error))
            return
        self._take(self._plan.steps[0])

    def _take(self, step: Step) -> None:
        blue, green = self._blue, self._green
        if blue is None or green is None:
            return
        if step.instances is not None:
            try:
                self._batch(green, step)
            except WorkerError as error:
                logger.warning("endpoint %s: %s", self._endpoint, error)
                self._back(str(error))
                return
        share = min(step.share, 1.0)
        new = replace(green, share=share)
        old = replace(blue, share=1.0 - share)
        groups = (new,) if share == 1.0 else (old, new)
        self._hosting.publish(Live(self._endpoint, groups))
        self._left_s = step.wait_s
        self._watch()

    def _batch(self, green: Group, step: Step) -> None:
        """As many workers as a step of a rolling update asks for, over all variants in turn."""
        total = sum(int(each.settings.get("InitialInstanceCount", 1)) for each in green.variants)
        for variant in green.variants:
            wanted = int(variant.settings.get("InitialInstanceCount", 1))
            variant.fleet.resize(max(1, round(wanted * (step.instances or 0) / total)))

    def _watch(self) -> None:
        ringing = [name for name in self._plan.alarms if self._rings(name)]
        limit_s = self._plan.limit_s
        if ringing:
            self._back(f"Auto rollback: the alarm {ringing[0]} is in state ALARM")
        elif limit_s is not None and self._world.clock.monotonic() - self._began_s > limit_s:
            self._back(f"the deployment took more than {limit_s:g} s")
        elif self._left_s > 0:
            wait_s = min(self._left_s, _LOOK_S)
            self._left_s -= wait_s
            self._timer = self._world.timers.after(wait_s, self._watch)
        else:
            self._next()

    def _rings(self, name: str) -> bool:
        try:
            return self._alarm(name) == "ALARM"
        except AwsError:  # it was deleted meanwhile
            return False

    def _next(self) -> None:
        self._step += 1
        if self._step < len(self._plan.steps):
            self._take(self._plan.steps[self._step])
            return
        self._end(self._blue, None)

    def _back(self, reason: str) -> None:
        self.on_rollback()
        if self._blue is not None:
            self._hosting.publish(Live(self._endpoint, (replace(self._blue, share=1.0),)))
        self._end(self._green, reason)

    def _end(self, group: Group | None, reason: str | None) -> None:
        """Let workers go that get no requests any more, and tell how it ended."""

        def end() -> None:
            if group is not None:
                self._hosting.retire(group, drain=True)
            self._done(reason)

        self._background(end)
