"""What a deployment would cost: line items, by the hour and for as long as it stands.

    book = PriceBook.load()
    estimate = (
        Estimate()
        .add("endpoint", book.find("sagemaker", "hosting ml.m5.large"), 2)
        .add("requests in and out", book.find("sagemaker", "inference data"), 0.5)
        .over(hours=4)
    )
    estimate.usd_per_hour      # 0.23: what it costs while nobody asks
    estimate.usd               # 0.928: four hours of it, and half a GB

Some prices are for time (an hour, a month of a GB): these go on until somebody deletes the thing.
The others are for use (a request, a GB): these are counted once, for all the time.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from datetime import date

from mlref.cost.prices import Price, plain
from mlref.tables import Table

__all__ = ["HOURS_PER_MONTH", "Estimate", "LineItem"]

HOURS_PER_MONTH = 730.0
"""Hours that a month has, as AWS's own calculator counts: 365 days * 24 / 12."""

_HOURS = {"hour": 1.0, "month": HOURS_PER_MONTH, "GB-month": HOURS_PER_MONTH}
"""Units that are for time, and the hours of each."""


@dataclass(frozen=True)
class LineItem:
    """One thing that costs.

    Attributes:
        what: in the reader's words.
        price: of a unit.
        quantity: how many units; of a price for time, how many stand at once.
    """

    what: str
    price: Price
    quantity: float

    def __post_init__(self) -> None:
        """Refuse a quantity that is no quantity."""
        if not 0 <= self.quantity < math.inf:
            raise ValueError(f"quantity must be at least 0, got {self.quantity!r} of {self.what}")

    @property
    def usd_per_hour(self) -> float:
        """US dollars an hour, as long as it stands; 0 for what is paid by use."""
        hours = _HOURS.get(self.price.unit)
        return 0.0 if hours is None else self.quantity * self.price.usd / hours

    @property
    def usd_once(self) -> float:
        """US dollars for use; 0 for what is paid by time."""
        return 0.0 if self.price.unit in _HOURS else self.quantity * self.price.usd

    def usd(self, hours: float) -> float:
        """US dollars for so many hours."""
        return self.usd_once + hours * self.usd_per_hour


@dataclass(frozen=True)
class Estimate:
    """Line items and how long they stand.

    Attributes:
        items: in the order in which they were added.
        hours: as long as all of it stands, in hours.

    >>> str(Estimate())
    'nothing that costs'
    """

    items: tuple[LineItem, ...] = ()
    hours: float = 1.0

    def __post_init__(self) -> None:
        """Refuse a time that is no time."""
        if not 0 <= self.hours < math.inf:
            raise ValueError(f"hours must be at least 0, got {self.hours!r}")

    def add(self, what: str, price: Price, quantity: float = 1.0) -> Estimate:
        """The same, and one thing more.

        Args:
            what: in the reader's words.
            price: of a unit.
            quantity: how many units, at least 0; of a price for time, how many stand at once.

        Raises:
            ValueError: the quantity is negative or no number.
        """
        return replace(self, items=(*self.items, LineItem(what, price, quantity)))

    def over(self, hours: float) -> Estimate:
        """The same for another time.

        Args:
            hours: at least 0.

        Raises:
            ValueError: the hours are negative or no number.
        """
        return replace(self, hours=hours)

    @property
    def usd_per_hour(self) -> float:
        """US dollars an hour, as long as it stands and nobody uses it."""
        return math.fsum(each.usd_per_hour for each in self.items)

    @property
    def usd_once(self) -> float:
        """US dollars for use."""
        return math.fsum(each.usd_once for each in self.items)

    @property
    def usd(self) -> float:
        """US dollars in all."""
        return math.fsum(each.usd(self.hours) for each in self.items)

    @property
    def as_of(self) -> date | None:
        """The day of the oldest price; None where nothing costs."""
        return min((each.price.as_of for each in self.items), default=None)

    def to_table(self) -> Table:
        """The line items, and the total."""
        rows = [
            (each.what, f"{each.quantity:g}", each.price.unit, plain(each.price.usd),
             each.price.as_of.isoformat(), _usd(each.usd(self.hours)))
            for each in self.items
        ]  # fmt: skip
        total = (f"total for {self.hours:g} h", "", "", "", "", _usd(self.usd))
        return Table(("what", "quantity", "unit", "usd a unit", "as of", "usd"), (*rows, total))

    def __str__(self) -> str:
        """The table, and in a line what goes on by the hour."""
        if not self.items:
            return "nothing that costs"
        return f"{self.to_table()}\n{_usd(self.usd_per_hour)} USD an hour until it is deleted"

    def _repr_html_(self) -> str:
        """The line items as a notebook shows them."""
        return self.to_table()._repr_html_()


def _usd(amount: float) -> str:
    """An amount that shows cents, and more where it is less than a few."""
    return f"{amount:.2f}" if amount >= 1 or amount == 0 else f"{amount:.4g}"
