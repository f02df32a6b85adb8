"""The files of a monitor keep every field that AWS's documentation has, and name what is wrong."""

from __future__ import annotations

import json
from typing import Any

import pytest

from mlref.drift.baseline import suggest
from mlref.drift.documents.codec import dump, parse, read, write
from mlref.drift.documents.constraints import Constraints
from mlref.drift.documents.statistics import Statistics
from mlref.drift.documents.violations import Violations
from mlref.errors import CloudFileError

# Each field of AWS's "Schema for Statistics", with values in its places.
STATISTICS: dict[str, Any] = {
    "version": 0,
    "dataset": {"item_count": 6},
    "features": [
        {
            "name": "temp",
            "inferred_type": "Fractional",
            "numerical_statistics": {
                "common": {"num_present": 5, "num_missing": 1},
                "mean": 41.5,
                "sum": 207.5,
                "std_dev": 2.5,
                "min": 39.02,
                "max": 45.0,
                "distribution": {
                    "kll": {
                        "buckets": [{"lower_bound": 39.02, "upper_bound": 45.0, "count": 5.0}],
                        "sketch": {
                            "parameters": {"c": 0.64, "k": 2048.0},
                            "data": [[39.02], [40.0, 45.0]],
                        },
                    }
                },
            },
        },
        {
            "name": "carrier",
            "inferred_type": "String",
            "string_statistics": {
                "common": {"num_present": 6, "num_missing": 0},
                "distinct_count": 2.0,
                "distribution": {
                    "categorical": {
                        "buckets": [{"value": "UA", "count": 4}, {"value": "B6", "count": 2}]
                    }
                },
            },
        },
    ],
}

# Each field of AWS's "Schema for Constraints".
CONSTRAINTS: dict[str, Any] = {
    "version": 0,
    "features": [
        {
            "name": "temp",
            "inferred_type": "Fractional",
            "completeness": 0.83,
            "num_constraints": {"is_non_negative": True},
            "monitoringConfigOverrides": {
                "evaluate_constraints": "Enabled",
                "datatype_check_threshold": 0.9,
                "distribution_constraints": {"comparison_threshold": 0.2},
            },
        },
        {
            "name": "carrier",
            "inferred_type": "String",
            "completeness": 1.0,
            "string_constraints": {"domains": ["B6", "UA"]},
            "monitoringConfigOverrides": {},
        },
    ],
    "monitoring_config": {
        "evaluate_constraints": "Enabled",
        "emit_metrics": "Enabled",
        "datatype_check_threshold": 0.1,
        "domain_content_threshold": 0.1,
        "distribution_constraints": {
            "perform_comparison": "Enabled",
            "comparison_threshold": 0.1,
            "comparison_method": "Simple",
            "categorical_comparison_threshold": 0.1,
            "categorical_drift_method": "ChiSquared",
        },
    },
}

VIOLATIONS: dict[str, Any] = {
    "violations": [
        {"feature_name": "temp", "constraint_check_type": check, "description": "..."}
        for check in (
            "data_type_check",
            "completeness_check",
            "baseline_drift_check",
            "missing_column_check",
            "extra_column_check",
            "categorical_values_check",
        )
    ]
}

DOCUMENTS = [(Statistics, STATISTICS), (Constraints, CONSTRAINTS), (Violations, VIOLATIONS)]


@pytest.mark.parametrize(("kind", "document"), DOCUMENTS)
def test_a_documented_file_is_read_and_written_without_loss(kind: type, document: Any) -> None:
    """Every field comes back under its name, with its value."""
    found = parse(kind, json.dumps(document), file="x.json")
    assert json.loads(dump(found)) == document


def test_fields_are_where_the_documentation_has_them() -> None:
    """The names in Python are those of the file."""
    statistics = read(Statistics, STATISTICS, file="statistics.json")
    temp, carrier = statistics.features
    assert temp.numerical_statistics is not None
    assert temp.numerical_statistics.std_dev == 2.5
    assert temp.numerical_statistics.distribution.kll.sketch.data == ((39.02,), (40.0, 45.0))  # type: ignore[union-attr]
    assert carrier.string_statistics.distinct_count == 2  # type: ignore[union-attr]
    constraints = read(Constraints, CONSTRAINTS, file="constraints.json")
    config = constraints.config(constraints.features[0])
    assert config.datatype_check_threshold == 0.9
    assert config.domain_content_threshold == 0.1
    assert config.distribution_constraints.comparison_threshold == 0.2
    assert config.distribution_constraints.comparison_method == "Simple"
    assert constraints.config(constraints.features[1]) == constraints.monitoring_config


