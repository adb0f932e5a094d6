"""Formulas as lines of NumPy."""
