"""A recording as a file, in which brows come down at a known time, and its timeline."""

from types import SimpleNamespace

from stag.inference.predictor import Predictor
from stag.motion.recording import measure_recording
from stag.simulate.actions import action_fields
from stag.simulate.film import film_clip
from stag.spotting.recognise import FaceTimeline, recognise, unit_curves
from stag.spotting.sensitivity import Planted, planted_frames
from stag.types import Frame, Interval
from stag.video import read_frames, write_video


def filmed_brows(folder):
    """Return a video of 3 s in which brows come down by 1 px at 1 s, and its timeline with that one expression."""
    clip = film_clip("surprise", fps=30.0)
    frames = [Frame(clip.frames[0].image, i / 30) for i in range(90)]
    (still,) = measure_recording(frames, clip, "still")
    planted = list(planted_frames(frames, still, action_fields(still.points, (4,)), [Planted(1.0, (4,), 1.0)]))
    path = folder / "brows.mkv"
    write_video(path, [frame.image for frame in planted], 30.0)
    (motion,) = measure_recording(read_frames(path), clip, "brows")
    predictor = Predictor(detector=SimpleNamespace())
    when = Interval(file=path.name, onset_s=1.0, apex_s=1.2, offset_s=1.4, kind="micro", score=0.9)
    one = recognise(motion, when, predictor)
    blink = Interval(file=path.name, onset_s=2.0, apex_s=2.1, offset_s=2.2, kind="blink", score=0.9)
    return path, FaceTimeline(path.name, motion, (one,), (blink,), 1.0, unit_curves(motion, predictor))