def test_what_the_analyzer_makes_comes_back() -> None:
    """Its own files are read as they were written."""
    statistics, constraints = suggest({"temp": [39.02, None], "carrier": ["UA", "B6"]})
    assert parse(Statistics, dump(statistics), file="statistics.json") == statistics
    assert parse(Constraints, dump(constraints), file="constraints.json") == constraints


def test_the_analyzer_writes_the_documented_fields_and_no_others() -> None:
    """Field by field against the hand-written examples."""
    table = {"temp": [39.5, 40.5, None] * 30, "carrier": ["UA", "B6", "UA"] * 30}
    statistics, constraints = suggest(table)
    assert _shape(write(statistics)) == _shape(STATISTICS)
    found = write(constraints)
    expected = json.loads(json.dumps(CONSTRAINTS))
    for feature in expected["features"]:  # which only a person writes
        del feature["monitoringConfigOverrides"]
    assert _shape(found) == _shape(expected)


def _shape(document: Any) -> Any:
    """The names of all fields; of a list, the shape of the items without repeats."""
    if isinstance(document, dict):
        return {name: _shape(value) for name, value in document.items()}
    if isinstance(document, list):
        shapes: list[Any] = []
        for each in map(_shape, document):
            if each not in shapes:
                shapes.append(each)
        return shapes
    return None


def test_statistics_may_say_more() -> None:
    """AWS lets a container add metrics; they are kept at their places."""
    document = json.loads(json.dumps(STATISTICS))
    document["features"][0]["numerical_statistics"]["median"] = 41.0
    document["comment"] = "ours"
    assert write(read(Statistics, document, file="statistics.json")) == document


def test_counts_may_be_written_as_fractions() -> None:
    """Some analyzers write version and counts as 0.0 and 6.0."""
    document = {"version": 0.0, "dataset": {"item_count": 6.0}, "features": []}
    assert read(Statistics, document, file="statistics.json").dataset.item_count == 6


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        (["features", 0, "completeness"], "high", "features[0].completeness must be a number"),
        (["features", 0, "completeness"], 83, "features[0] needs completeness in [0, 1], got 83.0"),
        (["features", 1, "inferred_type"], "Text", "features[1].inferred_type must be one of"),
        (["features", 1, "name"], None, "features[1].name is missing"),
        (["features", 1, "name"], "temp", "the document has features twice: temp"),
        (["features"], {}, "features must be a list, got {}"),
        (["version"], 1, "the document has version 1.0"),
        (
            ["monitoring_config", "datatype_check_treshold"],
            0.5,
            "is no field; did you mean datatype_check_threshold?",
        ),
        (
            ["monitoring_config", "distribution_constraints", "comparison_threshold"],
            True,
            "distribution_constraints.comparison_threshold must be a number, got True",
        ),
        (
            ["features", 0, "monitoringConfigOverrides", "domain_content_threshold"],
            -1,
            "features[0].monitoringConfigOverrides needs domain_content_threshold in [0, 1]",
        ),
        (
            ["features", 0, "num_constraints", "is_non_negative"],
            "yes",
            "must be true or false, got 'yes'",
        ),
        (["features", 1, "string_constraints", "domains"], ["UA", 3], "domains[1] must be text"),
    ],
)
def test_a_wrong_field_is_named_with_its_file(path: list[Any], value: Any, message: str) -> None:
    """And what is allowed, and what was got."""
    document = json.loads(json.dumps(CONSTRAINTS))
    place = document
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = value
    with pytest.raises(CloudFileError) as caught:
        read(Constraints, document, file="s3://bucket/constraints.json")
    assert str(caught.value).startswith("s3://bucket/constraints.json: ")
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "not JSON"),
        (b"\xff\xfe", "not JSON"),
        (b"[" * 100_000, "not JSON"),
        (b'{"version": NaN}', "NaN is no number in JSON"),
        (b"[]", "the document must be an object, got []"),
    ],
)
def test_what_is_no_document_is_refused(content: bytes, message: str) -> None:
    """With the file's name."""
    with pytest.raises(CloudFileError, match=r"constraints\.json: ") as caught:
        parse(Constraints, content, file="constraints.json")
    assert message in str(caught.value)


def test_nan_is_not_written() -> None:
    """JSON has none."""
    with pytest.raises(ValueError, match="JSON compliant"):
        dump({"mean": float("nan")})
