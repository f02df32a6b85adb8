"""What mlref needs from the machine: processes, files, time and optional dependencies.

Each module has one job, and is the only place in mlref that does it:

- `mlref.runtime.process` starts, watches and stops child processes.
- `mlref.runtime.files` saves files whole or not at all.
- `mlref.runtime.clock` tells the time, so that a test can tell it instead.
- `mlref.runtime.lazy` imports what an extra brings, or says which extra that is.

All of them need the standard library only, and importing them only defines names.
"""

from __future__ import annotations

__all__ = ["clock", "files", "lazy", "process"]
