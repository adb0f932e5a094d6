"""What to write instead where a NumPy function met a tensor."""

__all__ = ["INSTEAD", "NO_NUMBERS"]

NO_NUMBERS = "evaluate it with arrays: einback.evaluate(y, X=..)"
INSTEAD = {
    **{name: f"write einback.{name}(y)" for name in ("sum", "mean", "max", "min", "prod")},
    **dict.fromkeys(("amax", "amin"), "write einback.max(y) or einback.min(y)"),
    **dict.fromkeys(("dot", "inner", "vdot", "tensordot"), "write a @ b, or einback.einsum"),
    **dict.fromkeys(("einsum", "outer", "diagonal", "diag"), "write it as einback.einsum"),
    **dict.fromkeys(("transpose", "moveaxis", "swapaxes"), "write y.T, or einback.einsum"),
    **{
        name: f"write einback.linalg.{name}(A)"
        for name in ("inv", "det", "slogdet", "cholesky", "eigvalsh", "trace", "norm")
    },
    **{name: f"write einback.linalg.{name}(A, B)" for name in ("solve", "kron")},
    "matrix_power": "write einback.linalg.matrix_power(A, n)",
    "where": "write einback.where(condition, a, b)",
    "clip": "write einback.clip(y, low, high)",
}
