"""Every action unit, alone, comes out of extraction in the direction in which it was put in."""

import numpy as np
import pytest

from stag.bench.clips import ClipSpec, render, true_face
from stag.config import MotionConfig
from stag.facs import AU_VOCABULARY
from stag.motion.clip import extract_clip

CLEAR_PX = 0.2
NAMED = {  # channel, component (0 right, 1 down), sign: what a person would look for
    2: [(3, 1, -1), (7, 1, -1)],
    4: [(1, 1, 1), (5, 1, 1), (1, 0, 1), (5, 0, -1)],
    12: [(9, 1, -1), (10, 1, -1), (9, 0, -1), (10, 0, 1)],
}


class AtOnce:
    """A detector that is told the face."""

    def __init__(self, face):
        self.face = face

    def detect(self, image):
        return [self.face]


@pytest.mark.parametrize("unit", AU_VOCABULARY)
def test_measured_motion_has_the_sign_of_the_truth(unit):
    clip = render(ClipSpec(0, 64.0, (unit,), 1.0, sway=True, fps=100.0))
    (tensor,) = extract_clip(clip.filmed(1.0), AtOnce(true_face(clip)), MotionConfig(), "clip")
    step = int(np.abs(tensor.frame_index - clip.apex).argmin())
    true, measured = clip.motion[int(tensor.frame_index[step])], tensor.motion[step]
    clear = np.abs(true) >= CLEAR_PX
    assert clear.any()
    assert (np.sign(measured) == np.sign(true))[clear].all()
    assert np.corrcoef(true[clear], measured[clear])[0, 1] > 0.85 or clear.sum() < 3
    for channel, component, sign in NAMED.get(unit, ()):
        assert measured[channel, component] * sign > CLEAR_PX
