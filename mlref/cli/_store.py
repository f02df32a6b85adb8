"""The learner's progress for a command, and what it has to say to the learner."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich.console import Console
from rich.text import Text

if TYPE_CHECKING:
    from mlref.study.learner.state import Store

__all__ = ["opened_store", "tell"]


@contextmanager
def opened_store() -> Iterator[Store]:
    """The progress of the folder that one is in; what it has to say is told when the block ends.

    Also when an error ends it: whoever is told "not solved yet" must hear that a damaged progress
    was set aside.

    Raises:
        NoLearnerFolderError: there is none; the message says how to make one.
    """
    from mlref.study.learner.folder import open_store

    store = open_store()
    try:
        yield store
    finally:
        tell(store.notices)


def tell(notices: Iterable[str]) -> None:
    """Print messages for the learner, beside a command's output."""
    for notice in notices:
        Console(stderr=True).print(Text(f"note: {notice}"), soft_wrap=True)
