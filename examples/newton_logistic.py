"""Newton's method on logistic regression, its gradient and Hessian derived: the optimum in a handful of steps.

    pip install -e ".[examples]" && python examples/newton_logistic.py

The data are the 569 tumours of the Breast Cancer Wisconsin data set (W. Wolberg, W. Street and O. Mangasarian, 1995),
30 measurements each, benign or malignant; scikit-learn ships them. The script

 1. declares the loss, derives gradient and Hessian, and prints all three as formulas,
 2. compiles them, the Hessian as the sum of its parts, and runs Newton's method, a halving of steps its only safeguard,
 3. spends many more steps of gradient descent on the same loss, to show what the Hessian is worth,
 4. compares coefficients and intercept with scikit-learn's `LogisticRegression`, and fails unless they agree to 1e-6,
 5. draws how fast both methods converge, and the coefficients.
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
from sklearn.datasets import load_breast_cancer
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler
from tqdm import tqdm

import einback as eb

TOLERANCE = 1e-6
Step = Callable[..., Any]
Arrays = dict[str, np.ndarray]


def declare() -> tuple[eb.Tensor, eb.Tensor, eb.Tensor]:
    """Loss, gradient, Hessian. The loss of a sample is log(1 + exp z) - y z; r[d] is the penalty of a coefficient."""
    p = eb.program("""
        z[n] = X[n,d] w[d]
        loss = sum[n](softplus(z[n]) - y[n] z[n]) + 1/2 r[d] w[d]^2
    """)
    loss, w = p["loss"], p["w"]
    return loss, eb.grad(loss, w), eb.hessian(loss, w)


def load(inverse_penalty: float) -> tuple[Arrays, list[str]]:
    """Standardised measurements and a column of ones, whose coefficient is the intercept and is not penalised."""
    data = load_breast_cancer()
    X = StandardScaler().fit_transform(data.data)
    ones = np.ones((len(X), 1))
    r = np.append(np.full(X.shape[1], 1 / inverse_penalty), 0.0)
    return {"X": np.hstack([X, ones]), "y": data.target.astype(float), "r": r}, list(data.feature_names)


def newton(step: Step, hessian: Step, arrays: Arrays, most: int = 50) -> tuple[np.ndarray, list[float]]:
    """Newton's method from zero, halving a step that does not lower the loss enough. The losses on the way.

    J. Nocedal and S. Wright, Numerical Optimization (2006), algorithm 3.1 with direction (3.30).
    """
    w = np.zeros(arrays["X"].shape[1])
    losses = []
    print("step       loss  gradient")
    for k in range(most):
        loss, slope = step(w=w, **arrays)
        losses.append(float(loss))
        print(f"{k:4} {loss:10.6f}  {np.linalg.norm(slope):8.1e}")
        direction = -np.linalg.solve(hessian(w=w, **arrays).dense(), slope)
        expected = direction @ slope
        if -expected < 1e-14 * loss:  # from here on the loss cannot tell one step from another
            return w + direction, losses
        length = 1.0
        while length > 1e-6 and step(w=w + length * direction, **arrays)[0] > loss + 1e-4 * length * expected:
            length /= 2
        w = w + length * direction
    sys.exit(f"Newton's method has not converged after {most} steps")


def descend(step: Step, arrays: Arrays, rate: float, steps: int) -> list[float]:
    """Gradient descent from zero. The losses on the way."""
    w = np.zeros(arrays["X"].shape[1])
    losses = []
    for _ in tqdm(range(steps), desc="gradient descent", unit="step", file=sys.stdout, ncols=88):
        loss, slope = step(w=w, **arrays)
        losses.append(float(loss))
        w = w - rate * slope
    return losses


def reference(arrays: Arrays, inverse_penalty: float) -> np.ndarray:
    """The same optimum by scikit-learn, which penalises with 1/2 |w|^2 and weighs the samples with C instead."""
    model = LogisticRegression(C=inverse_penalty, tol=1e-12, max_iter=10_000, solver="newton-cholesky")
    model.fit(arrays["X"][:, :-1], arrays["y"])
    return np.append(model.coef_, model.intercept_)


def draw(fast: list[float], slow: list[float], w: np.ndarray, names: list[str], path: Path) -> None:
    """What the loss still has to fall, step by step, and the coefficients by size."""
    ink, accent, faint = "#1f2933", "#c2410c", "#9fb3c8"
    figure, (left, right) = plt.subplots(1, 2, figsize=(10, 5.2), width_ratios=(5, 4), layout="constrained")
    for losses, colour, name in ((slow, faint, "gradient descent"), (fast, accent, "Newton")):
        excess = np.array(losses) - min(fast)
        steps = np.flatnonzero(excess > 0)
        left.loglog(steps + 1, excess[steps], color=colour, linewidth=1.8, marker="o" if name == "Newton" else "")
        left.annotate(
            name,
            (steps[-1] + 1, excess[steps[-1]]),
            xytext=(-10, -12),
            textcoords="offset points",
            ha="right",
            color=colour,
            weight="bold",
        )
    left.set(xlabel="step", ylabel="loss above its minimum")
    left.grid(axis="y", color=faint, alpha=0.35, linewidth=0.6)
    order = np.argsort(np.abs(w[:-1]))[-15:]
    right.barh([names[k] for k in order], w[order], color=[accent if w[k] < 0 else ink for k in order])
    right.set_xlabel("malignant  ←  coefficient  →  benign")
    for axes in (left, right):
        axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(path, dpi=150)
    plt.close(figure)


def main() -> None:
    mpl.use("Agg")
    parser = argparse.ArgumentParser(description="Newton's method with a derived Hessian on the breast cancer data.")
    parser.add_argument("--C", type=float, default=1.0, help="inverse penalty, as in scikit-learn (%(default)s)")
    parser.add_argument("--steps", type=int, default=3000, help="steps of gradient descent (%(default)s)")
    parser.add_argument("--out", type=Path, default=Path("output/newton_logistic.png"), help="picture (%(default)s)")
    chosen = parser.parse_args()
    if chosen.C <= 0 or chosen.steps < 1:
        parser.error("--C is above zero, --steps is one or more")
    chosen.out.parent.mkdir(parents=True, exist_ok=True)

    loss, slope, H = declare()
    print(loss, slope, H.text(name="H"), sep="\n\n", end="\n\n")
    arrays, names = load(chosen.C)
    step, hessian = eb.compile([loss, slope]), eb.compile(H, structured=True)
    w, fast = newton(step, hessian, arrays)
    print(f"the last Hessian: {hessian(w=w, **arrays)}\n")

    # sigmoid' is largest at zero, so that the Hessian at w = 0 bounds all others: 1 / its norm is a safe rate
    bound = np.linalg.norm(hessian(w=np.zeros_like(w), **arrays).dense(), 2)
    slow = descend(step, arrays, 1 / bound, chosen.steps)
    print(f"after {len(slow)} steps gradient descent is {slow[-1] - fast[-1]:.1e} above Newton's {fast[-1]:.6f}\n")

    difference = np.abs(w - reference(arrays, chosen.C)).max()
    draw(fast, slow, w, names, chosen.out)
    print(f"largest difference from scikit-learn's coefficients and intercept: {difference:.1e}; {chosen.out}")
    if not difference <= TOLERANCE:
        sys.exit(f"the optimum is not scikit-learn's to {TOLERANCE:.0e}")


if __name__ == "__main__":
    main()
