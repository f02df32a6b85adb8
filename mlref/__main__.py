"""`python -m mlref ...` is the command `mlref ...`."""

from __future__ import annotations

from mlref.cli import main

__all__: list[str] = []

if __name__ == "__main__":
    main()
