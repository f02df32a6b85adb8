"""The drill in a real JupyterLab, driven in a real browser as a learner drives it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest
from support.browsers import installed_browser
from support.jupyterlab import TOKEN, jupyterlab

from mlref.study.learner.folder import make_folder

if TYPE_CHECKING:
    from playwright.sync_api import Page

ROUND = "#mlref-drill-01_deployment_steps-"
NEXT_ANSWER = "#mlref-drill-02_containers-answer"
NEXT_STATUS = "#mlref-drill-02_containers-status"
ANSWER = "I split the rows at random.\nThen <b>canary</b> releases, and a rollback to the old one."
LONG_MS = 120_000
RUN_AGAIN_MS = 4_000
ALL_RAN = """() => [...document.querySelectorAll(".jp-InputPrompt")].every(
    (each) => !each.textContent.includes("*"))"""


@contextmanager
def opened(address: str, complaints: list[str], *, dark: bool = False) -> Iterator[Page]:
    """A page of the browser; what it asks of another host, and its errors, are complaints."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=installed_browser(), args=["--no-sandbox"]
        )
        page = browser.new_page(
            viewport={"width": 1280, "height": 720}, color_scheme="dark" if dark else "light"
        )
        page.set_default_timeout(LONG_MS)
        home = urlsplit(address).netloc

        def asked(url: str) -> None:
            parts = urlsplit(url)
            if parts.scheme not in {"data", "blob"} and parts.netloc != home:
                complaints.append(f"asked for {url}")

        def said(kind: str, text: str) -> None:
            # JupyterLab says this of its own debugger, now and then, when a page is reloaded.
            if kind == "error" and "Could not restore the debugger state" not in text:
                complaints.append(text)

        page.on("request", lambda request: asked(request.url))
        page.on("websocket", lambda socket: asked(socket.url))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("console", lambda each: said(each.type, each.text))
        yield page
        browser.close()


def run_all(page: Page) -> None:
    """Run all cells until the widget is there; JupyterLab drops it while no kernel is connected."""
    from playwright.sync_api import TimeoutError as NotYetError

    for _ in range(LONG_MS // RUN_AGAIN_MS):
        try:
            for button in page.locator(
                ".jp-Dialog .jp-mod-accept"
            ).all():  # which kernel? This one.
                button.click(timeout=RUN_AGAIN_MS)
            for name in ("Run", "Run All Cells"):  # a dialog may come in between
                page.get_by_role("menuitem", name=name, exact=True).click(timeout=RUN_AGAIN_MS)
            page.wait_for_selector(f"{ROUND}round", timeout=RUN_AGAIN_MS)
        except NotYetError:
            continue
        page.wait_for_function(ALL_RAN)  # else a later run would put another widget in its place
        page.wait_for_selector(f"{ROUND}round")
        return
    pytest.fail("the widget did not appear")


def test_a_learner_answers_in_jupyterlab(
    tmp_path: Path, require: Callable[[str, bool, str], None]
) -> None:
    """Typing survives a reload, keys are enough, the record stands in the progress; all offline."""
    require("chromium", installed_browser() is not None, "install the package chromium")
    from playwright.sync_api import expect

    folder, complaints = tmp_path / "study", list[str]()
    make_folder(folder)
    progress = folder / ".mlref/progress.json"
    with (
        jupyterlab(folder, tmp_path / "lab") as address,
        opened(address, complaints) as page,
    ):
        page.goto(f"{address}lab/tree/drill.ipynb?token={TOKEN}")
        page.wait_for_selector(".jp-Notebook")
        run_all(page)

        page.locator(f"{ROUND}answer").press_sequentially("I split")
        page.wait_for_selector(f"{ROUND}status:has-text('Kept')")
        assert json.loads(progress.read_text())["draft"]["text"] == "I split"

        page.reload()
        page.wait_for_selector(".jp-Notebook")
        run_all(page)
        area = page.locator(f"{ROUND}answer")
        assert area.input_value() == "I split"
        area.fill(ANSWER)
        area.press("Control+Enter")
        page.wait_for_selector(f"{ROUND}shown")
        assert page.locator(f"{ROUND}shown").inner_text() == ANSWER
        assert "split the rows at random" in page.locator(f"{ROUND}shown mark").all_inner_texts()
        assert page.locator(f"{ROUND}point-rollback").is_checked()
        assert page.locator(f"{ROUND}flag-random_split").is_checked()

        page.locator(f"{ROUND}point-owner").press("Space")
        page.wait_for_selector(f"{ROUND}ticked:has-text('2 of')")
        page.screenshot(path=tmp_path / "rubric.png")
        page.locator(f"{ROUND}record").press("Enter")
        page.wait_for_selector(f"{ROUND}result:has-text('Asked again on')")
        page.screenshot(path=tmp_path / "result.png")
        page.locator(f"{ROUND}next").press("Enter")
        expect(page.locator(NEXT_ANSWER)).to_be_in_viewport(timeout=LONG_MS)
        expect(page.locator(NEXT_ANSWER)).to_be_focused(timeout=LONG_MS)
        expect(page.locator(NEXT_STATUS)).to_be_empty()

    kept = json.loads(progress.read_text())
    (review,) = kept["cards"]["01_deployment_steps"]["reviews"]
    assert (review["answer"], kept["draft"]) == (ANSWER, None)
    assert set(review["ticked"]) == {"rollback", "owner"}
    assert review["red_flags"] == ["random_split"]
    assert complaints == []
