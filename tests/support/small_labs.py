"""A small lab, whole by default, of which a test can change each part."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from mlref.study.labs.lab import Lab, load_lab

HEAD = 'title = "Sums"\nminutes = 5\nprerequisites = []\nnext = "lab 10"\nextras = []\n'
EXERCISES = (("total", "calculation"), ("double", "build"), ("mend", "incident"))
LAB_TOML = HEAD + "".join(
    f'\n[[exercises]]\nname = "{name}"\nkind = "{kind}"\ntitle = "Do {name}"\n'
    f'hints = ["look", "think", "write"]\n'
    for name, kind in EXERCISES
)
SOURCE = """# %% [markdown]
# # Sums

# %%
from mlref.study.labs import check, todo

numbers = [1, 2, 3]

# %%
# answer: total
total = sum(numbers)  # hole: the sum

# %%
# answer: double
def double(value):
    # hole: twice the value
    return 2 * value
    # end


# %%
# answer: mend
mended = [0, 1]  # hole: the numbers from 0

# %% tags=["try"]
check("09")
"""
CHECKS = '''"""Checks."""

from mlref.study.labs.checks import exercise, reject


@exercise("total")
def it_is_a_number(answer):
    """It is a number."""
    answer.number("total")


@exercise("total")
def it_is_the_sum(answer):
    """It is the sum."""
    if answer.total != 6:
        reject(f"total is {answer.total}", why="a sum counts everything")


@exercise("double")
def it_doubles(answer):
    """It doubles."""
    if answer.function("double")(4) != 8:
        reject(f"double(4) is {answer.double(4)}", why="the bill would be wrong")


@exercise("mend")
def it_begins_at_0(answer):
    """It begins at 0."""
    if answer.mended[0] != 0:
        reject(f"mended begins at {answer.mended[0]}", why="the first row is lost")
'''
WRONG = {
    "total_one.py": "# answer: total\n# rejected: total is 1\ntotal = 1\n",
    "total_two.py": "# answer: total\n# rejected: total is 2\ntotal = 2\n",
    "double_same.py": "# answer: double\n# rejected: is 4\ndef double(v):\n    return v\n",
    "double_none.py": "# answer: double\n# rejected: is None\ndef double(v):\n    pass\n",
    "mend_one.py": "# answer: mend\n# rejected: begins at 1\nmended = [1]\n",
    "mend_two.py": "# answer: mend\n# rejected: begins at 2\nmended = [2]\n",
}


def write_lab(
    root: Path,
    *,
    name: str = "09_sums",
    toml: str = LAB_TOML,
    source: str = SOURCE,
    checks: str = CHECKS,
    wrong: Mapping[str, str] = WRONG,
) -> Lab:
    """A lab in a folder below `root`, without its generated exercise."""
    folder = root / name
    (folder / "wrong").mkdir(parents=True, exist_ok=True)
    (folder / "lab.toml").write_text(toml)
    (folder / "source.py").write_text(source)
    (folder / "checks.py").write_text(checks)
    for each, text in wrong.items():
        (folder / "wrong" / each).write_text(text)
    return load_lab(folder)
