"""Running: plans lowered to steps, steps written as NumPy source, and the callable around it."""
