"""Motion, prediction and explanation of one clip.

python examples/own_clip.py [CLIP] [--out FOLDER]

CLIP is a video, a GIF or a folder of images; without it the simulator draws a face that is surprised. The model is the
one that ships: it has seen simulated motion only, so its answer is no finding about a person.
"""

import argparse
from pathlib import Path

import numpy as np

import stag
from stag.motion.regions import channel_names
from stag.report.pages.prediction import prediction_page, write_page
from stag.report.plots.motion import motion_figure
from stag.report.theme import figure_png
from stag.report.wording import regions_in_words
from stag.utils.parallel import one_thread
from stag.video import read_frames
from stag.web.examples import example_clip

arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
arguments.add_argument("clip", nargs="?", type=Path)
arguments.add_argument("--out", type=Path, default=Path("runs/own-clip"))


def main() -> None:
    """Read, judge, explain, write."""
    asked = arguments.parse_args()
    asked.out.mkdir(parents=True, exist_ok=True)
    clip = asked.clip or example_clip("Surprise (simulated)", asked.out)
    print(f"clip         {clip}" + ("" if asked.clip else "  (simulated)"))

    predictor = stag.Predictor()
    (found,) = predictor.predict_frames(read_frames(clip), clip.name, "largest", pictures=True)

    size = np.hypot(found.motion.motion[..., 0], found.motion.motion[..., 1])  # (T, R) crop pixels
    step, channel = np.unravel_index(size.argmax(), size.shape)
    where = f"{channel_names(found.layout)[channel]} at {found.motion.time_s[step]:.2f} s"
    print(f"motion       {found.motion.n_frames} frames; largest {size.max():.2f} px, {where}")

    note = "  (a model trained on simulated motion only)" if found.simulated else ""
    shares = ", ".join(f"{name} {p:.2f}" for name, p in zip(found.classes, found.probabilities, strict=True))
    print(f"prediction   {found.predicted}: {shares}{note}")
    for flag in found.flags:
        print(f"remark       {flag}")

    why = stag.explain(predictor.model, found)
    print(f"why          {regions_in_words(why.by_channel, why.layout, signed=why.signed)}  ({why.title})")

    (asked.out / "motion.png").write_bytes(figure_png(motion_figure(found.motion, found.layout)))
    write_page(asked.out / "report.html", prediction_page([found], attributions=[why]))
    print(f"written      {asked.out / 'motion.png'}, {asked.out / 'report.html'}")


if __name__ == "__main__":
    try:
        with one_thread():
            main()
    except stag.StagError as error:
        raise SystemExit(f"error: {error}") from None
