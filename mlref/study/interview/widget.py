"""The drill in a notebook: the same questions, rubric and progress as `mlref drill`.

    from mlref.study.interview import widget
    widget.drill("01")

The page in the browser only shows what `mlref.study.interview.page` makes, and sends back what is
typed and ticked. It needs no network, and what is typed is kept a second later, so that neither a
closed tab nor a kernel that ended loses an answer.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console

from mlref.errors import NoLearnerFolderError
from mlref.runtime.clock import Clock
from mlref.runtime.lazy import extra
from mlref.study.interview.page import Page
from mlref.study.interview.prompting import LineTypist
from mlref.study.interview.rounds import Desk
from mlref.study.learner.state import State, Store, open_store

if TYPE_CHECKING:
    from anywidget import AnyWidget

__all__ = ["drill", "show"]

_UNKEPT = (
    "Nothing is kept: this notebook is in no learner's folder. Make one with `mlref init DIR`, and "
    "open the drill.ipynb in it."
)


def drill(topic: str | None = None, store: Store | None = None) -> AnyWidget:
    """A question to answer in the notebook; an unfinished answer is gone on with.

    Args:
        topic: number or name of the card; None means the unfinished answer's, else the one whose
            turn it is.
        store: the learner's progress; None means that of the folder that the notebook is in. Where
            there is none, the drill works and says that nothing is kept.

    Raises:
        ResourceNotFoundError: no card has this number or name.
        LearnerError: the progress cannot be read.
        FileWriteError: a progress that is damaged could not be set aside.
        CardError: a card is not what it must be.
        MissingExtraError: the libraries of the extra "study" are not installed.
    """
    unkept = ""
    if store is None:
        try:
            store = open_store()
        except NoLearnerFolderError:
            store, unkept = _MemoryStore(), _UNKEPT
    desk = Desk.of(store, Console(file=io.StringIO()), LineTypist(io.StringIO(), store.clock))
    card = None if topic is None else desk.card(topic)
    return show(Page(desk, card, unkept=unkept))


def show(page: Page) -> AnyWidget:
    """A page as a widget of the notebook.

    Raises:
        MissingExtraError: the libraries of the extra "study" are not installed.
    """
    widget: AnyWidget = _widget_class()(page)
    return widget


@cache
def _widget_class() -> Any:
    """The class of the widget, made when it is first needed: importing anywidget takes long."""
    with extra("study"):
        import anywidget
        import traitlets
    folder = files("mlref.study.interview")

    class DrillWidget(anywidget.AnyWidget):  # type: ignore[misc]
        """A page in the browser: `view` goes there, messages come back."""

        _esm = (folder / "widget.js").read_text(encoding="utf-8")
        _css = (folder / "widget.css").read_text(encoding="utf-8")
        view = traitlets.Dict().tag(sync=True)

        def __init__(self, page: Page) -> None:
            super().__init__(view=page.view())
            self.page = page
            self.on_msg(self._receive)

        def _receive(self, _widget: Any, message: dict[str, Any], _buffers: Any) -> None:
            self.page.receive(message)
            self.view = self.page.view()

    return DrillWidget


class _MemoryStore(Store):
    """A progress that ends with the kernel."""

    def __init__(self, clock: Clock | None = None) -> None:
        super().__init__(Path(), clock=clock)
        self._state = State()

    def read(self) -> State:
        """The progress so far."""
        return self._state

    @contextmanager
    def update(self) -> Iterator[State]:
        """The progress, to be changed in the block."""
        yield self._state
