"""An executable handbook of machine-learning deployment."""

__all__ = ["__version__"]

__version__ = "0.1.0"
