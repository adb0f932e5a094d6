"""Decompose 1,797 handwritten digits into a dozen separable strokes: CP decomposition by derived gradients.

    pip install -e ".[examples]" && python examples/cp_decomposition.py

The images of 8 by 8 pixels of the UCI handwritten digits (E. Alpaydin and C. Kaynak, 1998) make a tensor T[n,i,j].
The canonical polyadic decomposition writes it as a sum of R products, A[n,r] B[i,r] C[j,r]: every image becomes a
mixture of R pictures, each the product of a column and a row. All factors are fitted at once (E. Acar, D. Dunlavy and
T. Kolda, Journal of Chemometrics 25, 2011), with a small ridge that keeps them from growing without bound. The script

 1. declares the loss, derives its gradient in every factor, and prints them as formulas,
 2. lowers the loss with L-BFGS from SciPy, and reports the fit, 1 - |T - M| / |T|,
 3. checks the result without einback: sweeps of alternating least squares, each factor solved for in NumPy, start from
    it and must stay where they are; it fails if they lower the loss by more than a billionth of it,
 4. draws digits, the same rebuilt, and the strokes.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import matplotlib as mpl
import numpy as np
from matplotlib import pyplot as plt
from scipy.optimize import minimize
from sklearn.datasets import load_digits
from threadpoolctl import threadpool_limits
from tqdm import tqdm

import einback as eb

TOLERANCE = 1e-9
SWEEPS = 20
Factors = list[np.ndarray]


def declare() -> tuple[eb.Tensor, list[eb.Tensor]]:
    """The loss, and its gradients in A, B and C."""
    p = eb.program("""
        M[n,i,j] = A[n,r] B[i,r] C[j,r]
        misfit   = (T[n,i,j] - M[n,i,j])^2
        ridge    = A[n,r]^2 + B[i,r]^2 + C[j,r]^2
        loss     = misfit + mu ridge
    """)
    return p["loss"], eb.grad(p["loss"], [p["A"], p["B"], p["C"]])


def rebuild(factors: Factors) -> np.ndarray:
    return np.einsum("nr,ir,jr->nij", *factors, optimize=True)


def fit(T: np.ndarray, M: np.ndarray) -> float:
    return float(1 - np.linalg.norm(T - M) / np.linalg.norm(T))


def start(T: np.ndarray, rank: int, seed: int) -> Factors:
    """Random factors above zero. Columns of equal length curve the loss alike, which L-BFGS needs."""
    rng = np.random.default_rng(seed)
    factors = [rng.uniform(size=(size, rank)) for size in T.shape]
    factors = [factor / np.linalg.norm(factor, axis=0) for factor in factors]
    scale = np.cbrt(np.linalg.norm(T) / np.linalg.norm(rebuild(factors)))
    return [scale * factor for factor in factors]


def decompose(T: np.ndarray, factors: Factors, mu: float, most: int) -> Factors:
    """L-BFGS (R. Byrd et al., 1995) on all factors at once, the compiled loss and gradients as its function."""
    loss, gradients = declare()
    print(loss, *gradients, sep="\n\n", end="\n\n")
    step = eb.compile([loss, gradients])
    cuts = np.cumsum([factor.size for factor in factors])[:-1]

    def unpack(flat: np.ndarray) -> Factors:
        parts = np.split(flat, cuts)
        return [part.reshape(factor.shape) for part, factor in zip(parts, factors, strict=True)]

    def function(flat: np.ndarray) -> tuple[float, np.ndarray]:
        value, slopes = step(T=T, mu=mu, **dict(zip("ABC", unpack(flat), strict=True)))
        return float(value), np.concatenate([slope.ravel() for slope in slopes])

    limits = {"maxiter": most, "maxfun": 2 * most, "maxcor": 20, "ftol": 0, "gtol": 1e-6}
    flat = np.concatenate([factor.ravel() for factor in factors])
    with tqdm(total=most, desc="fitting", unit="step", file=sys.stdout, ncols=88, mininterval=0.2) as bar:

        def note(intermediate_result: dict[str, float]) -> None:
            bar.set_postfix(loss=f"{intermediate_result['fun']:.6f}", refresh=False)
            bar.update()

        found = minimize(function, flat, jac=True, method="L-BFGS-B", options=limits, callback=note)
    print(f"L-BFGS: {found.nit} iterations, largest entry of the gradient {np.abs(found.jac).max():.1e}")
    return unpack(found.x)


def sweep(T: np.ndarray, factors: Factors, mu: float) -> Factors:
    """Alternating least squares: each factor in turn solves its own normal equations, the others held fixed.

    T. Kolda and B. Bader, Tensor Decompositions and Applications, SIAM Review 51 (2009), section 3.4.
    """
    A, B, C = factors
    ridge = mu * np.eye(A.shape[1])
    A = np.linalg.solve((B.T @ B) * (C.T @ C) + ridge, np.einsum("nij,ir,jr->rn", T, B, C, optimize=True)).T
    B = np.linalg.solve((A.T @ A) * (C.T @ C) + ridge, np.einsum("nij,nr,jr->ri", T, A, C, optimize=True)).T
    C = np.linalg.solve((A.T @ A) * (B.T @ B) + ridge, np.einsum("nij,nr,ir->rj", T, A, B, optimize=True)).T
    return [A, B, C]


def objective(T: np.ndarray, factors: Factors, mu: float) -> float:
    return float(np.sum((T - rebuild(factors)) ** 2) + mu * sum(np.sum(factor**2) for factor in factors))


def best_possible(T: np.ndarray, rank: int) -> float:
    """The fit of the best R pictures of any kind (C. Eckart and G. Young, 1936): no decomposition exceeds it."""
    values = np.linalg.svd(T.reshape(len(T), -1), compute_uv=False)
    return float(1 - np.sqrt(np.sum(values[rank:] ** 2) / np.sum(values**2)))


def draw(T: np.ndarray, factors: Factors, path: Path) -> None:
    """Twelve digits, the same rebuilt from the factors, and the strokes, those that are used most first."""
    A, B, C = factors
    strokes = np.einsum("r,ir,jr->rij", np.sign(A.sum(axis=0)) * np.linalg.norm(A, axis=0), B, C)
    strokes = strokes[np.argsort(-np.linalg.norm(strokes, axis=(1, 2)))]
    columns = 12
    rows = [T[:columns], rebuild(factors)[:columns], *np.split(strokes, range(columns, len(strokes), columns))]
    figure, grid = plt.subplots(len(rows), columns, figsize=(8, 0.75 * len(rows)), layout="constrained")
    for images, line, name in zip(rows, grid, ["digits", "rebuilt", "strokes", *[""] * len(rows)], strict=False):
        line[0].set_ylabel(name, color="#1f2933")
        for axes in line:
            axes.set(xticks=[], yticks=[])
            axes.spines[:].set_visible(False)
        for image, axes in zip(images, line, strict=False):
            most = 1.0 if name in ("digits", "rebuilt") else np.abs(image).max()
            axes.imshow(image, cmap="PuOr", vmin=-most, vmax=most)
    figure.savefig(path, dpi=150)
    plt.close(figure)


def main() -> None:
    mpl.use("Agg")
    parser = argparse.ArgumentParser(description="CP decomposition of handwritten digits with derived gradients.")
    parser.add_argument("--rank", type=int, default=12, help="number of strokes (%(default)s)")
    parser.add_argument("--mu", type=float, default=1.0, help="weight of the ridge, above zero (%(default)s)")
    parser.add_argument("--steps", type=int, default=3000, help="iterations at most (%(default)s)")
    parser.add_argument(
        "--seed", type=int, default=1, help="of the first factors; some end in other minima (%(default)s)"
    )
    parser.add_argument("--out", type=Path, default=Path("output/cp_decomposition.png"), help="picture (%(default)s)")
    chosen = parser.parse_args()
    if min(chosen.rank, chosen.steps) < 1 or chosen.mu <= 0:
        parser.error("--rank and --steps are one or more, --mu is above zero")
    chosen.out.parent.mkdir(parents=True, exist_ok=True)

    T = load_digits().images / 16
    with threadpool_limits(1):  # vectors this short gain nothing from a second core, and lose if it is busy
        factors = decompose(T, start(T, chosen.rank, chosen.seed), chosen.mu, chosen.steps)
        swept = factors
        for _ in range(SWEEPS):
            swept = sweep(T, swept, chosen.mu)
    print(
        f"fit {fit(T, rebuild(factors)):.4f}; {chosen.rank} pictures of any kind, with 64 numbers each instead of 16, "
        f"reach {best_possible(T, chosen.rank):.4f}"
    )
    draw(T, factors, chosen.out)

    before, after = objective(T, factors, chosen.mu), objective(T, swept, chosen.mu)
    print(f"{SWEEPS} sweeps of least squares lower the loss by {1 - after / before:.1e} of it; {chosen.out}")
    if not abs(1 - after / before) < TOLERANCE:
        sys.exit("L-BFGS has not reached a minimum: least squares still lower the loss")


if __name__ == "__main__":
    main()
