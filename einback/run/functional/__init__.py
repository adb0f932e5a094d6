"""Programs as straight-line functions for people: NumPy, CuPy, PyTorch and JAX from the same planned steps."""
