"""The script of the drill's widget in a real browser, with the page behind it and no JupyterLab."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterator
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from rich.console import Console
from support.browsers import installed_browser
from support.drilling import CARDS, store_in

from mlref.study.interview.draft import Draft, drill_place
from mlref.study.interview.page import Page
from mlref.study.interview.prompting import LineTypist
from mlref.study.interview.rounds import Desk
from mlref.study.learner.state import Store

if TYPE_CHECKING:
    from playwright.sync_api import Page as Tab

CARD = CARDS[0]
HOME = "http://drill.example/"
KEY = f"mlref-drill-{CARD.name}"
PART = f"#mlref-drill-{CARD.name}-"
LONG_MS = 60_000
# What anywidget does: `view` goes to the script, its messages to Python, the new view comes back.
BRIDGE = """<!doctype html><main></main><script type="module">
import widget from "./widget.js";
let changed = () => {};
let view = await window.opened();
const model = {
  get: () => view,
  on: (_, action) => { changed = action; },
  off: () => {},
  send: async (message) => { view = await window.receive(message); changed(); },
};
widget.render({ model, el: document.querySelector("main") });
</script>"""


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """A progress in which "one two" is kept."""
    store = store_in(tmp_path)
    drill_place.save(store, Draft(CARD.name, "typing", "one two", 2.0))
    return store


@pytest.fixture
def tab(store: Store, require: Callable[[str, bool, str], None]) -> Iterator[Tab]:
    """A tab of the browser; each load of it makes a page, as running the cell does."""
    require("chromium", installed_browser() is not None, "install the package chromium")
    from playwright.sync_api import sync_playwright

    pages: list[Page] = []

    def opened() -> dict[str, Any]:
        desk = Desk(store, Console(file=io.StringIO()), LineTypist(io.StringIO()), CARDS)
        pages.append(Page(desk, CARD))
        return pages[-1].view()

    def receive(message: dict[str, Any]) -> dict[str, Any]:
        pages[-1].receive(message)
        return pages[-1].view()

    script = files("mlref.study.interview").joinpath("widget.js").read_text()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=installed_browser(), args=["--no-sandbox"]
        )
        tab = browser.new_page()
        tab.set_default_timeout(LONG_MS)
        tab.expose_function("opened", opened)
        tab.expose_function("receive", receive)
        tab.route(
            f"{HOME}**",
            lambda route: (
                route.fulfill(body=script, content_type="text/javascript")
                if route.request.url.endswith(".js")
                else route.fulfill(body=BRIDGE, content_type="text/html")
            ),
        )
        tab.goto(HOME)
        tab.wait_for_selector(f"{PART}round")
        yield tab
        browser.close()


def _leave(tab: Tab, base: str, text: str) -> None:
    """Come back to a tab that holds a text which was typed on top of another one."""
    copy = json.dumps({"base": base, "text": text, "seconds": 3.0})
    tab.evaluate("([key, copy]) => sessionStorage.setItem(key, copy)", [KEY, copy])
    tab.reload()
    tab.wait_for_selector(f"{PART}round")


def _held(tab: Tab) -> str | None:
    held: str | None = tab.evaluate("(key) => sessionStorage.getItem(key)", KEY)
    return held


@pytest.mark.parametrize("name", ["chromium", "chromium-browser", "google-chrome"])
def test_the_browser_is_found_under_each_of_its_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """Where only one of them is installed, it is taken."""
    program = tmp_path / name
    program.touch(mode=0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert installed_browser() == str(program)


def test_text_on_top_of_what_is_kept_goes_on(tab: Tab, store: Store) -> None:
    """The tab was closed within the second before the text went to Python: it is there and kept."""
    _leave(tab, "one two", "one two three")
    assert tab.locator(f"{PART}answer").input_value() == "one two three"
    tab.wait_for_selector(f"{PART}status:has-text('Kept')")
    assert (store.read().draft or {})["text"] == "one two three"


def test_text_on_top_of_an_earlier_one_is_offered_and_taken(tab: Tab, store: Store) -> None:
    """Python kept a later text than the tab knew of: both are shown, also after a reload."""
    _leave(tab, "one", "one two three")
    tab.reload()
    assert tab.locator(f"{PART}take-tab-text").inner_text() == "one two three"
    assert tab.locator(f"{PART}take-kept-text").inner_text() == "one two"
    assert tab.locator("textarea").count() == 0
    tab.locator(f"{PART}take-tab").press("Enter")
    assert tab.locator(f"{PART}answer").input_value() == "one two three"
    tab.wait_for_selector(f"{PART}status:has-text('Kept')")
    assert (store.read().draft or {})["text"] == "one two three"


def test_the_kept_text_can_be_taken(tab: Tab, store: Store) -> None:
    """Only then is the tab's text dropped."""
    _leave(tab, "one", "one two three")
    assert _held(tab) is not None
    tab.locator(f"{PART}take-kept").press("Enter")
    assert tab.locator(f"{PART}answer").input_value() == "one two"
    assert _held(tab) is None
    assert (store.read().draft or {})["text"] == "one two"


def test_a_text_that_is_kept_is_not_offered(tab: Tab) -> None:
    """The tab was closed after it was kept, before the answer came: there is nothing to choose."""
    _leave(tab, "one", "one two")
    assert tab.locator(f"{PART}answer").input_value() == "one two"


def test_a_text_beside_a_finished_answer_is_shown(tab: Tab, store: Store) -> None:
    """The answer was finished elsewhere: the tab's text can be read until it is thrown away."""
    drill_place.save(store, Draft(CARD.name, "confirming", "one two", 2.0))
    _leave(tab, "one", "one two three")
    tab.locator(f"{PART}leftover summary").press("Enter")
    assert "one two three" in tab.locator(f"{PART}leftover").inner_text()
    assert _held(tab) is not None
    tab.locator(f"{PART}drop").press("Enter")
    assert (tab.locator(f"{PART}leftover").count(), _held(tab)) == (0, None)


def test_a_finished_answer_leaves_nothing_in_the_tab(tab: Tab) -> None:
    """Typed and finished at once, the text is Python's."""
    tab.locator(f"{PART}answer").press_sequentially("alpha ")
    tab.locator(f"{PART}answer").press("Control+Enter")
    tab.wait_for_selector(f"{PART}shown")
    assert (tab.locator(f"{PART}leftover").count(), _held(tab)) == (0, None)
