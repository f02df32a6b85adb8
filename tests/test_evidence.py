"""Figures are recorded, read again, and held against what is claimed."""

from __future__ import annotations

import json
import math
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlref import evidence
from mlref.errors import EvidenceError
from mlref.evidence import Bound, Claim, Evidence, Figure, Recorder
from mlref.runtime.clock import ManualClock

TOPIC = "01_deployment_steps"
NOON = datetime(2013, 7, 1, 12, tzinfo=UTC)


@pytest.fixture
def recorder(tmp_path: Path) -> Recorder:
    """A recorder of the first chapter, on a day of 2013."""
    return Recorder(TOPIC, tmp_path, now=ManualClock(NOON))


@pytest.fixture
def written(tmp_path: Path) -> Any:
    """Write a whole file of evidence with some values changed, and return its path."""

    def write(**changes: Any) -> Path:
        values = {
            "format": "mlref-evidence/1",
            "topic": TOPIC,
            "date": "2013-07-01",
            "machine": {"cores": 2},
            "versions": {"numpy": "2.0"},
            "figures": {"01.auc": {"value": 0.7, "unit": "", "kind": "exact"}},
        }
        kept = {k: v for k, v in {**values, **changes}.items() if v is not ...}
        path = tmp_path / "evidence.json"
        path.write_text(json.dumps(kept))
        return path

    return write


def _run(**figures: Figure) -> Evidence:
    named = {f"01.{name}": figure for name, figure in figures.items()}
    return Evidence(TOPIC, "2013-07-01", {}, {}, named)


def test_round_trip(recorder: Recorder, tmp_path: Path) -> None:
    """What was recorded is read from the file as it was, with day, machine and versions."""
    assert recorder.record("01.auc", 0.7, unit="", kind="exact") == 0.7
    recorder.record("01.cold.start_ms", np.float32(1.5), unit="ms", kind="recorded")
    run = evidence.load(tmp_path / "evidence" / f"{TOPIC}.json")
    assert run == recorder.evidence
    assert (run.topic, run.date) == (TOPIC, "2013-07-01")
    assert run.figures == {
        "01.auc": Figure(0.7, "", "exact"),
        "01.cold.start_ms": Figure(1.5, "ms", "recorded"),
    }
    assert run.versions["numpy"] == np.__version__
    assert run.machine["cores"] >= 1


def test_the_file_is_whole_after_each_figure(recorder: Recorder) -> None:
    """Whoever reads the file between two figures finds the first."""
    recorder.record("01.a", 1, unit="", kind="exact")
    assert list(evidence.load(recorder.path).figures) == ["01.a"]
    recorder.record("01.b", 2, unit="", kind="exact")
    assert list(evidence.load(recorder.path).figures) == ["01.a", "01.b"]


@pytest.mark.parametrize("key", ["auc", "01", "01.", "01.AUC", "01.a-b", "02.auc", "01..a", "1.a"])
def test_keys(recorder: Recorder, key: str) -> None:
    """A key begins with the notebook's own number, and goes on in small letters."""
    with pytest.raises(EvidenceError, match=r'key must look like "01\.name"'):
        recorder.record(key, 1, unit="", kind="exact")
    assert not recorder.path.exists()


@pytest.mark.parametrize("topic", ["deployment", "1_a", "01", "01_A", "../01_a", "01_a/b", ""])
def test_topics(tmp_path: Path, topic: str) -> None:
    """A topic begins with the number of its question, and is no path."""
    with pytest.raises(EvidenceError, match="topic must look like"):
        Recorder(topic, tmp_path)


@pytest.mark.parametrize(
    "value",
    [math.nan, math.inf, -math.inf, 10**400, True, np.True_, "0.7", None, [1], 1j, np.ones(1)],
    ids=repr,
)
def test_what_is_no_figure(recorder: Recorder, value: Any) -> None:
    """Only a finite number is a figure; nothing is written of another value."""
    with pytest.raises(EvidenceError, match="must be a finite number"):
        recorder.record("01.x", value, unit="", kind="exact")
    assert not recorder.path.exists()


@pytest.mark.parametrize("value", [0, -1.5, np.float64(2), np.int64(3), np.float32(0.5)], ids=repr)
def test_numbers_of_any_kind(recorder: Recorder, value: Any) -> None:
    """Python's and NumPy's numbers are figures, and come back as float."""
    assert recorder.record("01.x", value, unit="", kind="exact") == value
    assert type(evidence.load(recorder.path).figures["01.x"].value) is float


