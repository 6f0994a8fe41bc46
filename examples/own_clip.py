"""Motion, prediction and explanation of one clip.

python examples/own_clip.py [CLIP] [--out FOLDER]

CLIP is a video, a GIF or a folder of images; without it the simulator draws a smile. The model is the
one that ships: it was trained on simulated motion only, so its answer is no finding about a person.
"""

import argparse
from pathlib import Path

import stag

arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
arguments.add_argument("clip", nargs="?", type=Path)
arguments.add_argument("--out", type=Path, default=Path("runs/own-clip"))


def main() -> None:
    """Predict, explain, draw, and write the page."""
    options = arguments.parse_args()
    out = options.out
    clip = options.clip or out / "simulated/clips/s01_c01.mkv"
    if options.clip is None and not clip.exists():
        stag.simulate_corpus(out / "simulated", subjects=1, clips=1)

    prediction = stag.predict(clip, pictures=True)
    why = prediction.explain()
    by_channel = why.to_frame().groupby("channel")["attribution"].sum().nlargest(3)

    out.mkdir(parents=True, exist_ok=True)
    prediction.plot().savefig(out / "motion.png")
    why.plot().savefig(out / "explanation.png")
    prediction.report(out / "report.html")

    note = "  (a model trained on simulated motion only)" if prediction.simulated else ""
    print(f"prediction   {prediction}{note}")
    print(prediction.to_frame().filter(like="p_").to_string(index=False))
    print(f"why          {why}\n{by_channel.to_string(header=False)}")
    print(f"written      {out / 'motion.png'}, {out / 'explanation.png'}, {out / 'report.html'}")


if __name__ == "__main__":
    try:
        main()
    except stag.StagError as error:
        raise SystemExit(f"error: {error}") from None
