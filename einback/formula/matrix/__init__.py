"""Formulas in matrices and vectors: products, transposes, differentials, Kronecker products, tuples of columns."""
