"""How every command tells what went wrong."""

from __future__ import annotations

import difflib
from typing import Any

import typer
from rich.console import Console
from rich.text import Text
from typer.core import TyperGroup

from mlref.errors import MlrefError

__all__ = ["Commands", "Group", "group"]


class Commands(TyperGroup):
    """Commands that are named when somebody asks for another."""

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        wanted = args[0]
        if self.get_command(ctx, wanted) is None and not wanted.startswith("-"):
            known = [name for name, command in self.commands.items() if not command.hidden]
            near = difflib.get_close_matches(wanted, known, n=1)
            hint = f" Did you mean {near[0]}?" if near else ""
            ctx.fail(f"No such command {wanted!r}.{hint} There are: {', '.join(known)}.")
        return super().resolve_command(ctx, args)


class Group(Commands):
    """All commands; their own errors are told without a traceback."""

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except MlrefError as error:
            line = Text.assemble(("error: ", "bold red"), (_told(error), "red"))
            Console(stderr=True).print(line, soft_wrap=True)
            raise typer.Exit(1) from error


def group(about: str, epilog: str) -> typer.Typer:
    """A group of commands, to be added to the application under its name.

    Args:
        about: what they are for.
        epilog: an example.
    """
    return typer.Typer(
        cls=Commands, no_args_is_help=True, add_completion=False, help=about, epilog=epilog
    )


def _told(error: MlrefError) -> str:
    """An error in words; the number of a system's error says nothing more than they do."""
    if not isinstance(error, OSError) or error.strerror is None:
        return str(error)
    return f"{error.filename}: {error.strerror}" if error.filename else str(error.strerror)
