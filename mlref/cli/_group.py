"""How every command tells what went wrong."""

from __future__ import annotations

from typing import Any

import typer
from rich.console import Console
from rich.text import Text
from typer.core import TyperGroup

from mlref.errors import MlrefError

__all__ = ["Group"]


class Group(TyperGroup):
    """Commands whose own errors are told without a traceback."""

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except MlrefError as error:
            line = Text.assemble(("error: ", "bold red"), (_told(error), "red"))
            Console(stderr=True).print(line, soft_wrap=True)
            raise typer.Exit(1) from error


def _told(error: MlrefError) -> str:
    """An error in words; the number of a system's error says nothing more than they do."""
    if not isinstance(error, OSError) or error.strerror is None:
        return str(error)
    return f"{error.filename}: {error.strerror}" if error.filename else str(error.strerror)