@pytest.mark.parametrize("kind", ["measured", "", None, ["exact"]])
def test_kinds(recorder: Recorder, kind: Any) -> None:
    """A kind that does not exist is refused."""
    with pytest.raises(EvidenceError, match="kind must be exact, ratio or recorded"):
        recorder.record("01.x", 1, unit="", kind=kind)


def test_units(recorder: Recorder) -> None:
    """A unit is text."""
    with pytest.raises(EvidenceError, match="unit must be text"):
        recorder.record("01.x", 1, unit=None, kind="exact")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("text", "inside", "outside"),
    [
        ("<= 3", [3, -9], [3.1]),
        (">= 3", [3, 9], [2.9]),
        ("== 8", [8], [7.999999, 8.1]),
        ("< 2", [1.9], [2]),
        ("> 0", [1e-300], [0, -0.0]),
        ("2 .. 5", [2, 3, 5], [1.99, 5.01]),
        ("2..5", [2, 5], [1, 6]),
        ("-1 .. -0.5", [-1, -0.5], [0]),
        ("  <=1e-5 ", [1e-5], [1.1e-5]),
        (">=.5", [0.5], [0.4]),
        ("<= +2.", [2], [3]),
    ],
)
def test_bounds(text: str, inside: list[float], outside: list[float]) -> None:
    """A bound holds on its inside, ends included where it says so."""
    bound = Bound.parse(text)
    assert bound.text == text.strip()
    assert all(bound.holds(value) for value in inside)
    assert not any(bound.holds(value) for value in outside)
    assert not bound.holds(math.nan)


@pytest.mark.parametrize(
    "text",
    ["", "3", "=> 3", "= 3", "!= 3", ">= x", ">= 3 ms", ">= nan", ">= inf", "5 .. 2", "2 ..",
     "2 ... 5 ..", ">= 3 and < 5", "<=", ">= 1e", "3 >=", "0x10 .. 0x20"],
)  # fmt: skip
def test_what_is_no_bound(text: str) -> None:
    """Anything else is refused, with examples of what a bound looks like."""
    with pytest.raises(EvidenceError, match='a bound looks like "<= 1e-5"'):
        Bound.parse(text)


FINITE = st.floats(allow_nan=False, allow_infinity=False)


@given(limit=FINITE, value=FINITE, sign=st.sampled_from(["<=", ">=", "==", "<", ">"]))
def test_any_number_can_be_a_bound(limit: float, value: float, sign: str) -> None:
    """However Python writes a number, the bound compares as Python does."""
    expected = {
        "<=": value <= limit,
        ">=": value >= limit,
        "==": value == limit,
        "<": value < limit,
        ">": value > limit,
    }
    assert Bound.parse(f"{sign} {limit!r}").holds(value) == expected[sign]


@given(ends=st.tuples(FINITE, FINITE).map(sorted), value=FINITE)
def test_any_two_numbers_can_be_a_bound(ends: list[float], value: float) -> None:
    """Between two numbers is between them, ends included."""
    low, high = ends
    bound = Bound.parse(f"{low!r} .. {high!r}")
    assert bound.holds(value) == (low <= value <= high)
    assert bound.holds(low)
    assert bound.holds(high)


AUC = Claim("it ranks", "01.auc", Bound.parse(">= 0.67"))


@pytest.mark.parametrize(
    ("figures", "reasons"),
    [
        ({"auc": Figure(0.67, "", "exact")}, []),
        ({"auc": Figure(0.6699999, "", "exact")}, ["is 0.6699999, must be >= 0.67"]),
        ({"auc": Figure(0.5, "", "ratio")}, ["is 0.5, must be >= 0.67"]),
        ({"auc": Figure(0.5, "", "recorded")}, []),
        ({"other": Figure(0.7, "", "exact")}, ["was not measured"]),
    ],
)
def test_claims_are_checked(figures: dict[str, Figure], reasons: list[str]) -> None:
    """A claim needs its figure, and the figure its bound, unless it was recorded elsewhere."""
    violations = evidence.check([AUC], _run(**figures))
    assert [each.reason for each in violations] == reasons
    assert [str(each) for each in violations] == [f"01.auc: {r} (claim: it ranks)" for r in reasons]


