"""The application that the verbs join."""

from __future__ import annotations

from typing import Annotated

import typer

from stag import __version__
from stag.console import say

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Recognise facial micro-expressions, and see why. Micro-expressions are not lie detection.",
)


@app.callback(invoke_without_command=True)
def root(version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False) -> None:
    """Options before the verb."""
    if version:
        say(__version__)
        raise typer.Exit
