"""The knowledge: the scalar table, and the rewrite rules that bring programs into normal form."""
