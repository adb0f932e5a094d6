"""A Gaussian process that finds its own length scales, the gradient of its likelihood derived.

    pip install -e ".[examples]" && python examples/gaussian_process.py

The data are 442 patients with ten measurements each, and how far their diabetes went in the year after (B. Efron,
T. Hastie, I. Johnstone and R. Tibshirani, Least angle regression, 2004); scikit-learn ships them. A process with one
length scale a measurement learns from the data how far a measurement must change before the target does. The script

 1. declares the negative log marginal likelihood, derives its gradient in the logarithms of all twelve
    hyperparameters, and prints both as formulas,
 2. compiles them, and shows that the program factors the covariance matrix once: the solve, the determinant and the
    inverse in the gradient share that factor,
 3. minimises with SciPy's L-BFGS,
 4. compares the optimum and the predictions with scikit-learn's `GaussianProcessRegressor`, started elsewhere, and
    fails unless they agree,
 5. draws what the length scales say, and the predictions along the most telling measurement.
"""

from __future__ import annotations

import argparse
import re
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import matplotlib as mpl
import numpy as np
from matplotlib import pyplot as plt
from scipy.optimize import minimize
from sklearn.datasets import load_diabetes
from sklearn.exceptions import ConvergenceWarning
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import RBF, ConstantKernel, WhiteKernel
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits
from tqdm import tqdm

import einback as eb

ALIKE = 1e-9  # two likelihoods or predictions that agree, relative to their size
CLOSE = 1e-4  # two logarithms of a hyperparameter that agree, though the searches began in different places
LIMITS = {"v": (-5.0, 7.0), "l": (-2.0, 5.0), "s": (-5.0, 3.0)}  # of the logarithms
NAMES = ("age", "sex", "body mass index", "blood pressure", "cholesterol", "LDL", "HDL", "cholesterol / HDL")
NAMES += ("log triglycerides", "blood sugar")
Arrays = dict[str, np.ndarray]
Step = Callable[..., Any]


class Process(NamedTuple):
    loss: eb.Tensor
    slopes: dict[str, eb.Tensor]
    prediction: tuple[eb.Tensor, eb.Tensor]


def declare() -> Process:
    """The likelihood of y given X, and mean and variance of new targets at the points P.

    C. Rasmussen and C. Williams, Gaussian processes for machine learning (2006): covariance (5.1), likelihood (5.8),
    prediction (2.25) and (2.26).
    """
    p = eb.program("""
        r[i,j] = exp(-2 l[d]) (X[i,d] - X[j,d])^2
        K[i,j] = exp(v - r[i,j] / 2) + exp(s) δ[i,j]
        C[m,i] = exp(v - exp(-2 l[d]) (P[m,d] - X[i,d])^2 / 2)
        w      = exp(v) + exp(s)
    """)
    K, C, y = p["K"], p["C"], eb.tensor("y[i]")
    alpha = eb.linalg.solve(K, y)
    loss = (y @ alpha + eb.linalg.logdet(K) + float(np.log(2 * np.pi)) * y.size("i")) / 2
    variance = p["w"] - eb.einsum("mi,im->m", C, eb.linalg.solve(K, C.T))
    return Process(loss, eb.grad(loss, {name: p[name] for name in LIMITS}), (C @ alpha, variance))


def load() -> Arrays:
    """Measurements and targets with mean zero and variance one."""
    X, y = load_diabetes(return_X_y=True, scaled=False)
    return {"X": StandardScaler().fit_transform(X), "y": StandardScaler().fit_transform(y[:, None])[:, 0]}


def named(theta: np.ndarray) -> Arrays:
    """The vector that L-BFGS and scikit-learn see: the variance v, the length scales l, the noise s, in logarithms."""
    return {"v": theta[0], "l": theta[1:-1], "s": theta[-1]}


def limits(features: int) -> list[tuple[float, float]]:
    return [LIMITS["v"], *[LIMITS["l"]] * features, LIMITS["s"]]


def minimum(value: Callable[[np.ndarray], tuple[float, np.ndarray]], start: np.ndarray, steps: int, name: str) -> Any:
    with tqdm(total=steps, desc=name, unit="step", file=sys.stdout, ncols=88) as bar:
        return minimize(
            value,
            start,
            jac=True,
            method="L-BFGS-B",
            bounds=limits(len(start) - 2),
            callback=lambda _: bar.update(),
            options={"maxiter": steps, "ftol": 1e-15, "gtol": 1e-7},
        )


def fit(step: Step, arrays: Arrays, steps: int) -> np.ndarray:
    """The hyperparameters of largest likelihood, from variance 1, length scales 3 and noise 1/2."""

    def value(theta: np.ndarray) -> tuple[float, np.ndarray]:
        loss, slopes = step(**arrays, **named(theta))
        return float(loss), np.hstack([slopes["v"], slopes["l"], slopes["s"]])

    start = np.log([1.0, *[3.0] * arrays["X"].shape[1], 0.5])
    return np.asarray(minimum(value, start, steps, "einback").x)


def reference(arrays: Arrays) -> GaussianProcessRegressor:
    """The same process by scikit-learn, its search from length scales 6, variance 2 and noise 1/4."""
    v, l, s = (np.exp(LIMITS[name]) for name in LIMITS)
    features = arrays["X"].shape[1]
    kernel = ConstantKernel(2.0, v) * RBF([6.0] * features, l) + WhiteKernel(0.25, s)

    def search(value: Step, start: np.ndarray, **_: Any) -> tuple[np.ndarray, float]:
        found = minimum(value, start, 300, "scikit-learn")
        return found.x, found.fun

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # it says which length scales are at their limits
        return GaussianProcessRegressor(kernel, alpha=0, optimizer=search).fit(arrays["X"], arrays["y"])


