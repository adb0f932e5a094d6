"""What runs on a CUDA device: statements fused into kernels, matrix products for cuBLAS, and their spelling in CuPy."""
