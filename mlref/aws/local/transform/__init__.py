"""Batch transform: objects of S3 through a model, and its answers back to S3, in the same order.

- `settings`: a request, read.
- `pieces`: an object cut into what is sent at a time.
- `filters`: DataProcessing: what of a line is sent, and what of it and its answer is kept.
- `run`: a job.
"""

__all__: list[str] = []
