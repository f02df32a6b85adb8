"""The committed notebooks: what they leave behind, what they claim, where their links lead."""

from __future__ import annotations

import json
import re
import signal
from pathlib import Path

import psutil
import pytest
from support.children import wait_gone

from mlref import evidence, resources

ROOT = Path(__file__).resolve().parents[2]
NOTEBOOKS = resources.notebooks()
FIGURES = sorted(resources.folder("evidence").glob("*.json"))
DEADLINE_S = 90.0


def _stem(path: Path) -> str:
    return path.stem


SLOW = ("serialization.compare", "flattered", "blind", "timeit")
"""What marks cells of notebook 01 that serving does not need; they take most of its time."""


def _until_served() -> list[str]:
    """The code cells of notebook 01 up to the one that deploys, without the slow ones."""
    cells = json.loads((ROOT / "notebooks/01_deployment_steps.ipynb").read_text())["cells"]
    code = ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]
    deploys = next(position for position, text in enumerate(code) if ".deploy(" in text)
    return [text for text in code[: deploys + 1] if not any(word in text for word in SLOW)]


def test_a_kernel_killed_in_the_middle_leaves_no_process(tmp_path: Path) -> None:
    """After kill -9 of whoever runs notebook 01 while it serves, the server is gone, too."""
    from jupyter_client.manager import start_new_kernel

    manager, client = start_new_kernel(kernel_name="python3", cwd=str(tmp_path))
    try:
        kernel = psutil.Process(manager.provisioner.process.pid)
        for cell in _until_served():  # a cell that only shows what a slow one made may fail
            client.execute(cell, stop_on_error=False)
        last = client.execute("endpoint.wait_ready(30)", stop_on_error=False)
        reply = {}
        while reply.get("parent_header", {}).get("msg_id") != last:
            reply = client.get_shell_msg(timeout=DEADLINE_S)
        assert reply["content"]["status"] == "ok", reply["content"]
        servers = [
            child for child in kernel.children(recursive=True) if "mlref.serving" in child.cmdline()
        ]
        assert len(servers) == 1
        kernel.send_signal(signal.SIGKILL)
        assert [server.pid for server in servers if not wait_gone(server.pid)] == []
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)
        manager.cleanup_resources()


@pytest.mark.parametrize("figures", FIGURES, ids=_stem)
def test_claims_hold_on_the_committed_figures(figures: Path) -> None:
    """A notebook that was measured has a card whose claims keep their bounds on that run."""
    claims = evidence.load_claims(resources.folder("cards") / f"{figures.stem}.toml")
    assert claims
    assert evidence.check(claims, evidence.load(figures)) == []


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=_stem)
def test_links_lead_somewhere(notebook: Path) -> None:
    """Each relative link of a notebook is a file beside it."""
    cells = json.loads(notebook.read_text())["cells"]
    text = "\n".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "markdown")
    links = re.findall(r"\]\((?!https?:|#)([^)#]+)\)", text)
    assert [link for link in links if not (notebook.parent / link).exists()] == []


def test_notebook_01_has_a_gate_for_each_of_the_seven_steps() -> None:
    """The outputs of notebook 01 show gates 1 to 7, in order."""
    cells = json.loads((ROOT / "notebooks/01_deployment_steps.ipynb").read_text())["cells"]
    shown = "".join(
        "".join(output.get("text", ""))
        for cell in cells
        for output in cell.get("outputs", ())
        if output["output_type"] == "stream"
    )
    assert re.findall(r"^gate (\d):", shown, re.MULTILINE) == list("1234567")


def test_the_committed_figures_say_where_they_come_from() -> None:
    """Machine, versions and date stand beside the figures."""
    figures = evidence.load(resources.folder("evidence") / "01_deployment_steps.json")
    assert figures.machine["cores"] >= 1
    assert {"numpy", "onnxruntime", "scikit-learn", "torch"} <= set(figures.versions)
    assert re.fullmatch(r"\d{4}-\d\d-\d\d", figures.date)
