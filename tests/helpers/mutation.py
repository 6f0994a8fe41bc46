"""Damage to the bytes of a file: seeded, so that a case that fails can be looked at again."""

import signal
from contextlib import contextmanager

import numpy as np

HANGS_S = 30
"""A reader that takes longer hangs."""


def mutants(content, cases, seed=0):
    """``cases`` damaged copies of ``content``: bits flipped, stretches zeroed, repeated, moved, cut off, or made up."""
    rng = np.random.default_rng(seed)
    for _ in range(cases):
        data = bytearray(content)
        for _ in range(rng.integers(1, 4)):
            if not data:
                break
            _damage(data, rng)
        yield bytes(data)


def _damage(data, rng):
    # Half of the damage goes to the first kilobyte, where files tell what they hold.
    span = min(len(data), 1024) if rng.random() < 0.5 else len(data)
    at = int(rng.integers(0, span))
    length = int(rng.integers(1, 64))
    kind = rng.integers(0, 6)
    if kind == 0:
        data[at] ^= 1 << int(rng.integers(0, 8))
    elif kind == 1:
        data[at : at + length] = bytes(len(data[at : at + length]))
    elif kind == 2:
        data[at:at] = data[at : at + length]
    elif kind == 3:
        other = int(rng.integers(0, len(data)))
        data[at : at + length] = data[other : other + length]
    elif kind == 4:
        del data[at:]
    else:
        data[at : at + length] = rng.integers(0, 256, length, dtype=np.uint8).tobytes()


@contextmanager
def no_hang():
    """Fail a case that takes longer than :data:`HANGS_S`."""

    def late(signum, frame):
        raise AssertionError(f"took longer than {HANGS_S} s")

    before = signal.signal(signal.SIGALRM, late)
    signal.alarm(HANGS_S)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)
