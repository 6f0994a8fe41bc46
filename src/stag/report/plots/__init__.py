"""Figures, each a function of plain values: faces, motion, attribution, graphs, scores."""
