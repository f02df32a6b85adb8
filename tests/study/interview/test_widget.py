"""The drill as a widget: what the browser gets, and what its messages do."""

from __future__ import annotations

import re
import subprocess
import sys
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest

from mlref.errors import ResourceNotFoundError
from mlref.study.interview import widget
from mlref.study.learner.state import Store

FOLDER = files("mlref.study.interview")
ANSWER = "Judge it on later data than it saw. Preprocessing goes into the ONNX file."


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """A beginner's progress."""
    (tmp_path / ".mlref").mkdir()
    return Store(tmp_path)


def _send(shown: Any, kind: str, **values: Any) -> dict[str, Any]:
    """A message as the browser sends it, and the view that comes back."""
    shown._handle_custom_msg({"kind": kind, **values}, [])
    view: dict[str, Any] = shown.view
    return view


def test_an_answer_goes_from_the_browser_into_the_progress(store: Store) -> None:
    """Typed, compared, recorded: the state is that of `mlref drill`."""
    shown = widget.drill("1", store)
    _send(shown, "typed", text=ANSWER, seconds=12.0, serial=1)
    assert (store.read().draft or {})["text"] == ANSWER
    view = _send(shown, "done", text=ANSWER, seconds=14.0, serial=2)
    assert any(each["on"] for each in view["points"])
    assert _send(shown, "record", serial=3)["phase"] == "recorded"
    (review,) = store.read().cards["01_deployment_steps"].reviews
    assert review["answer"] == ANSWER


def test_it_works_without_a_folder_and_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Outside a learner's folder an answer is compared and rated, and nothing is written."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MLREF_FOLDER", raising=False)
    shown = widget.drill("01")
    assert "mlref init DIR" in shown.view["notices"][0]
    _send(shown, "done", text=ANSWER, seconds=14.0)
    view = _send(shown, "record")
    assert (view["phase"], view["problem"]) == ("recorded", "")
    assert list(tmp_path.iterdir()) == []


def test_the_folder_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In a folder below the learner's, as a notebook is, the progress is that folder's."""
    (tmp_path / ".mlref").mkdir()
    (tmp_path / "notebooks").mkdir()
    monkeypatch.chdir(tmp_path / "notebooks")
    monkeypatch.delenv("MLREF_FOLDER", raising=False)
    _send(widget.drill("01"), "typed", text=ANSWER, seconds=1.0)
    assert (Store(tmp_path).read().draft or {})["text"] == ANSWER


def test_an_unknown_card_is_refused(store: Store) -> None:
    """The error lists what there is."""
    with pytest.raises(ResourceNotFoundError, match="01"):
        widget.drill("99", store)


def test_every_card_can_be_asked(store: Store) -> None:
    """Cards whose parts are pending go through all phases, too."""
    for number in range(1, 16):
        shown = widget.drill(str(number), store)
        _send(shown, "done", text=ANSWER, seconds=1.0)
        view = _send(shown, "record")
        assert (view["phase"], view["problem"]) == ("recorded", "")


def test_the_page_asks_nobody_else() -> None:
    """The script and the style name no address, and the script imports and evaluates nothing."""
    script = FOLDER.joinpath("widget.js").read_text()
    style = FOLDER.joinpath("widget.css").read_text()
    assert not re.search(r"https?:|//[a-z]+\.", script + style)
    assert not re.search(r"\bimport\b|\beval\b|\bFunction\(|url\(|@import", script + style)


def test_text_goes_in_as_text() -> None:
    """Nothing that a learner typed can become markup."""
    script = FOLDER.joinpath("widget.js").read_text()
    assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write", script)


def test_ids_are_the_same_each_time() -> None:
    """They are made of names; nothing random, no moment is in the script."""
    script = FOLDER.joinpath("widget.js").read_text()
    assert not re.search(r"Math\.random|randomUUID|Date\b", script)


def test_importing_it_is_cheap() -> None:
    """Anywidget is loaded when a widget is made."""
    code = "import sys, mlref.study.interview.widget; print('anywidget' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