def test_an_answer_shows_its_evidence() -> None:
    """Each claim stands beside its figure, its bound and where the figure comes from."""
    gpu = Claim("it is fast", "01.gpu", Bound.parse("< 1"))
    figures = {"auc": Figure(0.7034, "", "exact"), "gpu": Figure(2, "ms", "recorded")}
    table = evidence.answer([AUC, gpu], _run(**figures))
    assert table.rows == (
        ("it ranks", "0.703", ">= 0.67", "exact"),
        ("it is fast", "2 ms", "< 1", "recorded 2013-07-01"),
    )


def test_an_answer_shows_a_count_in_full() -> None:
    """A whole number is shown with all its digits."""
    rows = Claim("there are many", "01.rows", Bound.parse("== 336776"))
    table = evidence.answer([rows], _run(rows=Figure(336776.0, "rows", "exact")))
    assert table.rows[0][1] == "336,776 rows"


@pytest.mark.parametrize("figures", [{}, {"auc": Figure(0.5, "", "exact")}])
def test_no_answer_without_evidence(figures: dict[str, Figure]) -> None:
    """An answer with a claim that does not hold is refused, and the claim named."""
    with pytest.raises(EvidenceError, match=r"01\.auc: .* \(claim: it ranks\)"):
        evidence.answer([AUC], _run(**figures))


FIGURE = {"value": 1, "unit": "", "kind": "exact"}


@pytest.mark.parametrize(
    "changes",
    [
        {"format": "mlref-evidence/2"},
        {"format": ...},
        {"topic": 5},
        {"topic": ...},
        {"date": "yesterday"},
        {"date": 20130701},
        {"date": ...},
        {"machine": []},
        {"machine": ...},
        {"versions": "2.0"},
        {"figures": []},
        {"figures": ...},
        {"figures": {"auc": FIGURE}},
        {"figures": {"01.x": 5}},
        {"figures": {"01.x": {}}},
        {"figures": {"01.x": {**FIGURE, "value": "1"}}},
        {"figures": {"01.x": {**FIGURE, "value": True}}},
        {"figures": {"01.x": {**FIGURE, "value": None}}},
        {"figures": {"01.x": {**FIGURE, "value": math.nan}}},
        {"figures": {"01.x": {**FIGURE, "value": 10**400}}},
        {"figures": {"01.x": {**FIGURE, "kind": "guessed"}}},
        {"figures": {"01.x": {**FIGURE, "unit": 5}}},
    ],
    ids=lambda changes: str(changes)[:40],
)
def test_a_file_with_wrong_values(written: Any, changes: dict[str, Any]) -> None:
    """A file that lacks something, or holds another type, is an EvidenceError that names it."""
    assert evidence.load(written()).figures
    with pytest.raises(EvidenceError):
        evidence.load(written(**changes))


@pytest.mark.parametrize("data", [b"", b"{", b"[]", b"null", b"\xff", b"[" * 100_000, None])
def test_a_file_that_is_none(tmp_path: Path, data: bytes | None) -> None:
    """A file that is no JSON object, or is not there, is an EvidenceError with its name."""
    path = tmp_path / "01_x.json"
    if data is not None:
        path.write_bytes(data)
    with pytest.raises(EvidenceError, match=r"01_x\.json"):
        evidence.load(path)


def test_claims_of_a_card(tmp_path: Path) -> None:
    """The claims are the points that name a figure, in order."""
    path = tmp_path / "card.toml"
    path.write_text(
        '[[points]]\ntext = "it ranks"\nevidence = "01.auc"\nbound = ">= 0.67"\n'
        '[[points]]\ntext = "no figure"\n'
        '[[points]]\ntext = "same"\nevidence = "01.diff"\nbound = "<= 1e-5"\n'
    )
    expected = [AUC, Claim("same", "01.diff", Bound.parse("<= 1e-5"))]
    assert evidence.load_claims(path) == expected


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('[[points]]\ntext = "x"\nevidence = "01.auc"', r"01\.auc has no bound"),
        ('[[points]]\ntext = "x"\nbound = "< 1"', "a point with a bound has no evidence"),
        ('[[points]]\ntext = "x"\nbound = "< 1"\nevidence = ["01.auc"]', "has no evidence"),
        (
            '[[points]]\ntext = "x"\nbound = "few"\nevidence = "01.auc"',
            r"card\.toml: 01\.auc: a bound looks like",
        ),
        ("points = [1]", "points must be tables"),
        ("[points]", "points must be tables"),
        ('[[points]]\nbound = "< 1"\nevidence = "01.auc"', r"01\.auc has no text"),
        ('[[points]]\ntext = "x"\nevidence = "01.auc"\nbound = 5', r"01\.auc has no bound"),
        ('[[points]]\ntext = "x"\nevidence = "01.auc"\nbound = "big"', "a bound looks like"),
        ("[[points", "cannot be read"),
        (None, "cannot be read"),
    ],
)
def test_a_broken_card(tmp_path: Path, text: str | None, message: str) -> None:
    """A card with half a claim, or that cannot be read, is an EvidenceError."""
    path = tmp_path / "card.toml"
    if text is not None:
        path.write_text(text)
    with pytest.raises(EvidenceError, match=message):
        evidence.load_claims(path)


