"""The fresh process in which a format is loaded, measured, attacked. Run by path, not imported.

It works in any environment that has NumPy: mlref need not be installed there. The one argument is a
job, a JSON file. What it finds out goes to the report pipe of `mlref.runtime.process`, one JSON
object a line; without that pipe, to the standard output.
"""

from __future__ import annotations

import sys

BEFORE = frozenset(sys.modules)

import importlib.machinery  # noqa: E402 - what the interpreter had loaded itself is noted first
import json  # noqa: E402
import os  # noqa: E402
import runpy  # noqa: E402
import threading  # noqa: E402
import time  # noqa: E402
from pathlib import Path  # noqa: E402
from typing import Any  # noqa: E402

__all__ = ["main"]

_SHOWN_ROWS = 2  # rows that a hostile model is asked about


def _report(**values: Any) -> None:
    """One line to the parent."""
    line = json.dumps(values).encode() + b"\n"
    os.write(int(os.environ.get("MLREF_REPORT_FD", "1")), line)


def _die_with_parent() -> None:
    """End this process when the parent's end of the lifeline is gone."""
    lifeline = os.environ.get("MLREF_PARENT_FD")
    if lifeline:

        def watch(descriptor: int) -> None:
            while os.read(descriptor, 1):
                pass
            os._exit(1)

        threading.Thread(target=watch, args=(int(lifeline),), daemon=True).start()


def _hide(hidden: list[str]) -> None:
    """Let these top-level modules be not found, as if they were not installed."""
    finder = next(each for each in sys.meta_path if getattr(each, "__name__", "") == "PathFinder")

    class Filter:
        """The interpreter's own finder, blind to what is hidden."""

        invalidate_caches = finder.invalidate_caches  # type: ignore[attr-defined, unused-ignore]

        @staticmethod
        def find_spec(name: str, path: Any = None, target: Any = None) -> Any:
            absent = name.partition(".")[0] in hidden
            return None if absent else finder.find_spec(name, path, target)

    sys.meta_path[:] = [importlib.machinery.BuiltinImporter, importlib.machinery.FrozenImporter]
    sys.meta_path.append(Filter())  # type: ignore[arg-type, unused-ignore]


def _load(job: dict[str, Any]) -> None:
    """Load, tell at once; load again, predict, tell; then try the hostile files."""
    _hide(job["hidden"])
    load = runpy.run_path(job["script"])[job["loader"]]
    predict = load(Path(job["folder"]))
    _report(loaded=True)
    times_ms = []
    for _ in range(job["repeats"]):
        start = time.perf_counter()
        predict = load(Path(job["folder"]))
        times_ms.append((time.perf_counter() - start) * 1000)
    import numpy as np

    with np.load(job["rows"], allow_pickle=False) as stored:
        columns = {
            name: stored[name].astype(object) if stored[name].dtype.kind == "U" else stored[name]
            for name in job["columns"]
        }
    predictions = np.asarray(predict(columns))
    np.save(job["predictions"], predictions.reshape(len(predictions)), allow_pickle=False)
    _report(load_ms=times_ms, modules=_modules(), path=sys.path)
    few = {name: values[:_SHOWN_ROWS] for name, values in columns.items()}
    for number, attempt in enumerate(job["attempts"]):
        _report(attempt=number, outcome=_attack(job["script"], attempt, few))


def _attack(script: str, attempt: dict[str, Any], columns: dict[str, Any]) -> str:
    """What happens when a hostile file is loaded and, if it loads, used."""
    try:
        predict = runpy.run_path(script)[attempt["loader"]](Path(attempt["folder"]))
    except BaseException as error:  # noqa: BLE001 - whatever it is, it is the result
        return f"{type(error).__name__}: {error}"
    if not callable(predict) or not attempt["call"]:
        return "loaded"
    try:
        predict(columns)
    except BaseException as error:  # noqa: BLE001 - likewise
        return f"loaded; when called {type(error).__name__}: {error}"
    return "loaded and called"


def _modules() -> dict[str, str]:
    """Each module that came with the model, and its file (empty: it has none)."""
    return {
        name: getattr(module, "__file__", None) or ""
        for name, module in list(sys.modules.items())
        if name not in BEFORE and module is not None and name != "__main__"
    }


def main() -> None:
    """Do the job that the one argument describes."""
    _die_with_parent()
    job = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    try:
        if "calls" in job:
            functions = runpy.run_path(job["script"])
            for name, arguments in job["calls"]:
                _report(result=functions[name](**arguments))
        else:
            _load(job)
    except Exception as error:  # noqa: BLE001 - the parent tells it
        _report(error=f"{type(error).__name__}: {error}")


if __name__ == "__main__":
    main()
