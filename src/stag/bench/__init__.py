"""Benchmarks: what is measured against the simulator's known truth, with the source scheme as the reference to beat."""
