"""Find the ground state of a quantum magnet: a matrix product state, its energy lowered along derived gradients.

    pip install -e ".[examples]" && python examples/ground_state.py

The transverse-field Ising chain with open ends,  H = -sum Z_k Z_{k+1} - g sum X_k,  acts on 2^N amplitudes. A matrix
product state writes them as a product of N small tensors A_k[a,s,b], bonds a and b, spin s. H is a product of N equal
tensors W too (U. Schollwöck, Annals of Physics 326, 2011, sections 4 and 6), so that the energy <A|H|A> / <A|A> is one
tensor network, declared here as two layers that are applied site by site. The script

 1. declares the energy, prints that of two sites, and derives its gradient in every A_k,
 2. lowers the energy with L-BFGS from SciPy, and says what a step costs,
 3. compares it with the smallest eigenvalue of H, and with the formula for free fermions that holds for any N
    (P. Pfeuty, Annals of Physics 57, 1970); it fails unless the relative error is below 1e-6,
 4. draws the network, and the error against the iterations.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib import pyplot as plt
from scipy.optimize import minimize
from scipy.sparse import csr_array, eye_array, kron
from scipy.sparse.linalg import eigsh
from threadpoolctl import threadpool_limits
from tqdm import tqdm

import einback as eb

TOLERANCE = 1e-6
MOST_SITES = 14  # for the exact eigenvalue: 2^14 amplitudes
Step = Callable[..., Any]
ONE, X, Z = np.eye(2), np.array([[0.0, 1.0], [1.0, 0.0]]), np.diag([1.0, -1.0])

with_operator = eb.layer("right[b,w,d] = left[a,v,c] A[a,s,b] W[v,s,t,w] A[c,t,d]")
without = eb.layer("right[b,d] = left[a,c] A[a,s,b] A[c,s,d]")


def declare(sites: int, bond: int) -> tuple[eb.Tensor, list[eb.Tensor]]:
    """The energy <A|H|A> / <A|A>, and the tensors A_1 .. A_N. Bonds near the ends need not be wide."""
    bonds = [min(bond, 2**k, 2 ** (sites - k)) for k in range(sites + 1)]
    state = [eb.tensor(f"A_{k + 1}[{bonds[k]},2,{bonds[k + 1]}]") for k in range(sites)]
    W, first, last = eb.tensors("W[3,2,2,3] first[1,3,1] last[3]")
    above, below = first, eb.eye(1)
    for A in state:
        above, below = with_operator(above, A, W), without(below, A)
    return eb.einsum("awc,w->", above, last) / eb.einsum("aa->", below), state


def operator(field: float) -> dict[str, np.ndarray]:
    """H as a machine that reads the chain from the left: state 0 before, 1 inside, and 2 behind a term of H."""
    W = np.zeros((3, 2, 2, 3))
    W[0, :, :, 0] = W[2, :, :, 2] = ONE
    W[0, :, :, 1], W[1, :, :, 2] = -Z, Z
    W[0, :, :, 2] = -field * X
    return {"W": W, "first": np.eye(3)[0].reshape(1, 3, 1), "last": np.eye(3)[2]}


def minimise(step: Step, arrays: dict[str, np.ndarray], state: list[eb.Tensor], most: int) -> list[float]:
    """L-BFGS (R. Byrd et al., 1995) from all spins along the field, and some noise. The energy of every iteration."""
    rng = np.random.default_rng(0)
    cuts = np.cumsum([np.prod(A.shape) for A in state])

    def unpack(flat: np.ndarray) -> dict[str, np.ndarray]:
        return {A.name: part.reshape(A.shape) for A, part in zip(state, np.split(flat, cuts[:-1]), strict=True)}

    def energy(flat: np.ndarray) -> tuple[float, np.ndarray]:
        value, slopes = step(**unpack(flat), **arrays)
        return float(value), np.concatenate([slope.ravel() for slope in slopes])

    start = rng.normal(scale=0.1, size=cuts[-1])
    for A in unpack(start).values():
        A[0, :, 0] += np.sqrt(0.5)
    energies = [energy(start)[0]]
    with tqdm(total=most, desc="lowering", unit="step", file=sys.stdout, ncols=88, mininterval=0.2) as bar:

        def note(intermediate_result: Any) -> None:
            energies.append(float(intermediate_result.fun))
            bar.set_postfix(energy=f"{energies[-1]:.9f}", refresh=False)
            bar.update()

        limits = {"maxiter": most, "maxfun": 2 * most, "maxcor": 30, "ftol": 0, "gtol": 1e-8}
        minimize(energy, start, jac=True, method="L-BFGS-B", options=limits, callback=note)
    return energies


def smallest_eigenvalue(sites: int, field: float) -> float:
    """The ground state energy from the sparse matrix of H, 2^N by 2^N."""

    def at(k: int, matrix: np.ndarray) -> csr_array:
        rest = 2**sites // 2**k // len(matrix)
        return kron(kron(eye_array(2**k), matrix), eye_array(rest), format="csr")

    H = -sum(at(k, np.kron(Z, Z)) for k in range(sites - 1)) - field * sum(at(k, X) for k in range(sites))
    return float(eigsh(H, k=1, which="SA", return_eigenvectors=False)[0])


def free_fermions(sites: int, field: float) -> float:
    """The same number from an N by N matrix: minus the sum of its singular values."""
    M = field * np.eye(sites) + np.eye(sites, k=1)
    return -float(np.linalg.svd(M, compute_uv=False).sum())


def draw(errors: np.ndarray, sites: int, path: Path) -> None:
    """The network <A|H|A>, and below it the relative error of every iteration on a logarithmic scale."""
    ink, accent, faint = "#1f2933", "#c2410c", "#9fb3c8"
    figure, (above, below) = plt.subplots(2, 1, figsize=(7, 5), height_ratios=(2, 5), layout="constrained")
    for y, name, colour in ((2, "A", ink), (1, "W", accent), (0, "A", ink)):
        above.plot([0, sites - 1], [y, y], color=faint, zorder=1)
        for x in range(sites):
            above.plot([x, x], [0, 2], color=faint, zorder=1)
            box = {"boxstyle": "circle" if name == "A" else "round", "facecolor": "white", "edgecolor": colour}
            above.text(x, y, name, ha="center", va="center", fontsize=8, color=colour, bbox=box, zorder=2)
    above.set(xlim=(-0.5, sites - 0.5), ylim=(-0.6, 2.6))
    above.axis("off")
    below.semilogy(np.maximum(errors, 1e-16), color=ink, linewidth=1.8)
    below.axhline(TOLERANCE, color=accent, linewidth=1, linestyle="--")
    below.set(xlabel="iteration of L-BFGS", ylabel="relative error of the energy", xlim=(0, len(errors) - 1))
    below.spines[["top", "right"]].set_visible(False)
    below.grid(axis="y", color=faint, alpha=0.35, linewidth=0.6)
    figure.savefig(path, dpi=150)
    plt.close(figure)


def main() -> None:
    mpl.use("Agg")
    parser = argparse.ArgumentParser(description="The ground state of the transverse-field Ising chain.")
    parser.add_argument("--sites", type=int, default=10, help="spins of the chain, two or more (%(default)s)")
    parser.add_argument("--bond", type=int, default=8, help="largest bond dimension (%(default)s)")
    parser.add_argument("--field", type=float, default=1.0, help="transverse field g (%(default)s)")
    parser.add_argument("--steps", type=int, default=1000, help="iterations at most (%(default)s)")
    parser.add_argument("--out", type=Path, default=Path("output/ground_state.png"), help="picture (%(default)s)")
    chosen = parser.parse_args()
    if min(chosen.sites - 1, chosen.bond, chosen.steps) < 1:
        parser.error("--sites is two or more, --bond and --steps are one or more")
    chosen.out.parent.mkdir(parents=True, exist_ok=True)

    energy, state = declare(chosen.sites, chosen.bond)
    step = eb.compile([energy, eb.grad(energy, state)])
    print(f"two sites, as einback reads them:\n{declare(2, 2)[0].text(name='energy')}\n")
    with threadpool_limits(1):  # tensors this small gain nothing from a second core, and lose if it is busy
        energies = minimise(step, operator(chosen.field), state, chosen.steps)
    print(f"energy and gradient: {str(step.plan()).splitlines()[0]}")

    exact = free_fermions(chosen.sites, chosen.field)
    print(f"\nmatrix product state  {energies[-1]:.12f}\nfree fermions         {exact:.12f}")
    if chosen.sites <= MOST_SITES:
        eigenvalue = smallest_eigenvalue(chosen.sites, chosen.field)
        print(f"smallest eigenvalue   {eigenvalue:.12f}")
        if abs(eigenvalue - exact) > 1e-9 * abs(exact):
            sys.exit("the two exact energies differ")
    errors = (np.array(energies) - exact) / abs(exact)
    draw(errors, chosen.sites, chosen.out)
    print(f"relative error {errors[-1]:.1e} after {len(energies) - 1} iterations; {chosen.out}")
    if not -1e-12 < errors[-1] < TOLERANCE:
        sys.exit(f"the energy is not within {TOLERANCE:.0e} of the exact one, from above: try more --steps or --bond")


if __name__ == "__main__":
    main()
