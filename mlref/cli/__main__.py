"""`python -m mlref.cli` is the command `mlref`."""

from __future__ import annotations

from mlref.cli import main

if __name__ == "__main__":
    main()
