"""Prices of clouds, each with the day that it was true and with how sure it is.

    book = PriceBook.load()
    book.find("sagemaker", "hosting ml.m5.large").usd      # 0.115, an hour

The rows are in prices.toml beside this module, with the page where to look for today's price. A
price that is not there is an error: nobody guesses what would be charged.
"""

from __future__ import annotations

import difflib
import math
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any, Literal, TypeAlias, get_args

from mlref.errors import PriceError
from mlref.tables import Table

__all__ = ["Price", "PriceBook", "Sure", "plain"]

Sure: TypeAlias = Literal["published", "reported", "recalled"]
"""Said by the seller itself; said by independent pages; from knowledge."""

_FILE = Path(__file__).with_name("prices.toml")
_KEYS = {"service", "item", "unit", "usd", "region", "as_of", "source", "sure", "note"}


@dataclass(frozen=True, kw_only=True)
class Price:
    """What a unit of something costs.

    Attributes:
        service: who charges it, for instance "sagemaker".
        item: for what, for instance "hosting ml.m5.large".
        unit: "hour", "month", "GB-month", "GB", "GB-second", "request" ...
        usd: US dollars for one unit.
        region: where, for instance "us-east-1".
        as_of: the day that it was true.
        source: the seller's page with today's price.
        sure: how sure it is.
        note: what is meant by it, and who says so.
    """

    service: str
    item: str
    unit: str
    usd: float
    region: str
    as_of: date
    source: str
    sure: Sure
    note: str = ""

    def age_days(self, today: date) -> int:
        """Days since the price was known to be true."""
        return (today - self.as_of).days

    def __str__(self) -> str:
        return (
            f"{self.service} {self.item}: {plain(self.usd)} USD per {self.unit} in {self.region}, "
            f"{self.sure} as of {self.as_of}"
        )


@dataclass(frozen=True)
class PriceBook:
    """Prices by service, item and region.

    Attributes:
        prices: in the order of the file.
    """

    prices: tuple[Price, ...]

    @classmethod
    def load(cls, path: Path | None = None) -> PriceBook:
        """The price book of a file; None is the one that comes with mlref.

        Raises:
            PriceError: the file is not there, is no TOML, or a row is not a price.
        """
        file = path or _FILE
        try:
            table = tomllib.loads(file.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise PriceError(f"{file.name} is no price book: {error}") from error
        defaults = table.get("defaults", {})
        found = [
            _price({**defaults, **row, "item": item}, file.name)
            for row in table.get("prices", [])
            for item in _items(row)
        ]
        keys = [(each.service, each.item, each.region) for each in found]
        twice = {each for each in keys if keys.count(each) > 1}
        if twice:
            raise PriceError(f"{file.name} has more than one price for {' '.join(min(twice))}")
        return cls(tuple(found))

    def find(self, service: str, item: str, *, region: str = "us-east-1") -> Price:
        """The price of something.

        Args:
            service: who charges it, for instance "sagemaker".
            item: for what, for instance "hosting ml.m5.large".
            region: where.

        Raises:
            PriceError: there is none; the message says which there are.

        >>> PriceBook.load().find("s3", "storage").usd
        0.023
        """
        of_service = [each for each in self.prices if each.service == service]
        if not of_service:
            services = list(dict.fromkeys(each.service for each in self.prices))
            raise PriceError(_unknown("service", service, services))
        of_item = [each for each in of_service if each.item == item]
        if not of_item:
            items = list(dict.fromkeys(each.item for each in of_service))
            raise PriceError(_unknown(f"price of {service}", item, items))
        for price in of_item:
            if price.region == region:
                return price
        regions = [each.region for each in of_item]
        raise PriceError(_unknown(f"price of {service} {item} in", region, regions))

    def to_table(self) -> Table:
        """All of it, as a person reads it."""
        return Table(
            ("service", "item", "usd", "per", "region", "as of", "sure"),
            tuple(
                (each.service, each.item, plain(each.usd), each.unit, each.region,
                 each.as_of.isoformat(), each.sure)
                for each in self.prices
            ),
        )  # fmt: skip

    def __str__(self) -> str:
        return str(self.to_table())

    def _repr_html_(self) -> str:
        """The price book as a notebook shows it."""
        return self.to_table()._repr_html_()


def plain(usd: float) -> str:
    """A price with all its digits, however small it is.

    >>> plain(4e-07)
    '0.0000004'
    """
    return f"{Decimal(repr(usd)):f}"


def _items(row: Mapping[str, Any]) -> list[str]:
    """The items that a row stands for."""
    item = str(row.get("item", ""))
    return [f"{use} {item}" for use in row["uses"]] if "uses" in row else [item]


def _price(row: Mapping[str, Any], file: str) -> Price:
    """A row of the file, checked."""
    values = {name: value for name, value in row.items() if name != "uses"}
    where = f"{file}: {values.get('service', '?')} {values.get('item') or '?'}"
    if missing := sorted(_KEYS - {"note"} - set(values)):
        raise PriceError(f"{where} lacks {', '.join(missing)}")
    if unknown := sorted(set(values) - _KEYS):
        raise PriceError(f"{where} has {', '.join(unknown)}; there are {', '.join(sorted(_KEYS))}")
    if type(values["as_of"]) is not date:
        raise PriceError(f"{where}: as_of must be a day, got {values['as_of']!r}")
    usd = values["usd"]
    if isinstance(usd, bool) or not isinstance(usd, (int, float)) or not 0 <= usd < math.inf:
        raise PriceError(f"{where}: usd must be a number of at least 0, got {usd!r}")
    if values["sure"] not in get_args(Sure):
        raise PriceError(f"{where}: sure must be one of {', '.join(get_args(Sure))}")
    return Price(**{**values, "usd": float(usd)})


def _unknown(what: str, got: str, known: list[str]) -> str:
    """What is to be said of something that is not in the book."""
    close = difflib.get_close_matches(got, known, n=1)
    meant = f"; did you mean {close[0]!r}?" if close else ""
    return f"there is no {what} {got!r}; there are {', '.join(known)}{meant}"
