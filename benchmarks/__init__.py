"""Measure stag against known motion; not part of the installed program."""
