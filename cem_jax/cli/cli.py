"""The command line: its commands, what all of them share, and how they fail."""

import os
import re
import sys
from collections.abc import Callable, Sequence
from typing import Annotated, Any

import typer
from typer.core import TyperGroup, TyperOption
from typer.exceptions import TyperException

from cem_jax.cli import (
    compare,
    explore,
    figures,
    look,
    make,
    many,
    networks,
    photograph,
    results,
)
from cem_jax.plain_text import shortened, told, visible


def _set_absent_flags(command: Any, context: typer.Context) -> None:
    """Flags that are absent are False: for a flag that is None, typer imports pydantic (0.1 s)."""
    for parameter in command.get_params(context):
        if isinstance(parameter, TyperOption) and parameter.is_flag and parameter.default is None:
            parameter.default = False


class _Commands(TyperGroup):
    """The commands; what is wrong with the words themselves is told before pydantic is imported."""

    def parse_args(self, ctx: typer.Context, args: list[str]) -> list[str]:
        _set_absent_flags(self, ctx)
        return super().parse_args(ctx, args)

    def get_command(self, ctx: typer.Context, cmd_name: str) -> Any:
        command = super().get_command(ctx, cmd_name)
        if command is not None:
            _set_absent_flags(command, ctx)
        return command


app = typer.Typer(
    name="cem-jax",
    cls=_Commands,
    help="Which parts of an image help a restoration network here, which harm it, by how many dB?",
    epilog="Exit status: 0 if all was done, 2 for bad input or a map that could not be made, "
    "75 if --for ended before all was done, 130 if interrupted.",
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)
for group in (make, explore, many, results, compare, photograph, look, networks, figures):
    app.add_typer(group.app)


def _tell_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        typer.echo(f"cem-jax {version('cem-jax')}")
        raise typer.Exit


@app.callback()
def start(
    context: typer.Context,
    cache: Annotated[
        bool, typer.Option(help="Keep compiled programs in your cache folder.")
    ] = True,
    version: Annotated[
        bool,
        typer.Option("--version", callback=_tell_version, is_eager=True, help="Show the version."),
    ] = False,
) -> None:
    """Keeps what is asked of JAX until a command needs it."""
    context.obj = cache


def _check_words(words: Sequence[str]) -> None:
    """Refuses empty texts, which a variable of a shell that is not set leaves: a path would be ".".

    Raises:
        ValueError: the message names what stands before.
    """
    for place, word in enumerate(words):
        if not word.strip() or re.fullmatch("--[a-z-]+=", word):
            before = word if word.strip() else " ".join(words[max(place - 1, 0) : place])
            raise ValueError(f"{before}: expected a value, found an empty text".lstrip(": "))


def run(arguments: Sequence[str], interrupted: Callable[[], bool] = lambda: False) -> int:
    """Runs a command and tells on one line what is wrong.

    Args:
        arguments: what stands behind the command's name; nothing asks for help.
        interrupted: whether Ctrl-C came; then that is what is wrong, whatever became of it.

    Returns:
        The exit status.

    Raises:
        KeyboardInterrupt: it came.
    """
    os.environ["MPLBACKEND"] = "Agg"  # pictures go into files
    try:
        words = list(arguments) or ["--help"]
        _check_words(words)
        return app(words, prog_name="cem-jax", standalone_mode=False) or 0
    except TyperException as error:
        problem = shortened(visible(error.format_message()), 600)
    except BrokenPipeError:
        raise
    except (ValueError, OSError, MemoryError, RuntimeError, ImportError, ArithmeticError) as error:
        if interrupted():  # libraries make errors of their own of it
            raise KeyboardInterrupt from error
        problem = told(error)
    print(f"cem-jax: {problem}", file=sys.stderr)
    return 2
