"""The application that the verbs join."""

from __future__ import annotations

from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from stag import __version__
from stag.cli.console import say, warn


class Verbs(TyperGroup):
    """The verbs; Ctrl-C in any of them is one sentence."""

    def invoke(self, ctx: Any) -> Any:
        """Run the verb that was asked for."""
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            warn("stag: interrupted; nothing was written")
            raise typer.Exit(130) from None


app = typer.Typer(
    cls=Verbs,
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
