"""The browser that tests of pages drive."""

from __future__ import annotations

import shutil

from mlref.study.doctor import programs

__all__ = ["installed_browser"]


def installed_browser() -> str | None:
    """The browser that `mlref doctor` finds, under any of its names."""

    def which(name: str) -> str | None:
        return None if name == "docker" else shutil.which(name)  # whose daemon would be asked

    return next(each.path for each in programs(which) if each.name == "chromium")
