"""A learner's own folder: the copies to work in, and how far the learner is.

- `mlref.study.learner.state` keeps the progress, safe against crashes and other writers.
- `mlref.study.learner.folder` makes the folder, finds it, and puts an exercise back to its start.
- `mlref.study.learner.results` keeps what the grader found.
- `mlref.study.learner.overview` says how far everything is, and what comes next.
"""

from __future__ import annotations

__all__: list[str] = []
