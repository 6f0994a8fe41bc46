"""What a verb declares about its options: which apply when, which paths they name, what Ctrl-C leaves behind.

A verb is registered by :func:`verb`, which checks before any work that

- no option was given that the chosen mode does not read (:class:`Mode`), so that nothing is ignored silently;
- no ``--set`` changes a setting that the verb does not read, or one that an option gives as well;
- every path that is written can be, is nobody else's, and is no input (:mod:`stag.cli.paths`).

Options that a verb reads in every mode need no declaration where the verb has no modes with ``takes``; elsewhere a new
option is refused in each mode until that mode names it.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import wraps
from typing import Any

import typer

from stag.cli.app import app
from stag.cli.console import warn
from stag.cli.paths import Values, claims, guarded

SETTING_OF = {"au": "au", "seed": "train.seed"}
"""An option -> the setting that it gives."""

INSTEAD = {"preset": "config"}
"""An option -> the one that takes its place."""

RESUMES = "run folders keep what is finished, and the same command goes on from there"
"""What is true after Ctrl-C of verbs that work in run folders."""


@dataclass(frozen=True)
class Mode:
    """A way in which a verb works, and the options that it reads then.

    Attributes:
        said: The mode in words that follow "has no effect", such as ``"with --model"``.
        when: Whether it is chosen, told from the values of all options.
        takes: Names of the parameters that apply, separated by spaces; every other one is refused where it was given.
        ignores: Instead of ``takes``: names of the parameters that do not apply.
    """

    said: str
    when: Callable[[Values], bool]
    takes: str = ""
    ignores: str = ""

    def idle(self, names: Sequence[str]) -> list[str]:
        """Those of the names that have no effect in this mode."""
        if self.takes:
            return [name for name in names if name not in self.takes.split()]
        return [name for name in names if name in self.ignores.split()]


@dataclass(frozen=True)
class Declared:
    """What a verb declared; kept on its function as ``declared``."""

    modes: tuple[Mode, ...]
    settings: tuple[str, ...]
    kept: str | Callable[[Values], str | None] | None


def verb(
    *modes: Mode, settings: Sequence[str] = (), kept: str | Callable[[Values], str | None] | None = None
) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Register a function as a verb of the command line.

    Args:
        *modes: Its modes. All that are chosen count.
        settings: Sections of the settings that it reads: ``motion``, ``model``, ``train``, ``au``.
        kept: What is true after Ctrl-C, in words; where ``None``, what was written until then is named.
    """

    def register(function: Callable[..., None]) -> Callable[..., None]:
        plan = inspect.signature(function, eval_str=True)
        declared = Declared(modes, tuple(settings), kept)

        @wraps(function)
        def run(ctx: typer.Context, **values: Any) -> None:
            given = [name for name in values if _was_given(ctx, name)]
            flags = {name: flag_of(ctx, name) for name in values}
            _refuse_idle(declared, values, given, flags)
            found = claims(plan.parameters, values, flags)
            with guarded(found):
                before = [claim.state() for claim in found]
                try:
                    function(**values)
                except KeyboardInterrupt:
                    told = kept(values) if callable(kept) else kept
                    if told is None:
                        pairs = zip(found, before, strict=True)
                        written = [str(claim.path) for claim, then in pairs if claim.sort and claim.state() != then]
                        told = f"only {', '.join(written)} was written" if written else "nothing was written"
                    warn(f"stag: interrupted; {told}")
                    raise typer.Exit(130) from None

        context = inspect.Parameter("ctx", inspect.Parameter.POSITIONAL_OR_KEYWORD, annotation=typer.Context)
        others = [p.replace(kind=inspect.Parameter.KEYWORD_ONLY) for p in plan.parameters.values()]
        run.__signature__ = plan.replace(parameters=[context, *others])  # type: ignore[attr-defined]
        run.declared = declared  # type: ignore[attr-defined]
        app.command()(run)
        return run

    return register


def flag_of(ctx: typer.Context, name: str) -> str:
    """How a parameter is written on the command line: ``--folds``, or the name of an argument."""
    for parameter in ctx.command.params:
        if parameter.name == name:
            option = next((text for text in parameter.opts if text.startswith("--")), None)
            return str(option or getattr(parameter, "metavar", None) or name.upper())
    return name


def _was_given(ctx: typer.Context, name: str) -> bool:
    source = ctx.get_parameter_source(name)
    return source is not None and source.name in ("COMMANDLINE", "ENVIRONMENT")


def _refuse_idle(declared: Declared, values: Values, given: Sequence[str], flags: Mapping[str, str]) -> None:
    """Refuse what would be ignored, in one sentence."""
    for name, other in INSTEAD.items():
        if name in given and values.get(other) is not None:
            raise typer.BadParameter(f"{flags[name]} has no effect beside {flags[other]}; leave one of them out")
    for mode in declared.modes:
        if mode.when(values):
            for name in mode.idle(given):
                raise typer.BadParameter(f"{flags[name]} has no effect {mode.said}; leave it out")
    for change in values.get("set_") or ():
        key = change.partition("=")[0].strip()
        section = key.partition(".")[0]
        if section in ("motion", "model", "train", "au") and section not in declared.settings:
            raise typer.BadParameter(
                f"--set {change}: this verb reads no settings of {section}, only of {', '.join(declared.settings)}; "
                "leave it out"
            )
        for name in given:
            if SETTING_OF.get(name) == key:
                raise typer.BadParameter(f"--set {change}: {flags[name]} says the same; leave one of them out")
