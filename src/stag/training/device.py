"""Where tensors are computed."""

from __future__ import annotations

import torch

from stag.errors import ConfigError


def pick_device(name: str) -> torch.device:
    """Return the device of that name; ``auto`` takes a GPU where there is one.

    Raises:
        ConfigError: ``cuda`` is asked for and there is none, or the name is unknown.
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    if name not in ("cpu", "cuda"):
        raise ConfigError(f"`device={name}`: expected auto, cpu or cuda")
    if name == "cuda" and not torch.cuda.is_available():
        raise ConfigError("`device=cuda`: no GPU is visible to torch here; use `device=cpu`")
    return torch.device(name)
