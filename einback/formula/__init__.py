"""Formulas: what a program says, in index notation, as text that parses back and as LaTeX."""
