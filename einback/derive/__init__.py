"""Derivatives as programs: reverse mode, forward mode, and what is built from them. IR in, IR out."""
