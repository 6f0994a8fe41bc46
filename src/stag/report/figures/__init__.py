"""The figures of the paper by command: from runs, motion files and clips, or from simulated data."""
