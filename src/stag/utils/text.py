"""Parts of sentences that several rooms need."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Return a hint at the known name that is closest to a wrong one, or nothing.

    Example:
        >>> did_you_mean("epoch", ["epochs", "lr"])
        " (did you mean 'epochs'?)"
    """
    close = difflib.get_close_matches(name, list(known), n=1)
    return f" (did you mean {close[0]!r}?)" if close else ""
