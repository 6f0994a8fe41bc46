"""Fabricated trees in the layouts of the public data sets, annotation sheets and quirks included."""
