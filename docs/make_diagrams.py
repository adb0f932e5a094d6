"""Draw the pictures of docs/diagrams.md: networks of formulas and of their derivatives, as SVG.

python docs/make_diagrams.py            write them
python docs/make_diagrams.py --check    compare them with what is drawn now
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping
from pathlib import Path

import einback as eb
from einback.formula.diagram.diagram import Diagram

FOLDER = Path(__file__).with_name("diagrams")


def pictures() -> Mapping[str, Diagram]:
    """Every picture by the name of its file."""
    return {"state": state(), "regression": regression(), "factorisation": factorisation()}


def state() -> Diagram:
    """The norm of a matrix product state of six sites, and its gradient by the third."""
    sites = eb.tensors("A_1[p,a] A_2[a,p,b] A_3[b,p,c] A_4[c,p,d] A_5[d,p,e] A_6[e,p]")
    norm = eb.einsum("pa,aqb,brc,csd,dte,eu,pA,AqB,BrC,CsD,DtE,Eu->", *sites, *sites)
    return eb.diagram(norm, eb.grad(norm, sites[2]))


def regression() -> Diagram:
    """The loss of softmax regression, and its gradient by the weights."""
    X, W, b = eb.tensors("X[n,d] W[d,c] b[c]")
    Y = eb.tensor("Y[n,c]", stochastic=True)
    loss = -eb.sum(Y * eb.log_softmax(X @ W + b, axis="c")) / X.size("n")
    return eb.diagram(loss, eb.grad(loss, W))


def factorisation() -> Diagram:
    """A weighted least squares fit by two factors, and its Hessian by one of them."""
    O, T, U, V = eb.tensors("O[m,n] T[m,n] U[m,k] V[n,k]")
    return eb.hessian(eb.sum((O * (T - U @ V.T)) ** 2), U).diagram()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="compare, write nothing")
    chosen = parser.parse_args()
    FOLDER.mkdir(exist_ok=True)
    for name, picture in pictures().items():
        path = FOLDER / f"{name}.svg"
        if not chosen.check:
            picture.save(path)
        elif not path.exists() or path.read_text(encoding="utf-8") != picture.svg:
            sys.exit(f"{path.name} is not what is drawn now: python docs/make_diagrams.py")


if __name__ == "__main__":
    main()
