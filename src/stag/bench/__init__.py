"""Measure the speed of each part on this machine; render clips and compute the source scheme for benchmarks."""
