"""How leave one subject out grows with clips and subjects: an epoch and its memory measured, all folds computed."""

from __future__ import annotations

from collections.abc import Sequence

from stag.bench.processes import PEAK, run_code
from stag.bench.rows import Row
from stag.config import Config

SIZES = ((20, 400), (100, 1600), (656, 7526))
"""Subjects and clips; the last are those of DFME."""
_ONE_FOLD = """
import time
import numpy as np, torch
from stag.config import Config
from stag.simulate.motion import simulate_motion
from stag.training.fit import Part, make_stack
from stag.utils.parallel import one_thread
made = simulate_motion({subjects}, -(-{clips} // {subjects}), seed=1)
motion = made.subset(np.arange({clips}))
inside = np.flatnonzero(motion.subject != motion.subject[0])
with one_thread():
    stack = make_stack(motion, [Part(inside, 0)], Config(), torch.device("cpu"))
    started = time.process_time()
    stack.run_epoch()
    epoch_s = time.process_time() - started
print(epoch_s)
"""
_ON_GPU = "print(stack.bytes_per_fold() / 2**20)"


def growth_rows(sizes: Sequence[tuple[int, int]] = SIZES) -> list[Row]:
    """Train an epoch of one fold of each size in a process of its own, on one core, on simulated motion.

    Returns:
        Rows: seconds of the epoch, peak MiB of the process, computed hours of all folds, computed MiB of a fold on a
        GPU.
    """
    rows, epochs = [], Config().train.epochs
    for subjects, clips in sizes:
        code = _ONE_FOLD.format(subjects=subjects, clips=clips) + PEAK + _ON_GPU
        epoch_s, peak, on_gpu = map(float, run_code(code).split())
        values = {
            "an epoch of one fold, s of a core": epoch_s,
            "peak memory of the process, MiB": peak,
            f"all folds, {epochs} epochs, h of a core (computed)": subjects * epochs * epoch_s / 3600,
            "a fold in a stack on a GPU, MiB (computed)": on_gpu,
        }
        rows += [
            {"what": f"{clips} clips, {subjects} subjects: {name}", "value": value} for name, value in values.items()
        ]
    return rows
