"""An answer that is not finished: kept in the progress, so that it can be gone on with.

    {"card": "01_deployment_steps", "phase": "typing", "text": "First ...", "seconds": 12.5,
     "ticked": [], "flags": [], "question": ""}

A drill keeps its draft as `draft` of the progress, a mock interview as `draft` of its `mock`. What
is not understood there is set aside in a file, never thrown away.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import Any, Literal, TypeAlias, get_args

from mlref.errors import FileWriteError, LearnerError
from mlref.runtime import files
from mlref.study.learner.progress import State
from mlref.study.learner.state import Store, stamp

__all__ = ["Draft", "Phase", "Place", "alone", "drill_place", "mock_place", "set_aside"]

Phase: TypeAlias = Literal["typing", "confirming", "following"]


@dataclass(frozen=True)
class Draft:
    """How far an answer is.

    Attributes:
        card: the card's name.
        phase: typing the answer, confirming the points, or typing the answer to a follow-up.
        text: what was typed.
        seconds: how long that took.
        ticked: the ids of the points that count as made so far.
        flags: the ids of the red flags that count as said so far.
        question: the follow-up question; "" otherwise.
        hint: what stands behind the follow-up question.
    """

    card: str
    phase: Phase = "typing"
    text: str = ""
    seconds: float = 0.0
    ticked: tuple[str, ...] = ()
    flags: tuple[str, ...] = ()
    question: str = ""
    hint: str = ""

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Draft:
        """The draft in JSON values; what is absent is as at the beginning.

        Raises:
            ValueError: a value is not what it must be; the message names it.
        """
        phase: Phase | None = next((p for p in get_args(Phase) if p == values.get("phase")), None)
        if phase is None:
            known = ", ".join(get_args(Phase))
            raise ValueError(f"phase must be one of {known}, got {values.get('phase')!r:.40}")
        texts = {name: values.get(name, "") for name in ("card", "text", "question", "hint")}
        wrong = [name for name, value in texts.items() if not isinstance(value, str)]
        if wrong:
            raise ValueError(f"{' and '.join(wrong)} must be text")
        try:
            seconds = float(values.get("seconds", 0.0))
            ticked, flags = (tuple(map(str, values.get(key, ()))) for key in ("ticked", "flags"))
        except TypeError as error:
            raise ValueError(f"seconds, ticked or flags is of the wrong type: {error}") from error
        return cls(phase=phase, seconds=seconds, ticked=ticked, flags=flags, **texts)

    def to_dict(self) -> dict[str, Any]:
        """The draft as JSON values."""
        return {**asdict(self), "ticked": list(self.ticked), "flags": list(self.flags)}

    @property
    def words(self) -> int:
        """How many words were typed."""
        return len(self.text.split())


@dataclass(frozen=True)
class Place:
    """Where a draft is kept: in a state, beside nothing, or inside the mock interview."""

    in_mock: bool

    def get(self, state: State) -> dict[str, Any] | None:
        """What is kept; None if nothing is."""
        if not self.in_mock:
            return state.draft
        kept = (state.mock or {}).get("draft")
        return kept if isinstance(kept, dict) else None

    def put(self, state: State, draft: Draft | None) -> None:
        """Keep a draft, or none, in a state that is being changed."""
        values = None if draft is None else draft.to_dict()
        if not self.in_mock:
            state.draft = values
        elif state.mock is not None:
            state.mock["draft"] = values

    def save(self, store: Store, draft: Draft) -> None:
        """Keep a draft on the disk.

        Raises:
            LearnerError: the progress cannot be read.
            FileWriteError: it could not be saved.
        """
        with store.update() as state:
            self.put(state, draft)


drill_place = Place(in_mock=False)
"""Where `mlref drill` keeps its draft."""

mock_place = Place(in_mock=True)
"""Where `mlref drill --mock` keeps its draft."""


@contextmanager
def alone(store: Store) -> Iterator[None]:
    """A block in which no second drill types into the same progress.

    Raises:
        LearnerError: another one is open.
        FileWriteError: the file that tells so cannot be made.
    """
    import fcntl

    path = store.private / "drill"
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
    except OSError as error:
        raise FileWriteError(
            error.errno,
            f"it cannot be made ({error.strerror}): get permission to write in its folder",
            str(path),
        ) from error
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise LearnerError(
                f"another drill is open in {store.folder}; two at once would overwrite each "
                f"other's answer. Go on there, or end it with Ctrl-C, which keeps its answer"
            ) from None
        yield
    finally:
        os.close(descriptor)  # which gives the lock back


def set_aside(store: Store, name: str, values: Mapping[str, Any], problem: Exception) -> None:
    """Write what is not understood into a file of its own, and tell the learner.

    Args:
        store: whose folder, and whose notices.
        name: what it was meant to be: "draft" or "mock".
        values: what was kept.
        problem: why it is not understood.

    Raises:
        FileWriteError: it could not be saved.
    """
    path = stamp(store.private, f"{name}-", store.clock)
    files.write_text(path, json.dumps(values, indent=2) + "\n")
    why = str(problem).partition("\n")[0]  # below it, some errors list what there is
    store.notices.append(f"the {name} could not be understood ({why}); it is kept as {path}")
