import numpy as np
import pytest

from stag.simulate.film import film_clip
from stag.types import Frame


@pytest.fixture(scope="session")
def still():
    """Frames of a face that does not move, 3 s at 30 a second, with the detector that knows where it is."""
    clip = film_clip("surprise", fps=30.0)
    generator = np.random.default_rng(0)
    image = clip.frames[0].image.astype(np.float32)
    frames = []
    for i in range(90):
        noisy = image + generator.standard_normal(image.shape).astype(np.float32)
        frames.append(Frame(np.clip(np.rint(noisy), 0, 255).astype(np.uint8), i / 30))
    return frames, clip
