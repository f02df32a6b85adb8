"""What checks are written with."""

from __future__ import annotations

import pickle

import numpy as np
import pytest

from mlref.errors import LabError
from mlref.study.labs.checks import (
    Answer,
    LeftOut,
    Rejected,
    exercise,
    exercise_of,
    label_of,
    leave_out,
    reject,
)


def test_a_rejection_says_what_and_why() -> None:
    """Both survive the way between two processes."""
    with pytest.raises(Rejected, match="wrong") as caught:
        reject("wrong", why="it matters")
    copy = pickle.loads(pickle.dumps(caught.value))
    assert (str(copy), copy.why) == ("wrong", "it matters")


def test_a_check_that_is_left_out_says_what_it_needs_and_how_to_get_that() -> None:
    """Its message, the part and the way to it."""
    with pytest.raises(LeftOut, match="not run") as caught:
        leave_out("not run", part="docker", how="start the daemon")
    assert (caught.value.part, caught.value.how) == ("docker", "start the daemon")


def test_a_check_knows_its_exercise_and_its_label() -> None:
    """The docstring is what learners read, as one line."""

    @exercise("total")
    def it_holds(_answer: Answer) -> None:
        """It holds
        on two lines.
        """  # noqa: D205 - the subject of this test

    assert exercise_of(it_holds) == "total"
    assert label_of(it_holds) == "It holds on two lines."


def test_a_check_without_a_docstring_is_refused() -> None:
    """There would be nothing to show."""
    with pytest.raises(LabError, match="has no docstring"):
        exercise("total")(lambda _answer: None)


def test_a_check_of_two_exercises_is_refused() -> None:
    """The first would lose it without a word."""

    def it_holds(_answer: Answer) -> None:
        """It holds."""

    with pytest.raises(LabError, match="it_holds is one of total already"):
        exercise("double")(exercise("total")(it_holds))


def test_what_is_no_check_has_no_exercise() -> None:
    """Helpers and imported names are left alone."""
    assert exercise_of(len) is None
    assert exercise_of(3) is None


def test_an_answer_has_its_names_and_its_code() -> None:
    """Names are attributes, values of any kind."""
    answer = Answer({"x": None}, "x = None")
    assert (answer.x, answer.code) == (None, "x = None")


def test_a_name_that_is_missing_is_rejected_in_words() -> None:
    """It is the answer that is wrong, not the check."""
    with pytest.raises(Rejected, match="`y` is not defined"):
        _ = Answer({}, "").y


def test_an_answer_can_be_copied() -> None:
    """Python's own protocols are not answered with a rejection."""
    with pytest.raises(AttributeError):
        _ = Answer({}, "").__deepcopy__


@pytest.mark.parametrize("value", [2, 2.0, np.float32(2), np.int64(2)])
def test_numbers_of_every_kind_are_numbers(value: float) -> None:
    """NumPy's, too."""
    assert Answer({"x": value}, "").number("x") == 2.0


@pytest.mark.parametrize("value", [True, "2", None, float("inf"), 10**400, [2], 2j])
def test_what_is_no_finite_number_is_rejected(value: object) -> None:
    """The message shows what was got."""
    with pytest.raises(Rejected, match="must be a finite number, got"):
        Answer({"x": value}, "").number("x")


def test_what_cannot_be_called_is_no_function() -> None:
    """A function is given as it is; anything else is rejected."""
    assert Answer({"f": len}, "").function("f") is len
    with pytest.raises(Rejected, match="`f` must be a function, got 3"):
        Answer({"f": 3}, "").function("f")
