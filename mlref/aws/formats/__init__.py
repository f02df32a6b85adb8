"""The files that AWS writes and reads: captures, statistics, constraints, violations, data sets.

They work on bytes, so that they serve for real AWS and for the local one alike.
"""

__all__: list[str] = []
