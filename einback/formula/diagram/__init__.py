"""Formulas as pictures: the tensor network of every line of a formula, as SVG, TikZ and a graph."""
