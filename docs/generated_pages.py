"""Pages of the reference that are made from the program while the site is built."""

import inspect
from collections.abc import Callable, Iterator
from typing import Any, get_args

from stag.cli import app
from stag.cli.usage import flag_of
from stag.config import PRESETS, Config


def command_line() -> str:
    """Every command by group: what it does, its arguments and options with their defaults."""
    groups: dict[str, list[Any]] = {}
    for command in app.registered_commands:
        groups.setdefault(str(command.rich_help_panel), []).append(command.callback)
    lines: list[str] = []
    for group, verbs in groups.items():
        lines += ["", f"## {group}"]
        for verb in verbs:
            lines += ["", f"### stag {verb.__name__}", "", inspect.getdoc(verb) or "", ""]
            lines += ["| option | what it is | default |", "|---|---|---|", *_rows(verb)]
    return "\n".join(lines)


def _rows(verb: Callable[..., None]) -> Iterator[str]:
    for name, parameter in inspect.signature(verb).parameters.items():
        if name == "ctx":
            continue
        kind, info = get_args(parameter.annotation)[:2]
        choices = [choice for part in (kind, *get_args(kind)) for choice in get_args(part) if isinstance(choice, str)]
        flag = flag_of(parameter)
        value = f" {info.metavar}" if info.metavar and info.metavar != flag else ""
        accepted = f" One of {', '.join(f'`{choice}`' for choice in choices)}." if choices else ""
        least = f" At least {info.min}." if info.min is not None else ""
        default = parameter.default
        empty = default in (None, False, "")
        shown = "required" if default is inspect.Parameter.empty else "" if empty else f"`{default}`"
        yield f"| `{flag}{value}`".replace("|VIDEO", " or VIDEO") + f" | {info.help}{accepted}{least} | {shown} |"


def settings() -> str:
    """Every preset as ``stag settings`` prints it."""
    return "\n".join(f"\n## {name}\n\n```toml\n{Config.preset(name).to_toml(comments=True)}```\n" for name in PRESETS)


PAGES = {"reference/command-line.md": command_line, "reference/settings.md": settings}


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """Add the generated part to a page that has one; called by mkdocs."""
    part = PAGES.get(page.file.src_uri)
    return f"{markdown}\n{part()}" if part else markdown
