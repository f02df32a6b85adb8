"""Monitoring of data quality: what an endpoint was asked, compared hour by hour with a baseline."""

__all__: list[str] = []
