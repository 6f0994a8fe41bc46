"""One simulated person for all tests of the simulator."""

import numpy as np
import pytest

from stag.simulate.actions import action_fields
from stag.simulate.clip_script import ClipScript, Firing, HeadPath
from stag.simulate.face import astronaut, make_face
from stag.simulate.settings import SimulationSettings


@pytest.fixture(scope="session")
def settings():
    return SimulationSettings()


@pytest.fixture(scope="session")
def face(settings):
    return make_face(astronaut(), settings, np.random.default_rng(1))


@pytest.fixture(scope="session")
def fields(face):
    return action_fields(face.points)


@pytest.fixture(scope="session")
def still_head():
    return HeadPath(np.zeros((4, 3)), np.zeros((4, 3)), np.zeros((4, 3)))


@pytest.fixture(scope="session")
def write_script(still_head):
    """A script of the given firings at 100 fps: onset at frame 2, 20 frames up, 20 frames down."""

    def write(units, *, strength_px=1.5, head=still_head, blink=None, sides=(1.0, 1.0), noise_grey=0.0):
        firings = tuple(Firing(unit, sides, 0.0, 0.2, 0.4) for unit in units)
        return ClipScript(
            emotion="happiness", firings=firings, blink=blink, strength_px=strength_px, head=head, fps=100.0,
            n_frames=45, onset=2, apex=22, offset=42, noise_grey=noise_grey, flicker=(0.0, 0.0, 0.0), drift_grey=0.0,
        )  # fmt: skip

    return write
