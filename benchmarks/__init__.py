"""What is measured against known motion, and the targets; not part of the installed program."""
