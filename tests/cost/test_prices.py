"""The price book: what is in it, how it is asked, and what a wrong one says."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from mlref.aws.models import service_model
from mlref.cost import PriceBook
from mlref.errors import PriceError

INSTANCES = {"ml.t2.medium", "ml.m5.large", "ml.m5.xlarge", "ml.c5.large", "ml.c5.xlarge",
             "ml.g4dn.xlarge", "ml.g5.xlarge"}  # fmt: skip
ENUMS = {
    "hosting": "ProductionVariantInstanceType",
    "transform": "TransformInstanceType",
    "training": "TrainingInstanceType",
    "processing": "ProcessingInstanceType",
}
ROW = """\
[[prices]]
service = "s3"
item = "storage"
unit = "GB-month"
usd = 0.023
region = "us-east-1"
as_of = 2026-03-13
source = "https://aws.amazon.com/s3/pricing/"
sure = "reported"
"""


@pytest.fixture(scope="module")
def book() -> PriceBook:
    """The price book that comes with mlref."""
    return PriceBook.load()


def _book(folder: Path, text: str) -> PriceBook:
    path = folder / "mine.toml"
    path.write_text(text)
    return PriceBook.load(path)


def test_what_aws_published_is_in_the_book(book: PriceBook) -> None:
    """Prices as AWS's own samples have them; their addresses are in the notes."""
    # aws-samples/foundation-model-benchmarking-tool, pricing.yml
    for instance, usd in (("m5.xlarge", 0.23), ("c5.xlarge", 0.204), ("g4dn.xlarge", 0.7364)):
        assert book.find("sagemaker", f"hosting ml.{instance}").usd == usd
    # aws-samples/sagemaker-serverless-inference-benchmarking, cost_constants.py: 6144 MB a second
    assert 6 * book.find("sagemaker", "serverless compute").usd == pytest.approx(0.00012)
    assert book.find("sagemaker", "inference data").usd == 0.016


def test_every_instance_of_the_book_is_one_that_aws_has(book: PriceBook) -> None:
    """Instances of each use are those that SageMaker's own model allows for it."""
    found: dict[str, set[str]] = {use: set() for use in ENUMS}
    for price in book.prices:
        use, _, instance = price.item.partition(" ")
        if instance.startswith("ml."):
            found[use].add(instance)
    assert found["hosting"] == INSTANCES
    for use, shape in ENUMS.items():
        allowed = set(service_model("sagemaker").shape_for(shape).enum)
        assert found[use] == INSTANCES & allowed


def test_every_row_is_dated_and_tells_where_to_look(book: PriceBook) -> None:
    """A price has a day that has been, a page of the seller, and says what it rests on."""
    for price in book.prices:
        assert date(2020, 1, 1) < price.as_of <= date.today()  # noqa: DTZ011 - a day is enough
        assert urlsplit(price.source).hostname == "aws.amazon.com"
        assert price.note
        assert price.usd > 0


def test_the_age_of_a_price_is_counted_in_days(book: PriceBook) -> None:
    """From the day that it was true to the day that is given."""
    price = book.find("s3", "storage")
    assert price.age_days(date(2026, 3, 13)) == 0
    assert price.age_days(date(2027, 3, 13)) == 365


def test_what_is_not_there_is_an_error_that_says_what_is(book: PriceBook) -> None:
    """Service, item and region: each error lists what there is, and the nearest name."""
    with pytest.raises(PriceError, match=r"no service 'sagmaker'; there are .*mean 'sagemaker'"):
        book.find("sagmaker", "volume")
    with pytest.raises(PriceError, match=r"did you mean 'hosting ml.m5.large'\?"):
        book.find("sagemaker", "hosting ml.m5.larg")
    with pytest.raises(PriceError, match=r"'eu-west-1'; there are us-east-1"):
        book.find("sagemaker", "volume", region="eu-west-1")


def test_a_price_reads_as_a_sentence(book: PriceBook) -> None:
    """Small prices with all their digits."""
    assert str(book.find("s3", "get")) == (
        "s3 get: 0.0000004 USD per request in us-east-1, reported as of 2026-03-13"
    )
    assert "0.0000004" in str(book)
    assert "<table>" in book._repr_html_()


def test_a_row_may_stand_for_several_uses(tmp_path: Path) -> None:
    """One price for hosting and training is one row, and two prices."""
    row = ROW.replace('item = "storage"', 'item = "x"\nuses = ["hosting", "training"]')
    assert [each.item for each in _book(tmp_path, row).prices] == ["hosting x", "training x"]


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("usd = 0.023", "usd = -1", "usd must be a number of at least 0, got -1"),
        ("usd = 0.023", "usd = nan", "usd must be a number of at least 0, got nan"),
        ("usd = 0.023", 'usd = "1"', "usd must be a number of at least 0, got '1'"),
        ("usd = 0.023", "usd = true", "usd must be a number of at least 0, got True"),
        ("usd = 0.023\n", "", "s3 storage lacks usd"),
        ("as_of = 2026-03-13", 'as_of = "March"', "as_of must be a day, got 'March'"),
        ("as_of = 2026-03-13", "as_of = 2026-03-13T00:00:00Z", "as_of must be a day"),
        ('sure = "reported"', 'sure = "very"', "sure must be one of published, reported, recalled"),
        ("usd = 0.023", "usd = 0.023\nprice = 1", "has price; there are as_of, item"),
        ("[[prices]]", "[[prices", "mine.toml is no price book"),
    ],
)
def test_a_wrong_row_is_refused(tmp_path: Path, old: str, new: str, message: str) -> None:
    """The error names the file, the row and what is wrong with it."""
    with pytest.raises(PriceError, match=message.replace("[", r"\[")):
        _book(tmp_path, ROW.replace(old, new))


def test_two_prices_for_one_thing_are_refused(tmp_path: Path) -> None:
    """Nobody could tell which one counts."""
    with pytest.raises(PriceError, match="more than one price for s3 storage us-east-1"):
        _book(tmp_path, ROW + ROW)


def test_a_book_that_is_not_there_is_told(tmp_path: Path) -> None:
    """A missing file is an error of ours."""
    with pytest.raises(PriceError, match=r"none\.toml is no price book"):
        PriceBook.load(tmp_path / "none.toml")
