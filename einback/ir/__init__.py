"""Nodes, smart constructors, walks, sizes and the checker: the language that every stage speaks."""
