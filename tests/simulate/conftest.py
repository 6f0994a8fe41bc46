"""One simulated person for all tests of the simulator."""

import numpy as np
import pytest

from stag.facs import AU_VOCABULARY
from stag.simulate.actions import action_fields
from stag.simulate.face import astronaut, make_face
from stag.simulate.render import ClipScript
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
    return np.zeros((3, 6, 3))


@pytest.fixture(scope="session")
def write_script(still_head):
    """A script of the given units at 100 fps: onset at frame 2, 20 frames up, 20 frames down."""

    def write(units, *, strength_px=1.5, head=still_head, blink_px=0.0, sides=(1.0, 1.0), noise_grey=0.0):
        return ClipScript(
            unit=np.array([AU_VOCABULARY.index(unit) for unit in (*units, 45)]),
            sides=np.array([*[sides] * len(units), (blink_px, blink_px)]),
            shape=np.array([*[(0.0, 0.2, 0.4, 1.0, 1.0)] * len(units), (0.05, 0.1, 0.25, 1.0, 1.0)]).T,
            head=head, strength_px=strength_px, fps=100.0, n_frames=45, onset=2, apex=22, offset=42,
            noise_grey=noise_grey,
        )  # fmt: skip

    return write
