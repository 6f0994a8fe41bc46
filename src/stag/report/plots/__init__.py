"""Figures of plain values: faces, motion, attribution, graphs, scores."""
