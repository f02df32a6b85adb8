"""What things cost: a dated price book, and estimates made with it.

    book = PriceBook.load()
    estimate = Estimate().add("two instances", book.find("sagemaker", "hosting ml.m5.large"), 2)
    print(estimate.over(hours=4))

Nothing is looked up on the net: each price tells the day that it was true.
"""

from mlref.cost.estimate import HOURS_PER_MONTH, Estimate, LineItem
from mlref.cost.prices import Price, PriceBook

__all__ = ["HOURS_PER_MONTH", "Estimate", "LineItem", "Price", "PriceBook"]
