"""Results as data, as text and as HTML."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser

import pytest

from mlref.study.labs.results import (
    MARKS,
    CheckOutcome,
    ExerciseResult,
    LabResult,
    Status,
    as_html,
    as_text,
    inline_html,
)

SCRIPT = "<script>alert(1)</script>&\"'"
CHECKS = (
    CheckOutcome("It is.", passed=True),
    CheckOutcome("It was.", passed=False),
    CheckOutcome("It is to.", passed=None),
)


def _lab_result(status: Status = "failed", text: str = "wrong") -> LabResult:
    one = ExerciseResult(
        "09_sums", "total", status, CHECKS, message=text, why=f"{text} why", output=f"{text} out"
    )
    return LabResult("09_sums", "Sums", (one,))


@pytest.mark.parametrize("shown", [as_text, as_html])
@pytest.mark.parametrize("status", MARKS)
def test_every_ending_is_told_in_words(shown: type, status: Status) -> None:
    """Neither text nor HTML needs its colours to be understood."""
    assert MARKS[status] in shown(_lab_result(status))


def test_the_text_has_every_check_with_its_sign() -> None:
    """Those that were not reached say so."""
    lines = as_text(_lab_result()).splitlines()
    assert lines == [
        "Sums: 0 of 1 solved",
        "✗ not yet  total",
        "    ✓ It is.",
        "    ✗ It was.",
        "    · (not reached) It is to.",
        "  wrong",
        "  Why it matters: wrong why.",
        "  What your code printed:",
        "    | wrong out",
    ]


def test_a_check_that_was_not_made_is_told_of_an_answer_that_passed() -> None:
    """With the reason, and what to do about it."""
    checks = (CheckOutcome("It is.", passed=True), CheckOutcome("It runs.", passed=None))
    result = ExerciseResult("09_sums", "total", "passed", checks, message="not run", why="get one")
    assert as_text(LabResult("09_sums", "Sums", (result,))).splitlines()[1:] == [
        "✓ solved  total",
        "    ✓ It is.",
        "    · (not made) It runs.",
        "  not run",
        "  What to do: get one.",
    ]


@pytest.mark.parametrize("shown", [as_text, as_html])
def test_nothing_has_failed_of_what_is_to_do(shown: type) -> None:
    """Its checks are a list of what is wanted."""
    page = shown(_lab_result("todo"))
    assert "✗" not in page
    assert "· It was." in page
    assert "· It is to." in page


def test_what_stands_in_backquotes_is_code() -> None:
    """In HTML; and a tag in it is no tag."""
    assert inline_html("`a < b` or `c`, not `d") == (
        "<code>a &lt; b</code> or <code>c</code>, not `d"
    )
    page = as_html(_lab_result(text="`name` is wrong"))
    assert page.count("<code>name</code> is wrong") == 2  # message and reason


@pytest.mark.parametrize(
    ("status", "heading"),
    [("failed", "Why it matters"), ("timeout", "Why it matters"), ("memory", "Why it matters"),
     ("error", "What to do"), ("missing", "What to do")],
)  # fmt: skip
def test_advice_is_not_called_a_reason(status: Status, heading: str) -> None:
    """A wrong answer has a reason; an error has a way out."""
    assert f"{heading}: wrong why." in as_text(_lab_result(status))
    assert f"<i>{heading}:</i> wrong why." in as_html(_lab_result(status))


def test_the_output_of_a_solved_exercise_is_not_shown() -> None:
    """It is of interest only where something is wrong."""
    assert "wrong out" not in as_text(_lab_result("passed"))
    assert "wrong out" not in as_html(_lab_result("passed"))


class _Tags(HTMLParser):
    """The tags of a page, and whether each is closed where it should be."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Remember it."""
        assert not {"src", "href", "onclick"} & {name for name, _ in attrs}
        self.open.append(tag)
        self.seen.add(tag)

    def handle_endtag(self, tag: str) -> None:
        """Close it."""
        assert self.open.pop() == tag


def test_what_a_learner_wrote_is_escaped() -> None:
    """No text of theirs becomes a tag; every tag is closed."""
    lab = _lab_result(text=SCRIPT)
    odd = ExerciseResult(SCRIPT, SCRIPT, "failed", (CheckOutcome(SCRIPT, passed=False),))
    page = as_html(LabResult(SCRIPT, SCRIPT, (*lab.exercises, odd)))
    tags = _Tags()
    tags.feed(page)
    assert tags.open == []
    assert tags.seen == {"b", "code", "details", "div", "i", "p", "pre", "progress", "summary"}
    assert "alert(1)" in page


def test_the_html_needs_nothing_from_elsewhere() -> None:
    """No address stands in it."""
    assert not re.search(r"https?:|//|url\(|@import", as_html(_lab_result()))


def test_a_result_shows_itself() -> None:
    """In a terminal as text, in a notebook as HTML."""
    result = _lab_result()
    assert (repr(result), result._repr_html_()) == (as_text(result), as_html(result))


def test_who_is_stuck_is_told_where_a_hint_is() -> None:
    """The hint is for the first answer that is wrong; one that was not begun comes after."""
    begun = _lab_result().exercises[0]
    untouched = ExerciseResult("09_sums", "double", "todo")
    assert "hint(&quot;09&quot;, &quot;total&quot;)" in as_html(
        LabResult("09_sums", "Sums", (untouched, begun))
    )
    assert "hint(&quot;09&quot;, &quot;double&quot;)" in as_html(
        LabResult("09_sums", "Sums", (untouched,))
    )
    assert "hint(" not in as_html(_lab_result("passed"))


def test_the_bar_has_its_value_in_words() -> None:
    """A reader of screens says how many are solved."""
    assert 'aria-label="1 of 1 exercises solved"' in as_html(_lab_result("passed"))


def test_a_result_is_json() -> None:
    """The dictionary of a result is what JSON gives back, checks that were not reached included."""
    values = _lab_result().to_dict()
    assert json.loads(json.dumps(values)) == values
    assert [check["passed"] for check in values["exercises"][0]["checks"]] == [True, False, None]


@pytest.mark.parametrize(("status", "solved"), [("passed", 1), ("failed", 0), ("missing", 0)])
def test_only_what_passed_counts_as_solved(status: Status, solved: int) -> None:
    """A lab is passed when everything in it is."""
    result = _lab_result(status)
    assert (result.solved, result.passed) == (solved, bool(solved))
