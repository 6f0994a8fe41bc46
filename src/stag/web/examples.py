"""Draw clips to try with the simulator when they are first requested; no recording of a person ships."""

from __future__ import annotations

from pathlib import Path
from threading import Lock

import numpy as np

from stag.simulate.actions import action_fields
from stag.simulate.face import astronaut, make_face
from stag.simulate.render import ClipRenderer, draw_script
from stag.simulate.script import DisplayStyle
from stag.simulate.settings import SimulationSettings
from stag.video import write_video

EXAMPLES = {f"{emotion.capitalize()} (simulated)": emotion for emotion in ("surprise", "happiness", "anger")}
"""Name on the page -> emotion of the simulator."""

_FPS = 100.0
_DRAWING = Lock()


def example_clip(name: str, folder: Path) -> Path:
    """Return the clip of that name in ``folder``, drawn first where it is missing; equal names give equal bytes."""
    emotion = EXAMPLES[name]
    path = folder / f"example-{emotion}.mkv"
    with _DRAWING:
        if not path.exists():
            settings = SimulationSettings()
            face = make_face(astronaut(), settings, np.random.default_rng(7))
            script = draw_script(emotion, DisplayStyle(strength=1.4), settings, _FPS, np.random.default_rng(11))
            renderer = ClipRenderer(face, action_fields(face.points), script, settings)
            write_video(path, renderer.frames(np.random.default_rng(13)), _FPS)
    return path
