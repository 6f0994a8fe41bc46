"""Register verbs, and refuse before any work what a verb would ignore.

:func:`verb` refuses an option that the chosen mode does not read (:class:`Mode`), a ``--set`` of a setting that the
verb does not read or that an option gives as well, and an output that would do harm (:mod:`stag.cli.paths`). A
parameter whose annotation is a dataclass stands for one option for each of its fields (:mod:`stag.cli.options`).
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass
from functools import wraps
from typing import Annotated, Any, Literal, get_args, get_type_hints

import typer
from typer.models import ArgumentInfo

from stag import __version__
from stag.cli.console import FLAGS, say, warn
from stag.cli.paths import Values, claims, guarded

Panel = Literal["Your clips", "Data sets", "Models", "Evaluation", "Studies", "Setup"]

RESUMES = "run folders keep what is finished, and the same command goes on from there"
"""The state after Ctrl-C of verbs that work in run folders."""

_SETTING_OF = {"au": "au", "seed": "train.seed"}  # option -> the setting that it gives

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    help="Recognise facial micro-expressions, and see why. Micro-expressions are not lie detection.",
)


@app.callback(invoke_without_command=True)
def root(version: Annotated[bool, typer.Option("--version", help="Print the version and stop.")] = False) -> None:
    """Read the options before the verb."""
    if version:
        say(__version__)
        raise typer.Exit


@dataclass(frozen=True)
class Mode:
    """A way in which a verb works, and the options that it reads then.

    Attributes:
        name: The mode in words that follow "has no effect", such as ``"with --model"``.
        when: Whether it is chosen, given the values of all options.
        takes: Names of the parameters that apply, separated by spaces; every other one is refused where it was given.
        ignores: Names of the parameters that do not apply, where ``takes`` is empty.
    """

    name: str
    when: Callable[[Values], bool]
    takes: str = ""
    ignores: str = ""

    def reads(self, name: str) -> bool:
        """Return whether a parameter has an effect in this mode."""
        return name in self.takes.split() if self.takes else name not in self.ignores.split()


def verb(
    panel: Panel,
    *modes: Mode,
    settings: Sequence[str] = (),
    kept: str | Callable[[Values], str | None] | None = None,
) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Register a function as a verb of the command line; its attribute ``modes`` keeps the modes.

    Args:
        panel: The group in which ``stag --help`` lists it.
        *modes: Its modes. All that are chosen count.
        settings: Sections of the settings that it reads: ``motion``, ``model``, ``train``, ``au``.
        kept: The state after Ctrl-C, in words; where ``None``, the outputs written until then are named.
    """

    def register(function: Callable[..., None]) -> Callable[..., None]:
        plan = inspect.signature(function, eval_str=True)
        groups: dict[str, Any] = {n: p.annotation for n, p in plan.parameters.items() if is_dataclass(p.annotation)}
        parameters = _options(plan)
        flags = {name: flag_of(parameter) for name, parameter in parameters.items()}
        FLAGS.update({name: flag for name, flag in flags.items() if flag.startswith("--")})

        @wraps(function)
        def run(ctx: typer.Context, **values: Any) -> None:
            given = [n for n in values if getattr(ctx.get_parameter_source(n), "name", "") == "COMMANDLINE"]
            _refuse_ignored(modes, settings, values, given, flags)
            own = {name: value for name, value in values.items() if name in plan.parameters}
            own |= {name: group(**{f.name: values[f.name] for f in fields(group)}) for name, group in groups.items()}
            paths = claims(parameters, values, flags)
            before = [claim.state() for claim in paths]
            try:
                with guarded(paths):
                    function(**own)
            except KeyboardInterrupt:
                state = kept(values) if callable(kept) else kept
                if state is None:
                    outputs = [(path, old) for path, old in zip(paths, before, strict=True) if path.sort is not None]
                    written = [str(output.path) for output, old in outputs if output.state() != old]
                    state = f"only {', '.join(written)} was written" if written else "nothing was written"
                warn(f"stag: interrupted; {state}")
                raise typer.Exit(130) from None

        context = inspect.Parameter("ctx", inspect.Parameter.POSITIONAL_OR_KEYWORD, annotation=typer.Context)
        run.__signature__ = plan.replace(parameters=[context, *parameters.values()])  # type: ignore[attr-defined]
        run.modes = modes  # type: ignore[attr-defined]
        app.command(rich_help_panel=panel)(run)
        return run

    return register


def _options(plan: inspect.Signature) -> dict[str, inspect.Parameter]:
    """Return the options of a verb: its parameters, and the fields of those that are dataclasses."""
    options: dict[str, inspect.Parameter] = {}
    for name, parameter in plan.parameters.items():
        group = parameter.annotation
        if is_dataclass(group):
            hints = get_type_hints(group, include_extras=True)
            triples = [(f.name, f.default, hints[f.name]) for f in fields(group)]
        else:
            triples = [(name, parameter.default, group)]
        for option, default, hint in triples:
            keyword = inspect.Parameter.KEYWORD_ONLY
            options[option] = inspect.Parameter(option, keyword, default=default, annotation=hint)
    return options


def flag_of(parameter: inspect.Parameter) -> str:
    """Return how a parameter is written on the command line: ``--folds``, or the name of an argument."""
    info = get_args(parameter.annotation)[1]
    if isinstance(info, ArgumentInfo):
        return info.metavar or parameter.name.upper()
    # typer keeps the first name of an annotated option as its default.
    return info.default if isinstance(info.default, str) else f"--{parameter.name.replace('_', '-')}"


def _refuse_ignored(
    modes: Sequence[Mode], settings: Sequence[str], values: Values, given: Sequence[str], flags: Mapping[str, str]
) -> None:
    if "preset" in given and values.get("config") is not None:
        raise typer.BadParameter("--preset has no effect beside --config; leave one of them out")
    for mode in modes:
        for name in given:
            if mode.when(values) and not mode.reads(name):
                raise typer.BadParameter(f"{flags[name]} has no effect {mode.name}; leave it out")
    for change in values.get("set_") or ():
        key = change.partition("=")[0].strip()
        section = key.partition(".")[0]
        if section in ("motion", "model", "train", "au") and section not in settings:
            raise typer.BadParameter(
                f"--set {change}: this verb reads no settings of {section}, only of {', '.join(settings)}; leave it out"
            )
        for name in given:
            if _SETTING_OF.get(name) == key:
                raise typer.BadParameter(f"--set {change}: {flags[name]} gives the same setting; leave one of them out")