@pytest.fixture
def recalling(tmp_path: Path) -> Recorder:
    """A recorder in 2014, beside a committed run of 2013 with one figure."""
    folder = tmp_path / "committed"
    machine = {"system": "Linux", "architecture": "x86_64", "cores": 2}
    run = Evidence(TOPIC, "2013-07-01", machine, {}, {"01.gpu_ms": Figure(1.5, "ms", "ratio")})
    folder.mkdir()
    (folder / f"{TOPIC}.json").write_text(json.dumps(run.to_dict()))
    year_later = ManualClock(datetime(2014, 7, 1, tzinfo=UTC))
    return Recorder(TOPIC, tmp_path / "out", now=year_later, committed=folder)


def test_a_committed_figure_is_recalled(recalling: Recorder) -> None:
    """It has its old value and unit, is no measurement of this run, and tells whose it is."""
    assert recalling.recall("01.gpu_ms") == 1.5
    expected = Figure(1.5, "ms", "recorded", "2013-07-01, Linux x86_64, 2 cores")
    assert evidence.load(recalling.path).figures == {"01.gpu_ms": expected}


def test_a_recalled_figure_keeps_its_source(recalling: Recorder, tmp_path: Path) -> None:
    """Recalled from a run that had itself recalled it, it still names the run that measured it."""
    recalling.recall("01.gpu_ms")
    again = Recorder(TOPIC, tmp_path / "again", committed=recalling.path.parent)
    again.recall("01.gpu_ms")
    assert again.evidence.figures["01.gpu_ms"].source == "2013-07-01, Linux x86_64, 2 cores"


def test_a_recalled_figure_is_shown_with_its_source(recalling: Recorder) -> None:
    """An answer names day and machine, and holds the figure to no bound."""
    recalling.recall("01.gpu_ms")
    claim = Claim("it is fast", "01.gpu_ms", Bound.parse("<= 1"))
    shown = str(evidence.answer([claim], recalling.evidence))
    assert "recorded 2013-07-01, Linux x86_64, 2 cores" in shown


@pytest.mark.parametrize(
    ("topic", "key", "message"),
    [
        (TOPIC, "01.other", "01.other is not among the committed figures; there are 01.gpu_ms"),
        ("02_containers", "02.size_mb", "02_containers.json cannot be read"),
    ],
)
def test_what_cannot_be_recalled(
    recalling: Recorder, tmp_path: Path, topic: str, key: str, message: str
) -> None:
    """No such figure, no such run: an error that says so, and nothing is written."""
    other = Recorder(topic, tmp_path / "other", committed=tmp_path / "committed")
    with pytest.raises(EvidenceError, match=message):
        other.recall(key)
    assert not other.path.exists()
    assert not recalling.evidence.figures


def test_the_committed_runs_are_those_of_mlref(tmp_path: Path) -> None:
    """Unless told otherwise, a recorder finds the runs that come with mlref."""
    assert Recorder(TOPIC, tmp_path).committed.topic == TOPIC


def test_a_value_is_had_again(recorder: Recorder) -> None:
    """What was recorded in this run is had by its key, and nothing else is."""
    recorder.record("01.auc", 0.7, unit="", kind="exact")
    assert recorder.value("01.auc") == 0.7
    with pytest.raises(EvidenceError, match=r"01\.brier was not recorded in this run"):
        recorder.value("01.brier")


def test_a_source_is_text(written: Any) -> None:
    """A file whose figure has another source than text is refused."""
    figure = {"value": 0.7, "unit": "", "kind": "recorded", "source": 7}
    with pytest.raises(EvidenceError, match="source must be text, got 7"):
        evidence.load(written(figures={"01.auc": figure}))
