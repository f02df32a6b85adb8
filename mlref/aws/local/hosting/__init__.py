"""Endpoints that answer: workers, the traffic between them, what is captured and measured."""

__all__: list[str] = []
