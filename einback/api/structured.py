"""Results as structure: core arrays, deltas and broadcasts in place of one large array.

The Hessian of a sum over n of terms that hold only their own row of x is delta[n,n'] times something small; a
Jacobian of an affine layer is delta[m,m'] X[n,d]. `compile(.., structured=True)` gives such results as `Structured`:
what stands beside the deltas is computed, and kept as the arrays that it is the product of.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np

from einback.errors import ArrayError, ShapeError
from einback.formula.index import Names, expression
from einback.interop.scipy import sparse_array
from einback.ir.nodes import Number
from einback.run.structured import Form, FormTerm, core_names, dense_program, entries_program, product_program, whole

__all__ = ["Structured", "StructuredTerm"]

Array = np.ndarray[Any, np.dtype[Any]]


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class StructuredTerm:
    """weight * product of `cores`, summed over the labels that are not in `axes`.

    `labels` holds a number for every axis of every core, `axes` one for every axis of the whole: where a number
    stands twice there is a delta, where no core has it a broadcast.
    """

    weight: Number
    cores: tuple[Array, ...]
    labels: tuple[tuple[int, ...], ...]
    axes: tuple[int, ...]

    def __repr__(self) -> str:
        """The term without its entries.

        >>> StructuredTerm(2, (np.ones((3, 4)),), ((0, 1),), (0, 1, 0))
        <2 * [3,4] at (0, 1), on axes (0, 1, 0)>
        """
        pairs = zip(self.cores, self.labels, strict=True)
        cores = [f"[{','.join(map(str, core.shape))}] at {labels}" for core, labels in pairs]
        return f"<{' * '.join([str(self.weight), *cores])}, on axes {self.axes}>"


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Structured:
    """A tensor kept as its factors: the sum of `terms`, each a product of core arrays, deltas and broadcasts.

    Seen as a matrix, its first `rows` axes are the rows and the others the columns, each group in C order;
    left out, `rows` is half the number of axes. The cores are read-only, and results of one call may share some.

    >>> import numpy as np
    >>> import einback as eb
    >>> X, W = eb.tensors("X[n,d] W[d,m]")
    >>> slope = eb.compile(eb.jacobian(X @ W, W), structured=True)
    >>> J = slope(X=np.ones((1000, 20)), W=np.ones((20, 50)))
    >>> J
    <Structured float64 [1000,50,20,50]: δ[m,m'] X[n,d], 160,000 bytes>
    >>> J.matvec(np.ones((20, 50))).shape, J.dense().shape
    ((1000, 50), (1000, 50, 20, 50))
    """

    form: Form
    cores: tuple[Array, ...]
    dtype: np.dtype[Any]
    index_names: tuple[str, ...] = ()
    core_names: tuple[str, ...] = ()

    @property
    def shape(self) -> tuple[int, ...]:
        return self.form.shape

    @property
    def ndim(self) -> int:
        return len(self.form.shape)

    @property
    def nbytes(self) -> int:
        """The bytes of the core arrays."""
        return sum(core.nbytes for core in self.cores)

    @property
    def terms(self) -> tuple[StructuredTerm, ...]:
        return tuple(self._term(term) for term in self.form.terms)

    def dense(self) -> Any:
        """The whole as one array (a NumPy scalar where there are no axes)."""
        made = np.asarray(dense_program(self.form)(self._arrays())).astype(self.dtype, copy=False)
        return made if self.shape else made[()]

    def matvec(self, v: Any, rows: int | None = None) -> Any:
        """The matrix times v, which has the shape of the column axes; the result has that of the row axes."""
        return self._times(v, self._rows(rows), transposed=False)

    def rmatvec(self, u: Any, rows: int | None = None) -> Any:
        """The transposed matrix, conjugated if complex, times u, which has the shape of the row axes."""
        made = self._times(np.conjugate(u), self._rows(rows), transposed=True)
        return np.conjugate(made) if np.iscomplexobj(made) else made

    def to_scipy(self, rows: int | None = None) -> Any:
        """A `scipy.sparse.csr_array`. Rows are the first `rows` axes in C order, columns the others in C order.

        It holds an entry wherever a term does not vanish by its deltas alone. Raises `CompileError` without SciPy.
        """
        split = self._rows(rows)
        shape = prod(self.shape[:split]), prod(self.shape[split:])
        return sparse_array([self._entries(k, split) for k in range(len(self.form.terms))], shape, self.dtype)

    def __repr__(self) -> str:
        names = self.core_names or tuple(core_names(self.form))
        formula = " ".join(expression(whole(self.form, names), Names(free=self.index_names)).split())
        shape = ",".join(map(str, self.shape))
        return f"<Structured {self.dtype} [{shape}]: {formula}, {self.nbytes:,} bytes>"

    def __array__(self, *args: Any, **options: Any) -> Any:
        raise ArrayError("a structured result is not one array", hint="dense() makes one")

    def _term(self, term: FormTerm) -> StructuredTerm:
        cores = tuple(self.cores[k] for k, _ in term.factors)
        return StructuredTerm(term.weight, cores, tuple(labels for _, labels in term.factors), term.axes)

    def _arrays(self) -> dict[str, Array]:
        return dict(zip(core_names(self.form), self.cores, strict=True))

    def _rows(self, rows: int | None) -> int:
        if rows is None and self.ndim % 2:
            raise ShapeError(
                f"a tensor of {self.ndim} axes has no middle",
                hint="say how many of its first axes are rows, as in rows=1",
            )
        rows = self.ndim // 2 if rows is None else rows
        if not 0 <= rows <= self.ndim:
            raise ShapeError(f"rows={rows}, and there are {self.ndim} axes")
        return rows

    def _times(self, v: Any, rows: int, *, transposed: bool) -> Any:
        vector = np.asarray(v)
        wanted, which = (self.shape[:rows], "row") if transposed else (self.shape[rows:], "column")
        if vector.shape != wanted:
            raise ArrayError(f"the array has the shape {vector.shape}, and the {which} axes have {wanted}")
        return product_program(self.form, rows, transposed)({**self._arrays(), "v": vector})

    def _entries(self, k: int, rows: int) -> tuple[Array, Array, Array]:
        """The entries of term k, flat, with the row and the column of each."""
        axes = self.form.terms[k].axes
        lengths = self.form.lengths(self.form.terms[k])
        values = np.asarray(entries_program(self.form, k)(self._arrays()))
        places = []
        for part, shape in ((axes[:rows], self.shape[:rows]), (axes[rows:], self.shape[rows:])):
            strides = [prod(shape[axis + 1 :]) for axis in range(len(shape))]
            place = np.zeros(lengths, np.int64 if prod(shape) > np.iinfo(np.int32).max else np.int32)
            for label, stride in zip(part, strides, strict=True):
                along = np.arange(lengths[label], dtype=place.dtype) * place.dtype.type(stride)
                place += along.reshape([-1 if k == label else 1 for k in range(len(lengths))])
            places.append(place.ravel())
        return values.ravel(), places[0], places[1]
