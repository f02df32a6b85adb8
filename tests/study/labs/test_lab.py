"""What a lab is, and how one is found."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from support.small_labs import LAB_TOML, write_lab

from mlref.errors import LabError, ResourceNotFoundError
from mlref.study.labs.lab import Lab, all_labs, find_lab, load_lab

MakeLab = Callable[..., Lab]


def test_a_lab_is_what_its_description_says(lab: Lab) -> None:
    """Title, minutes, exercises in order, each with its kind and hints."""
    assert (lab.name, lab.number, lab.title, lab.minutes) == ("09_sums", "09", "Sums", 5)
    assert [(each.name, each.kind) for each in lab.exercises] == [
        ("total", "calculation"),
        ("double", "build"),
        ("mend", "incident"),
    ]
    assert lab.exercise("total").hints == ("look", "think", "write")


def test_the_limits_have_defaults_and_can_be_set(make_lab: MakeLab) -> None:
    """A minute and 2 GiB, unless lab.toml says otherwise."""
    assert (make_lab().time_limit_s, make_lab().memory_limit_bytes) == (60.0, 2 * 2**30)
    lab = make_lab(toml=f"time_limit_s = 1.5\nmemory_limit_mb = 3\n{LAB_TOML}")
    assert (lab.time_limit_s, lab.memory_limit_bytes) == (1.5, 3 * 2**20)


@pytest.mark.parametrize("name", ["9", "09", "09_sums"])
def test_a_lab_is_found_by_number_or_name(lab: Lab, name: str) -> None:
    """However it was typed."""
    assert find_lab(name, lab.folder.parent) == lab


@pytest.mark.parametrize("name", ["", "8", "009", "sums", "../09_sums", "\u0669"])
def test_an_unknown_lab_is_refused(lab: Lab, name: str) -> None:
    """The message lists those that there are."""
    with pytest.raises(ResourceNotFoundError, match="there are: 09_sums"):
        find_lab(name, lab.folder.parent)


def test_all_labs_come_in_order(tmp_path: Path) -> None:
    """Folders without a lab.toml, or without a number, are none."""
    for name in ("10_ten", "02_two"):
        write_lab(tmp_path, name=name)
    (tmp_path / "03_draft").mkdir()
    write_lab(tmp_path, name="notes")
    assert [lab.number for lab in all_labs(tmp_path)] == ["02", "10"]


def test_labs_in_a_folder_that_is_not_there_are_refused(tmp_path: Path) -> None:
    """It is a mistyped path, not a folder without labs."""
    with pytest.raises(ResourceNotFoundError, match="typo, which is no folder"):
        all_labs(tmp_path / "typo")
    with pytest.raises(ResourceNotFoundError, match="typo, which is no folder"):
        find_lab("9", tmp_path / "typo")
    assert all_labs(tmp_path) == []


def test_the_labs_of_mlref_can_be_read() -> None:
    """Without a folder, mlref's own are meant."""
    assert find_lab("1").name == "01_deployment_steps"


def test_the_line_about_a_lab_names_what_comes_before_and_next(make_lab: MakeLab) -> None:
    """Minutes, prerequisites and the next step, for the learner's first cell."""
    lab = make_lab(toml=LAB_TOML.replace("prerequisites = []", 'prerequisites = ["a", "b"]'))
    assert lab.about == "*5 minutes. Prerequisite: a and b. Next: lab 10.*"
    assert "Prerequisite: none." in make_lab().about


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ('title = "Sums"\n', "", "title is missing"),
        ("minutes = 5", "minutes = 0", "minutes must be above 0"),
        ("minutes = 5", "minutes = true", "minutes is of the wrong type"),
        ("minutes = 5", "minutes = 5\nhours = 1", "hours is no key of a lab"),
        ("minutes = 5", "minutes = 5\ntime_limit_s = nan", "time_limit_s must be above 0"),
        ("prerequisites = []", "prerequisites = [1]", "prerequisites must be a list of texts"),
        ("extras = []", 'extras = "train"', "extras is of the wrong type"),
        ("minutes = 5", "minutes = 5\ntime_limit_s = inf", "time_limit_s must be above 0 and fini"),
        ('title = "Sums"', 'title = " "', "title must be one line of text"),
        ('next = "lab 10"', 'next = "a\\nb"', "next must be one line of text"),
        ('title = "Do mend"', 'title = ""', "exercise 3: title is missing"),
        ('name = "double"', 'name = "total"', "exercise 2: the name total is taken"),
        ('name = "double"', 'name = "two words"', "name must be a Python name"),
        ('kind = "build"', 'kind = "quiz"', "kind must be one of build, calculation, incident"),
        ('title = "Do mend"\n', "", "exercise 3: title is missing"),
        ('title = "Do mend"', 'title = "x"\nneeds = 1', "needs must be a list of names"),
        ('title = "Do mend"', 'title = "x"\nneeds = ["no"]', "it needs no, which is no exercise"),
        ('title = "Do mend"', 'title = "x"\nneeds = ["mend"]', "it needs mend, which is no exerci"),
        ('title = "Do mend"', 'title = "x"\nlevel = 1', "level is no key of an exercise"),
        ('["look", "think", "write"]', '["look", "think"]', "it needs 3 different hints"),
        ('["look", "think", "write"]', '["look", "look", "write"]', "it needs 3 different hints"),
        ('["look", "think", "write"]', '["look", " ", "write"]', "it needs 3 different hints"),
        ('["look", "think", "write"]', "5", "it needs 3 different hints"),
        (LAB_TOML[LAB_TOML.index("\n[[") :], "exercises = []", "exercises is empty"),
        (LAB_TOML[LAB_TOML.index("\n[[") :], "exercises = [1]", "write it below"),
        ("minutes = 5", "minutes = ", "cannot be read"),
    ],
)
def test_a_wrong_description_is_refused(make_lab: MakeLab, old: str, new: str, told: str) -> None:
    """The message names the place and the problem."""
    with pytest.raises(LabError, match=told) as caught:
        make_lab(toml=LAB_TOML.replace(old, new))
    assert str(caught.value).startswith("09_sums/lab.toml")


def test_every_problem_is_told_at_once(make_lab: MakeLab) -> None:
    """Two mistakes, two lines."""
    with pytest.raises(LabError) as caught:
        make_lab(toml=LAB_TOML.replace("minutes = 5\n", "").replace('"build"', '"x"'))
    assert len(str(caught.value).splitlines()) == 2


def test_a_folder_without_a_description_is_no_lab(tmp_path: Path) -> None:
    """The message names the file that is not there."""
    with pytest.raises(LabError, match=r"lab\.toml cannot be read"):
        load_lab(tmp_path)


def test_an_unknown_exercise_is_refused_with_a_guess(lab: Lab) -> None:
    """A misspelt name gets the name that was meant."""
    with pytest.raises(LabError, match="did you mean double; it has: total, double, mend"):
        lab.exercise("dubble")
