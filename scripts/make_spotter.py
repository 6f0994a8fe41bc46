"""Train the spotter that ships, on simulated recordings only, and calibrate its false alarms.

python scripts/make_spotter.py --out src/stag/weights/spotter
"""

from __future__ import annotations

import argparse
from pathlib import Path

from stag.spotting.fit import train_simulated
from stag.utils.parallel import one_thread


def main() -> None:
    """Read the command line, and make the weights."""
    parser = argparse.ArgumentParser(description="Train the spotter that ships, on simulated recordings.")
    parser.add_argument("--out", type=Path, required=True, help="folder to write")
    parser.add_argument("--people", type=int, default=200, help="simulated people, one recording of 90 s each")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    with one_thread():
        spotter = train_simulated(
            arguments.people, seed=arguments.seed, progress=lambda done, total: print(f"{done} of {total}", flush=True)
        )
    spotter.save(arguments.out)


if __name__ == "__main__":
    main()
