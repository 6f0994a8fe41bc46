"""The speed of each part on this machine, and the rendered clips and the source scheme that benchmarks compare with."""
