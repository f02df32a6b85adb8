r"""Patterns of Java: what they match is what java.util.regex matches.

The verdicts were taken from OpenJDK 17, `Pattern.compile(pattern).matcher(value).matches()`.
"""

from __future__ import annotations

import pytest

from mlref.aws.java_patterns import compiled, translated

JAVA = [  # pattern, values that Java says match it, values that it says do not
    (".*", ["", "x", "x\x0by", "😀"], ["x\ny", "x\ry", "x\u0085y", "x\u2028y", "x\u2029y"]),
    ("(?s).{1,3}", ["x\ny", "\r"], ["", "abcd"]),
    (r"[\p{Print}&&[^|:/]]+", ["my-plan", "a b", "~"], ["a|b", "a/b", "é", "\t"]),
    (r"[\p{L}\d]+", ["Zürich1", "日本"], ["a٣", "a b"]),
    (r"[\p{L}||\p{N}]+", ["a٣", "|"], ["a b"]),
    (r"[\w-_]*", ["my-plan", "Z-", ""], ["a b", "é"]),
    (r"[\w- &]*", ["a-b c&", "_"], ["a+b", "é"]),
    (r"[A-Za-z0-9](?:[\w- ]*[A-Za-z0-9])?", ["a-b c", "0"], ["a-", ""]),
    (r"\d\s\w", ["1\x0bx", "1 _"], ["٣ a", "1\u00a0a", "1 é"]),
    (r"[\x{60}\x41]+", ["`A"], ["x"]),
    (r"[0-9\p{IsAlphabetic}]*", ["Zürich", "日本"], ["٣", "-"]),
    (r"[\P{C}\v\p{Cf}]*", ["x\x85y", "a\n"], ["\x00"]),
    (r"(\p{LD}|\p{Punct}| )+", ["ünï ٣!", "~"], ["\n"]),
    (r"[\p{all}]*", ["", "a\n😀"], []),
    (r"[\u0020-\uD7FF\uE000-\uFFFD\uD800\uDC00-\uDBFF\uDFFF\r\n\t]*", ["a😀\n"], ["\x00"]),
    ("^(?i)(true|false)$", ["TRUE", "faLse"], ["yes", "fal\u017fe"]),
    (r"\p{Alnum}\p{XDigit}\p{Upper}", ["zFQ"], ["éFQ", "zGQ", "zFq"]),
    (r"a\z", ["a"], ["a\n"]),
]


@pytest.mark.parametrize(("pattern", "right", "wrong"), JAVA)
def test_a_value_matches_where_it_does_in_java(
    pattern: str, right: list[str], wrong: list[str]
) -> None:
    """Lines, ASCII beside Unicode, intersections, ranges, code points."""
    matches = compiled(pattern)
    assert matches is not None
    assert [value for value in right if not matches(value)] == []
    assert [value for value in wrong if matches(value)] == []


def test_what_java_alone_reads_is_told() -> None:
    """Two quantifiers in a row."""
    assert compiled("a{2}{0,3}") is None


def test_a_pattern_that_takes_too_long_refuses_nothing() -> None:
    """AWS has patterns that are exponential; AWS itself will tell."""
    matches = compiled("(a|aa)+[bc]")
    assert matches is not None
    assert matches("a" * 60)


def test_what_both_read_alike_is_left_alone() -> None:
    """Such as most patterns of names."""
    pattern = r"[a-zA-Z0-9](-*[a-zA-Z0-9]){0,62}\."
    assert translated(pattern) == pattern