def matrix_work(source: str) -> tuple[list[str], int]:
    """The lines of a compiled step that work on a matrix as a whole, and how many of them factor, solve or invert."""
    body = source[source.index("def step(") :]
    lines = re.findall(r"^ +([^#\n]*\b(?:\w*factor\w*|\w+_of|qr|linalg\.\w+)\(.*)$", body, flags=re.MULTILINE)
    return lines, sum(len(re.findall(r"\bfactor\(|\bqr\(|linalg\.", line)) for line in lines)


def compare(process: Process, step: Step, arrays: Arrays, theta: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Everything against scikit-learn; mean and standard deviation at the points."""
    model = reference(arrays)
    loss, _ = step(**arrays, **named(theta))
    mean, variance = eb.evaluate(process.prediction, **arrays, P=points, **named(theta))
    found = np.array([mean, np.sqrt(variance)])
    same = model.log_marginal_likelihood(theta)
    best = model.log_marginal_likelihood_value_
    likelihood, optimum = (abs(other / loss + 1) for other in (same, best))
    predictions = np.abs(found - np.array(model.predict(points, return_std=True))).max()
    difference = np.abs(theta - model.kernel_.theta).max()
    print(f"log marginal likelihood {-loss:.9f}, of scikit-learn's optimum {best:.9f}")
    print(f"relative difference at the same hyperparameters {likelihood:.1e}, of the optima {optimum:.1e}")
    print(f"largest difference of a hyperparameter's logarithm {difference:.1e}, of a prediction {predictions:.1e}")
    if not max(likelihood, optimum) <= ALIKE:
        sys.exit(f"the likelihood is not scikit-learn's to {ALIKE:.0e}")
    if not max(difference, predictions) <= CLOSE:
        sys.exit(f"the hyperparameters or predictions are not scikit-learn's to {CLOSE:.0e}")
    return found


def along(arrays: Arrays, feature: int) -> np.ndarray:
    """Points with one measurement running over its range, the others at their means."""
    points = np.zeros((120, arrays["X"].shape[1]))
    points[:, feature] = np.linspace(arrays["X"][:, feature].min(), arrays["X"][:, feature].max(), len(points))
    return points


def draw(arrays: Arrays, theta: np.ndarray, line: np.ndarray, found: np.ndarray, path: Path) -> None:
    """One over the length scales, and mean and two standard deviations along the most telling measurement."""
    ink, accent, faint = "#1f2933", "#c2410c", "#9fb3c8"
    figure, (left, right) = plt.subplots(1, 2, figsize=(10, 4.6), width_ratios=(3, 5), layout="constrained")
    reach = np.exp(-theta[1:-1])
    order = np.argsort(reach)
    feature = order[-1]
    left.barh([NAMES[k] for k in order], reach[order], color=[accent if k == feature else faint for k in order])
    left.set_xlabel("1 / length scale, per standard deviation")
    x, (mean, deviation) = line[:, feature], found
    noise = np.exp(theta[-1])
    inner = np.sqrt(np.maximum(deviation**2 - noise, 0))
    right.plot(arrays["X"][:, feature], arrays["y"], ".", color=ink, alpha=0.35, markersize=4, label="patients")
    for width, alpha, name in ((deviation, 0.15, "± 2 deviations of a patient"), (inner, 0.35, "of the mean")):
        right.fill_between(x, mean - 2 * width, mean + 2 * width, color=accent, alpha=alpha, linewidth=0, label=name)
    right.plot(x, mean, color=accent, linewidth=1.8, label="mean, other measurements average")
    right.set(xlabel=f"{NAMES[feature]}, standardised", ylabel="progression, standardised")
    right.legend(frameon=False, fontsize=8, loc="upper left")
    for axes in (left, right):
        axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(path, dpi=150)
    plt.close(figure)


def main() -> None:
    mpl.use("Agg")
    parser = argparse.ArgumentParser(description="A Gaussian process fitted to the diabetes data by derived gradients.")
    parser.add_argument("--steps", type=int, default=300, help="most steps of L-BFGS (%(default)s)")
    parser.add_argument("--out", type=Path, default=Path("output/gaussian_process.png"), help="picture (%(default)s)")
    chosen = parser.parse_args()
    if chosen.steps < 1:
        parser.error("--steps is one or more")
    chosen.out.parent.mkdir(parents=True, exist_ok=True)

    process = declare()
    print(process.loss.text(name="loss"), *process.slopes.values(), sep="\n\n", end="\n\n")
    arrays = load()
    step = eb.compile((process.loss, process.slopes))
    with threadpool_limits(1):  # a second core gains little on 442 x 442 matrices, and loses if it is busy
        theta = fit(step, arrays, chosen.steps)
        line = along(arrays, int(np.argmin(theta[1:-1])))
        found = compare(process, step, arrays, theta, line)
    draw(arrays, theta, line, found, chosen.out)

    lines, factorisations = matrix_work(step.source({**arrays, **named(theta)}))
    print("\nlikelihood and gradient work on the covariance matrix in these lines:", *lines, sep="\n    ")
    if factorisations != 1:
        sys.exit(f"the compiled step factors its matrix {factorisations} times, not once")
    print(f"noise variance {np.exp(theta[-1]):.3f} of 1; {chosen.out}")


if __name__ == "__main__":
    main()
