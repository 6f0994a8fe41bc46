"""Render the templates of the reports; every supplied text is escaped."""

from __future__ import annotations

import base64
import hashlib
from functools import cache
from importlib import resources
from typing import Any

from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from stag import __version__
from stag.report.wording import interval_text, share


@cache
def environment(*packages: str) -> Environment:
    """Return a strict, escaping environment with the templates of the reports and of further packages."""
    made = Environment(
        loader=ChoiceLoader([PackageLoader(package) for package in ("stag.report", *packages)]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters |= {"share": share, "interval": interval_text}
    return made


def render(template: str, *, script_name: str = "player.js", **values: Any) -> str:
    """Return a report from its template and its one script."""
    script, policy = script_and_hash("stag.report", script_name)
    return environment().get_template(template).render(version=__version__, script=script, policy=policy, **values)


@cache
def script_and_hash(package: str, name: str) -> tuple[Markup, str]:
    """Return a script of a package's ``templates/``, and its hash for a content security policy."""
    text = resources.files(package).joinpath("templates", name).read_text(encoding="utf-8")
    digest = base64.b64encode(hashlib.sha256(text.encode("utf-8")).digest()).decode("ascii")
    return Markup(text), f"sha256-{digest}"
