"""Whether rows are still what they were: baselines, distances, checks."""

__all__: list[str] = []
