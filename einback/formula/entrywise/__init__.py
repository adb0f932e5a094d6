"""Formulas entry by entry: explicit sums, Ricci notation, and small tensors written out."""
